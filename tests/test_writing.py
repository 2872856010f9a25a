"""Files that are whole or not there, and folders that can be written or are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftkit.errors import FtkitError
from ftkit.writing import (
    check_writable,
    fresh_folder,
    writable_folder,
    write_bytes,
    write_text,
)


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_writable_folder_is_made_with_those_above_it_and_is_empty(tmp_path):
    assert writable_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert everything(tmp_path) == ["a", str(Path("a/b"))]


def test_what_an_existing_folder_holds_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    assert writable_folder(tmp_path) == tmp_path
    check_writable(tmp_path)
    assert everything(tmp_path) == ["mine.txt"]


def test_checking_a_folder_leaves_nothing_behind(tmp_path):
    check_writable(tmp_path / "a" / "b" / "c")
    assert everything(tmp_path) == []


@pytest.mark.parametrize("attempt", [writable_folder, check_writable])
def test_a_folder_that_cannot_be_made_is_refused_with_its_name_and_the_reason(tmp_path, attempt):
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    with pytest.raises(FtkitError, match="can be written at .*file.*out; .*Choose another folder"):
        attempt(file / "out")
    with pytest.raises(FtkitError, match="can be written at .*file; .*File exists"):
        attempt(file)


def test_a_folder_refused_half_way_leaves_no_folder_above_it(tmp_path):
    with pytest.raises(FtkitError):
        check_writable(tmp_path / "new" / ("x" * 300))
    assert everything(tmp_path) == []


def test_the_home_of_nobody_is_refused():
    with pytest.raises(FtkitError, match="got '~nobody-of-that-name/out'"):
        writable_folder(Path("~nobody-of-that-name/out"))


def test_text_is_written_as_utf8_over_what_was_there(tmp_path):
    path = tmp_path / "text.html"
    write_text(path, "old and longer")
    write_text(path, "ä × 🐈\n")
    assert path.read_bytes() == "ä × 🐈\n".encode()
    assert everything(tmp_path) == ["text.html"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("odd")])
def test_a_write_that_breaks_off_leaves_the_old_file_and_no_part(tmp_path, error):
    path = tmp_path / "summary.json"
    write_text(path, "whole")

    def half(file):
        file.write(b"ha")
        raise error

    expected = FtkitError if isinstance(error, OSError) else RuntimeError
    with pytest.raises(expected):
        write_bytes(path, half)
    assert path.read_text(encoding="utf-8") == "whole"
    assert everything(tmp_path) == ["summary.json"]


def test_a_file_that_cannot_be_written_is_named_with_the_reason(tmp_path):
    with pytest.raises(FtkitError, match="none.*x.json could not be written: No such file"):
        write_text(tmp_path / "none" / "x.json", "{}")


def test_a_fresh_folder_is_one_that_was_not_there(tmp_path):
    wanted = tmp_path / "below" / "lab"
    names = [fresh_folder(wanted).name for _ in range(3)]
    assert names == ["lab", "lab-2", "lab-3"]
    assert sorted(path.name for path in wanted.parent.iterdir()) == names
