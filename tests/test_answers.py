"""What a learner answered: kept whatever happens, and counted over the course."""

from __future__ import annotations

import subprocess
import sys

import pytest
from filelock import FileLock

from ftkit import answers
from ftkit.answers import FILE, Damaged, Given, give, given, standings
from ftkit.errors import FtkitError
from ftkit.quizzes import quiz


def test_an_answer_is_found_again(tmp_path):
    assert give(tmp_path, "a", "one", [0, 2], True) == ""
    give(tmp_path, "a", "two", 3.5, False)
    give(tmp_path, "b", "one", [1], False)
    assert given(tmp_path, "a") == {
        "one": Given([0, 2], True, 1),
        "two": Given(3.5, False, 1),
    }


def test_before_any_answer_there_is_none(tmp_path):
    assert given(tmp_path, "a") == {}
    assert list(tmp_path.iterdir()) == []


def test_tries_are_counted_and_what_was_right_once_stays_right(tmp_path):
    for answer, right in (([1], False), ([0], True), ([1], False)):
        give(tmp_path, "a", "one", answer, right)
    assert given(tmp_path, "a")["one"] == Given([1], True, 3)


def test_notebooks_that_answer_at_once_lose_nothing_of_each_other(tmp_path):
    program = (
        "import sys; from pathlib import Path; from ftkit.answers import give\n"
        "for number in range(30): give(Path(sys.argv[1]), sys.argv[2], f'q{number}', [0], True)"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path), name])
        for name in ("a", "b", "c")
    ]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    assert [len(given(tmp_path, name)) for name in ("a", "b", "c")] == [30, 30, 30]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"a": 1}',
        b'{"a": {"one": {}}}',
        b'{"a": {"one": {"answer": "x", "right": true, "tries": 1}}}',
    ],
)
def test_a_damaged_file_is_told_of_and_set_aside_with_the_next_answer(tmp_path, content):
    path = tmp_path / FILE
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(Damaged, match="cannot be read. With your next answer it is set aside"):
        given(tmp_path, "a")
    note = give(tmp_path, "a", "one", [0], True)
    assert (
        note
        == f"{path} was damaged. It is now progress.damaged-1.json, and your answers begin anew."
    )
    assert (path.parent / "progress.damaged-1.json").read_bytes() == content
    assert given(tmp_path, "a") == {"one": Given([0], True, 1)}


def test_two_damaged_files_are_both_kept(tmp_path):
    path = tmp_path / FILE
    path.parent.mkdir()
    for content in ("{", "["):
        path.write_text(content, encoding="utf-8")
        give(tmp_path, "a", "one", [0], True)
    kept = [(path.parent / f"progress.damaged-{number}.json").read_text() for number in (1, 2)]
    assert kept == ["{", "["]


def test_a_write_that_fails_leaves_the_old_file_whole(tmp_path, monkeypatch):
    give(tmp_path, "a", "one", [0], True)
    before = (tmp_path / FILE).read_bytes()

    def broken(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", broken)
    with pytest.raises(FtkitError, match="No space left on device"):
        give(tmp_path, "a", "two", [0], True)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / ".ftkit").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(FtkitError, match="Expected a folder that can be written"):
        give(tmp_path, "a", "one", [0], True)


def test_a_lock_that_is_held_for_too_long_is_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr(answers, "LOCK_SECONDS", 0.1)
    path = tmp_path / FILE
    path.parent.mkdir()
    with (
        FileLock(path.with_name(f"{path.name}.lock")),
        pytest.raises(FtkitError, match="could not be kept"),
    ):
        give(tmp_path, "a", "one", [0], True)


def test_progress_over_the_course_counts_questions_answered_and_right(tmp_path):
    first = quiz("00_start_here")
    give(tmp_path, first.name, first.questions[0].id, [0], False)
    give(tmp_path, first.name, first.questions[1].id, 514.0, True)
    give(tmp_path, first.name, "a question that is gone", [0], True)
    rows = {row.name: row for row in standings(tmp_path)}
    row = rows[first.name]
    assert (row.title, row.questions, row.answered, row.right) == (first.title, 4, 2, 1)
    assert rows["06_batch_norm"].answered == 0
    assert len(rows) == 11
