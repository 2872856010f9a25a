# %% kind="exercise" title="Fine-tune three families and choose one" minutes=35
#| frameworks=["pytorch","tensorflow"]

# %% [markdown] id="intro"
# # Fine-tune three families and choose one
# ResNet, VGG and Inception, each shrunk to one block, so that fine-tuning takes seconds:
#
# | family | its block, on the stem's six maps |
# |---|---|
# | `"vgg"` | two 3 × 3 convolutions, one after the other |
# | `"resnet"` | the same two, and the block's input added to what they give |
# | `"inception"` | 1 × 1, 3 × 3 and 5 × 5 convolutions side by side, joined |
#
# Below the block stands a stem of edge filters, as pretraining leaves them; above it the mean over
# each map and a linear head. `pretrained(family, rng)` gives the weights as a dict of arrays;
# `logits(family, tensors, pictures)` gives the network's logits with such a dict of tensors.
# `stripes(rng, count)` draws pictures (count, 10, 10, 1) of stripes, and which of three ways they
# run.

# %% id="setup" kind="setup"
import numpy as np

from ftkit.grading.assertions import assert_close

FAMILIES = ("resnet", "vgg", "inception")
KERNELS = {
    "vgg": {"block.first": (3, 6), "block.second": (3, 6)},
    "resnet": {"block.first": (3, 6), "block.second": (3, 6)},
    "inception": {"block.one": (1, 4), "block.three": (3, 4), "block.five": (5, 4)},
}


def pretrained(family, rng):
    """Weights of a network: edge filters in the stem, and a head for three classes."""
    row = np.outer([1.0, 0.0, -1.0], [1.0, 2.0, 1.0]) / 4
    diagonal = np.array([[2.0, 1.0, 0.0], [1.0, 0.0, -1.0], [0.0, -1.0, -2.0]]) / 4
    edges = [row, -row, row.T, -row.T, diagonal, diagonal[::-1]]
    made = {"stem.kernel": np.stack(edges, axis=-1)[:, :, None], "stem.bias": np.zeros(6)}
    for name, (size, filters) in KERNELS[family].items():
        spread = np.sqrt(2 / (size * size * 6))
        made[f"{name}.kernel"] = spread * rng.normal(size=(size, size, 6, filters))
        made[f"{name}.bias"] = np.zeros(filters)
    made["head.kernel"] = 0.3 * rng.normal(size=(12 if family == "inception" else 6, 3))
    made["head.bias"] = np.zeros(3)
    return {name: value.astype(np.float32) for name, value in made.items()}


def stripes(rng, count):
    """Noisy stripes that run across, down or aslant."""
    labels = np.arange(count) % 3
    ways = np.array([[1.0, 0.0], [0.0, 1.0], [0.7, 0.7]])[labels]
    y, x = np.mgrid[:10, :10]
    place = ways[:, 0, None, None] * y + ways[:, 1, None, None] * x
    length = rng.uniform(3.5, 5.0, (count, 1, 1))
    waves = np.sin(2 * np.pi * (place / length + rng.uniform(size=(count, 1, 1))))
    pictures = waves + 0.3 * rng.normal(size=(count, 10, 10))
    return pictures[..., None].astype(np.float32), labels


def convolved(maps, weights, name):
    """A convolution with zeros around the maps, in NumPy."""
    kernel = weights[f"{name}.kernel"]
    edge = kernel.shape[0] // 2
    padded = np.pad(maps, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[:2], (1, 2))
    return np.tensordot(windows, kernel, ((4, 5, 3), (0, 1, 2))) + weights[f"{name}.bias"]


def accuracy_of(family, weights, pictures, labels):
    """How many pictures a network with these weights gets right, computed in NumPy."""
    maps = np.maximum(convolved(pictures, weights, "stem"), 0)
    if family == "inception":
        maps = np.concatenate([convolved(maps, weights, n) for n in KERNELS[family]], axis=-1)
    else:
        inner = np.maximum(convolved(maps, weights, "block.first"), 0)
        made = convolved(inner, weights, "block.second")
        maps = made + maps if family == "resnet" else made
    features = np.maximum(maps, 0).mean(axis=(1, 2))
    scores = features @ weights["head.kernel"] + weights["head.bias"]
    assert np.isfinite(scores).all(), "expected weights that are finite numbers; got NaN or more"
    return np.mean(scores.argmax(axis=1) == labels)


def check_moved(start, after):
    """Asserts that the stem is equal bit by bit and that all above it has moved."""
    assert sorted(after) == sorted(start), f"expected {sorted(start)}; got {sorted(after)}"
    for name, before in start.items():
        now = np.asarray(after[name])
        assert now.shape == before.shape, f"{name}: expected {before.shape}; got {now.shape}"
        if name.startswith("stem"):
            assert np.array_equal(now, before), f"{name}: expected to stay bit by bit; it moved"
        else:
            assert np.abs(now - before).max() > 1e-4, f"{name}: expected to learn; it stayed"


# %% id="framework" kind="setup" framework="pytorch" judge=false
import torch
from torch import nn


def logits(family, tensors, pictures):
    """The network's logits for pictures (pictures, 10, 10, 1)."""

    def convolve(maps, name):
        kernel = tensors[f"{name}.kernel"].permute(3, 2, 0, 1)
        return nn.functional.conv2d(maps, kernel, tensors[f"{name}.bias"], padding="same")

    maps = convolve(torch.as_tensor(pictures).permute(0, 3, 1, 2), "stem").relu()
    if family == "inception":
        maps = torch.cat([convolve(maps, name) for name in KERNELS[family]], dim=1)
    else:
        made = convolve(convolve(maps, "block.first").relu(), "block.second")
        maps = made + maps if family == "resnet" else made
    return maps.relu().mean(dim=(2, 3)) @ tensors["head.kernel"] + tensors["head.bias"]


# %% id="framework" kind="setup" framework="tensorflow" judge=false
import tensorflow as tf


def logits(family, tensors, pictures):
    """The network's logits for pictures (pictures, 10, 10, 1)."""

    def convolve(maps, name):
        return tf.nn.conv2d(maps, tensors[f"{name}.kernel"], 1, "SAME") + tensors[f"{name}.bias"]

    maps = tf.nn.relu(convolve(pictures, "stem"))
    if family == "inception":
        maps = tf.concat([convolve(maps, name) for name in KERNELS[family]], axis=-1)
    else:
        made = convolve(tf.nn.relu(convolve(maps, "block.first")), "block.second")
        maps = made + maps if family == "resnet" else made
    features = tf.reduce_mean(tf.nn.relu(maps), axis=(1, 2))
    return features @ tensors["head.kernel"] + tensors["head.bias"]


# %% [markdown] id="q1_task"
# ## Question 1: fine-tune
# Write `fine_tune(family, weights, pictures, labels)`: the stem stays frozen, bit by bit; block and
# head learn. Return all weights as arrays under their names. On new pictures each family must get
# 80 of 100 right, in the mean over two starts.


# %% id="q1" kind="answer" framework="pytorch" exports=["fine_tune"] seconds=50 call_seconds=15
#| hints=["Make a tensor of each array, with requires_grad=True unless it belongs to the stem.",
#| "Copy the arrays first: torch.from_numpy shares memory with what you were given.",
#| "Adam at a rate of 0.02, 100 steps on all pictures at once, is enough."]
def fine_tune(family, weights, pictures, labels):
    """Trains block and head; returns all weights as arrays."""
    ### BEGIN SOLUTION
    tensors = {name: torch.tensor(value) for name, value in weights.items()}
    learning = [tensor for name, tensor in tensors.items() if not name.startswith("stem")]
    for tensor in learning:
        tensor.requires_grad = True
    optimizer = torch.optim.Adam(learning, lr=0.02)
    labels = torch.tensor(labels).long()
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits(family, tensors, pictures), labels).backward()
        optimizer.step()
    return {name: tensor.detach().numpy() for name, tensor in tensors.items()}
    ### END SOLUTION


# %% id="q1" kind="answer" framework="tensorflow" exports=["fine_tune"] seconds=55 call_seconds=20
#| hints=["Make a tf.Variable of each array, and leave the stem's out of those that learn.",
#| "Under tf.function a step takes a tenth of the time.",
#| "Adam at a rate of 0.02, 100 steps on all pictures at once, is enough."]
def fine_tune(family, weights, pictures, labels):
    """Trains block and head; returns all weights as arrays."""
    ### BEGIN SOLUTION
    tensors = {name: tf.Variable(value) for name, value in weights.items()}
    learning = [tensor for name, tensor in tensors.items() if not name.startswith("stem")]
    optimizer = tf.keras.optimizers.Adam(0.02)
    optimizer.build(learning)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(
                labels, logits(family, tensors, pictures)
            )
            loss = tf.reduce_mean(each)
        optimizer.apply_gradients(zip(tape.gradient(loss, learning), learning))

    for _ in range(100):
        step()
    return {name: tensor.numpy() for name, tensor in tensors.items()}
    ### END SOLUTION


# %% id="q1_moved" kind="test" question="q1" points=1
#| title="in each family the stem stays, and block and head move"
for family in FAMILIES:
    rng = np.random.default_rng(1)
    weights = pretrained(family, rng)
    check_moved(weights, fine_tune(family, weights, *stripes(rng, 90)))

# %% id="q1_hidden" kind="test" question="q1" points=2
#| title="each family gets 80 of 100 new pictures right, in the mean over two starts"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

rng = hidden_rng("q1")
for family in FAMILIES:
    reached = []
    for _ in range(2):
        weights = pretrained(family, rng)
        pictures, labels = stripes(rng, 120)
        order = rng.permutation(120)
        after = fine_tune(family, weights, pictures[order], labels[order])
        check_moved(weights, after)
        reached.append(accuracy_of(family, after, *stripes(rng, 150)))
    assert np.mean(reached) >= 0.8
### END HIDDEN TESTS

# %% [markdown] id="q2_task"
# ## Question 2: compare
# `runs[family]` holds what was measured: `"logits"` (starts, pictures, classes) for validation
# pictures, `"labels"`, `"seconds"` (one number per epoch) and `"weights"` (a dict of arrays). Write
# `compare(runs)`, which gives for each family
#
# - `"accuracy"`: the mean over the starts;
# - `"spread"`: the standard deviation over the starts, of a sample (n - 1);
# - `"seconds"`: the median over the epochs but the first, which warms up caches;
# - `"megabytes"`: what the weights take, in millions of bytes, as they are.


# %% id="q2" kind="answer" exports=["compare"] seconds=15 call_seconds=5
#| hints=["argmax over the last axis gives (starts, pictures); compare it with the labels.",
#| "np.std divides by n unless you give ddof=1.",
#| "An array knows its size in bytes: nbytes. Some weights may take 2 bytes, some 4."]
def compare(runs):
    """Accuracy, spread, seconds and megabytes of each family."""
    ### BEGIN SOLUTION
    table = {}
    for family, run in runs.items():
        reached = (run["logits"].argmax(axis=-1) == run["labels"]).mean(axis=1)
        table[family] = {
            "accuracy": reached.mean(),
            "spread": reached.std(ddof=1),
            "seconds": np.median(run["seconds"][1:]),
            "megabytes": sum(value.nbytes for value in run["weights"].values()) / 1e6,
        }
    return table
    ### END SOLUTION


# %% id="q2_accuracy" kind="test" question="q2" points=1
#| title="accuracy and spread are taken over the starts"
run = {
    "logits": np.array([[[2.0, 1.0], [0.0, 3.0]], [[2.0, 1.0], [3.0, 0.0]]]),
    "labels": np.array([0, 1]),
    "seconds": [9.0, 1.0, 2.0, 6.0],
    "weights": {"kernel": np.zeros((250, 1000), np.float32)},
}
row = compare({"vgg": run})["vgg"]
assert_close(row["accuracy"], 0.75, rtol=1e-6)
assert_close(row["spread"], np.sqrt(0.125), rtol=1e-6)

# %% id="q2_cost" kind="test" question="q2" points=1
#| title="seconds are the median without the first epoch, megabytes count bytes"
assert_close(row["seconds"], 2.0, rtol=1e-6)
assert_close(row["megabytes"], 1.0, rtol=1e-6)

# %% id="q2_hidden" kind="test" question="q2" points=2
#| title="the same holds for other runs"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

rng = hidden_rng("q2")
runs, wanted = {}, {}
for family in FAMILIES:
    run = {"logits": rng.normal(size=(5, 40, 3)), "labels": rng.integers(0, 3, 40)}
    run["seconds"] = [50.0, *rng.uniform(1, 30, 6).tolist()]
    run["weights"] = {
        "kernel": np.zeros((int(rng.integers(99, 999)), 300), np.float32),
        "bias": np.zeros(int(rng.integers(5000, 90000)), np.float16),
    }
    hits = [np.mean(one.argmax(axis=1) == run["labels"]) for one in run["logits"]]
    bytes_ = 4 * run["weights"]["kernel"].size + 2 * run["weights"]["bias"].size
    wanted[family] = (np.mean(hits), np.std(hits, ddof=1), np.median(run["seconds"][1:]))
    wanted[family] += (bytes_ / 1e6,)
    runs[family] = run
table = compare(runs)
assert sorted(table) == sorted(runs)
for family in FAMILIES:
    row = [table[family][name] for name in ("accuracy", "spread", "seconds", "megabytes")]
    assert_close(row, wanted[family], rtol=1e-5)
### END HIDDEN TESTS

# %% [markdown] id="q3_task"
# ## Question 3: choose, and defend the choice by numbers
# Write `choose(table, budget, starts)`. `table` is as in question 2, `budget` holds the most
# `"seconds"` and `"megabytes"`, and each accuracy is a mean over `starts` starts. Return
#
# - `"over"`: for each family that breaks the budget, by what it breaks it: a dict of lists in
#   alphabetical order, such as `{"vgg": ["megabytes", "seconds"]}`; what equals the budget fits;
# - `"choice"`: of those that fit, the one with the fewest megabytes that is **not clearly worse**
#   than the most accurate one that fits: its accuracy lies below by no more than twice the standard
#   error of that difference, `sqrt(spread_a**2 / starts + spread_b**2 / starts)`; `None` if none
#   fits;
# - `"behind"`: how far the choice's accuracy lies below that of the most accurate that fits; `None`
#   if none fits.


# %% id="q3" kind="answer" exports=["choose"] seconds=15 call_seconds=5
#| hints=["First sort out who breaks the budget; only then look for the best.",
#| "The most accurate is never clearly worse than itself, so there is always a candidate.",
#| "min(candidates, key=lambda family: table[family]['megabytes'])"]
def choose(table, budget, starts):
    """What breaks the budget, the choice, and how far it lies behind the most accurate."""
    ### BEGIN SOLUTION
    over = {}
    for family, row in table.items():
        broken = [name for name in ("megabytes", "seconds") if row[name] > budget[name]]
        if broken:
            over[family] = broken
    fit = [family for family in table if family not in over]
    if not fit:
        return {"over": over, "choice": None, "behind": None}
    best = table[max(fit, key=lambda family: table[family]["accuracy"])]

    def gap(family):
        return best["accuracy"] - table[family]["accuracy"]

    def error(family):
        return np.sqrt((best["spread"] ** 2 + table[family]["spread"] ** 2) / starts)

    close = [family for family in fit if gap(family) <= 2 * error(family)]
    choice = min(close, key=lambda family: table[family]["megabytes"])
    return {"over": over, "choice": choice, "behind": gap(choice)}
    ### END SOLUTION


# %% id="q3_budget" kind="test" question="q3" points=1
#| title="what breaks the budget is told, and never chosen"
names = ("accuracy", "spread", "seconds", "megabytes")
table = {
    "resnet": dict(zip(names, (0.95, 0.01, 5.0, 45.0))),
    "vgg": dict(zip(names, (0.97, 0.01, 9.0, 500.0))),
    "inception": dict(zip(names, (0.85, 0.01, 7.0, 90.0))),
}
got = choose(table, {"seconds": 7.0, "megabytes": 100.0}, 4)
assert got["over"] == {"vgg": ["megabytes", "seconds"]}, f"got {got['over']}"
assert got["choice"] == "resnet", f"expected resnet; got {got['choice']}"
assert_close(got["behind"], 0.0, atol=1e-9)

# %% id="q3_none" kind="test" question="q3" points=1
#| title="where none fits, there is no choice"
got = choose(table, {"seconds": 1.0, "megabytes": 1000.0}, 4)
assert got["choice"] is None and got["behind"] is None, f"expected None twice; got {got}"
assert got["over"] == {family: ["seconds"] for family in table}, f"got {got['over']}"

# %% id="q3_hidden" kind="test" question="q3" points=2
#| title="among those not clearly worse, the smallest is chosen, in other tables too"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

rng = hidden_rng("q3")
for starts, factor, settled in ((4, 1.7, True), (4, 2.3, False), (25, 1.7, True), (25, 2.3, False)):
    small, large, slow = rng.permutation(FAMILIES)
    top, spreads = rng.uniform(0.8, 0.9), rng.uniform(0.01, 0.04, 2)
    gap = factor * np.sqrt((spreads**2).sum() / starts)
    table = {
        str(large): dict(zip(names, (top, spreads[0], 5.0, 80.0))),
        str(slow): dict(zip(names, (0.99, 0.01, 5.1, 9.0))),
        str(small): dict(zip(names, (top - gap, spreads[1], 3.0, 10.0))),
    }
    got = choose(table, {"seconds": 5.0, "megabytes": 80.0}, starts)
    assert got["over"] == {str(slow): ["seconds"]}
    assert got["choice"] == str(small if settled else large)
    assert_close(got["behind"], gap if settled else 0.0, atol=1e-9)
### END HIDDEN TESTS
