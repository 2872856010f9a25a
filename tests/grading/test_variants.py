"""Masters whose exercises differ from student to student."""

from __future__ import annotations

import pytest

from ftkit.grading import build, master, variants
from ftkit.grading.errors import GradingError

HEAD = '# %% kind="exercise" title="T" minutes=1 frameworks=["pytorch"]\n#| variants='
BODY = """
# %% [markdown] id="task"
# Give {{add}} and {{way.words}}: {{list}}.


# %% id="q1" kind="answer" exports=["f"] hints=["It is {{add}}."]
def f():
    ### BEGIN SOLUTION
    return {{add}}, {{way.key}}, {{list}}
    ### END SOLUTION


# %% id="t1" kind="test" question="q1" points=1 title="it gives {{add}}"
assert f() == ({{add}}, {{way.key}}, {{list}}), {{seed}}
"""
PARAMETERS = (
    '{"add": [2, 0.5, 3], "way": [{"words": "a", "key": "x"}, {"words": "b", "key": "y"}, '
    '{"words": "c", "key": "z"}], "list": [["p", "q"], ["r"], [true]], "seed": 900}'
)
WORDS = {"words": "b", "key": "y"}


@pytest.fixture
def exercise():
    return master.parse(HEAD + PARAMETERS + BODY, "x")


def sources(exercise):
    return {cell["id"]: cell["source"] for cell in build.solution(exercise, "pytorch")["cells"]}


def test_without_variants_each_place_has_its_first_value(exercise):
    made = sources(exercise)
    assert made["task"] == "Give 2 and a: p, q.\n"[:-1]
    assert "return 2, 'x', ['p', 'q']" in made["q1"]
    assert made["t1"] == "assert f() == (2, 'x', ['p', 'q']), 0"
    assert exercise.questions("pytorch")[0].hints == ("It is 2.",)
    assert exercise.tests("pytorch", "q1")[0].title == "it gives 2"
    assert variants.mark(exercise) == ""
    assert "variant" not in build.starter(exercise, "pytorch")["metadata"]["ftkit"]


def test_a_variant_has_its_own_values_everywhere_and_its_mark_in_the_notebook(exercise):
    own = variants.filled(exercise, {"add": 0.5, "way": WORDS, "list": [True], "seed": 7})
    made = sources(own)
    assert made["task"] == "Give 0.5 and b: True."
    assert made["t1"] == "assert f() == (0.5, 'y', [True]), 7"
    mark = build.starter(own, "pytorch")["metadata"]["ftkit"]["variant"]
    assert mark == variants.mark(own) and len(mark) == 12
    assert build.judge_hash(own, "pytorch") != build.judge_hash(exercise, "pytorch")


def test_a_students_values_are_the_same_each_time_and_others_under_another_secret(exercise):
    drawn = [variants.drawn(exercise, name, "key") for name in ("ann", "bob") for _ in "12"]
    assert drawn[0] == drawn[1] and drawn[2] == drawn[3] and drawn[0] != drawn[2]
    assert variants.drawn(exercise, "ann", "other") != drawn[0]


def test_nobody_draws_the_default_and_every_other_value_is_drawn(exercise):
    drawn = [variants.drawn(exercise, f"student {n}", "key") for n in range(300)]
    assert {one["add"] for one in drawn} == {0.5, 3}
    assert {one["way"]["key"] for one in drawn} == {"y", "z"}
    seeds = {one["seed"] for one in drawn}
    assert len(seeds) > 200 and min(seeds) > 0 and max(seeds) < 900


def test_pairs_to_try_differ_in_every_parameter_and_hold_each_value_of_a_list(exercise):
    pairs = variants.apart(exercise)
    assert all(a[name] != b[name] for a, b in pairs for name in a)
    assert {a["add"] for a, _ in pairs} == {0.5, 3}


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ('{"add": [1, 2]}', "three values"),
        ('{"add": [1, 1, 2]}', "all different"),
        ('{"add": 2}', "seeds from 3"),
        ('{"add": true}', "three values"),
        ('{"add": "text"}', "three values"),
        ('{"a b": [1, 2, 3]}', "'a b'"),
        ('{"add": [{"a": 1}, {"a": 2}, {"b": 3}]}', "same keys"),
        ('{"add": [1, 2, 3], "unused": 5}', "no cell has {{unused}}"),
    ],
)
def test_what_cannot_be_a_parameter_is_refused_with_its_name(declared, said):
    body = BODY.replace("{{way.words}}", "a").replace("{{way.key}}", "1")
    body = body.replace("{{list}}", "1").replace("{{seed}}", "1")
    with pytest.raises(GradingError, match=said):
        master.parse(HEAD + declared + body, "x")


@pytest.mark.parametrize(
    ("place", "said"), [("{{typo}}", "declares no such"), ("{{way.other}}", "no 'other'")]
)
def test_a_place_without_a_value_is_refused(place, said):
    with pytest.raises(GradingError, match=said):
        master.parse(
            HEAD + PARAMETERS + BODY.replace("{{way.words}}", f"{place} {{{{way.key}}}}"), "x"
        )


def test_double_braces_mean_nothing_in_a_master_without_variants():
    text = HEAD.replace("\n#| variants=", "\n") + BODY
    assert "{{add}}" in sources(master.parse(text, "x"))["q1"]


def test_values_of_another_form_of_the_exercise_are_refused(exercise):
    with pytest.raises(GradingError, match="Release it once more"):
        variants.filled(exercise, {"add": 2})
