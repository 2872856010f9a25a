# %% kind="exercise" title="Two small questions" minutes=1 frameworks=["pytorch","tensorflow"]

# %% id="setup" kind="setup"
import numpy as np

from ftkit.grading.assertions import assert_close

# %% [markdown] id="task1"
# Write `scale(x)`: twice each number, and one.


# %% id="q1" kind="answer" exports=["scale"] seconds=6 call_seconds=3 memory_mb=400
#| hints=["What is twice 3?", "Add one."]
def scale(x):
    """Gives 2 x + 1."""
    ### BEGIN SOLUTION
    return 2 * np.asarray(x) + 1
    ### END SOLUTION


# %% id="q1_visible" kind="test" question="q1" points=1 title="scale([1, 2]) is [3, 5]"
assert_close(scale(np.array([1.0, 2.0])), [3.0, 5.0])

# %% id="q1_hidden" kind="test" question="q1" points=2 title="so it is for other numbers"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

wanted = hidden_rng("q1").normal(size=7)
assert_close(scale((wanted - 1) / 2), wanted, rtol=1e-6)
### END HIDDEN TESTS

# %% [markdown] id="task2"
# Write `fit(x, y)`: weights of the least squares from `x` (rows, columns) to `y` (rows).


# %% id="q2" kind="answer" exports=["fit"] seconds=6 call_seconds=3 memory_mb=400
#| hints=["np.linalg"]
def fit(x, y):
    """Gives {"weight": (columns,)}."""
    ### BEGIN SOLUTION
    return {"weight": np.linalg.lstsq(x, y, rcond=None)[0]}
    ### END SOLUTION


# %% id="q2_visible" kind="test" question="q2" points=1 title="it finds the weights of two columns"
x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
assert_close(fit(x, x @ [2.0, 3.0])["weight"], [2.0, 3.0], rtol=1e-3)

# %% id="q2_hidden" kind="test" question="q2" points=2 title="it finds others too"
### BEGIN HIDDEN TESTS
rng = hidden_rng("q2")
x, weight = rng.normal(size=(30, 4)), rng.normal(size=4)
assert_close(fit(x, x @ weight)["weight"], weight, rtol=1e-2, atol=1e-3)
### END HIDDEN TESTS
