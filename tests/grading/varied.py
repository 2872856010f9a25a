# ruff: noqa: E402, F821, what stands in double braces is filled in
# %% kind="exercise" title="A small question for each" minutes=1 frameworks=["pytorch","tensorflow"]
#| variants={"add": [1, 2, 3, 4, 5, 6, 7, 8, 9], "seed": 1000}

# %% id="setup" kind="setup"
import numpy as np

from ftkit.grading.assertions import assert_close

# %% [markdown] id="task1"
# Write `shift(x)`: each number and {{add}}.


# %% id="q1" kind="answer" exports=["shift"] seconds=6 call_seconds=3 memory_mb=400
#| hints=["Add {{add}}."]
def shift(x):
    """Gives x + {{add}}."""
    ### BEGIN SOLUTION
    return np.asarray(x) + {{add}}
    ### END SOLUTION


# %% id="q1_visible" kind="test" question="q1" points=1 title="zeros become {{add}}"
assert_close(shift(np.zeros(3)), np.full(3, {{add}}))

# %% id="q1_hidden" kind="test" question="q1" points=2 title="so it is for other numbers"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

x = hidden_rng("q1").normal(size=7)
assert_close(shift(x), x + {{add}}, rtol=1e-6)
### END HIDDEN TESTS


# %% id="q2" kind="answer" exports=["total"] seconds=6 call_seconds=3 memory_mb=400
def total(x):
    """Gives the sum."""
    ### BEGIN SOLUTION
    return float(np.sum(x))
    ### END SOLUTION


# %% id="q2_visible" kind="test" question="q2" points=1 title="it is right for some numbers"
x = np.random.default_rng({{seed}}).normal(size=5)
assert_close(total(x), x.sum(), rtol=1e-6)
