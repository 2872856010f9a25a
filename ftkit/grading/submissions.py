"""Where the submissions of a class are: a folder, or the zip that a learning platform gives."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import time
import zipfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ftkit.grading.errors import GradingError
from ftkit.grading.notebooks import MOST_BYTES, Unreadable, read_bytes
from ftkit.grading.sandbox import scratches

_MOST_MEMBERS, _MOST_TOTAL = 20_000, 4 << 30
_CLEAR_SECONDS = 5.0
_MOST_LIKELY = 4
_OF_ITS_NAME = (errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR)
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
        unpacked: A folder that does not exist yet, for what a zip holds; if it lies in the source,
            what it lies in is the grader's own.

    Raises:
        GradingError: If there is nothing, or the zip is not to be trusted.
    """
    passed_over: list[str] = []
    if source.is_file():
        passed_over += _unpack(source, unpacked)
        source = unpacked
    if not source.is_dir():
        raise GradingError(f"Expected a folder or a zip of submissions; nothing is at {source}.")
    listed = []
    for entry in sorted(os.scandir(source), key=lambda entry: entry.name):
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        if entry.is_dir(follow_symlinks=False):
            if not unpacked.resolve().is_relative_to(Path(entry.path).resolve()):
                listed.append(_in_folder(Path(entry.path), exercise))
        elif entry.name.endswith(".ipynb"):
            listed.append(_as_file(Path(entry.path), exercise))
    found, more = _by_student(listed)
    if not found:
        raise GradingError(
            f"Expected STUDENT/notebook.ipynb or STUDENT_notebook.ipynb in {source}; found none."
        )
    return found, [*passed_over, *more]


def _by_student(listed: Iterable[Submission]) -> tuple[list[Submission], list[str]]:
    """One submission each; students of one name are told apart by the platform's number."""
    listed = list(listed)
    ids: dict[str, set[str]] = defaultdict(set)
    for one in listed:
        ids[one.student].add(one.lms_id)
    found: dict[str, Submission] = {}
    passed_over = []
    for one in listed:
        if len(ids[one.student]) > 1 and one.lms_id:
            one = replace(one, student=f"{one.student} ({one.lms_id})")
        held = found.setdefault(one.student, one)
        if held is one or (one.problem and one.lms_id):  # Moodle has a folder for text, too
            continue
        several = (held.path, *held.others, one.path)
        if held.problem:
            found[one.student] = one
        elif len({path.parent for path in several}) == 1 and len(several) <= _MOST_LIKELY:
            found[one.student] = replace(held, others=several[1:])
        else:
            passed_over.append(f"{one.path}: {one.student} has another submission")
    return list(found.values()), passed_over


def _in_folder(folder: Path, exercise: str) -> Submission:
    named = _MOODLE.fullmatch(folder.name)
    student, lms_id = (named["student"], named["id"]) if named else (folder.name, "")
    student = _printable(student)
    try:
        there = (entry.name for entry in os.scandir(folder))
        names = sorted(n for n in there if n.endswith(".ipynb") and not n.startswith("."))
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
    moodle = _MOODLE.match(stem)
    if moodle:
        return Submission(_printable(moodle["student"]), path, moodle["id"])
    canvas = _CANVAS.fullmatch(stem)
    if canvas:
        return Submission(_printable(canvas["student"]), path, canvas["id"])
    ended = re.fullmatch(rf"(.+)_{re.escape(exercise)}(?:[._](?:pytorch|tensorflow))?", stem)
    return Submission(_printable(ended[1] if ended else stem.rsplit("_", 1)[0]), path)


def _printable(name: str) -> str:
    clean = "".join(c if c.isprintable() else "?" for c in name)
    return clean.encode("utf-8", "replace").decode()[:200]


def _unpack(archive: Path, into: Path) -> list[str]:
    """Takes the notebooks out of a zip, and nothing else; tells of those that cannot be."""
    passed_over = []
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            _check_zip(archive, members)
            for member in members:
                name = PurePosixPath(member.filename)
                if member.is_dir() or len(name.parts) > 8:
                    continue
                target = into.joinpath(*name.parts)
                notebook = name.suffix == ".ipynb"
                try:  # a student who sent no notebook is one nevertheless
                    (target.parent if notebook else into / name.parts[0]).mkdir(
                        parents=True, exist_ok=True
                    )
                    if notebook:
                        with opened.open(member) as source, target.open("xb") as file:
                            _copy(source, file)
                except OSError as error:
                    if error.errno not in _OF_ITS_NAME:
                        raise
                    passed_over.append(f"{name} in {archive.name}: {error.strerror}")
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError) as error:
        raise GradingError(f"{archive} cannot be unpacked as a zip: {error}.") from None
    return passed_over


def _check_zip(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    unpacked = (min(m.file_size, MOST_BYTES) for m in members if m.filename.endswith(".ipynb"))
    if len(members) > _MOST_MEMBERS or sum(unpacked) > _MOST_TOTAL:
        raise GradingError(
            f"{archive} holds more than {_MOST_MEMBERS} files or {_MOST_TOTAL >> 30} GB of "
            "notebooks; refused, as such a zip can fill a disk."
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
