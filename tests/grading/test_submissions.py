"""Where submissions are found, and which zips are refused."""

from __future__ import annotations

import io
import os
import stat
import zipfile

import pytest

from ftkit.grading import notebooks
from ftkit.grading.errors import GradingError
from ftkit.grading.submissions import Submission, find


def found(tmp_path, source):
    listed, passed_over = find(source, "ex1", tmp_path / "unpacked")
    return {one.student: one for one in listed}, passed_over


def zipped(tmp_path, *members):
    path = tmp_path / "class.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def test_folders_and_files_name_their_students(tmp_path):
    source = tmp_path / "in"
    for name in ("ann/notebook.ipynb", "bob/other.ipynb", "carl/x.ipynb", "carl/ex1.ipynb"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("{}")
    for name in ("dora_notebook.ipynb", "eva_maria_ex1_pytorch.ipynb", "read.me"):
        (source / name).write_text("{}")
    (source / "fritz").mkdir()
    (source / ".ipynb_checkpoints").mkdir()
    listed, passed_over = found(tmp_path, source)
    assert {name: one.path.name for name, one in listed.items() if not one.problem} == {
        "ann": "notebook.ipynb",
        "bob": "other.ipynb",
        "carl": "ex1.ipynb",
        "dora": "dora_notebook.ipynb",
        "eva_maria": "eva_maria_ex1_pytorch.ipynb",
    }
    assert "No notebook" in listed["fritz"].problem and passed_over == []


def test_of_several_notebooks_of_an_exercise_each_may_be_the_one_and_counts(
    tmp_path,
):
    folder = tmp_path / "in" / "ann"
    folder.mkdir(parents=True)
    for name in ("ex1.pytorch.ipynb", "ex1.tensorflow.ipynb", "notes.ipynb"):
        (folder / name).write_text("{}")
    one = found(tmp_path, tmp_path / "in")[0]["ann"]
    assert [path.name for path in (one.path, *one.others)] == [
        "ex1.pytorch.ipynb", "ex1.tensorflow.ipynb",
    ]  # fmt: skip
    before = one.digest()
    (folder / "ex1.tensorflow.ipynb").write_text("[]")
    assert one.digest() != before
    for number in range(3):
        (folder / f"ex1 ({number}).ipynb").write_text("{}")
    assert "expected one" in found(tmp_path, tmp_path / "in")[0]["ann"].problem


def test_a_student_with_two_submissions_keeps_one_and_the_other_is_told(tmp_path):
    source = tmp_path / "in"
    (source / "ann").mkdir(parents=True)
    for name in ("ann/notebook.ipynb", "ann_notebook.ipynb"):
        (source / name).write_text("{}")
    listed, passed_over = found(tmp_path, source)
    assert list(listed) == ["ann"] and "another submission" in passed_over[0]


def test_platforms_zips_give_names_and_numbers(tmp_path):
    path = zipped(
        tmp_path,
        ("Jane Doe_4711_assignsubmission_file_/notebook.ipynb", "{}"),
        ("Empty Ed_4712_assignsubmission_file_/essay.docx", "x"),
        ("doejohn_LATE_12345_67890_my notebook-1.ipynb", "{}"),
        ("__MACOSX/x.ipynb", "{}"),
    )
    listed, _ = found(tmp_path, path)
    assert {name: one.lms_id for name, one in listed.items()} == {
        "Jane Doe": "4711", "Empty Ed": "4712", "doejohn": "12345",
    }  # fmt: skip
    assert listed["Empty Ed"].problem
    assert (
        sorted(p.suffix for p in (tmp_path / "unpacked").rglob("*") if p.is_file())
        == [".ipynb"] * 3
    )


def test_students_of_one_name_are_told_apart_and_one_students_files_belong_together(tmp_path):
    path = zipped(
        tmp_path,
        ("Jane Doe_1_assignsubmission_file_/notebook.ipynb", "{}"),
        ("Jane Doe_1_assignsubmission_onlinetext_/text.html", "x"),
        ("Jane Doe_2_assignsubmission_file_/notebook.ipynb", "{}"),
        ("Max Roe_3_assignsubmission_file_ex1.pytorch.ipynb", "{}"),
        ("doejohn_4_50_ex1.pytorch.ipynb", "{}"),
        ("doejohn_4_51_ex1.tensorflow.ipynb", "{}"),
    )
    listed, passed_over = found(tmp_path, path)
    assert {name: (one.lms_id, 1 + len(one.others)) for name, one in listed.items()} == {
        "Jane Doe (1)": ("1", 1), "Jane Doe (2)": ("2", 1),
        "Max Roe": ("3", 1), "doejohn": ("4", 2),
    }  # fmt: skip
    assert passed_over == []


def test_what_is_no_students_own_is_passed_by(tmp_path):
    source = tmp_path / "in"
    for name in ("ann/hw.ipynb", "ann/._hw.ipynb", "results/.work/x", "results/feedback/a.html"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("{}")
    listed, _ = find(source, "ex1", source / "results" / ".work" / "unpacked")
    assert [(one.student, one.path.name) for one in listed] == [("ann", "hw.ipynb")]


@pytest.mark.parametrize(
    "name",
    ["../evil.ipynb", "a/../../evil.ipynb", "/tmp/evil.ipynb", "a\\..\\evil.ipynb", "C:/e.ipynb"],
)
def test_a_zip_that_reaches_outside_itself_is_refused(tmp_path, name):
    with pytest.raises(GradingError, match="outside"):
        found(tmp_path, zipped(tmp_path, ("ann/notebook.ipynb", "{}"), (name, "{}")))
    assert not (tmp_path / "evil.ipynb").exists()


def test_a_zip_with_a_link_is_refused(tmp_path):
    link = zipfile.ZipInfo("ann/notebook.ipynb")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(GradingError, match="link"):
        found(tmp_path, zipped(tmp_path, (link, "/etc/passwd")))


def test_a_zip_bomb_takes_little_room_and_no_neighbour_along(tmp_path):
    files = ("ann/notebook.ipynb", bytes(512 << 20)), ("bob/notebook.ipynb", "{}")
    listed, _ = found(tmp_path, zipped(tmp_path, *files, ("cy/film.mp4", "x")))
    assert set(listed) == {"ann", "bob", "cy"} and not listed["bob"].problem
    assert listed["ann"].path.stat().st_size == notebooks.MOST_BYTES + 1  # too large to be read


def test_attachments_that_are_never_unpacked_may_be_of_any_size(tmp_path, monkeypatch):
    monkeypatch.setattr("ftkit.grading.submissions._MOST_TOTAL", 1000)
    small = ("ann/notebook.ipynb", "{}")
    assert found(tmp_path, zipped(tmp_path, small, ("ann/weights.pt", bytes(5000))))[0]
    with pytest.raises(GradingError, match="of notebooks"):
        found(tmp_path, zipped(tmp_path, small, ("bob/notebook.ipynb", bytes(5000))))


def test_a_name_that_this_system_cannot_have_takes_no_neighbour_along(tmp_path):
    longest = ("ünï" * 80 + "_1_2_my.ipynb", "{}")
    twice = ("ann/notebook.ipynb", "{}"), ("ann/notebook.ipynb/x.ipynb", "{}")
    listed, passed_over = found(tmp_path, zipped(tmp_path, longest, *twice))
    assert list(listed) == ["ann"] and len(passed_over) == 2


def test_zips_of_too_many_files_are_refused(tmp_path):
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for number in range(20_001):
            archive.writestr(f"{number}.txt", "")
    (tmp_path / "many.zip").write_bytes(many.getvalue())
    with pytest.raises(GradingError, match="more than"):
        found(tmp_path, tmp_path / "many.zip")
    assert not any(path.is_file() for path in (tmp_path / "unpacked").rglob("*"))


def test_a_zip_that_lies_about_a_size_is_refused_before_it_fills_the_disk(tmp_path):
    path = zipped(tmp_path, ("ann/notebook.ipynb", bytes(64 << 20)))
    lying = path.read_bytes().replace((64 << 20).to_bytes(4, "little"), (99).to_bytes(4, "little"))
    path.write_bytes(lying)
    with pytest.raises(GradingError, match="unpacked"):
        found(tmp_path, path)
    assert sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file()) < 1 << 20


def test_what_is_no_zip_or_holds_nothing_says_so(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK nonsense")
    with pytest.raises(GradingError, match="cannot be unpacked"):
        found(tmp_path, tmp_path / "x.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(GradingError, match="found none"):
        found(tmp_path, tmp_path / "empty")
    with pytest.raises(GradingError, match="nothing is at"):
        found(tmp_path, tmp_path / "missing")


def test_everything_that_may_lie_there_has_a_digest(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("{}")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for name in ("folder", "file", "pipe", "link", "missing"):
        assert len(Submission("ann", tmp_path / name).digest()) == 64
