"""Grades on disk, durable question by question."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from ftkit.grading.verdicts import Outcome, Result

VERSION = "1"
"""Of the grader; a change that can change a grade changes it."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS grades (
    student TEXT NOT NULL, question TEXT NOT NULL, key TEXT NOT NULL,
    verdict TEXT NOT NULL, points REAL NOT NULL, max_points REAL NOT NULL,
    detail TEXT NOT NULL, tests TEXT NOT NULL, notes TEXT NOT NULL, private TEXT NOT NULL,
    seed TEXT NOT NULL, level TEXT NOT NULL, seconds REAL NOT NULL, graded_at TEXT NOT NULL,
    PRIMARY KEY (student, question)
)
"""
_ANSWERS = """
CREATE TABLE IF NOT EXISTS answers (
    student TEXT NOT NULL, question TEXT NOT NULL, digest TEXT NOT NULL,
    framework TEXT NOT NULL, source TEXT NOT NULL,
    PRIMARY KEY (student, question)
)
"""


@dataclass(frozen=True)
class Circumstances:
    """How a grade came about."""

    seed: int
    level: str
    seconds: float


@dataclass(frozen=True)
class Handed:
    """What a student handed in, as far as it counts."""

    framework: str
    sources: dict[str, str]
    """By question, each with the helpers that it needs; empty where nothing was written."""


def key(digest: str, judge: str, question: str) -> str:
    """What a grade depends on: the submission, the judge, the grader."""
    return hashlib.sha256(json.dumps([digest, judge, VERSION, question]).encode()).hexdigest()


class Store:
    """``grades.sqlite``: one row per student and question, written whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute(_SCHEMA)
        self._connection.execute(_ANSWERS)
        self._connection.commit()

    def put(self, student: str, key: str, result: Result, how: Circumstances) -> None:
        """Keeps a question's grade, in place of an earlier one."""
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        tests = json.dumps([asdict(test) for test in result.tests])
        row = (
            student, result.question, key, result.verdict, result.points, result.max_points,
            result.detail, tests, json.dumps(result.notes), result.private,
            str(how.seed), how.level, round(how.seconds, 3), now,
        )  # fmt: skip
        with self._lock, self._connection:
            self._connection.execute(
                f"INSERT OR REPLACE INTO grades VALUES ({','.join('?' * len(row))})", row
            )

    def has(self, student: str, question: str, key: str) -> bool:
        """Whether this very grade is there, and was no fault of the grader."""
        with self._lock:
            row = self._connection.execute(
                "SELECT 1 FROM grades WHERE student=? AND question=? AND key=? AND verdict<>?",
                (student, question, key, "grader fault"),
            ).fetchone()
        return row is not None

    def results(self, student: str) -> list[Result]:
        """A student's grades."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT question, verdict, points, max_points, detail, tests, notes, private "
                "FROM grades WHERE student=? ORDER BY rowid",
                (student,),
            ).fetchall()
        return [
            Result(
                question=row[0],
                verdict=row[1],
                points=row[2],
                max_points=row[3],
                detail=row[4],
                tests=tuple(Outcome(**test) for test in json.loads(row[5])),
                notes=tuple(json.loads(row[6])),
                private=row[7],
            )
            for row in rows
        ]

    def put_answers(self, student: str, digest: str, handed: Handed) -> None:
        """Keeps a submission's answers, in place of those of an earlier one."""
        rows = [
            (student, question, digest, handed.framework, source)
            for question, source in handed.sources.items()
        ]
        with self._lock, self._connection:
            self._connection.execute("DELETE FROM answers WHERE student=?", (student,))
            self._connection.executemany("INSERT INTO answers VALUES (?,?,?,?,?)", rows)

    def has_answers(self, student: str, digest: str) -> bool:
        """Whether the answers of this very submission are there."""
        with self._lock:
            row = self._connection.execute(
                "SELECT 1 FROM answers WHERE student=? AND digest=?", (student, digest)
            ).fetchone()
        return row is not None

    def answers(self, student: str) -> Handed:
        """A student's answers; none if nothing could be read."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT framework, question, source FROM answers WHERE student=?", (student,)
            ).fetchall()
        return Handed(rows[0][0] if rows else "", {row[1]: row[2] for row in rows})

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()
