# %% kind="exercise" title="Standardise features, then train a head" minutes=10
#| frameworks=["pytorch","tensorflow"]

# %% [markdown] id="intro"
# # Standardise features, then train a head
# A small exercise that shows how exercises work. Two questions: a plain NumPy function, and a head
# that you train on frozen features.

# %% id="setup" kind="setup"
import numpy as np

from ftkit.grading.assertions import assert_close

# %% id="framework" kind="setup" framework="pytorch" judge=false
import torch

# %% id="framework" kind="setup" framework="tensorflow" judge=false
import tensorflow as tf

# %% [markdown] id="q1_task"
# ## Question 1
# Frozen features come on any scale. Write `standardise(features)`: features of shape (pictures,
# channels), of which each channel is to get mean 0 and standard deviation 1. A channel that never
# changes becomes 0.


# %% id="q1" kind="answer" exports=["standardise"] seconds=10 call_seconds=5
#| hints=["Over which axis do the pictures run?",
#| "np.mean(..., axis=0) gives one number per channel.",
#| "What does a channel divide by, if it never changes? Put 1 there."]
def standardise(features):
    """Gives each column mean 0 and standard deviation 1; a constant column becomes 0."""
    ### BEGIN SOLUTION
    spread = features.std(axis=0)
    return (features - features.mean(axis=0)) / np.where(spread == 0, 1, spread)
    ### END SOLUTION


# %% id="q1_moments" kind="test" question="q1" points=1
#| title="each channel gets mean 0 and standard deviation 1"
scaled = standardise(np.array([[1.0, 10.0], [3.0, 30.0], [5.0, 80.0]]))
assert_close(scaled.mean(axis=0), np.zeros(2), atol=1e-9)
assert_close(scaled.std(axis=0), np.ones(2), atol=1e-9)

# %% id="q1_constant" kind="test" question="q1" points=1
#| title="a channel that never changes becomes 0"
assert_close(standardise(np.array([[1.0, 7.0], [2.0, 7.0]]))[:, 1], np.zeros(2), atol=1e-9)

# %% id="q1_hidden" kind="test" question="q1" points=2
#| title="the same holds for other features"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

rng = hidden_rng("q1")
for _ in range(3):
    drawn = rng.normal(rng.uniform(-5, 5), rng.uniform(1, 9), (int(rng.integers(4, 40)), 3))
    drawn[:, 1] = rng.integers(-9, 9)
    wanted = drawn - drawn.mean(axis=0)
    wanted[:, [0, 2]] /= drawn[:, [0, 2]].std(axis=0)
    wanted[:, 1] = 0
    assert_close(standardise(drawn), wanted, atol=1e-6)
### END HIDDEN TESTS

# %% [markdown] id="q2_task"
# ## Question 2
# Write `train_head(features, labels, classes)`: train a linear head on frozen features, and return
# its weights as arrays: `{"weight": (channels, classes), "bias": (classes,)}`. The logits of the
# head are `features @ weight + bias`.


# %% id="q2" kind="answer" framework="pytorch" exports=["train_head"]
#| seconds=40 call_seconds=15
#| hints=["torch.nn.Linear keeps its weight as (classes, channels).",
#| "A hundred steps of Adam at a rate of 0.05 on all rows are enough."]
def train_head(features, labels, classes):
    """Trains a linear head and returns {"weight": ..., "bias": ...} as arrays."""
    ### BEGIN SOLUTION
    torch.manual_seed(0)
    x = torch.as_tensor(features, dtype=torch.float32)
    y = torch.as_tensor(labels, dtype=torch.int64)
    head = torch.nn.Linear(x.shape[1], classes)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(head(x), y).backward()
        optimizer.step()
    return {"weight": head.weight.detach().numpy().T, "bias": head.bias.detach().numpy()}
    ### END SOLUTION


# %% id="q2" kind="answer" framework="tensorflow" exports=["train_head"]
#| seconds=40 call_seconds=15
#| hints=["A Dense layer keeps its kernel as (channels, classes).",
#| "A hundred steps of Adam at a rate of 0.05 on all rows are enough."]
def train_head(features, labels, classes):
    """Trains a linear head and returns {"weight": ..., "bias": ...} as arrays."""
    ### BEGIN SOLUTION
    tf.random.set_seed(0)
    x = tf.cast(features, tf.float32)
    weight = tf.Variable(tf.zeros([x.shape[1], classes]))
    bias = tf.Variable(tf.zeros([classes]))
    optimizer = tf.keras.optimizers.Adam(0.05)
    for _ in range(100):
        with tf.GradientTape() as tape:
            logits = x @ weight + bias
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
            )
        gradients = tape.gradient(loss, [weight, bias])
        optimizer.apply_gradients(zip(gradients, [weight, bias]))
    return {"weight": weight.numpy(), "bias": bias.numpy()}
    ### END SOLUTION


# %% id="q2_shapes" kind="test" question="q2" points=1
#| title="the weights have the shapes that were asked for"
rng = np.random.default_rng(0)
x = rng.normal(size=(60, 4)).astype(np.float32)
y = (x[:, 0] > 0).astype(np.int64)
head = train_head(x, y, 2)
assert sorted(head) == ["bias", "weight"], f"expected weight and bias; got {sorted(head)}"
shapes = {name: np.shape(value) for name, value in head.items()}
assert shapes == {"weight": (4, 2), "bias": (2,)}, f"expected (4, 2) and (2,); got {shapes}"

# %% id="q2_learns" kind="test" question="q2" points=1
#| title="the head tells the two classes apart"
accuracy = np.mean((x @ head["weight"] + head["bias"]).argmax(axis=1) == y)
assert accuracy >= 0.9, f"expected at least 0.90 of these pictures right; got {accuracy:.2f}"

# %% id="q2_hidden" kind="test" question="q2" points=2
#| title="it does so on pictures that it has not seen, with other classes"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

rng = hidden_rng("q2")
centres = 4 * np.linalg.qr(rng.normal(size=(6, 6)))[0][:3]
labels = rng.integers(0, 3, 240)
pictures = (centres[labels] + 0.7 * rng.normal(size=(240, 6))).astype(np.float32)
head = train_head(pictures[:160], labels[:160], 3)
assert np.shape(head["weight"]) == (6, 3) and np.shape(head["bias"]) == (3,)
scores = pictures[160:] @ head["weight"] + head["bias"]
assert np.isfinite(scores).all() and np.mean(scores.argmax(axis=1) == labels[160:]) >= 0.9
### END HIDDEN TESTS
