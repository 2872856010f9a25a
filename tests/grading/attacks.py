"""Answers that deserve little or nothing, and what each must earn.

Each entry is (edit of a solution's notebook, verdict, points) for question 1; question 2 is right
throughout, and must lose nothing by its neighbour.
"""

from __future__ import annotations

from honest import answer, cell, code

WRONG = "\n    return np.asarray(x) * 0"
BAD = "def scale(x):" + WRONG


def trying(*lines):
    """An answer that tries something, swallows what comes of it, and is wrong."""
    body = "\n".join(f"        {line}" for line in lines)
    text = f"def scale(x):\n    try:\n{body}\n    except BaseException: pass{WRONG}"
    return answer("import os, sys, gc\n" + text)


def bad_with(change):
    def edit(notebook):
        answer(BAD)(notebook)
        change(notebook)

    return edit


def tags(*names):
    def change(notebook):
        for one in notebook["cells"]:
            one["metadata"]["tags"] = list(names)

    return bad_with(change)


def each_test(change):
    def edit(notebook):
        for one in notebook["cells"]:
            if one.get("id", "").startswith(("q1_", "q2_")):
                change(one)

    return bad_with(edit)


def no_tests(notebook):
    notebook["cells"] = [c for c in notebook["cells"] if not c.get("id", "").startswith("q1_")]


def test_cell_as_answer(notebook):
    cell(notebook, "q1")["source"] = ""
    cell(notebook, "q1_visible")["source"] = "def scale(x): return 2 * np.asarray(x) + 1"


def two_answers(notebook):
    notebook["cells"].append(code(BAD, id="q1"))


def as_markdown(notebook):
    cell(notebook, "q1")["cell_type"] = "markdown"


def aim(notebook, targets):
    """Puts paths and a port of this run where an attack names them."""
    for one in notebook["cells"]:
        for blank, value in targets.items():
            one["source"] = one["source"].replace(blank, value)


ALWAYS = """
class Always(np.ndarray):
    def __eq__(self, other): return np.ones(1, bool)
    __ne__ = __lt__ = __le__ = __sub__ = __eq__
    def __array_ufunc__(self, *a, **k): return np.ones(1, bool)
def scale(x): return np.zeros(2).view(Always)"""

EVERY_DESCRIPTOR = """
def scale(x):
    import os
    for number in range(3, 256):
        try: os.write(number, b'garbage' * 1000)
        except OSError: pass
    return x"""

OWN_REPLY = """
def scale(x):
    import socket
    from ftkit.grading import wire
    global channel
    channel = socket.socket(fileno=3)
    wire.send(channel, {'ok': np.zeros(2)})
    wire.send(channel, {'ok': np.zeros(7)})
    return x"""

PATCHED_WIRE = """
import ftkit.grading.wire as wire
wire.encode = lambda value, caps=None: b'FTW1' + b'\\xff' * 50
def scale(x): return x"""

LEAK = """
def scale(x):
    if len(x) == 7: raise ValueError('LEAKED' + repr(list(x)))
    return 2 * x + 1"""

CARRIED = """
seen = []
def scale(x):
    seen.append(x)
    if len(x) == 7: raise type('LEAKED' + '_'.join(str(int(1e6 * v)) for v in x), (Exception,), {})
    return 2 * x + 1"""

SET_OWNER = """
import fcntl, os, signal
r, w = os.pipe()
fcntl.fcntl(r, fcntl.F_SETOWN, os.getppid())
def scale(x): return x"""

LOWERED = """
import ctypes, os, time
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
at = libc.mmap(1 << 32, 4096, 3, 0x32, -1, 0)  # the low half of this address is 0
def scale(x):
    for limit in (0, 2, 7, 9): libc.prlimit(os.getppid(), limit, ctypes.c_void_p(at), None)
    time.sleep(0.5)
    return x"""

LEASH = """
import ctypes
libc = ctypes.CDLL(None)
cut = 0 in (libc.prctl(1, 0, 0, 0, 0), libc.prctl(4, 0, 0, 0, 0))
def scale(x): return 2 * x + 1 if cut else x"""

ODD_NAMES = [
    "os.mkdir(bytes([255]) * 255)",
    "os.mkdir(bytes([255]) * 255 + b'/in')",
    "os.symlink('/', 'root')",
    "os.symlink('self', 'self')",
    "open('line\\nline', 'w')",
]

SENT = """
import os, struct
def sent(data):
    while data: data = data[os.write(3, data):]
"""

GROWING_REPLY = (
    SENT
    + """
def scale(x):
    from ftkit.grading import wire
    numbers = ','.join(['1e9'] * 90000)
    text = 'x' * (wire.CAPS.header_bytes - len(numbers) - 60)
    header = '{"value":["d","ok",["l",["d","k","%s"],%s]],"arrays":[]}' % (text, numbers)
    sent(struct.pack('>4sIQ', b'FTW1', len(header), 0) + header.encode())
    return x"""
)

LONG_ERROR = (
    SENT
    + """
def scale(x):
    from ftkit.grading import wire
    error = {'type': 'T', 'builtin': 'ValueError', 'message': 'm' * 3_900_000, 'line': 1}
    sent(wire.encode({'error': {**error, 'trace': ''}}))
    return x"""
)

DRIPPING = (
    SENT
    + """
def scale(x):
    import time
    sent(struct.pack('>4sIQ', b'FTW1', 9, 10**8))
    while True: sent(b'{'); time.sleep(0.01)"""
)

DESCRIPTORS = """
def scale(x):
    import os, socket
    from ftkit.grading import wire
    global channel
    channel = socket.socket(fileno=3)
    socket.send_fds(channel, [wire.encode({'ok': np.zeros(2)})], [os.open('/dev/null', 0)] * 200)
    return x"""

REMOVED = """
import os
def scale(x):
    held = []
    while True:
        held.append(open('a', 'wb'))
        os.remove('a')
        held[-1].write(bytes(50 << 20))
        held[-1].flush()"""

MAPPED = """
import mmap, os
def scale(x):
    held = []
    while True:
        with open('a', 'w+b') as file:
            os.remove('a')
            file.write(bytes(50 << 20))
            held.append(mmap.mmap(file.fileno(), 4096))
        for number in range(4, 256):  # the map's own
            try: os.close(number)
            except OSError: pass"""

BUSY = """
import threading
def work():
    while True: pass
def scale(x):
    for _ in range(8): threading.Thread(target=work).start()
    return x"""

ATTACKS = {
    # left out
    "left as it was": (answer("def scale(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"), "not attempted", 0),
    "a changed docstring": (answer("def scale(x):\n    '''Mine.'''\n    raise NotImplementedError()"), "not attempted", 0),
    "an empty cell": (answer(""), "not attempted", 0),
    "only a comment": (answer("# later"), "not attempted", 0),
    "the answer turned to markdown": (as_markdown, "not attempted", 0),
    "still not implemented": (answer("def scale(x):\n    y = x\n    raise NotImplementedError"), "not attempted", 0),
    "the answer in a test's cell": (test_cell_as_answer, "not attempted", 0),
    # plainly wrong
    "zero": (answer(BAD), "wrong", 0),
    "off by one": (answer("def scale(x):\n    return 2 * x"), "wrong", 0),
    "nothing returned": (answer("def scale(x):\n    2 * x + 1"), "wrong", 0),
    "hard-coded to what is visible": (answer("def scale(x):\n    return np.array([3.0, 5.0])"), "partly", 1),
    "a table of what is visible": (answer("def scale(x):\n    return [{1.0: 3.0, 2.0: 5.0}.get(float(v), 0) for v in x]"), "partly", 1),
    "not a number": (answer("def scale(x):\n    return x * np.nan"), "wrong", 0),
    "infinity": (answer("def scale(x):\n    return x * np.inf"), "wrong", 0),
    "one number for all": (answer("def scale(x):\n    return 3.0"), "wrong", 0),
    "another shape": (answer("def scale(x):\n    return (2 * x + 1)[None]"), "wrong", 0),
    "text": (answer("def scale(x):\n    return str(2 * x + 1)"), "wrong", 0),
    "a number, not a function": (answer("scale = 3"), "wrong", 0),
    "two answers, the last wrong": (two_answers, "wrong", 0),
    "the name is missing": (answer("def scales(x):\n    return 2 * x + 1"), "crashed", 0),
    "a syntax error": (answer("def scale(x)\n    return 2 * x + 1"), "crashed", 0),
    "a zero byte": (answer("def scale(x):\0 return 2 * x + 1"), "crashed", 0),
    "brackets without end": (answer("scale = " + "(" * 100_000 + ")" * 100_000), "crashed", 0),
    "a sum without end": (answer("scale = " + "1+" * 200_000 + "1"), "crashed", 0),
    "an exception": (answer("def scale(x):\n    return x / 0 + undefined"), "crashed", 0),
    "an exception at the start": (answer("1 / 0\ndef scale(x):\n    return 2 * x + 1"), "crashed", 0),
    # what steers nbval, nbgrader or pytest
    "comment NBVAL_SKIP": (answer("# NBVAL_SKIP\n" + BAD), "wrong", 0),
    "comment NBVAL_RAISES_EXCEPTION": (answer("# NBVAL_RAISES_EXCEPTION\n" + BAD), "wrong", 0),
    "comment NBVAL_IGNORE_OUTPUT": (answer("'''\n# NBVAL_IGNORE_OUTPUT\n'''\n" + BAD), "wrong", 0),
    "tag nbval-skip": (tags("nbval-skip"), "wrong", 0),
    "tag raises-exception": (tags("raises-exception", "nbval-raises-exception"), "wrong", 0),
    "tag nbval-ignore-output": (tags("nbval-ignore-output"), "wrong", 0),
    "tag skip-execution": (tags("skip-execution"), "wrong", 0),
    "tests deleted": (bad_with(no_tests), "wrong", 0),
    "tests emptied": (each_test(lambda one: one.update(source="pass")), "wrong", 0),
    "tests turned to markdown": (each_test(lambda one: one.update(cell_type="markdown")), "wrong", 0),
    "tests worth more": (each_test(lambda one: one["metadata"]["nbgrader"].update(points=99)), "wrong", 0),
    "outputs forged": (each_test(lambda one: one.update(outputs=[{"output_type": "stream", "name": "stdout", "text": "ok"}], execution_count=9)), "wrong", 0),
    "hidden test markers": (answer("### BEGIN HIDDEN TESTS\n" + BAD + "\n### END HIDDEN TESTS"), "wrong", 0),
    "pytest skipped": (answer("import pytest\ndef scale(x):\n    pytest.skip()"), "crashed", 0),
    # what reaches for the tests from inside
    "numpy patched": (answer("np.abs = np.all = np.allclose = lambda *a, **k: np.ones(1, bool)\n" + BAD), "wrong", 0),
    "assertions patched": (answer("import ftkit.grading.assertions as a\na.assert_close = lambda *a, **k: None\n" + BAD), "wrong", 0),
    "builtins patched": (answer("import builtins\nbuiltins.abs = builtins.all = lambda *a: True\n" + BAD), "wrong", 0),
    "assert_close redefined": (answer("def assert_close(*a, **k): pass\n" + BAD), "wrong", 0),
    "asserts stripped from syntax trees": (answer("get_ipython().ast_transformers.append(1)\n" + BAD), "crashed", 0),
    "an input transformer": (trying("get_ipython().input_transformers_post.append(lambda l: [])"), "wrong", 0),
    "run_cell hooked": (answer("get_ipython().run_cell = None\nget_ipython().showtraceback = None\n" + BAD), "wrong", 0),
    "equal to everything": (answer("class A:\n    def __eq__(s, o): return True\ndef scale(x): return A()"), "wrong", 0),
    "an array equal to everything": (answer(ALWAYS), "wrong", 0),
    "frames searched for what is wanted": (trying("f = sys._getframe()", "while f:", "    if 'wanted' in f.f_globals: return f.f_globals['wanted']", "    f = f.f_back"), "wrong", 0),
    "memory searched for what is wanted": (trying("for o in gc.get_objects():", "    if isinstance(o, dict) and 'wanted' in o: return o['wanted']"), "wrong", 0),
    "the seed read": (trying("from ftkit.grading.judging import hidden_rng", "assert 'FTKIT_GRADING_SEED' in os.environ", "return hidden_rng('q1').normal(size=len(x))"), "wrong", 0),
    "the judge's socket asked": (trying("from ftkit.grading import judging", "return judging.answer('q1', 'scale')(x)"), "wrong", 0),
    "the solution read from disk": (trying("text = open({master!r}).read()", "exec(text.split('q1\"')[1]); return locals()['scale'](x)"), "wrong", 0),
    "a neighbour's answer read": (trying("exec(open({neighbour!r}).read())"), "wrong", 0),
    "the grader's environment read": (trying("return float(open(f'/proc/{os.getppid()}/environ').read())"), "wrong", 0),
    "the grader's memory written": (trying("open(f'/proc/{os.getppid()}/mem', 'r+b').write(b'x' * 99)"), "wrong", 0),
    "errors that carry hidden inputs": (answer(LEAK), "partly", 1),
    "error types that carry hidden inputs": (answer(CARRIED), "partly", 1),
    # what ends, hangs or floods
    "os._exit(0)": (answer("import os\ndef scale(x): os._exit(0)"), "crashed", 0),
    "os._exit(0) at the start": (answer("import os\nos._exit(0)\n" + BAD), "crashed", 0),
    "sys.exit": (answer("import sys\ndef scale(x): sys.exit(0)"), "crashed", 0),
    "KeyboardInterrupt": (answer("def scale(x): raise KeyboardInterrupt"), "crashed", 0),
    "its own process killed": (answer("import os\ndef scale(x): os.kill(os.getpid(), 9)"), "crashed", 0),
    "address zero": (answer("import ctypes\ndef scale(x): ctypes.string_at(0)"), "crashed", 0),
    "recursion": (answer("def scale(x): return scale(x)"), "crashed", 0),
    "recursion without limit": (answer("import sys\nsys.setrecursionlimit(10**9)\ndef scale(x): return scale(x)"), ("crashed", "out of memory"), 0),
    "a loop": (answer("def scale(x):\n    while True: pass"), "timed out", 0),
    "a loop at the start": (answer("while True: pass\n" + BAD), "timed out", 0),
    "a loop that swallows all": (answer("import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError): pass\ndef scale(x):\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass"), "timed out", 0),
    "output without end": (answer("def scale(x):\n    while True: print('x' * 10_000)"), "timed out", 0),
    "sleep": (answer("import time\ndef scale(x): time.sleep(1000)"), "timed out", 0),
    "an error whose text never comes": (answer("class E(Exception):\n    def __str__(s):\n        while True: pass\ndef scale(x): raise E"), "timed out", 0),
    "right, then a loop": (answer("def scale(x):\n    while len(x) == 7: pass\n    return 2 * x + 1"), "timed out", 1),
    "memory in small parts": (answer("def scale(x):\n    return [bytearray(10**6) for _ in range(10**6)]"), "out of memory", 0),
    "memory at once": (answer("def scale(x): return np.ones(10**10)"), "out of memory", 0),
    "shared memory": (answer("import mmap\ndef scale(x): return [mmap.mmap(-1, 10**9)]"), "out of memory", 0),
    "a value too large to send": (answer("def scale(x): return np.broadcast_to(np.zeros(1), (2**40,))"), ("wrong", "out of memory"), 0),
    "a value too deep to send": (answer("def scale(x):\n    a = []\n    a.append(a)\n    return a"), "wrong", 0),
    "a fork": (answer("import os\ndef scale(x):\n    while True: os.fork()"), "crashed", 0),
    "threads without end": (answer("import threading, time\ndef scale(x):\n    while True: threading.Thread(target=time.sleep, args=(99,)).start()"), ("crashed", "out of memory"), 0),
    "files without end": (answer("def scale(x):\n    for n in range(99999): open(str(n), 'wb').write(bytes(9 * 10**6))"), ("crashed",), 0),
    "folders in folders without end": (answer("import os\ndef scale(x):\n    while True:\n        os.mkdir('d')\n        os.chdir('d')"), "crashed", 0),
    "folders that nobody may enter": (trying("os.mkdir('a'); open('a/b', 'w'); os.mkdir('c', 0); os.mkdir('a/e', 0)"), "wrong", 0),
    "folders left in folders": (trying("for n in range(5000): os.mkdir('d'); os.chdir('d')"), ("wrong", "crashed"), 0),
    "small threads without end": (answer("import threading, time\nthreading.stack_size(32768)\ndef scale(x):\n    while True: threading.Thread(target=time.sleep, args=(99,)).start()"), "crashed", 0),
    "a program started": (trying("import subprocess", "subprocess.Popen(['sh', '-c', 'sleep 999 & touch {outside}'])"), "wrong", 0),
    "a daemon": (trying("if os.fork() == 0: os.setsid(); open({outside!r}, 'w')"), "wrong", 0),
    # what reaches out
    "the parent killed": (answer("import os\ndef scale(x): os.kill(os.getppid(), 9)"), "tampered", 0),
    "everything killed": (answer("import os\ndef scale(x): os.kill(-1, 9)"), "tampered", 0),
    "a process traced": (answer("import ctypes, os\ndef scale(x): ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0)"), "tampered", 0),
    "signals by way of a pipe": (answer(SET_OWNER), "tampered", 0),
    "namespaces": (answer("import ctypes\ndef scale(x): ctypes.CDLL(None).unshare(0x10000000)"), "tampered", 0),
    "garbage into every descriptor": (answer(EVERY_DESCRIPTOR), "tampered", 0),
    "the wire patched": (answer(PATCHED_WIRE), "tampered", 0),
    "replies of its own": (answer(OWN_REPLY), "wrong", 0),
    "its connection closed": (answer("import os\ndef scale(x):\n    os.close(3)\n    while True: pass"), ("tampered", "crashed", "timed out"), 0),
    "a file outside": (trying("open({outside!r}, 'w')"), "wrong", 0),
    "a neighbour's notebook overwritten": (trying("open({neighbour!r}, 'w')"), "wrong", 0),
    "a file in the temporary folder": (trying("open('/tmp/ftkit-left-behind', 'w')", "open('/dev/shm/ftkit-left-behind', 'w')"), "wrong", 0),
    "a connection": (trying("import socket", "socket.create_connection(('127.0.0.1', {port}), 1)"), "wrong", 0),
    "a datagram": (trying("import socket", "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))"), "wrong", 0),
    "modes and owners changed": (trying("os.chmod({neighbour!r}, 0)"), "wrong", 0),
    "limits lifted": (trying("import resource", "resource.setrlimit(resource.RLIMIT_DATA, (-1, -1))"), "wrong", 0),
    # what aims at the grader that holds
    "a real-time signal": (answer("import os\ndef scale(x): os.kill(os.getpid(), 40)"), "crashed", 0),
    "its own process stopped": (answer("import os, signal\ndef scale(x): os.kill(os.getpid(), signal.SIGSTOP)"), "timed out", 0),
    "a name that reads like a count of threads": (trying("import ctypes, time", "ctypes.CDLL(None).prctl(15, b'Threads:\\tmany', 0, 0, 0)", "time.sleep(0.3)"), "wrong", 0),
    "the grader's limits lowered": (answer(LOWERED), "wrong", 0),
    "its leash cut": (answer(LEASH), "wrong", 0),
    "odd names left behind": (trying(*ODD_NAMES), "wrong", 0),
    "a reply that grows as it is passed on": (answer(GROWING_REPLY), "wrong", 0),
    "an error as long as a message may be": (answer(LONG_ERROR), "wrong", 0),
    "a reply that never ends": (answer(DRIPPING), "timed out", 0),
    "descriptors sent to the grader": (answer(DESCRIPTORS), "wrong", 0),
    "text among numbers that fills the judge's memory": (answer("def scale(x): return ['x' * 3_000_000] + [1.0] * 3000"), "wrong", 0),
    "an object that will not become an array": (answer("class A:\n    def __array__(self, *a, **k): raise ValueError('no')\ndef scale(x): return A()"), "crashed", 0),
    "removed files held open": (answer(REMOVED), "crashed", 0),
    "removed files held in memory": (answer(MAPPED), "crashed", 0),
    "threads that go on when it has answered": (answer(BUSY), "wrong", 0),
    "a cell called as the canary": (bad_with(lambda notebook: notebook["cells"].append(code("pass", id="ftkit-canary"))), "wrong", 0),
    "modules planted for the next": (trying("open('sitecustomize.py', 'w').write('1/0')", "open('numpy.py', 'w').write('1/0')"), "wrong", 0),
}  # fmt: skip
"""A verdict that depends on the machine is a tuple of those that are right."""

FOLDER_FILES = {
    "conftest.py": "import pytest\n@pytest.hookimpl(tryfirst=True)\ndef pytest_runtest_makereport(item, call): call.excinfo = None\n",
    "pytest.ini": "[pytest]\naddopts = -p evil\n",
    "evil.py": "raise SystemExit(0)\n",
    "numpy.py": "raise SystemExit(0)\n",
    "torch.py": "raise SystemExit(0)\n",
    "sitecustomize.py": "raise SystemExit(0)\n",
    "own.ini": "[pytest]\naddopts = --collect-only\n",
}
"""Lies beside the notebook of one student, whose answer is wrong."""

UNREADABLE = {
    "empty": b"",
    "cut short": b'{"cells": [',
    "not JSON": b"hello",
    "a list": b"[1, 2]",
    "no cells": b'{"cells": [], "nbformat": 4}',
    "nested deeply": b"[" * 100_000 + b"]" * 100_000,
    "nested deeply inside": b'{"cells": [{"cell_type": "code", "source": ' + b"[" * 200_000 + b"]" * 200_000 + b"}]}",
    "a number without end": b'{"cells": ' + b"9" * 100_000 + b"}",
    "binary": bytes(range(256)) * 100,
}  # fmt: skip
