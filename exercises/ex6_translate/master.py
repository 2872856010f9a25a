# %% kind="exercise" title="Translate a pipeline so that the losses match" minutes=40
#| frameworks=["pytorch","tensorflow"]

# %% [markdown] id="intro" framework="pytorch"
# # Translate a pipeline so that the losses match
# A pipeline is given in Keras. Write the same in PyTorch: from equal weights and equal data must
# come equal logits, equal statistics, equal losses. What looks alike is not always alike. All
# weights come and go as arrays, in Keras's layout.

# %% [markdown] id="intro" framework="tensorflow"
# # Translate a pipeline so that the losses match
# A pipeline is given in PyTorch. Write the same in TensorFlow: from equal weights and equal data
# must come equal logits, equal statistics, equal losses. What looks alike is not always alike. All
# weights come and go as arrays, in PyTorch's layout.

# %% id="setup" kind="setup"
import numpy as np

from ftkit.grading.assertions import assert_close


# %% id="framework" kind="setup" framework="pytorch" judge=false
import torch
from torch import nn

# %% id="framework" kind="setup" framework="tensorflow" judge=false
import tensorflow as tf

# %% [markdown] id="q1_task" framework="pytorch"
# ## Question 1: a network and its layouts
# ```python
# model = keras.Sequential([
#     keras.Input((height, width, 3)),
#     keras.layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu"),
#     keras.layers.Flatten(),
#     keras.layers.Dense(classes),
# ])
# logits = model(pictures)
# ```
# Write `logits_of(weights, pictures)` in PyTorch. `pictures` is (pictures, height, width, 3), both
# even; `weights` holds `conv.kernel` (3, 3, 3, filters), `conv.bias`, `dense.kernel`
# (features, classes) and `dense.bias`. Return an array.

# %% [markdown] id="q1_task" framework="tensorflow"
# ## Question 1: a network and its layouts
# ```python
# model = nn.Sequential(
#     nn.Conv2d(3, filters, 3, stride=2, padding=1), nn.ReLU(),
#     nn.Flatten(),
#     nn.Linear(features, classes),
# )
# logits = model(pictures)
# ```
# Write `logits_of(weights, pictures)` in TensorFlow. `pictures` is (pictures, 3, height, width),
# both even; `weights` holds `conv.weight` (filters, 3, 3, 3), `conv.bias`, `linear.weight`
# (classes, features) and `linear.bias`. Return an array.


# %% id="q1" kind="answer" framework="pytorch" exports=["logits_of"] seconds=20 call_seconds=8
#| hints=["PyTorch's kernel is (filters, channels, height, width), and its pictures are too.",
#| "Flatten runs through height, width, channels in Keras: permute back before you flatten.",
#| "With strides=2 and even sizes, 'same' pads one row below and one column to the right, and
#| nothing above or to the left: nn.functional.pad(x, (0, 1, 0, 1)), then padding=0."]
def logits_of(weights, pictures):
    """The logits that the Keras model gives, as an array."""
    ### BEGIN SOLUTION
    kernel, bias = (torch.tensor(weights[f"conv.{part}"]) for part in ("kernel", "bias"))
    x = torch.tensor(pictures).permute(0, 3, 1, 2)
    x = nn.functional.pad(x, (0, 1, 0, 1))
    x = nn.functional.conv2d(x, kernel.permute(3, 2, 0, 1), bias, stride=2).relu()
    x = x.permute(0, 2, 3, 1).flatten(1)
    return (x @ torch.tensor(weights["dense.kernel"]) + torch.tensor(weights["dense.bias"])).numpy()
    ### END SOLUTION


# %% id="q1" kind="answer" framework="tensorflow" exports=["logits_of"] seconds=20 call_seconds=8
#| hints=["TensorFlow's kernel is (height, width, channels, filters); its pictures are
#| (pictures, height, width, channels).",
#| "Flatten runs through channels, height, width in PyTorch: transpose back before you reshape.",
#| "padding=1 pads all four sides; 'SAME' with strides of 2 does not. Use tf.pad, then 'VALID'."]
def logits_of(weights, pictures):
    """The logits that the PyTorch model gives, as an array."""
    ### BEGIN SOLUTION
    x = tf.transpose(pictures, (0, 2, 3, 1))
    x = tf.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    kernel = tf.transpose(weights["conv.weight"], (2, 3, 1, 0))
    x = tf.nn.relu(tf.nn.conv2d(x, kernel, 2, "VALID") + weights["conv.bias"])
    x = tf.transpose(x, (0, 3, 1, 2))
    x = tf.reshape(x, (x.shape[0], -1))
    return (x @ tf.transpose(weights["linear.weight"]) + weights["linear.bias"]).numpy()
    ### END SOLUTION


# %% id="q1_grey" kind="test" question="q1" framework="pytorch" points=1
#| title="the middle of the kernel picks the right pixels, in the right order"
weights = {"conv.kernel": np.zeros((3, 3, 3, 2), np.float32), "conv.bias": np.zeros(2, np.float32)}
weights["conv.kernel"][1, 1, 0, 0] = weights["conv.kernel"][1, 1, 1, 1] = 1
weights |= {"dense.kernel": np.eye(8, dtype=np.float32), "dense.bias": np.zeros(8, np.float32)}
pictures = np.arange(48, dtype=np.float32).reshape(1, 4, 4, 3)
wanted = pictures[:, 1::2, 1::2, :2].reshape(1, 8)
assert_close(logits_of(weights, pictures), wanted, rtol=1e-4, atol=1e-3)

# %% id="q1_grey" kind="test" question="q1" framework="tensorflow" points=1
#| title="the middle of the kernel picks the right pixels, in the right order"
weights = {"conv.weight": np.zeros((2, 3, 3, 3), np.float32), "conv.bias": np.zeros(2, np.float32)}
weights["conv.weight"][0, 0, 1, 1] = weights["conv.weight"][1, 1, 1, 1] = 1
weights |= {"linear.weight": np.eye(8, dtype=np.float32), "linear.bias": np.zeros(8, np.float32)}
pictures = np.arange(48, dtype=np.float32).reshape(1, 3, 4, 4)
wanted = pictures[:, :2, ::2, ::2].reshape(1, 8)
assert_close(logits_of(weights, pictures), wanted, rtol=1e-4, atol=1e-3)

# %% id="q1_hidden" kind="test" question="q1" framework="pytorch" points=2
#| title="other weights and sizes give Keras's logits"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

rng = hidden_rng("q1")
for height, width, filters in ((6, 8, 4), (8, 4, 5)):
    kernel = rng.normal(size=(3, 3, 3, filters)).astype(np.float32)
    bias = rng.normal(size=filters).astype(np.float32)
    pictures = rng.normal(size=(5, height, width, 3)).astype(np.float32)
    padded = np.pad(pictures, ((0, 0), (0, 1), (0, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))[:, ::2, ::2]
    maps = np.maximum(np.einsum("nhwcij,ijcf->nhwf", windows, kernel) + bias, 0)
    flat = maps.reshape(5, -1)
    dense = (rng.normal(size=(flat.shape[1], 3)) / 5).astype(np.float32)
    offset = rng.normal(size=3).astype(np.float32)
    weights = {"conv.kernel": kernel, "conv.bias": bias}
    weights |= {"dense.kernel": dense, "dense.bias": offset}
    assert_close(logits_of(weights, pictures), flat @ dense + offset, rtol=1e-3, atol=1e-3)
### END HIDDEN TESTS

# %% id="q1_hidden" kind="test" question="q1" framework="tensorflow" points=2
#| title="other weights and sizes give PyTorch's logits"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

rng = hidden_rng("q1")
for height, width, filters in ((6, 8, 4), (8, 4, 5)):
    kernel = rng.normal(size=(filters, 3, 3, 3)).astype(np.float32)
    bias = rng.normal(size=filters).astype(np.float32)
    pictures = rng.normal(size=(5, 3, height, width)).astype(np.float32)
    padded = np.pad(pictures, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))[:, :, ::2, ::2]
    maps = np.einsum("nchwij,fcij->nfhw", windows, kernel) + bias[:, None, None]
    flat = np.maximum(maps, 0).reshape(5, -1)
    linear = (rng.normal(size=(3, flat.shape[1])) / 5).astype(np.float32)
    offset = rng.normal(size=3).astype(np.float32)
    weights = {"conv.weight": kernel, "conv.bias": bias}
    weights |= {"linear.weight": linear, "linear.bias": offset}
    assert_close(logits_of(weights, pictures), flat @ linear.T + offset, rtol=1e-3, atol=1e-3)
### END HIDDEN TESTS

# %% [markdown] id="q2_task" framework="pytorch"
# ## Question 2: batch norm in training
# ```python
# norm = keras.layers.BatchNormalization(momentum=0.9)     # epsilon is 0.001
# normed = norm(features, training=True)
# mean, variance = norm.moving_mean, norm.moving_variance  # after the call
# ```
# Write `norm_step(features, mean, variance)` in PyTorch: `{"features", "mean", "variance"}` after
# that call, as arrays, where `mean` and `variance` are the moving ones before it.

# %% [markdown] id="q2_task" framework="tensorflow"
# ## Question 2: batch norm in training
# ```python
# norm = nn.BatchNorm1d(channels, momentum=0.1).train()    # eps is 0.00001
# normed = norm(features)
# mean, variance = norm.running_mean, norm.running_var     # after the call
# ```
# Write `norm_step(features, mean, variance)` in TensorFlow: `{"features", "mean", "variance"}`
# after that call, as arrays, where `mean` and `variance` are the running ones before it.


# %% id="q2" kind="answer" framework="pytorch" exports=["norm_step"] seconds=15 call_seconds=5
#| hints=["Keras's momentum is the share that is kept; PyTorch's is the share that is new.",
#| "PyTorch's eps is 1e-5 unless you say otherwise.",
#| "To normalise, both divide by n; for the running variance PyTorch divides by n - 1."]
def norm_step(features, mean, variance):
    """Keras's batch norm in training: its output, and its moving statistics afterwards."""
    ### BEGIN SOLUTION
    x = torch.tensor(features)
    now, spread = x.mean(dim=0), x.var(dim=0, correction=0)
    return {
        "features": (x - now) / (spread + 1e-3).sqrt(),
        "mean": 0.9 * torch.tensor(mean) + 0.1 * now,
        "variance": 0.9 * torch.tensor(variance) + 0.1 * spread,
    }
    ### END SOLUTION


# %% id="q2" kind="answer" framework="tensorflow" exports=["norm_step"] seconds=15 call_seconds=5
#| hints=["PyTorch's momentum is the share that is new; Keras's is the share that is kept.",
#| "Keras's epsilon is 1e-3 unless you say otherwise.",
#| "To normalise, both divide by n; for the running variance PyTorch divides by n - 1."]
def norm_step(features, mean, variance):
    """PyTorch's batch norm in training: its output, and its running statistics afterwards."""
    ### BEGIN SOLUTION
    now, spread = tf.nn.moments(tf.constant(features), axes=[0])
    unbiased = spread * len(features) / (len(features) - 1)
    return {
        "features": (features - now) / tf.sqrt(spread + 1e-5),
        "mean": 0.9 * mean + 0.1 * now,
        "variance": 0.9 * variance + 0.1 * unbiased,
    }
    ### END SOLUTION


# %% id="q2_normed" kind="test" question="q2" points=1
#| title="the output is normalised over the pictures"
features = np.array([[10.0, 100.0], [30.0, 500.0]], np.float32)
got = norm_step(features, np.zeros(2, np.float32), np.ones(2, np.float32))
assert sorted(got) == ["features", "mean", "variance"], f"got {sorted(got)}"
assert_close(got["features"], [[-1.0, -1.0], [1.0, 1.0]], atol=1e-3)

# %% id="q2_mean" kind="test" question="q2" points=1
#| title="the mean moves by a tenth of the way"
assert_close(got["mean"], [2.0, 30.0], rtol=1e-4)

# %% id="q2_hidden" kind="test" question="q2" framework="pytorch" points=2
#| title="output and statistics are Keras's for other features and small batches"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

rng = hidden_rng("q2")
for count in (3, 8):
    x = (0.1 * rng.normal(size=(count, 4)) + rng.normal(size=4)).astype(np.float32)
    mean, variance = rng.normal(size=4), rng.uniform(0.005, 0.02, 4)
    got = norm_step(x, mean.astype(np.float32), variance.astype(np.float32))
    wanted = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-3)
    assert_close(got["features"], wanted, rtol=1e-3, atol=1e-3)
    assert_close(got["mean"], 0.9 * mean + 0.1 * x.mean(axis=0), rtol=1e-3, atol=1e-4)
    assert_close(got["variance"], 0.9 * variance + 0.1 * x.var(axis=0), rtol=1e-3)
### END HIDDEN TESTS

# %% id="q2_hidden" kind="test" question="q2" framework="tensorflow" points=2
#| title="output and statistics are PyTorch's for other features and small batches"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

rng = hidden_rng("q2")
for count in (3, 8):
    x = (0.1 * rng.normal(size=(count, 4)) + rng.normal(size=4)).astype(np.float32)
    mean, variance = rng.normal(size=4), rng.uniform(0.005, 0.02, 4)
    got = norm_step(x, mean.astype(np.float32), variance.astype(np.float32))
    wanted = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)
    assert_close(got["features"], wanted, rtol=1e-2, atol=1e-2)
    assert_close(got["mean"], 0.9 * mean + 0.1 * x.mean(axis=0), rtol=1e-3, atol=1e-4)
    assert_close(got["variance"], 0.9 * variance + 0.1 * x.var(axis=0, ddof=1), rtol=1e-3)
### END HIDDEN TESTS

# %% [markdown] id="q3_task" framework="pytorch"
# ## Question 3: training, loss by loss
# ```python
# head = keras.layers.Dense(classes, kernel_regularizer=keras.regularizers.L2(0.01))
# model = keras.Sequential([keras.Input((channels,)), head])
# head.set_weights([weight, bias])
# model.compile(
#     optimizer=keras.optimizers.Adam(0.05),
#     loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
# )
# losses = [model.train_on_batch(*batch) for batch in batches]
# ```
# Write `train(weight, bias, batches)` in PyTorch: `{"losses", "weight", "bias"}`, where `losses[i]`
# is the loss of batch i before step i, as Keras would report it for that batch alone, with the
# regularizer. `weight` is (channels, classes); `batches` are pairs of features and labels.

# %% [markdown] id="q3_task" framework="tensorflow"
# ## Question 3: training, loss by loss
# ```python
# head = nn.Linear(channels, classes)
# head.load_state_dict({"weight": weight, "bias": bias})
# optimizer = torch.optim.Adam(head.parameters(), lr=0.05, weight_decay=0.02)
# losses = []
# for features, labels in batches:
#     optimizer.zero_grad()
#     loss = nn.functional.cross_entropy(head(features), labels)
#     loss.backward()
#     optimizer.step()
#     losses.append(float(loss))
# ```
# Write `train(weight, bias, batches)` in TensorFlow: `{"losses", "weight", "bias"}`. `weight` is
# (classes, channels); `batches` are pairs of features and labels.


# %% id="q3" kind="answer" framework="pytorch" exports=["train"] seconds=30 call_seconds=10
#| hints=["L2(0.01) adds 0.01 * sum(weight ** 2) to the loss, and nothing for the bias.",
#| "weight_decay=0.01 would add 0.01 * weight to the gradient; L2(0.01) adds twice that.",
#| "Add the term to the loss yourself, and leave weight_decay alone."]
def train(weight, bias, batches):
    """Trains the head as Keras does; gives the losses and the weights afterwards."""
    ### BEGIN SOLUTION
    weight = torch.tensor(weight, requires_grad=True)
    bias = torch.tensor(bias, requires_grad=True)
    optimizer = torch.optim.Adam([weight, bias], lr=0.05, eps=1e-7)
    losses = []
    for features, labels in batches:
        logits = torch.tensor(features) @ weight + bias
        loss = nn.functional.cross_entropy(logits, torch.tensor(labels).long())
        loss = loss + 0.01 * (weight**2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, "weight": weight.detach(), "bias": bias.detach()}
    ### END SOLUTION


# %% id="q3" kind="answer" framework="tensorflow" exports=["train"] seconds=30 call_seconds=10
#| hints=["weight_decay of torch.optim.Adam adds 0.02 * parameter to the gradient, that of the
#| bias too; the reported loss knows nothing of it.",
#| "weight_decay of Keras's Adam is another thing: it shrinks the weights beside the step.",
#| "Add 0.02 * variable to each gradient before apply_gradients."]
def train(weight, bias, batches):
    """Trains the head as PyTorch does; gives the losses and the weights afterwards."""
    ### BEGIN SOLUTION
    learning = [tf.Variable(weight), tf.Variable(bias)]
    optimizer = tf.keras.optimizers.Adam(0.05, epsilon=1e-8)
    losses = []
    for features, labels in batches:
        with tf.GradientTape() as tape:
            logits = features @ tf.transpose(learning[0]) + learning[1]
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(each)
        gradients = tape.gradient(loss, learning)
        decayed = [g + 0.02 * v for g, v in zip(gradients, learning)]
        optimizer.apply_gradients(zip(decayed, learning))
        losses.append(float(loss))
    return {"losses": losses, "weight": learning[0].numpy(), "bias": learning[1].numpy()}
    ### END SOLUTION


# %% id="q3_first" kind="test" question="q3" points=1
#| title="from weights of zero, the first loss is the logarithm of the number of classes"
rng = np.random.default_rng(3)
batches = [(rng.normal(size=(12, 3)).astype(np.float32), rng.integers(0, 3, 12)) for _ in range(5)]
got = train(np.zeros((3, 3), np.float32), np.zeros(3, np.float32), batches)
assert len(got["losses"]) == 5, f"expected a loss for each of 5 batches; got {len(got['losses'])}"
assert_close(got["losses"][0], np.log(3), rtol=1e-4)
shapes = (np.shape(got["weight"]), np.shape(got["bias"]))
assert shapes == ((3, 3), (3,)), f"expected (3, 3) and (3,); got {shapes}"


# %% id="q3_reference" kind="judge"
### BEGIN HIDDEN TESTS
def reference(weight, bias, batches, epsilon, decay_of, loss_adds):
    """Adam on a linear head of shape (channels, classes), in float64."""
    values = [np.array(weight, np.float64), np.array(bias, np.float64)]
    first, second = [[np.zeros_like(v) for v in values] for _ in range(2)]
    losses = []
    for step, (features, labels) in enumerate(batches, start=1):
        logits = features @ values[0] + values[1]
        logits -= logits.max(axis=1, keepdims=True)
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        one_hot = np.eye(len(values[1]))[labels]
        loss = -np.log((shares * one_hot).sum(axis=1)).mean()
        losses.append(loss + loss_adds * (values[0] ** 2).sum())
        error = (shares - one_hot) / len(features)
        gradients = [features.T @ error, error.sum(axis=0)]
        for i, gradient in enumerate(gradients):
            gradient = gradient + decay_of[i] * values[i]
            first[i] = 0.9 * first[i] + 0.1 * gradient
            second[i] = 0.999 * second[i] + 0.001 * gradient**2
            size = np.sqrt(second[i] / (1 - 0.999**step)) + epsilon
            values[i] = values[i] - 0.05 * first[i] / (1 - 0.9**step) / size
    return losses, values


def drawn(rng):
    """A start and batches, the last of them small."""
    weight = rng.normal(size=(6, 4)).astype(np.float32)
    bias = rng.normal(size=4).astype(np.float32)
    batches = [
        (rng.normal(size=(n, 6)).astype(np.float32), rng.integers(0, 4, n)) for n in [16] * 39 + [5]
    ]
    return weight, bias, batches


### END HIDDEN TESTS

# %% id="q3_losses" kind="test" question="q3" framework="pytorch" points=2
#| title="forty losses from other weights are Keras's"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

weight, bias, batches = drawn(hidden_rng("q3"))
losses, values = reference(weight, bias, batches, 1e-7, (0.02, 0.0), 0.01)
got = train(weight, bias, batches)
assert_close(got["losses"], losses, rtol=2e-3, atol=1e-3)
### END HIDDEN TESTS

# %% id="q3_losses" kind="test" question="q3" framework="tensorflow" points=2
#| title="forty losses from other weights are PyTorch's"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

weight, bias, batches = drawn(hidden_rng("q3"))
losses, values = reference(weight, bias, batches, 1e-8, (0.02, 0.02), 0.0)
got = train(weight.T.copy(), bias, batches)
got["weight"] = np.asarray(got["weight"]).T
assert_close(got["losses"], losses, rtol=2e-3, atol=1e-3)
### END HIDDEN TESTS

# %% id="q3_weights" kind="test" question="q3" points=1
#| title="so are the weights after the last step"
### BEGIN HIDDEN TESTS
assert_close(got["weight"], values[0], rtol=5e-3, atol=5e-3)
assert_close(got["bias"], values[1], rtol=5e-3, atol=5e-3)
### END HIDDEN TESTS
