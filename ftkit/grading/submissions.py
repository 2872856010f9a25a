"""Where the submissions of a class are: a folder, or the zip that a learning platform gives."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ftkit.grading.errors import GradingError
from ftkit.grading.notebooks import MOST_BYTES, Unreadable, read_bytes
from ftkit.grading.sandbox import scratches

_MOST_MEMBERS, _MOST_TOTAL, _MOST_RATIO = 20_000, 4 << 30, 200
_CLEAR_SECONDS = 5.0
_MOST_LIKELY = 4
_MOODLE = re.compile(r"(?P<student>.+?)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)_?")
_CANVAS = re.compile(r"(?P<student>[^_]+)_(?:LATE_)?(?P<id>\d+)_\d+_.+")


@dataclass(frozen=True)
class Submission:
    """One student's notebook."""

    student: str
    path: Path
    lms_id: str = ""
    """The number by which the platform knows the student."""
    problem: str = ""
    """Why there is none to read."""
    others: tuple[Path, ...] = ()
    """Notebooks that may be the one just as well: a release has one per framework."""

    def digest(self) -> str:
        """A name for its content."""
        parts = [_digest(path) for path in (self.path, *self.others)]
        if self.problem or len(parts) > 1:
            return hashlib.sha256((self.problem or " ".join(parts)).encode()).hexdigest()
        return parts[0]


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(read_bytes(path)).hexdigest()
    except Unreadable as error:
        return hashlib.sha256(f"unreadable: {error}".encode()).hexdigest()


def find(source: Path, exercise: str, unpacked: Path) -> tuple[list[Submission], list[str]]:
    """The submissions, by student, and what was passed over.

    Args:
        source: A folder of ``STUDENT/notebook.ipynb`` or ``STUDENT_notebook.ipynb``, or a zip.
        exercise: The exercise's name, which may end a file's name.
        unpacked: A folder that does not exist yet, for what a zip holds.

    Raises:
        GradingError: If there is nothing, or the zip is not to be trusted.
    """
    if source.is_file():
        _unpack(source, unpacked)
        source = unpacked
    if not source.is_dir():
        raise GradingError(f"Expected a folder or a zip of submissions; nothing is at {source}.")
    found: dict[str, Submission] = {}
    passed_over: list[str] = []
    for entry in sorted(os.scandir(source), key=lambda entry: entry.name):
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        if entry.is_dir(follow_symlinks=False):
            one = _in_folder(Path(entry.path), exercise)
        elif entry.name.endswith(".ipynb"):
            one = _as_file(Path(entry.path), exercise)
        else:
            continue
        if one.student in found:
            passed_over.append(f"{one.path}: {one.student} has another submission")
        else:
            found[one.student] = one
    if not found:
        raise GradingError(
            f"Expected STUDENT/notebook.ipynb or STUDENT_notebook.ipynb in {source}; found none."
        )
    return list(found.values()), passed_over


def _in_folder(folder: Path, exercise: str) -> Submission:
    named = _MOODLE.fullmatch(folder.name)
    student, lms_id = (named["student"], named["id"]) if named else (folder.name, "")
    student = _printable(student)
    try:
        names = sorted(e.name for e in os.scandir(folder) if e.name.endswith(".ipynb"))
    except OSError as error:
        return Submission(student, folder, lms_id, f"The folder cannot be read: {error.strerror}.")
    likely = [n for n in names if n == "notebook.ipynb"] or [n for n in names if exercise in n]
    if not names:
        return Submission(student, folder, lms_id, "No notebook was submitted.")
    if len(names) > 1 and not 0 < len(likely) <= _MOST_LIKELY:
        return Submission(
            student, folder, lms_id, f"{len(names)} notebooks were submitted; expected one."
        )
    first, *others = (folder / name for name in likely or names)
    return Submission(student, first, lms_id, others=tuple(others))


def _as_file(path: Path, exercise: str) -> Submission:
    stem = path.name.removesuffix(".ipynb")
    canvas = _CANVAS.fullmatch(stem)
    if canvas:
        return Submission(_printable(canvas["student"]), path, canvas["id"])
    ended = re.fullmatch(rf"(.+)_{re.escape(exercise)}(?:[._](?:pytorch|tensorflow))?", stem)
    return Submission(_printable(ended[1] if ended else stem.rsplit("_", 1)[0]), path)


def _printable(name: str) -> str:
    clean = "".join(c if c.isprintable() else "?" for c in name)
    return clean.encode("utf-8", "replace").decode()[:200]


def _unpack(archive: Path, into: Path) -> None:
    """Takes the notebooks out of a zip, and nothing else."""
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            _check_zip(archive, members)
            for member in members:
                name = PurePosixPath(member.filename)
                if member.is_dir() or len(name.parts) > 8:
                    continue
                target = into.joinpath(*name.parts)
                if name.suffix == ".ipynb":
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with opened.open(member) as source, target.open("xb") as file:
                        _copy(source, file)
                elif len(name.parts) > 1:  # a student who sent no notebook is one nevertheless
                    into.joinpath(name.parts[0]).mkdir(parents=True, exist_ok=True)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError) as error:
        raise GradingError(f"{archive} cannot be unpacked as a zip: {error}.") from None


def _check_zip(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    if len(members) > _MOST_MEMBERS or sum(m.file_size for m in members) > _MOST_TOTAL:
        raise GradingError(
            f"{archive} holds more than {_MOST_MEMBERS} files or {_MOST_TOTAL >> 30} GB; "
            "refused, as such a zip can fill a disk."
        )
    for member in members:
        name = PurePosixPath(member.filename)
        kind = stat.S_IFMT(member.external_attr >> 16)
        slips = ".." in name.parts or name.is_absolute() or "\\" in member.filename
        if slips or ":" in member.filename[:3] or "\0" in member.filename:
            raise GradingError(
                f"{archive} holds a file named {member.filename!r}, which lies outside the zip; "
                "refused. Download it from the platform once more."
            )
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise GradingError(f"{archive} holds a link or device, {member.filename!r}; refused.")
        bomb = member.file_size > MOST_BYTES and (
            member.file_size > _MOST_RATIO * max(1, member.compress_size)
        )
        if bomb:
            raise GradingError(
                f"{archive}: {member.filename!r} unpacks to over {_MOST_RATIO} times its size; "
                "refused as a zip bomb."
            )


def _copy(source: object, file: object) -> None:
    """Copies no more than intake would read: the rest only shows that there is more."""
    left = MOST_BYTES + 1
    while left > 0:
        part = source.read(min(1 << 20, left))  # type: ignore[attr-defined]
        if not part:
            return
        file.write(part)  # type: ignore[attr-defined]
        left -= len(part)


def clear(folder: Path) -> None:
    """Removes a work folder that an earlier run may have left, with whatever answers left in it.

    What a killed grader had started may live on for a second, and write in it.
    """
    until = time.monotonic() + _CLEAR_SECONDS
    while folder.exists() and time.monotonic() < until:
        try:
            scratches.empty(folder)
            folder.rmdir()
        except OSError:
            time.sleep(0.1)
