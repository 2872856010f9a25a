"""What ``ftkit validate`` finds in exercises that are not as they must be."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from classroom import TINY

from ftkit import cli
from ftkit.grading import validating

VARIED = Path(__file__).with_name("varied.py")
RIGHT = '# %% id="q1" verdict="partly" points=1\ndef scale(x):\n    return np.asarray([3.0, 5.0])\n'

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="answers are confined on Linux only"
)


@pytest.fixture
def tried(tmp_path):
    """Tries a master after a change, with wrong answers beside it."""

    def make(source, *changes, **wrong):
        text = source.read_text()
        for before, after in changes:
            assert text.count(before) == 1, before
            text = text.replace(before, after)
        (tmp_path / "master.py").write_text(text)
        (tmp_path / "wrong").mkdir()
        for name, answer in wrong.items():
            (tmp_path / "wrong" / f"{name}.py").write_text(answer)
        return validating.validate(tmp_path, "pytorch")

    return make


def failed(report):
    return [(one.check, one.what) for one in report.failed]


def test_an_exercise_as_it_must_be_has_no_failure(tried):
    report = tried(TINY, hard_coded=RIGHT)
    assert failed(report) == []
    assert [len(report.of(check)) for check in validating.CHECKS] == [2, 4, 1, 0, 0, 1, 1]
    text = validating.table(report)
    assert "passed, 3" in text and "not attempted, 0" in text and "FAILED" not in text
    assert "1 of 1 wrong answers" in text and 0 < report.seconds["q1"] < 60


def test_a_solution_that_does_not_earn_everything_fails(tried):
    report = tried(TINY, ("return 2 * np.asarray(x) + 1", "return 2 * np.asarray(x)"))
    assert failed(report) == [("solution", "q1")]
    assert "expected passed, 3; got wrong, 0" in validating.table(report)
    assert "Expected" in validating.table(report).split("FAILED")[1]


def test_a_test_that_holds_without_an_answer_fails(tried):
    report = tried(TINY, ("assert_close(scale(np.array([1.0, 2.0])), [3.0, 5.0])", "scale(3)"))
    assert failed(report) == [("starter", "q1, emptied")]


def test_a_wrong_answer_that_earns_something_else_fails_by_name(tried):
    report = tried(
        TINY,
        hard_coded=RIGHT.replace("points=1", "points=0"),
        off=RIGHT.replace("partly", "wrong"),
        fine=RIGHT,
    )
    assert failed(report) == [("wrong answer", "hard_coded, q1"), ("wrong answer", "off, q1")]


def test_a_hidden_test_whose_marker_is_misspelt_fails(tried):
    spelt = "### BEGIN HIDDEN TESTS\nfrom"
    end = "rtol=1e-6)\n### END HIDDEN TESTS"
    report = tried(TINY, (spelt, spelt.replace("DD", "D")), (end, end.replace("DD", "D")))
    assert [check for check, _ in failed(report)] == ["release"]
    assert "hidden_rng" in validating.table(report)


def test_variants_are_tried_each_by_its_own_solution_and_by_anothers(tried):
    report = tried(VARIED)
    assert failed(report) == []
    assert len(report.of("variant")) == 16 and len(report.of("copied answer")) == 8


def test_a_copied_answer_that_would_earn_something_fails(tried):
    report = tried(VARIED, ("np.full(3, {{add}})", "shift(np.zeros(3))"))
    assert {check for check, _ in failed(report)} == {"copied answer"}
    assert len(report.failed) == 8


def test_a_value_with_which_the_solution_is_wrong_fails(tried):
    report = tried(VARIED, ("np.asarray(x) + {{add}}", "np.asarray(x) + min({{add}}, 8)"))
    assert failed(report) == [
        ("copied answer", "q1 with add=8, seed=7"),
        ("variant", "q1 with add=9, seed=8"),
    ]


def test_too_slow_an_exercise_fails(tried, monkeypatch):
    monkeypatch.setattr(validating, "MOST_SECONDS", 0.01)
    assert failed(tried(TINY)) == [("time", "in all")]


def test_the_command_gives_a_table_and_an_exit_code(tmp_path, capsys):
    assert cli.main(["validate", str(TINY), "--framework", "pytorch"]) == 0
    assert "All 8 checks hold" in capsys.readouterr().out
    text = TINY.read_text().replace("return 2 * np.asarray(x) + 1", "return 2 * np.asarray(x)")
    (tmp_path / "master.py").write_text(text)
    assert cli.main(["validate", str(tmp_path), str(TINY), "--framework", "tensorflow"]) == 1
    told = capsys.readouterr().out
    assert "FAILED solution: q1" in told and "1 of 16 checks failed" in told
    assert cli.main(["validate", "nothing"]) == 2
