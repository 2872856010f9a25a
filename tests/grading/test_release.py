"""What a class is given, and how each student's own variant is graded."""

from __future__ import annotations

import csv
import json
import os
import re
import stat
import sys
from pathlib import Path

import honest
import pytest
from classroom import TINY, put

from ftkit import cli
from ftkit.grading import build, leaks, master, release, roster, variants
from ftkit.grading.errors import GradingError
from ftkit.grading.grade import grade
from ftkit.grading.submissions import find

VARIED = Path(__file__).with_name("varied.py")
NAMES = ("Ann Lee", "bob", "Çağla")


@pytest.fixture(scope="module")
def varied():
    return master.read(VARIED)


def a_roster(folder, *rows, head=("student", "id", "framework")):
    path = folder / "roster.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([head, *rows])
    return path


def as_text(notebook):
    return json.loads(build.dumps(notebook))


def in_release(out):
    return {path.relative_to(out).as_posix(): json.loads(path.read_text())
            for path in sorted(out.rglob("*")) if path.is_file()}  # fmt: skip


def test_everybody_gets_the_starters_of_both_frameworks_and_nothing_else(tmp_path, exercise):
    made = release.release(exercise, tmp_path / "out")
    files = in_release(tmp_path / "out")
    assert files == {
        f"tiny.{name}.ipynb": as_text(build.starter(exercise, name)) for name in master.FRAMEWORKS
    }
    assert made.record is None and len(made.files) == 2
    text = json.dumps(files)
    assert "hidden_rng" not in text and "lstsq" not in text and "2 * np.asarray" not in text


def test_each_student_of_a_roster_gets_a_folder_with_a_variant(tmp_path, varied):
    students = roster.read(
        a_roster(tmp_path, *((name, number, "") for number, name in enumerate(NAMES, 40)))
    )
    made = release.release(varied, tmp_path / "out", ("pytorch",), students, varied=True)
    files = in_release(tmp_path / "out")
    assert files.keys() == {f"{name}/varied.pytorch.ipynb" for name in NAMES}
    kept = roster.load(made.record, varied)
    for name in NAMES:
        own = kept.of(varied, name)
        assert files[f"{name}/varied.pytorch.ipynb"] == as_text(build.starter(own, "pytorch"))
    assert len({json.dumps(kept.values[name]) for name in NAMES}) == 3


def test_the_record_stands_beside_the_release_for_its_owner_alone(tmp_path, varied):
    students = [roster.Student(name) for name in NAMES]
    made = release.release(varied, tmp_path / "out", students=students, varied=True)
    assert made.record == tmp_path / "out.variants.json"
    assert stat.S_IMODE(made.record.stat().st_mode) == 0o600
    secret = json.loads(made.record.read_text())["secret"]
    assert len(secret) == 64
    told = "".join(path.read_text() for path in (tmp_path / "out").rglob("*.ipynb"))
    assert secret not in told
    assert all(name not in told for name in NAMES)


def test_a_later_release_adds_students_and_leaves_the_others_variants(tmp_path, varied):
    def again(*names):
        students = [roster.Student(name) for name in names]
        made = release.release(varied, tmp_path / "out", students=students, varied=True)
        return roster.load(made.record, varied).values

    first = again("ann")
    assert again("ann", "bob") == {**first, "bob": again("bob")["bob"]}
    text = json.loads((tmp_path / "out.variants.json").read_text())
    text["values"]["ann"]["add"] = 1 + text["values"]["ann"]["add"] % 9
    (tmp_path / "out.variants.json").write_text(json.dumps(text))
    with pytest.raises(GradingError, match="is there already"):
        again("ann")


def test_a_starter_that_would_show_what_is_kept_back_is_not_written(tmp_path):
    text = TINY.read_text().replace("### BEGIN HIDDEN TESTS\nfrom", "### BEGIN HIDEN TESTS\nfrom")
    text = text.replace("rtol=1e-6)\n### END HIDDEN TESTS", "rtol=1e-6)\n### END HIDEN TESTS")
    with pytest.raises(GradingError, match="Nothing was written.*hidden_rng"):
        release.release(master.parse(text, "tiny"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("spoil", "place"),
    [
        (lambda n: honest.cell(n, "q1_visible").update(source="1\n  x, weight = "
         "rng.normal(size=(30, 4)), rng.normal(size=4)"), "cells"),
        (lambda n: honest.cell(n, "q1").update(source="return 2 * np.asarray(x) + 1"), "cells"),
        (lambda n: n["metadata"]["ftkit"].update(note='wanted = hidden_rng("q1").normal(size=7)'),
         "note"),
        (lambda n: honest.cell(n, "task1").update(source="## begin hidden tests"), "marker"),
    ],
)  # fmt: skip
def test_a_leak_is_found_wherever_it_stands(exercise, spoil, place):
    made = build.starter(exercise, "pytorch")
    assert leaks.find(made, exercise) == []
    spoil(made)
    found = leaks.find(made, exercise)
    assert found and place in found[0]


def test_a_hint_may_quote_the_solution(exercise):
    made = build.starter(exercise, "pytorch")
    made["metadata"]["ftkit"]["cells"][1]["hints"] = ["return 2 * np.asarray(x) + 1"]
    assert leaks.find(made, exercise) == []


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "a line per student"),
        ([("a/b", "", "")], "line 2: 'a/b' cannot be a folder"),
        ([("ann", "", ""), ("..", "", "")], "line 3"),
        ([("", "1", "")], "cannot be a folder"),
        ([("ann", "", "jax")], "'jax'"),
        ([("ann", "", ""), ("Ann", "", "")], "are both student"),
        ([("ann", "7", ""), ("bob", "7", "")], "are both id"),
    ],
)
def test_a_roster_that_cannot_be_used_says_where(tmp_path, rows, said):
    with pytest.raises(GradingError, match=re.escape(said)):
        roster.read(a_roster(tmp_path, *rows))


def test_a_roster_without_the_column_or_the_file_is_refused(tmp_path):
    with pytest.raises(GradingError, match="columns student"):
        roster.read(a_roster(tmp_path, ("ann", ""), head=("name", "id")))
    with pytest.raises(GradingError, match="Expected a roster"):
        roster.read(tmp_path / "none.csv")


def test_a_roster_may_come_from_any_spreadsheet(tmp_path):
    path = tmp_path / "roster.csv"
    for text in ("student\r\nann\r\n", "id;student\n7;ann\n", "\ufeffstudent\tid\nann\t7\n"):
        path.write_text(text, encoding="utf-8", newline="")
        assert [one.name for one in roster.read(path)] == ["ann"]


def test_a_student_is_known_by_the_name_as_platforms_change_it_or_by_number(varied):
    students = [roster.Student(name, str(n)) for n, name in enumerate(NAMES, 40)]
    kept = roster.assign(varied, students, roster.Assigned("varied", "key"))
    for said in ("Ann Lee", "ann_lee", "ANN  LEE", "annlee"):
        assert kept.student(said) == "Ann Lee"
    assert kept.student("Lee, Ann", "40") == "Ann Lee"
    assert kept.student("nobody", "99") == "" and kept.of(varied, "nobody") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Expected at"),
        ('{"exercise": "varied"}', "secret"),
        ('{"exercise": "tiny", "secret": "k", "values": {}, "ids": {}}', "is of tiny"),
        ('{"exercise": "varied", "secret": "k", "values": {"a": {"x": 1}}, "ids": {}}',
         "once more"),
        ('{"exercise": "varied", "secret": "k", "values": {"a": 1}, "ids": {}}', "Expected at"),
    ],
)  # fmt: skip
def test_a_record_that_is_none_is_refused(tmp_path, varied, text, said):
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(GradingError, match=said):
        roster.load(path, varied)


def test_what_is_handed_in_under_its_released_name_is_found_by_student(tmp_path):
    for name in ("ann_varied.pytorch.ipynb", "bob_varied_tensorflow.ipynb"):
        (tmp_path / name).write_text("{}")
    found, _ = find(tmp_path, "varied", tmp_path / "unpacked")
    assert [one.student for one in found] == ["ann", "bob"]


def test_the_command_tells_what_it_wrote_and_refuses_what_it_cannot(tmp_path, capsys):
    def run(*more):
        return cli.main(["release", str(VARIED), "--out", str(tmp_path / "out"), *more])

    assert run("--variants") == 2 and "--roster" in capsys.readouterr().err
    names = a_roster(tmp_path, *((name, "", "") for name in NAMES))
    assert run("--roster", str(names), "--variants", "--framework", "pytorch") == 0
    told = capsys.readouterr().out
    assert "3 notebooks" in told and "out.variants.json" in told
    assert cli.main(["release", str(TINY), "--out", str(tmp_path / "x"), "--roster", str(names),
                     "--variants"]) == 2  # fmt: skip
    assert "has no variants" in capsys.readouterr().err


def answered(own, source=None):
    notebook = build.solution(own, "pytorch")
    if source:
        honest.cell(notebook, "q1")["source"] = source
    return notebook


def q1(own):
    return honest.cell(build.solution(own, "pytorch"), "q1")["source"]


@pytest.mark.skipif(sys.platform != "linux", reason="answers are confined on Linux only")
def test_each_is_judged_by_the_own_variant_and_a_neighbours_answer_earns_nothing(tmp_path, varied):
    values = {
        "ann": {"add": 2, "seed": 1}, "bob": {"add": 3, "seed": 2}, "cy": {"add": 4, "seed": 3},
        "dan": {"add": 5, "seed": 4},
    }  # fmt: skip
    kept = roster.Assigned("varied", "key", values, {"77": "dan"})
    own = {name: variants.filled(varied, values[name]) for name in values}
    submissions, out = tmp_path / "in", tmp_path / "out"
    put(submissions, "ann", answered(own["ann"]))
    put(submissions, "bob", answered(own["bob"], q1(own["ann"])))
    put(submissions, "cy", answered(own["ann"]))
    put(submissions, "Dan D_77_assignsubmission_file_", answered(own["dan"]))
    put(submissions, "eve", answered(own["ann"]))
    level = os.environ.get("FTKIT_TEST_LEVEL")
    graded = grade(submissions, varied, VARIED, out, level=level, assigned=kept)
    got = {
        name: [(one.verdict, one.points) for one in results]
        for name, results in graded.results.items()
    }
    assert got == {
        "ann": [("passed", 3), ("passed", 1)],
        "bob": [("wrong", 0), ("passed", 1)],
        "cy": [("wrong", 0), ("passed", 1)],
        "Dan D": [("passed", 3), ("passed", 1)],
        "eve": [("grader fault", 0), ("grader fault", 0)],
    }
    assert "but ann" in graded.results["cy"][0].private
    assert not graded.results["bob"][1].private
    assert "no such student" in graded.results["eve"][0].private

    seen = []
    changed = {**values, "ann": {"add": 9, "seed": 1}, "eve": {"add": 2, "seed": 9}}
    graded = grade(
        submissions, varied, VARIED, out, level=level, show=seen.append,
        assigned=roster.Assigned("varied", "key", changed, {"77": "dan"}),
    )  # fmt: skip
    assert {one.student for one in seen if not one.resumed} == {"ann", "eve"}
    assert [one.points for one in graded.results["ann"]] == [0, 1]
    assert [one.points for one in graded.results["eve"]] == [3, 1]


@pytest.mark.skipif(sys.platform != "linux", reason="answers are confined on Linux only")
def test_of_two_students_of_one_name_the_platforms_number_says_whose_variant_it_is():
    kept = roster.Assigned("x", "key", {"Jane Doe": {}, "Jane Doe 2": {}}, {"7": "Jane Doe 2"})
    assert kept.student("Jane Doe", "7") == kept.student("Jane Doe (7)", "7") == "Jane Doe 2"
    assert kept.student("Jane Doe", "6") == kept.student("jane doe") == "Jane Doe"
    assert kept.student("John", "8") == ""


def test_a_record_that_was_forgotten_is_said_loudly(tmp_path, varied):
    own = variants.filled(varied, {"add": 2, "seed": 1})
    put(tmp_path / "in", "ann", answered(own))
    graded = grade(tmp_path / "in", varied, VARIED, tmp_path / "out")
    assert graded.results["ann"][0].points == 0
    assert "Give its record" in graded.warnings[-1] and "ann" in graded.warnings[-1]
