"""Which interpreter runs which framework, and whether the framework is there."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ftkit.errors import FtkitError, unknown_name

BACKENDS = ("pytorch", "tensorflow")
MODULES = {"pytorch": ("torch", "torchvision"), "tensorflow": ("tensorflow", "keras")}


def interpreter(backend: str) -> str:
    """The Python that runs a framework: this one, unless the environment names another.

    ``FTKIT_PYTORCH_PYTHON`` and ``FTKIT_TENSORFLOW_PYTHON`` name another: on a machine with a
    GPU the two frameworks need an environment each, because their wheels install different
    versions of the same CUDA files.

    Raises:
        FtkitError: If there is no such interpreter.
    """
    variable = f"FTKIT_{backend.upper()}_PYTHON"
    given = os.environ.get(variable)
    if not given:
        return sys.executable
    if not Path(given).is_file():
        raise FtkitError(
            f"Expected {variable} to name a Python interpreter; there is no file {given!r}."
        )
    return given


def program(module: str) -> str:
    """What ``python -c`` is given to run a module's ``main()``.

    Not ``python -m``: that would put the user's folder first, and a ``random.py`` there before
    Python's own.
    """
    return f"import sys; sys.path.pop(0); from {module} import main; main()"


def check_backends(backends: Sequence[str]) -> tuple[str, ...]:
    """The backends, once each is known to be installed.

    Raises:
        FtkitError: If there is none, one is unknown, or its framework is not installed.
    """
    if not backends:
        raise FtkitError(f"Expected at least one backend of: {', '.join(BACKENDS)}; got none.")
    for backend in backends:
        if backend not in BACKENDS:
            raise unknown_name("backend", backend, BACKENDS)
        missing = _missing(backend)
        if missing:
            others = [name for name in BACKENDS if name != backend and not _missing(name)]
            instead = f" Or run without it: --backends {others[0]}." if others else ""
            raise FtkitError(
                f"The {backend} backend needs {' and '.join(missing)}, not installed in "
                f"{interpreter(backend)}. Install with: pip install 'ftkit[{backend}]'.{instead}"
            )
    return tuple(dict.fromkeys(backends))


def available() -> tuple[str, ...]:
    """The backends whose frameworks are installed.

    Raises:
        FtkitError: If none is.
    """
    found = tuple(backend for backend in BACKENDS if not _missing(backend))
    if not found:
        raise FtkitError(
            "Expected PyTorch or TensorFlow; neither is installed. Install one or both with: "
            "pip install 'ftkit[pytorch,tensorflow]'"
        )
    return found


def _missing(backend: str) -> list[str]:
    """The framework's modules that its interpreter does not find; none is imported."""
    modules = MODULES[backend]
    python = interpreter(backend)
    if python == sys.executable:
        return [module for module in modules if importlib.util.find_spec(module) is None]
    program = (
        "import sys; sys.path.pop(0); import importlib.util; "
        "print(*[m for m in sys.argv[1:] if importlib.util.find_spec(m) is None])"
    )
    try:
        answer = subprocess.run(
            [python, "-c", program, *modules, "ftkit"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or error
        raise FtkitError(
            f"{python} does not run as a Python interpreter: {str(said).strip()}. "
            f"Let FTKIT_{backend.upper()}_PYTHON name one that does."
        ) from error
    return answer.stdout.split()


def bfloat16_cpu() -> bool:
    """Whether the processor multiplies in bfloat16 by itself; only Linux tells.

    The names are those of the kernel: AVX512_BF16 and AMX on x86, BF16 on ARM.
    """
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(told.split())
