"""The mirrored functions of the two backends as they stand in their files, line beside line.

Nothing of theirs is imported: their text is read, so that no framework is loaded.
"""

from __future__ import annotations

import ast
import difflib
import re
import textwrap
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String, _TokenType

import ftkit.backends
from ftkit.errors import FtkitError

FOLDER = Path(ftkit.backends.__file__).parent
_WORD = re.compile(r"\w+|[^\w\s]")
LIKE = 0.5  # lines that share less than this of their words are not the same line

Pair = tuple[int | None, int | None]


@dataclass(frozen=True)
class Source:
    """A function or class as it stands in its file.

    Attributes:
        path: The file, from the package's folder on.
        name: The name in it, with dots.
        start: The number of its first line.
        lines: Its text, moved to the left margin.
        docstring: Which of its lines are its docstring; empty if it has none.
    """

    path: str
    name: str
    start: int
    lines: tuple[str, ...]
    docstring: range

    @property
    def text(self) -> str:
        """Its lines as one."""
        return "\n".join(self.lines)

    def line_of(self, code: str) -> int:
        """Which of its lines a piece of code ends on, from 0.

        Raises:
            FtkitError: If it does not occur just once.
        """
        found = self.text.count(code)
        if found != 1:
            raise FtkitError(
                f"Expected {code!r} once in {self.name} of {self.path}; it is there {found} times. "
                "Quote what is there now."
            )
        return self.text[: self.text.index(code) + len(code)].count("\n")


@cache
def read(backend: str, file: str, name: str) -> Source:
    """A function, method or class of a backend.

    Args:
        backend: ``"pytorch"`` or ``"tensorflow"``.
        file: The file's name without its ending: ``"training"``.
        name: The name, with dots: ``"Network.preprocess"``.

    Raises:
        FtkitError: If there is no such thing in the file.
    """
    path = FOLDER / backend / f"{file}.py"
    text = path.read_text(encoding="utf-8")
    place: ast.Module | ast.FunctionDef | ast.ClassDef = ast.parse(text)
    for part in name.split("."):
        inside = [
            item
            for item in place.body
            if isinstance(item, (ast.FunctionDef, ast.ClassDef)) and item.name == part
        ]
        if not inside:
            raise FtkitError(f"Expected a function or class {name} in {path}; there is none.")
        place = inside[0]
    assert isinstance(place, (ast.FunctionDef, ast.ClassDef)) and place.end_lineno is not None
    first = min([place.lineno, *(item.lineno for item in place.decorator_list)])
    lines = textwrap.dedent("\n".join(text.splitlines()[first - 1 : place.end_lineno]))
    docstring = range(0)
    if ast.get_docstring(place, clean=False) is not None:
        said = place.body[0]
        assert said.end_lineno is not None
        docstring = range(said.lineno - first, said.end_lineno - first + 1)
    shown = f"{FOLDER.parent.name}/{FOLDER.name}/{backend}/{file}.py"
    return Source(shown, name, first, tuple(lines.split("\n")), docstring)


def align(left: Source, right: Source, anchors: tuple[tuple[int, int], ...] = ()) -> list[Pair]:
    """Lines of two functions side by side: the pairing, in order, that pairs the most alike.

    Args:
        left: One function.
        right: Its mirror.
        anchors: Lines that belong together, however they are spelled; they are paired unless that
            would part more.

    Returns:
        Line numbers, from 0, of the left and the right; None where the other has no such line.
    """
    rows, columns = len(left.lines), len(right.lines)
    together = set(anchors)
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    worth = [[0.0] * columns for _ in range(rows)]
    for i in reversed(range(rows)):
        for j in reversed(range(columns)):
            same_part = (i in left.docstring) == (j in right.docstring)
            if (i, j) in together:
                worth[i][j] = 3.0
            elif same_part:
                worth[i][j] = likeness(left.lines[i], right.lines[j])
            best[i][j] = max(best[i + 1][j], best[i][j + 1], worth[i][j] + best[i + 1][j + 1])
    found: list[Pair] = []
    i = j = 0
    while i < rows or j < columns:
        if i < rows and j < columns and worth[i][j]:
            paired = worth[i][j] + best[i + 1][j + 1]
            if paired >= best[i][j]:
                found.append((i, j))
                i, j = i + 1, j + 1
                continue
        if i < rows and (j == columns or best[i + 1][j] >= best[i][j + 1]):
            found.append((i, None))
            i += 1
        else:
            found.append((None, j))
            j += 1
    return found


@cache
def likeness(left: str, right: str) -> float:
    """How alike two lines are, from 0 (not the same line) to 2 (word for word)."""
    left, right = left.strip(), right.strip()
    if left == right:
        return 2.0 if re.search(r"\w", left) else 0.1  # brackets and empty lines are everywhere
    matcher = difflib.SequenceMatcher(None, _WORD.findall(left), _WORD.findall(right), False)
    if matcher.quick_ratio() < LIKE:
        return 0.0
    ratio = matcher.ratio()
    return ratio if ratio >= LIKE else 0.0


# What Pygments tells apart, by what JupyterLab's editor colours alike; the first that fits.
_KINDS: tuple[tuple[_TokenType, str], ...] = (
    (Comment, "comment"),
    (String, "string"),
    (Number, "number"),
    (Operator.Word, "keyword"),
    (Operator, "operator"),
    (Name.Decorator, "meta"),
    (Name.Function, "def"),
    (Name.Class, "def"),
    (Name.Builtin.Pseudo, "self"),
    (Name.Builtin, "builtin"),
    (Keyword, "keyword"),
)


def coloured(text: str) -> list[list[list[str]]]:
    """The words of each line of Python, as pairs of what they are and what they say."""
    lines: list[list[list[str]]] = [[]]
    for token, said in PythonLexer(stripnl=False, ensurenl=False).get_tokens(text):
        kind = next((name for of, name in _KINDS if token in of), "")
        for number, part in enumerate(said.split("\n")):
            if number:
                lines.append([])
            if not part:
                continue
            if lines[-1] and lines[-1][-1][0] == kind:
                lines[-1][-1][1] += part
            else:
                lines[-1].append([kind, part])
    return lines
