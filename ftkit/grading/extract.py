"""The answers in a notebook: which cell counts for which question, and what it needs.

Nothing here runs; everything is done on the text and its syntax tree.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from ftkit.grading.notebooks import Found, Submitted

CHECK_ID = "ftkit-check"
"""The starter's cell with the Check button, which is no answer whatever a student writes there."""

_MOST_BYTES, _MOST_STATEMENTS = 1 << 20, 5000
_WRAPPING_MAGICS = ("time", "timeit", "capture", "prun", "debug")
_BUILT_IN = {
    *("bool", "int", "float", "complex", "str", "list", "tuple", "set", "frozenset", "dict"),
    *("range", "len", "min", "max", "sum", "sorted", "zip", "enumerate"),
}
_MARKER = re.compile(r"\bPYTEST_VALIDATE_IGNORE_OUTPUT\b|\bNBVAL_[A-Z_]+\b|### (BEGIN|END) ")


@dataclass(frozen=True)
class Wanted:
    """A question, as far as extraction needs to know it."""

    id: str
    exports: tuple[str, ...]
    stub: str
    """What the starter holds in its place."""


@dataclass(frozen=True)
class Answer:
    """What a student wrote for a question."""

    source: str = ""
    """Empty: not attempted."""
    before: tuple[str, ...] = ()
    """Statements of other cells that it needs, in order."""
    problem: str = ""
    """Why it cannot run, such as a syntax error."""
    notes: tuple[str, ...] = ()


def answers(
    submitted: Submitted, questions: Iterable[Wanted], reserved: Iterable[str]
) -> dict[str, Answer]:
    """The answer to each question.

    Args:
        submitted: The notebook.
        questions: All of one framework.
        reserved: Ids of the teacher's own cells, which are never taken for an answer.
    """
    wanted = list(questions)
    theirs = {*reserved, CHECK_ID}
    cells = [_Cell(found, number) for number, found in enumerate(submitted.cells)]
    own = [cell for cell in cells if not theirs.intersection(cell.ids)]
    return {question.id: _answer(question, wanted, own, cells) for question in wanted}


class _Cell:
    """A cell and what it defines."""

    def __init__(self, found: Found, number: int) -> None:
        self.ids, self.number = found.ids, number
        self.problem = ""
        self.tree = ast.Module(body=[], type_ignores=[])
        self.defines: set[str] = set()
        self.marked = bool(_MARKER.search(found.source))
        self.source = found.source[:_MOST_BYTES]
        try:
            if len(found.source.encode()) > _MOST_BYTES:
                raise SyntaxError("the cell is longer than a megabyte")
            self.source = plain_python(found.source)
            tree = ast.parse(self.source)
            self.defines = {name for node in tree.body for name in _defined(node)}
            self.tree = tree
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            self.problem = f"SyntaxError{f' in line {line}' if line else ''}: {error.args[0]}"
        except (RecursionError, MemoryError):
            self.problem = "SyntaxError: the cell is nested too deeply"

    def blank(self) -> bool:
        return not self.tree.body and not self.problem

    def same_as(self, stub: str) -> bool:
        if self.problem:
            return False
        try:
            return _bare(stub) == _bare(self.source)
        except RecursionError:
            return False


def _answer(
    question: Wanted, questions: list[Wanted], cells: list[_Cell], everywhere: list[_Cell]
) -> Answer:
    others = {q.id for q in questions} - {question.id}
    named = [cell for cell in cells if question.id in cell.ids]
    defining = [
        cell
        for cell in cells
        if cell in named
        or (cell.defines.issuperset(question.exports) and not others.intersection(cell.ids))
    ]
    written = [cell for cell in defining if not cell.blank() and not cell.same_as(question.stub)]
    whole = [cell for cell in written if cell.defines.issuperset(question.exports)]
    if not written:
        return Answer(notes=() if named else ("Its cell was not found in the notebook.",))
    chosen = (whole or written)[-1]
    notes = []
    if chosen not in named:
        notes.append(f"Taken from the cell that defines {', '.join(question.exports)}.")
    if len(whole) > 1:
        notes.append(f"{len(whole)} cells answer it; the last one counts.")
    if chosen.marked:
        notes.append("Markers that steer a grader were ignored.")
    before = _needed(chosen, [cell for cell in everywhere if cell is not chosen])
    problem = chosen.problem
    size = len("".join((chosen.source, *before)).encode())
    if size > _MOST_BYTES or len(before) > _MOST_STATEMENTS:
        problem = problem or (
            f"The answer and the {len(before)} statements that it needs of other cells are too "
            f"long: {size} bytes; at most {_MOST_BYTES} bytes and {_MOST_STATEMENTS} are run."
        )
        before = ()
    return Answer(chosen.source, before, problem, tuple(notes))


def _needed(answer: _Cell, others: list[_Cell]) -> tuple[str, ...]:
    """Imports, definitions and constants of other cells that the answer leads to."""
    imported = {
        name
        for cell in (answer, *others)
        for node in ast.walk(cell.tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in _defined(node)
    }
    offered: list[tuple[tuple[int, int], ast.stmt, set[str]]] = []
    for cell in others:
        for position, node in enumerate(cell.tree.body):
            with suppress(RecursionError):
                if _harmless(node, imported):
                    names = set(_defined(node, altered=True))
                    offered.append(((cell.number, position), node, names))
    missing = _used(answer.tree)
    taken: dict[tuple[int, int], ast.stmt] = {}
    seen: set[str] = set()
    while missing:
        name = missing.pop()
        if name in seen:
            continue
        seen.add(name)
        for place, node, defined in offered:
            star = "*" in defined and name not in vars(builtins)
            if (name in defined or star) and place not in taken:
                taken[place] = node
                missing |= _used(node)
    written = []
    for place in sorted(taken):
        with suppress(RecursionError):
            written.append(ast.unparse(taken[place]))
    return tuple(written)


def _harmless(node: ast.stmt, imported: set[str]) -> bool:
    """Whether it is an import, a definition, or a name for a constant.

    A constant may be made by a built-in type or by what was imported, as in ``np.array([1, 2])``.
    """
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)):
        return True
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        return node.value is not None and _constant(node.value, imported)
    if isinstance(node, ast.If):
        inner = [*node.body, *node.orelse]
        return _constant(node.test, imported) and all(_harmless(n, imported) for n in inner)
    if isinstance(node, ast.Try):
        handled = [part for handler in node.handlers for part in handler.body]
        inner = [*node.body, *handled, *node.orelse, *node.finalbody]
        return all(_harmless(n, imported) or isinstance(n, ast.Pass) for n in inner)
    return False


def _constant(value: ast.expr, imported: set[str]) -> bool:
    for part in ast.walk(value):
        if isinstance(part, (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)):
            return False
        if isinstance(part, ast.Call):
            root: ast.expr = part.func
            while isinstance(root, ast.Attribute):
                root = root.value
            if not (isinstance(root, ast.Name) and root.id in imported | _BUILT_IN):
                return False
    return True


def _defined(node: ast.stmt, altered: bool = False) -> list[str]:
    """The names that a statement defines, and if asked those it alters, as ``d[0] = 1`` does."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [(alias.asname or alias.name).split(".")[0] for alias in node.names]
    if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [part for one in targets for part in ast.walk(one) if isinstance(part, ast.Name)]
        return [name.id for name in names if altered or isinstance(name.ctx, ast.Store)]
    if isinstance(node, (ast.If, ast.With, ast.Try, ast.For, ast.While)):
        inner = [*node.body, *getattr(node, "orelse", []), *getattr(node, "finalbody", [])]
        inner += [part for handler in getattr(node, "handlers", []) for part in handler.body]
        return [name for part in inner for name in _defined(part, altered)]
    return []


def _used(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _bare(source: str) -> str:
    """What a cell does, without docstrings: one that was changed makes no answer."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)):
            node.body = [part for part in node.body if not _is_text(part)]
    return ast.dump(tree)


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def plain_python(source: str) -> str:
    """A cell without what only IPython understands.

    ``%%time`` and its like lose their line; a cell in another language becomes empty; other magics
    and shell commands become calls that the worker ignores.
    """
    while (stripped := source.lstrip()).startswith("%%"):
        first, _, source = stripped.partition("\n")
        if first[2:].split(" ")[0] not in _WRAPPING_MAGICS:
            return ""
    if not re.search(r"^[ \t]*[%!?]|=[ \t]*[%!]|\?[ \t]*$", source, re.MULTILINE):
        return source
    try:
        ast.parse(source)
        return source
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return str(TransformerManager().transform_cell(source))  # type: ignore[no-untyped-call]
    except (SyntaxError, ValueError, RuntimeError):  # the last: hundreds of magics in one cell
        return source
