# %% kind="exercise" title="Two light questions" minutes=5 frameworks=["pytorch"]

# %% id="setup" kind="setup"
import numpy as np

from ftkit.grading.assertions import assert_close

# %% [markdown] id="q1_task"
# Write `softmax(logits)`: each row of shares sums to 1.


# %% id="q1" kind="answer" exports=["softmax"]
def softmax(logits):
    """Turns rows of logits into shares."""
    ### BEGIN SOLUTION
    powers = np.exp(logits - np.max(logits, axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
    ### END SOLUTION


# %% id="q1_even" kind="test" question="q1" points=1 title="equal logits share evenly"
assert_close(softmax(np.zeros((2, 4))), np.full((2, 4), 0.25), rtol=1e-6)

# %% id="q1_hidden" kind="test" question="q1" points=2 title="so it is for large logits"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

shares = hidden_rng("q1").dirichlet(np.ones(5), 30)
assert_close(softmax(np.log(shares) + 900), shares, rtol=1e-6)
### END HIDDEN TESTS

# %% [markdown] id="q2_task"
# Write `accuracy(logits, labels)`: the share of rows whose largest logit is at the label.


# %% id="q2" kind="answer" exports=["accuracy"]
def accuracy(logits, labels):
    """Counts the rows that are right."""
    ### BEGIN SOLUTION
    return float(np.mean(logits.argmax(axis=1) == labels))
    ### END SOLUTION


# %% id="q2_half" kind="test" question="q2" points=1 title="one of two is a half"
assert_close(accuracy(np.eye(2), np.array([0, 0])), 0.5)

# %% id="q2_hidden" kind="test" question="q2" points=2 title="so it is for other rows"
### BEGIN HIDDEN TESTS
rng = hidden_rng("q2")
logits, labels = rng.normal(size=(50, 4)), rng.integers(0, 4, 50)
wanted = sum(row[label] == max(row) for row, label in zip(logits, labels)) / 50
assert_close(accuracy(logits, labels), wanted, rtol=1e-6)
### END HIDDEN TESTS
