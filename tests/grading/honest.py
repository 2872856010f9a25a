"""Right answers in unusual form: each must earn everything."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCALE = "def scale(x):\n    return 2 * np.asarray(x) + 1"
FIT = "def fit(x, y):\n    return {'weight': np.linalg.lstsq(x, y, rcond=None)[0]}"


def code(source, **more):
    return {"cell_type": "code", "execution_count": 3, "metadata": {}, "outputs": [],
            "source": source, **more}  # fmt: skip


def answer(source):
    def edit(notebook):
        cell(notebook, "q1")["source"] = source

    return edit


def cell(notebook, id_):
    return next(one for one in notebook["cells"] if one.get("id") == id_)


def without_ids(notebook):
    notebook["nbformat_minor"] = 4
    notebook["metadata"] = {}
    for one in notebook["cells"]:
        one.pop("id")
        one["metadata"] = {}


def same_id_everywhere(notebook):
    for one in notebook["cells"]:
        one["id"] = "same"


def old_format(notebook):
    cells = [{**one, "input": one.get("source")} for one in notebook.pop("cells")]
    notebook |= {"worksheets": [{"cells": cells}], "nbformat": 3}


def answered_in_a_new_cell(notebook):
    stub = "def scale(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
    cell(notebook, "q1")["source"] = stub
    notebook["cells"].insert(4, code(SCALE, id="brandnew"))


def helpers_in_other_cells(notebook):
    answer("def scale(x):\n    return half(x) * FOUR + math.floor(1.5)")(notebook)
    notebook["cells"][1:1] = [
        code("import math\nFOUR = 4\nprint('here')\n1/0", id="a"),
        code(
            "def half(x):\n    return other(x)\ndef other(x):\n    return np.asarray(x) / 2", id="b"
        ),
    ]


def import_in_the_setup_cell(notebook):
    cell(notebook, "setup")["source"] += "\nimport math as maths"
    answer("def scale(x):\n    return 2 * x + maths.ceil(0.5)")(notebook)


def noise_everywhere(notebook):
    notebook["cells"].insert(0, {"cell_type": "markdown", "metadata": {}, "source": "# mine"})
    notebook["cells"].insert(2, code("%matplotlib inline\nimport matplotlib.pyplot as plt", id="p"))
    notebook["cells"].append(code("raise ValueError('an extra cell that fails')", id="e"))
    notebook["cells"].append(code("while True: pass", id="f"))
    notebook["metadata"]["kernelspec"] = {"name": "no-such-kernel", "display_name": "Mine"}
    for one in notebook["cells"]:
        if one["cell_type"] == "code":
            stream = {"output_type": "stream", "name": "stderr", "text": "warned " * 99}
            one["outputs"], one["execution_count"] = [stream], 77
            one["metadata"]["tags"] = ["mine", "raises-exception"]


def lines(notebook):
    for one in notebook["cells"]:
        one["source"] = one["source"].splitlines(keepends=True)


BODY = "\n    return 2 * np.asarray(x) + 1"
EDITS = {
    "solution as it is": lambda notebook: None,
    "other names": answer(
        "def scale(values):\n    result = values + values\n    return result + 1"
    ),
    "a lambda": answer("scale = lambda x: 2 * x + 1"),
    "a callable object": answer(
        "class S:\n    def __call__(self, x): return 2 * x + 1\nscale = S()"
    ),
    "a list of numbers": answer("def scale(x):\n    return [float(2 * v + 1) for v in x]"),
    "annotations from the future": answer(
        "from __future__ import annotations\ndef scale(x: Array) -> Array:" + BODY
    ),
    "prints": answer("def scale(x):\n    print(x, flush=True)" + BODY + "\nscale([1])"),
    "a warning": answer(
        "import warnings, sys\ndef scale(x):\n    warnings.warn('hm')\n    sys.stderr.write('e')"
        + BODY
    ),
    "a plot": answer(
        "import matplotlib.pyplot as plt\ndef scale(x):\n    plt.plot(x)\n    plt.show()\n"
        "    plt.savefig('a.png')" + BODY
    ),
    "time magic": answer("%%time\n" + SCALE),
    "line magics and shell": answer(
        "%matplotlib inline\n!pip install numpy\nfiles = !ls\nx = %timeit -n1 1\n"
        + SCALE
        + "\nscale?"
    ),
    "display": answer("display('x')\n" + SCALE + "\ndisplay(scale([1]))"),
    "a noisy thread": answer(
        "import threading, time\ndef noise():\n    while True: print('n'); time.sleep(.01)\n"
        "threading.Thread(target=noise).start()\n" + SCALE
    ),
    "a file of its own": answer(
        "import tempfile, shutil\ndef scale(x):\n    np.save('x.npy', x)\n"
        "    shutil.copy('x.npy', 'y.npy')\n    return 2 * np.load('y.npy') + 1"
    ),
    "its own check": answer(SCALE + "\nassert scale(np.ones(1))[0] == 3"),
    "a percent sign in text": answer("TEXT = '''\n% of all\n'''\n" + SCALE),
    "an answer to more": answer(SCALE + "\ndef unscale(x): return (x - 1) / 2"),
    "nested and recursive": answer(
        "def scale(x):\n    def go(n): return 1 if n == 0 else 0 * go(n - 1) + 1\n"
        "    return 2 * x + go(50)"
    ),
    "no ids": without_ids,
    "one id for all": same_id_everywhere,
    "nbformat 3": old_format,
    "a new cell, the stub left": answered_in_a_new_cell,
    "helpers in other cells": helpers_in_other_cells,
    "an import in the setup cell": import_in_the_setup_cell,
    "noise everywhere": noise_everywhere,
    "source as lines": lines,
    "a third of a million blank lines": answer("\n" * 333_333 + SCALE),
    "a later cell that alters it": lambda notebook: notebook["cells"].append(
        code("scale.note = 'mine'", id="later")
    ),
    "its own text read": answer(
        "import inspect\n" + SCALE + "\nassert 'return' in inspect.getsource(scale)"
    ),
    "hundreds of shell commands": lambda notebook: notebook["cells"].append(
        code("!ls\n" * 600, id="shell")
    ),
    "the question of the other uses it": lambda notebook: cell(notebook, "q2").__setitem__(
        "source",
        "def fit(x, y):\n    w = np.linalg.lstsq(x, scale(y), rcond=None)[0]\n"
        "    one = np.linalg.lstsq(x, np.ones(len(x)), rcond=None)[0]\n"
        "    return {'weight': (w - one) / 2}",
    ),
}


def dumps(notebook):
    return json.dumps(notebook, ensure_ascii=False)


ENCODED = {
    "cp1252": lambda notebook: dumps(_with_umlaut(notebook)).encode("cp1252"),
    "byte order mark": lambda notebook: dumps(_with_umlaut(notebook)).encode("utf-8-sig"),
    "carriage returns": lambda notebook: json.dumps(notebook).replace("\\n", "\\r\\n").encode(),
    "lone surrogates": lambda notebook: json.dumps(notebook).replace("Gives", "\\ud800").encode(),
}


def _with_umlaut(notebook):
    answer("# für Übung\n" + SCALE)(notebook)
    return notebook
