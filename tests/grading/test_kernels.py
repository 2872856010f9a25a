"""The judge's kernel: ipykernel's own, forked with everything in memory."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forked on Linux only")

KERNEL = """
import json, os, sys
import numpy as np
from ftkit.grading import forkserver, kernels
forkserver.load()
np.random.seed(0)
kernels.prepare()
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, RunningKernel
os.environ["FOR_THE_KERNEL"] = "set later"
kernel = RunningKernel(CURRENT_ENV_KERNEL_NAME, cwd=sys.argv[1])
pid = kernel.km.provisioner.pid
found = "(os.getpid(), os.getcwd(), os.environ['FOR_THE_KERNEL'])"
code = (
    "import os; import numpy as np; "
    f"assert {found} == {(pid, sys.argv[1], 'set later')}; "
    f"assert np.random.random() != {np.random.random()}"
)
reply = kernel.kc.execute_interactive(code)
said = {"status": reply["content"]["status"], "own group": os.getpgid(pid) == pid != os.getpgid(0)}
kernel.interrupt()
said["alive"] = kernel.is_alive()
kernel.stop()
try:
    os.kill(pid, 0)
except ProcessLookupError:
    said["gone"] = True
said["idle"] = [name for name in ("debugpy", "rfc3987_syntax") if sys.modules.get(name)]
print(json.dumps(said))
"""


def test_the_forked_kernel_is_one_like_any_other_and_ends_when_it_is_told_to(tmp_path):
    done = subprocess.run([sys.executable, "-c", KERNEL, tmp_path], capture_output=True, text=True)
    assert json.loads(done.stdout or "null") == {
        "status": "ok", "own group": True, "alive": True, "gone": True, "idle": [],
    }, done.stderr  # fmt: skip


def test_a_kernel_that_was_not_wanted_ends_with_the_judge():
    code = "from ftkit.grading import kernels; kernels.prepare(); import os; os.wait"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)
