"""Which cell counts for which question, and what it takes along."""

from __future__ import annotations

from ftkit.grading.extract import CHECK_ID, Wanted, answers, plain_python
from ftkit.grading.notebooks import Found, Submitted

STUB = "def f(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
QUESTIONS = [Wanted("q1", ("f",), STUB), Wanted("q2", ("g", "h"), STUB.replace("f(", "g("))]


def found(*cells, question="q1", reserved=("t1",)):
    made = Submitted(tuple(Found(tuple(ids.split()), source) for ids, source in cells))
    return answers(made, QUESTIONS, reserved)[question]


def test_the_id_finds_an_answer_and_what_other_cells_do_is_left_behind():
    one = found(("q1", "def f(x): return x"), ("z", "print('no')"))
    assert one.source == "def f(x): return x" and one.before == () and one.notes == ()


def test_names_find_an_answer_whose_cell_has_no_id():
    assert found(("", "def f(x): return 1")).source == "def f(x): return 1"
    assert found(("", "g = lambda: 1\nh = 2"), question="q2").source
    assert not found(("", "g = lambda: 1"), question="q2").source


def test_the_last_cell_that_is_not_the_stub_counts_and_more_than_one_is_said():
    one = found(("q1", "def f(x): return 1"), ("q1", "def f(x): return 2"), ("q1", STUB))
    assert one.source == "def f(x): return 2" and "last one counts" in one.notes[0]


def test_the_stub_in_any_dress_is_no_attempt():
    for source in (
        STUB,
        STUB + "\n\n# thinking",
        STUB.replace("    #", "    '''Doc.'''\n    #"),
        "",
        "# x",
    ):
        assert found(("q1", source)).source == ""


def test_a_cell_of_the_teacher_is_never_an_answer():
    assert found(("t1", "def f(x): return 1")).source == ""


def test_helpers_come_along_with_what_they_need_and_in_order():
    one = found(
        ("a", "import math as m, os\nK = 3\nUNUSED = 4\nx = compute()"),
        ("b", "def helper(x):\n    return other(x) + K\nclass Other: pass\nhelper(1)"),
        ("q2", "def other(x): return m.ceil(x)\n1 / 0"),
        ("q1", "def f(x): return helper(x)"),
    )
    assert [part.split("\n")[0] for part in one.before] == [
        "import math as m, os", "K = 3", "def helper(x):", "def other(x):",
    ]  # fmt: skip


def test_constants_may_be_made_by_what_was_imported_and_results_of_work_may_not():
    one = found(
        ("a", "import numpy as np\nMEAN = np.array([1, 2])\nSIZES = [2**n for n in range(3)]"),
        ("b", "try:\n    import tqdm\nexcept ImportError:\n    tqdm = None"),
        ("c", "def work(): return 1\nRESULT = work()\nTHERE = 1 if np.size(MEAN) else 2"),
        ("q1", "def f(x): return MEAN, SIZES, tqdm, RESULT, THERE"),
    )
    kept = "\n".join(one.before)
    assert "MEAN = np" in kept and "SIZES =" in kept and "except" in kept and "THERE =" in kept
    assert "RESULT" not in kept


def test_what_an_answer_does_not_lead_to_cannot_harm_it():
    one = found(("a", "def g(x=exit()): pass"), ("q1", "def f(x): return 1"))
    assert one.before == ()


def test_a_syntax_error_is_told_with_its_line():
    assert found(("q1", "def f(x):\n    return (")).problem.startswith("SyntaxError in line")


def test_code_that_overwhelms_the_parser_is_a_problem_of_its_own_cell():
    for source in ("f = " + "(" * 10**5, "f = " + "-" * 10**5 + "1", "\0", "f = 1" + "+1" * 10**5):
        one = found(("q1", source), ("q2", "def g(): pass\nh = 1"))
        assert one.problem or one.source
        assert found(("q1", source), ("q2", "g = h = 1"), question="q2").source == "g = h = 1"


def test_a_cell_that_only_alters_an_answer_is_none_and_helpers_are_altered_all_the_same():
    for altered in ("f.note = 2", "f[0] = 2", "f.layers[0].trainable = False"):
        assert found(("q1", "def f(x): return 1"), ("s", altered)).source == "def f(x): return 1"
    one = found(("a", "K = {}\nK['rate'] = 2"), ("q1", "def f(x): return K"))
    assert one.before == ("K = {}", "K['rate'] = 2")


def test_what_overwhelms_intake_in_one_cell_costs_only_the_answer_that_needs_it():
    chain = "if x == 0: a = 0\n" + "".join(f"elif x == {n}: a = {n}\n" for n in range(2500))
    huge = f"LONG = '{'x' * 600_000}'"
    for source in ("%%time\n" * 2000, chain, huge + "\n" + huge):
        assert found(("q1", "def f(x): return 1"), ("z", source)).problem == ""
    needs = ("q1", "def f(x): return LONG, MORE")
    two = (("a", huge), ("b", huge.replace("LONG", "MORE")))
    assert "too long" in found(needs, *two).problem and found(needs, *two).before == ()
    assert found(("q1", huge + "\n" + huge)).problem and not found(needs, two[0]).problem


def test_magics_lose_their_meaning_and_text_keeps_its_own():
    assert plain_python("x = '''\n%who\n!ls\n'''") == "x = '''\n%who\n!ls\n'''"
    assert plain_python("%%time\nx = 1") == "x = 1"
    assert plain_python("%%bash\nrm -rf /") == ""
    assert "run_line_magic" in plain_python("%matplotlib inline\nx = 1")
    compile(plain_python("files = !ls\nx?\n!pip install y"), "cell", "exec")


def test_markers_in_an_answer_are_said_to_be_ignored():
    assert "ignored" in found(("q1", "# NBVAL_SKIP\ndef f(x): return 1")).notes[-1]


def test_what_a_student_writes_into_the_cell_of_the_check_button_is_no_answer():
    answer = "def f(x):\n    return 1"
    assert found((CHECK_ID, answer)).source == ""
    assert found((CHECK_ID, answer), ("mine", answer)).source == answer
