"""Answers of a class that resemble each other."""

from __future__ import annotations

import time

import pytest
from classroom import TINY

from ftkit.grading import master, similar
from ftkit.grading.store import Handed

ODD = '''def fit(x, y):
    """Solves it in a way of one's own."""
    rows, columns = x.shape  # the sizes
    left = np.zeros((columns, columns))
    for i in range(columns):
        for j in range(columns):
            left[i, j] = sum(x[row, i] * x[row, j] for row in range(rows))
    right = [sum(y[row] * x[row, i] for row in range(rows)) for i in range(columns)]
    return {"weight": np.linalg.solve(left + 1e-9 * np.eye(columns), np.array(right))}
'''
DISGUISED = """def fit(data, goal):
    # all mine
    n, m = data.shape
    a = np.zeros((m,
                  m))
    for p in range(m):

        for q in range(m):
            a[p, q] = sum(data[k, p] * data[k, q] for k in range(n))
    b = [sum(goal[k] * data[k, p] for k in range(n)) for p in range(m)]
    return {'weight': np.linalg.solve(a + 1e-12 * np.eye(m), np.array(b))}
"""
OTHERS = [
    "def fit(x, y):\n    return {'weight': np.linalg.lstsq(x, y, rcond=None)[0]}\n",
    "def fit(x, y):\n    inverse = np.linalg.pinv(x)\n    return {'weight': inverse @ y}\n",
    "def fit(x, y):\n    weight = np.zeros(x.shape[1])\n    for _ in range(5000):\n"
    "        weight -= 0.01 * x.T @ (x @ weight - y) / len(x)\n    return {'weight': weight}\n",
    "def fit(x, y):\n    q, r = np.linalg.qr(x)\n    if abs(r).min() < 0:\n        raise\n"
    "    return dict(weight=np.linalg.inv(r).dot(q.T).dot(y))\n",
]


@pytest.fixture(scope="module")
def tiny():
    return master.read(TINY)


def a_class(*sources, framework="pytorch"):
    return {
        f"student {number:03}": Handed(framework, {"q1": "", "q2": source})
        for number, source in enumerate(sources)
    }


def pairs(tiny, answers):
    return [one.students for one in similar.alike(tiny, answers)]


def test_names_comments_layout_strings_and_numbers_make_no_difference():
    assert similar.tokens(ODD) == similar.tokens(DISGUISED)
    assert similar.tokens("x = f'{y}' # z") == ["name", "="]
    assert similar.tokens("np.eye(3)") == ["name", ".", "eye", "(", "0", ")"]
    assert similar.tokens('a = """not\nclosed') != []


def test_a_disguised_copy_is_found_and_nobody_else(tiny):
    answers = a_class(ODD, *OTHERS, DISGUISED)
    found = similar.alike(tiny, answers)
    assert [(one.students, one.question) for one in found] == [
        (("student 000", "student 005"), "q2")
    ]
    assert found[0].share == 1 and found[0].runs > 50


def test_a_copy_with_lines_of_its_own_is_found_with_a_smaller_share(tiny):
    more = DISGUISED.replace(
        "    return", "    print(a, b)\n    assert a.shape == (m, m)\n    return"
    )
    found = similar.alike(tiny, a_class(ODD, *OTHERS, more))
    assert len(found) == 1 and similar.LEAST_SHARE < found[0].share < 1


def test_what_many_wrote_alike_is_no_sign(tiny):
    assert pairs(tiny, a_class(*[ODD] * 8, *OTHERS)) == []


def test_what_the_starter_gives_is_no_sign(tiny):
    text = TINY.read_text().replace("    ### BEGIN SOLUTION\n    return {", ODD.split('."""\n')[1]
                                    + "    ### BEGIN SOLUTION\n    return {")  # fmt: skip
    given = master.parse(text, "tiny")
    assert pairs(given, a_class(ODD, DISGUISED, *OTHERS)) == []
    assert pairs(tiny, a_class(ODD, DISGUISED, *OTHERS)) != []


def test_short_answers_blanks_and_other_frameworks_are_no_sign(tiny):
    assert pairs(tiny, a_class(OTHERS[0], OTHERS[0], "", "")) == []
    apart = a_class(ODD) | {"other": Handed("tensorflow", {"q1": "", "q2": DISGUISED})}
    assert pairs(tiny, apart) == []


@pytest.mark.parametrize("source", ["'" * 9001, '"""' + "\\" * 9001, "\0" * 99, "((((" * 9000])
def test_an_answer_made_to_break_it_takes_no_time(tiny, source):
    began = time.monotonic()
    similar.alike(tiny, a_class(source, source + "1"))
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("source", ["x = '" + "\\'" * 50_000, "\\'''" * 25_000, "\\" * 99_999])
def test_strings_that_are_never_closed_take_no_time(source):
    began = time.process_time()
    similar.tokens(source)
    assert time.process_time() - began < 5
