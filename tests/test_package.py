"""The package as a whole: what it exports, and what importing it does not cost."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from importlib.resources import files

import pytest

import ftkit

FRAMEWORKS = ("torch", "torchvision", "tensorflow", "keras")


@pytest.mark.parametrize(
    "module",
    ["ftkit", "ftkit.cli", "ftkit.engine.session", "ftkit.report", "ftkit.backends.caching"],
)
def test_importing_it_loads_no_framework(module):
    program = (
        f"import sys, {module}; print(*[name for name in {FRAMEWORKS} if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == []


def test_a_worker_loads_its_own_framework_and_not_the_other():
    program = (
        "import sys, ftkit.backends.pytorch; "
        f"print(*[name for name in {FRAMEWORKS} if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == ["torch", "torchvision"]


def test_the_public_names_are_these_and_no_others():
    assert ftkit.__all__ == [
        "FreezePlan",
        "FtkitError",
        "Head",
        "Phase",
        "Recipe",
        "Results",
        "SweepResults",
        "__version__",
        "compare",
        "events",
        "run",
        "sweep",
    ]


@pytest.mark.parametrize("name", ftkit.__all__)
def test_every_public_name_is_there(name):
    assert getattr(ftkit, name) is not None


def test_the_version_is_that_of_the_installed_distribution():
    assert ftkit.__version__ == version("ftkit")


def test_type_information_ships():
    assert (files("ftkit") / "py.typed").is_file()


def test_python_m_ftkit_tells_the_version():
    answer = subprocess.run(
        [sys.executable, "-m", "ftkit", "--version"], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == f"ftkit {ftkit.__version__}"
