"""The package as a whole: what it exports, and what importing it does not cost."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import pytest

import ftkit

ROOT = Path(__file__).parents[1]
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


def test_a_command_loads_what_draws_only_when_it_draws():
    program = "import sys, ftkit.cli; print('matplotlib' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == ["False"]


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


def local_files(page):
    """The pictures and files that a page of Markdown or HTML shows or leads to, as they stand."""
    found = re.findall(r"\]\(([^)\s]+)|<img[^>]*\ssrc=\"([^\"]+)", page)
    names = [markdown or html for markdown, html in found]
    return [name.partition("#")[0] for name in names if not re.match(r"[a-z]+:|#", name)]


def test_local_files_are_told_from_addresses_and_from_places_in_the_page():
    page = '![a](docs/a.png) [b](b.md#part) [c](https://c.org/c.png) [d](#d) <img src="e.jpg">'
    assert local_files(page) == ["docs/a.png", "b.md", "e.jpg"]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/performance.md"])
def test_every_picture_and_file_that_a_page_names_is_there(page):
    path = ROOT / page
    named = local_files(path.read_text(encoding="utf-8"))
    assert [name for name in named if not (path.parent / name).exists()] == []


def test_the_readme_shows_pictures():
    shown = local_files((ROOT / "README.md").read_text(encoding="utf-8"))
    assert any(name.endswith(".png") for name in shown)


def test_python_m_ftkit_tells_the_version():
    answer = subprocess.run(
        [sys.executable, "-m", "ftkit", "--version"], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == f"ftkit {ftkit.__version__}"


@pytest.fixture(scope="module")
def listed():
    """What ``pyproject.toml`` says of packages."""
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 cannot read TOML")
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "setuptools"
    ]


def packages():
    """Each package's folder, by its name."""
    inside = {path.parent for path in (ROOT / "ftkit").rglob("*") if path.is_file()}
    found = {".".join(folder.relative_to(ROOT).parts): folder for folder in inside}
    return {name: folder for name, folder in found.items() if "__pycache__" not in folder.parts} | {
        "ftkit.course": ROOT / "notebooks",
        "ftkit.exercises": ROOT / "exercises",
    }


def test_every_package_is_listed(listed):
    assert sorted(listed["packages"]) == sorted(packages())


def belongs(package, folder, path):
    """Whether a file is a module of the package itself, or what Python makes of one."""
    masters = package == "ftkit.exercises" and path.parent != folder
    return path.suffix == ".pyc" or (path.suffix == ".py" and not masters)


def test_every_file_of_a_package_travels_with_it(listed):
    missing = []
    for name, folder in packages().items():
        outside = name in ("ftkit.course", "ftkit.exercises")
        inside = folder.rglob("*") if outside else folder.iterdir()
        data = {path for path in inside if path.is_file() and not belongs(name, folder, path)}
        for pattern in listed["package-data"].get(name, ()):
            data -= set(folder.glob(pattern))
        missing += [path for path in data if "sources" not in path.parts]
    assert missing == []


def test_the_course_is_found_where_ftkit_is_installed():
    course = files("ftkit.course")
    assert (course / "en" / "00_start_here.ipynb").is_file()
    assert (course / "quizzes" / "en" / "00_start_here.json").is_file()


def test_the_exercises_are_found_where_ftkit_is_installed():
    masters = files("ftkit.exercises")
    assert (masters / "ex2_freeze_depth" / "master.py").is_file()
    assert (masters / "ex2_freeze_depth" / "wrong" / "blank.py").is_file()
