"""A class whose students try everything, graded once for all tests that look at it."""

from __future__ import annotations

import copy
import json
import os
import shutil
import sys

import attacks
import honest
import pytest
from classroom import TINY, Tripwires, put

from ftkit.grading import build, master
from ftkit.grading.grade import grade
from ftkit.grading.sandbox import probe


@pytest.fixture(scope="session")
def exercise():
    return master.read(TINY)


@pytest.fixture(scope="session")
def solved(exercise):
    """Makes a notebook with right answers."""
    made = build.solution(exercise, "pytorch")
    return lambda: copy.deepcopy(made)


@pytest.fixture(scope="session")
def the_class(tmp_path_factory, exercise, solved):
    """Everybody's submissions, graded with two at a time."""
    if sys.platform != "linux":
        pytest.skip("answers are confined on Linux only")
    level = os.environ.get("FTKIT_TEST_LEVEL") or probe.strongest()[0]
    folder = tmp_path_factory.mktemp("class")
    shutil.copy(TINY, folder / "master.py")
    submissions = folder / "submissions"
    wires = Tripwires(folder)
    put(submissions, "honest neighbour", solved())
    before = wires.neighbour.read_bytes()
    for name, (edit, _, _) in attacks.ATTACKS.items():
        notebook = solved()
        edit(notebook)
        attacks.aim(notebook, wires.targets(folder / "master.py"))
        put(submissions, f"attack {name.replace('/', '-')}", notebook)
    for name, edit in honest.EDITS.items():
        notebook = solved()
        edit(notebook)
        put(submissions, f"honest {name}", notebook)
    for name, encode in honest.ENCODED.items():
        put(submissions, f"honest {name}", encode(solved()))
    for name, data in attacks.UNREADABLE.items():
        put(submissions, f"unreadable {name}", data)
    bad = solved()
    honest.answer(attacks.BAD)(bad)
    for name, text in attacks.FOLDER_FILES.items():
        beside = put(submissions, f"beside {name}", bad).parent
        (beside / name).write_text(text)
    _special_files(submissions, folder, solved)
    out = folder / "results"
    graded = grade(submissions, exercise, folder / "master.py", out, jobs=2, level=level)
    wires.close()
    return graded, out, wires, wires.neighbour.read_bytes() == before


def _special_files(submissions, folder, solved):
    target = folder / "solution.ipynb"
    target.write_text(json.dumps(solved()))
    for name in ("a link", "a pipe", "a folder", "a huge file", "nothing", "a link to a device"):
        (submissions / f"unreadable {name}").mkdir()
    (submissions / "unreadable a link" / "notebook.ipynb").symlink_to(target)
    (submissions / "unreadable a link to a device" / "notebook.ipynb").symlink_to("/dev/zero")
    os.mkfifo(submissions / "unreadable a pipe" / "notebook.ipynb")
    (submissions / "unreadable a folder" / "notebook.ipynb").mkdir()
    with (submissions / "unreadable a huge file" / "notebook.ipynb").open("wb") as file:
        file.truncate(200 << 20)
