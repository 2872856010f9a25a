"""Masters, and the notebooks that are built from them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from ftkit.grading import build, master, regions
from ftkit.grading.errors import GradingError

DEMO = Path(__file__).parents[2] / "exercises" / "demo"
HEAD = '# %% kind="exercise" title="T" minutes=1 frameworks=["pytorch"]\n'
ANSWER = (
    '# %% id="q1" kind="answer" exports=["f"]\ndef f():\n    ### BEGIN SOLUTION\n    return 1\n'
    "    ### END SOLUTION\n"
)
TEST = '# %% id="t1" kind="test" question="q1" points=1 title="it is 1"\nassert f() == 1\n'
HIDDEN = (
    '# %% id="t2" kind="test" question="q1" points=2 title="more"\n### BEGIN HIDDEN TESTS\n'
    "assert f() is 1\n### END HIDDEN TESTS\n"
)


@pytest.mark.parametrize("framework", master.FRAMEWORKS)
@pytest.mark.parametrize(
    "make", [build.starter, build.solution, build.nbgrader_source, build.judge]
)
def test_every_notebook_is_valid_and_comes_out_the_same_each_time(framework, make):
    exercise = master.read(DEMO)
    text = build.dumps(make(exercise, framework))
    assert text == build.dumps(make(master.read(DEMO), framework))
    nbformat.validate(nbformat.reads(text, as_version=4))


@pytest.mark.parametrize("framework", master.FRAMEWORKS)
def test_what_students_get_holds_no_hidden_test_and_the_starter_no_solution(framework):
    exercise = master.read(DEMO)
    for make in (build.starter, build.solution):
        text = build.dumps(make(exercise, framework))
        assert "hidden_rng" not in text and "HIDDEN TESTS" not in text and "### " not in text
    text = build.dumps(build.starter(exercise, framework))
    assert "spread" not in text and "Adam(" not in text and text.count("NotImplementedError") == 4


def test_the_judge_holds_proxies_in_place_of_answers_and_all_tests():
    cells = {c["id"]: c["source"] for c in build.judge(master.read(DEMO), "pytorch")["cells"]}
    assert cells["q1"] == 'standardise = answer("q1", "standardise")'
    assert "hidden_rng" in cells["q1_hidden"] and "framework" not in cells
    assert not any("torch.nn" in source for source in cells.values())


def test_cells_carry_what_nbgrader_wants():
    cells = {c["id"]: c for c in build.nbgrader_source(master.read(DEMO), "pytorch")["cells"]}
    assert cells["q1"]["metadata"]["nbgrader"] == {
        "grade": False, "grade_id": "q1", "locked": False, "schema_version": 3, "solution": True,
        "task": False,
    }  # fmt: skip
    assert cells["q1_hidden"]["metadata"]["nbgrader"]["points"] == 2
    assert "### BEGIN HIDDEN TESTS" in cells["q1_hidden"]["source"]


def test_the_judges_hash_moves_with_tests_points_and_limits_only():
    base = HEAD + ANSWER + TEST
    hashes = {
        build.judge_hash(master.parse(text, "x"), "pytorch")
        for text in (
            base, base.replace("points=1", "points=2"), base.replace("== 1", "== 2"),
            base.replace('["f"]', '["f"] seconds=5'),
            base + '# %% [markdown] id="m"\n# words\n',
        )
    }  # fmt: skip
    assert len(hashes) == 4


def test_the_judges_hash_moves_when_a_test_comes_to_judge_another_question():
    exercise = master.parse(HEAD + ANSWER + TEST, "x")
    moved = tuple(replace(c, question="q2") if c.kind == "test" else c for c in exercise.cells)
    other = build.judge_hash(replace(exercise, cells=moved), "pytorch")
    assert other != build.judge_hash(exercise, "pytorch")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "begin with '# %%'"),
        ("# %%\n", 'kind="exercise"'),
        (HEAD + '# %% id="a b"\n', "letters"),
        (HEAD + '# %% id="a" kind="odd"\n', "'odd'"),
        (HEAD + '# %% id="a" points=1\n', "options"),
        (HEAD + '# %% id=a\n', "JSON"),
        (HEAD + ANSWER, "no test"),
        (HEAD + ANSWER + HIDDEN + TEST, "after the visible"),
        (HEAD + ANSWER + TEST + TEST, "twice"),
        (HEAD + ANSWER + TEST.replace('"q1"', '"q9"'), "one of"),
        (HEAD + ANSWER.replace("    ### END SOLUTION\n", "") + TEST, "never closed"),
        (HEAD + ANSWER.replace("### BEGIN SOLUTION", "pass") + TEST, "in turn"),
        (HEAD + ANSWER.replace('exports=["f"]', "") + TEST, "exports"),
    ],
)  # fmt: skip
def test_a_master_that_is_not_well_formed_says_what_is_wrong(text, said):
    with pytest.raises(GradingError, match=said):
        master.parse(text, "x")


def test_a_solution_leaves_the_stub_at_its_indentation():
    source = "def f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION"
    assert regions.without_solution(source) == (
        "def f():\n    # YOUR CODE HERE\n    raise NotImplementedError()"
    )
    assert regions.without_markers(source) == "def f():\n    return 1"


def test_the_notebook_tells_the_learners_check_only_what_the_starter_shows():
    ours = build.solution(master.read(DEMO), "pytorch")["metadata"]["ftkit"]
    assert {cell["id"] for cell in ours["cells"]} == {
        "setup", "framework", "q1", "q1_moments", "q1_constant", "q2", "q2_shapes", "q2_learns",
    }  # fmt: skip
    assert "spread" not in json.dumps(ours)


@pytest.mark.parametrize("framework", master.FRAMEWORKS)
def test_the_starter_alone_has_a_check_button_after_its_introduction_which_is_not_graded(framework):
    exercise = master.read(DEMO)
    cells = build.starter(exercise, framework)["cells"]
    assert [cell["id"] for cell in cells[:3]] == ["intro", "ftkit-check", "setup"]
    assert cells[1]["source"] == "from ftkit.widgets import Check\n\nCheck('demo')"
    assert cells[1]["metadata"] == {}
    for make in (build.solution, build.nbgrader_source, build.judge):
        assert "ftkit-check" not in build.dumps(make(exercise, framework))
