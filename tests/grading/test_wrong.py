"""Wrong answers beside a master."""

from __future__ import annotations

import pytest
from classroom import TINY

from ftkit.grading import master, wrong
from ftkit.grading.errors import GradingError


@pytest.fixture
def reads(tmp_path):
    (tmp_path / "wrong").mkdir()

    def read(text):
        (tmp_path / "wrong" / "slip.py").write_text(text)
        return wrong.read(tmp_path, master.read(TINY))

    return read


def test_a_cell_without_a_framework_counts_for_both(reads):
    made = reads('# Why.\n# %% id="q1" verdict="partly" points=1\ndef scale(x): return x\n')
    assert [(one.framework, one.question, one.verdict, one.points) for one in made] == [
        ("pytorch", "q1", "partly", 1.0),
        ("tensorflow", "q1", "partly", 1.0),
    ]
    assert made[0].name == "slip" and made[0].source == "def scale(x): return x"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('id="q9" verdict="wrong" points=0', "Expected a question of"),
        ('id="q1" verdict="rubbish" points=0', "Expected '# %%"),
        ('id="q1" verdict="wrong"', "Expected '# %%"),
        ('id="q1" verdict="wrong" points=0 framework="jax"', "Expected '# %%"),
        ("id=q1", "JSON"),
    ],
)
def test_a_cell_that_says_nothing_usable_is_refused_with_its_file(reads, line, told):
    with pytest.raises(GradingError, match=r"slip\.py: .*" + told):
        reads(f"# %% {line}\n1\n")
