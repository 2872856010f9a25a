# ruff: noqa: F821, what stands in double braces is filled in
# %% kind="exercise" title="Predict, and look at what went wrong" minutes=35
#| frameworks=["pytorch","tensorflow"]
#| variants={"first": [0, 1, 10, 50, 100, 200, 500, 1000], "seed": 10000}

# %% [markdown] id="intro"
# # Predict, and look at what went wrong
# A fine-tuned network is at hand; now it has to say something about new pictures, and you have to
# say how far it can be trusted. Four questions: probabilities, the confusion matrix, the most
# confident mistakes, and calibration.

# %% id="setup" kind="setup"
import numpy as np

from ftkit.grading.assertions import assert_close


def make_network(rng, side=6, hidden=12, classes=3):
    """A small network as arrays: a layer, batch norm, ReLU, and a head."""
    pixels = side * side * 3
    return {
        "pixel_mean": rng.uniform(0.3, 0.6, 3).astype(np.float32),
        "pixel_std": rng.uniform(0.15, 0.3, 3).astype(np.float32),
        "weight": (rng.normal(size=(pixels, hidden)) / np.sqrt(pixels)).astype(np.float32),
        "mean": rng.normal(size=hidden).astype(np.float32),
        "variance": rng.uniform(0.2, 3, hidden).astype(np.float32),
        "head_weight": rng.normal(size=(hidden, classes)).astype(np.float32),
        "head_bias": rng.normal(size=classes).astype(np.float32),
    }


def make_pictures(rng, count, side=6):
    """Pictures of noise: bytes from 0 to 255, shape (count, side, side, 3)."""
    return rng.integers(0, 256, (count, side, side, 3), dtype=np.uint8)


# %% id="framework" kind="setup" framework="pytorch" judge=false
import torch


def build(network):
    """The network as a module, as it comes from training: input (pictures, pixels), logits out."""
    pixels, hidden = network["weight"].shape
    norm = torch.nn.BatchNorm1d(hidden, eps=1e-5)
    first = torch.nn.Linear(pixels, hidden, bias=False)
    head = torch.nn.Linear(hidden, len(network["head_bias"]))
    with torch.no_grad():
        first.weight.copy_(torch.as_tensor(network["weight"]).T)
        norm.running_mean.copy_(torch.as_tensor(network["mean"]))
        norm.running_var.copy_(torch.as_tensor(network["variance"]))
        head.weight.copy_(torch.as_tensor(network["head_weight"]).T)
        head.bias.copy_(torch.as_tensor(network["head_bias"]))
    return torch.nn.Sequential(first, norm, torch.nn.ReLU(), torch.nn.Dropout(0.5), head)


# %% id="framework" kind="setup" framework="tensorflow" judge=false
import tensorflow as tf


def build(network):
    """The network as a Keras model: input (pictures, pixels), logits out."""
    pixels, hidden = network["weight"].shape
    model = tf.keras.Sequential(
        [
            tf.keras.Input((pixels,)),
            tf.keras.layers.Dense(hidden, use_bias=False),
            tf.keras.layers.BatchNormalization(epsilon=1e-5),
            tf.keras.layers.ReLU(),
            tf.keras.layers.Dropout(0.5),
            tf.keras.layers.Dense(len(network["head_bias"])),
        ]
    )
    model.layers[0].set_weights([network["weight"]])
    ones, zeros = np.ones(hidden), np.zeros(hidden)
    model.layers[1].set_weights([ones, zeros, network["mean"], network["variance"]])
    model.layers[4].set_weights([network["head_weight"], network["head_bias"]])
    return model


# %% id="reference" kind="judge"
def expected_probabilities(network, pictures):
    scaled = (pictures / 255.0 - network["pixel_mean"]) / network["pixel_std"]
    hidden = scaled.reshape(len(pictures), -1) @ network["weight"].astype(float)
    hidden = np.maximum((hidden - network["mean"]) / np.sqrt(network["variance"] + 1e-5), 0)
    logits = hidden @ network["head_weight"] + network["head_bias"]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


# %% [markdown] id="q1_task"
# ## Question 1
# Write `predict(network, pictures)`. `pictures` are bytes of shape (pictures, height, width, 3).
# The network was trained on `(pixels / 255 - network["pixel_mean"]) / network["pixel_std"]`, each
# picture flattened in row-major order; `build(network)` gives it as a model that returns logits.
# Return `{"probabilities": (pictures, classes), "labels": (pictures,)}`. What it says about a
# picture must not depend on the other pictures in the batch, nor on chance.


# %% id="q1" kind="answer" framework="pytorch" exports=["predict"] seconds=20 call_seconds=8
#| hints=["Look at a row of what you return: is each number between 0 and 1, and the sum 1?",
#| "Modules begin in training mode, where dropout draws and batch norm looks at the batch.",
#| "In order: scale to 0…1, subtract the mean, divide, flatten; model.eval(); softmax over dim=1."]
def predict(network, pictures):
    """Gives the probabilities and the most probable label of each picture."""
    ### BEGIN SOLUTION
    model = build(network).eval()
    scaled = (pictures.astype(np.float32) / 255 - network["pixel_mean"]) / network["pixel_std"]
    with torch.no_grad():
        logits = model(torch.as_tensor(scaled.reshape(len(pictures), -1)))
        probabilities = torch.softmax(logits, dim=1)
    return {"probabilities": probabilities.numpy(), "labels": probabilities.argmax(dim=1).numpy()}
    ### END SOLUTION


# %% id="q1" kind="answer" framework="tensorflow" exports=["predict"] seconds=20 call_seconds=8
#| hints=["Look at a row of what you return: is each number between 0 and 1, and the sum 1?",
#| "training=True makes dropout draw and batch norm look at the batch.",
#| "In order: scale to 0…1, subtract the mean, divide, flatten; training=False; tf.nn.softmax."]
def predict(network, pictures):
    """Gives the probabilities and the most probable label of each picture."""
    ### BEGIN SOLUTION
    model = build(network)
    scaled = (pictures.astype(np.float32) / 255 - network["pixel_mean"]) / network["pixel_std"]
    logits = model(scaled.reshape(len(pictures), -1), training=False)
    probabilities = tf.nn.softmax(logits).numpy()
    return {"probabilities": probabilities, "labels": probabilities.argmax(axis=1)}
    ### END SOLUTION


# %% id="q1_sums" kind="test" question="q1" points=1
#| title="each picture gets probabilities, and the label of the largest"
rng = np.random.default_rng(3 + {{seed}})
network, pictures = make_network(rng), make_pictures(rng, 7)
got = predict(network, pictures)
shape = np.shape(got["probabilities"])
assert shape == (7, 3), f"expected probabilities of shape (7, 3); got {shape}"
assert np.min(got["probabilities"]) >= 0, "expected no probability below 0"
assert_close(np.sum(got["probabilities"], axis=1), np.ones(7), atol=1e-4)
assert_close(got["labels"], np.argmax(got["probabilities"], axis=1))

# %% id="q1_alone" kind="test" question="q1" points=1
#| title="a picture gets the same answer alone as among others, and twice the same"
rng = np.random.default_rng(4 + {{seed}})
network, pictures = make_network(rng), make_pictures(rng, 8)
together = predict(network, pictures)["probabilities"]
assert np.std(together, axis=0).max() > 1e-3, "expected different pictures to differ; got the same"
assert_close(predict(network, pictures)["probabilities"], together, atol=1e-4)
assert_close(predict(network, pictures[:2])["probabilities"], together[:2], atol=1e-4)

# %% id="q1_hidden" kind="test" question="q1" points=3
#| title="the probabilities are those of the trained network, for other networks and pictures"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

rng = hidden_rng("q1")
for side, classes, count in ((6, 3, 9), (5, 4, 13)):
    network = make_network(rng, side=side, classes=classes)
    pictures = make_pictures(rng, count, side=side)
    wanted = expected_probabilities(network, pictures)
    got = predict(network, pictures)
    assert_close(got["probabilities"], wanted, atol=2e-3)
    assert_close(got["labels"], np.argmax(got["probabilities"], axis=1))
### END HIDDEN TESTS

# %% [markdown] id="q2_task"
# ## Question 2
# Write `confusion(truth, predicted, classes)`: whole numbers of shape (classes, classes), in which
# row i, column j counts the pictures of class i that were called j. A class that never occurs
# keeps its row and its column.


# %% id="q2" kind="answer" exports=["confusion"] seconds=10 call_seconds=3
#| hints=["Which shape has the result if the last class is missing from the data?",
#| "Rows are what is true, columns what was said.",
#| "np.add.at(matrix, (truth, predicted), 1) counts pairs, repeated ones too."]
def confusion(truth, predicted, classes):
    """Counts how often each class was called each class."""
    ### BEGIN SOLUTION
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (np.asarray(truth), np.asarray(predicted)), 1)
    return matrix
    ### END SOLUTION


# %% id="q2_small" kind="test" question="q2" points=1 title="it counts four pictures of two classes"
assert_close(confusion(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), 2), [[2, 0], [0, 2]])

# %% id="q2_hidden" kind="test" question="q2" points=2
#| title="rows are the truth, columns what was predicted, absent classes included"
### BEGIN HIDDEN TESTS
rng = hidden_rng("q2")
for classes in (3, 5):
    truth, said = rng.integers(0, classes, 60), rng.integers(0, classes - 1, 60)
    truth[0], said[0] = 0, 1
    truth[truth == classes - 1] = 0
    wanted = [[int(((truth == i) & (said == j)).sum()) for j in range(classes)]
              for i in range(classes)]  # fmt: skip
    assert_close(confusion(truth, said, classes), wanted)
### END HIDDEN TESTS

# %% [markdown] id="q3_task"
# ## Question 3
# Write `worst_mistakes(probabilities, truth, count)`: the numbers of the pictures that were
# called wrongly, the most confident mistake first, at most `count` of them. The first picture has
# number {{first}}. Confidence is the probability of what was said.


# %% id="q3" kind="answer" exports=["worst_mistakes"] seconds=10 call_seconds=3
#| hints=["First find which pictures are wrong, then sort only those.",
#| "np.argsort sorts upwards; the positions that it gives belong to the array that it sorted.",
#| "np.argsort(-confidence[wrong]) gives places within wrong: which pictures stand there?"]
def worst_mistakes(probabilities, truth, count):
    """Finds the wrongly labelled pictures, most confident first."""
    ### BEGIN SOLUTION
    confidence, said = probabilities.max(axis=1), probabilities.argmax(axis=1)
    wrong = np.flatnonzero(said != truth)
    return wrong[np.argsort(-confidence[wrong])][:count] + {{first}}
    ### END SOLUTION


# %% id="q3_small" kind="test" question="q3" points=1
#| title="of one mistake among three pictures it finds that one"
three = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
assert_close(worst_mistakes(three, np.array([0, 0, 1]), 1), [1 + {{first}}])

# %% id="q3_hidden" kind="test" question="q3" points=2
#| title="so it is for many pictures, and where there are fewer mistakes than asked for"
### BEGIN HIDDEN TESTS
rng = hidden_rng("q3")
for count in (5, 500):
    drawn = rng.dirichlet(np.ones(4), 80)
    truth = rng.integers(0, 4, 80)
    mistakes = [i for i in range(80) if drawn[i].argmax() != truth[i]]
    mistakes.sort(key=lambda i: -drawn[i].max())
    wanted = [i + {{first}} for i in mistakes[:count]]
    assert_close(worst_mistakes(drawn, truth, count), wanted)
### END HIDDEN TESTS

# %% [markdown] id="q4_task"
# ## Question 4
# Is a network that says 80 % right four times of five? Write `calibration(probabilities, truth,
# bins)`. Sort pictures by confidence into `bins` bins of equal width from 0 to 1. Return
# `{"pictures": (bins,), "confidence": (bins,), "accuracy": (bins,), "error": number}`: how many
# pictures are in each bin, their mean confidence, the share that is right (0 for empty bins), and
# the mean gap between those two, **each picture counting the same**. Confidence 1 belongs to the
# last bin.


# %% id="q4" kind="answer" exports=["calibration"] seconds=10 call_seconds=3
#| hints=["How many pictures are in your bins together? All of them should be.",
#| "(confidence * bins).astype(int) gives the bin; what does it give for confidence 1?",
#| "The error weights each bin's gap with its share of the pictures."]
def calibration(probabilities, truth, bins):
    """Compares confidence and accuracy, bin by bin."""
    ### BEGIN SOLUTION
    confidence = probabilities.max(axis=1)
    right = (probabilities.argmax(axis=1) == truth).astype(float)
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    pictures = np.bincount(place, minlength=bins)
    each = np.maximum(pictures, 1)
    said = np.bincount(place, weights=confidence, minlength=bins) / each
    held = np.bincount(place, weights=right, minlength=bins) / each
    error = float((pictures * np.abs(said - held)).sum() / pictures.sum())
    return {"pictures": pictures, "confidence": said, "accuracy": held, "error": error}
    ### END SOLUTION


# %% id="q4_counts" kind="test" question="q4" points=1 title="every picture is in one bin"
four = np.array([[1.0, 0.0], [0.0, 1.0], [0.7, 0.3], [0.35, 0.65]])
told = calibration(four, np.array([0, 0, 0, 1]), 5)
assert_close(told["pictures"], [0, 0, 0, 2, 2])

# %% id="q4_error" kind="test" question="q4" points=1
#| title="the error of two bins with two pictures each"
assert_close(told["accuracy"], [0, 0, 0, 1, 0.5], atol=1e-6)
assert_close(told["confidence"], [0, 0, 0, 0.675, 1], atol=1e-6)
assert_close(told["error"], 0.4125, atol=1e-6)

# %% id="q4_hidden" kind="test" question="q4" points=2
#| title="so it is for other pictures and bins"
### BEGIN HIDDEN TESTS
rng = hidden_rng("q4")
for bins in (7, 10):
    drawn = rng.dirichlet(np.full(3, 0.4), 90)
    drawn[0] = [1, 0, 0]
    truth = rng.integers(0, 3, 90)
    truth[:50] = drawn[:50].argmax(axis=1)
    said, right = drawn.max(axis=1), drawn.argmax(axis=1) == truth
    told = calibration(drawn, truth, bins)
    wanted = {"pictures": [], "confidence": [], "accuracy": []}
    for k in range(bins):
        inside = (said >= k / bins) & ((said < (k + 1) / bins) | (k == bins - 1))
        wanted["pictures"].append(int(inside.sum()))
        wanted["confidence"].append(float(said[inside].mean()) if inside.any() else 0.0)
        wanted["accuracy"].append(float(right[inside].mean()) if inside.any() else 0.0)
    gaps = np.abs(np.subtract(wanted["confidence"], wanted["accuracy"]))
    for name, numbers in wanted.items():
        assert_close(told[name], numbers, atol=1e-6)
    assert_close(told["error"], (np.array(wanted["pictures"]) * gaps).sum() / 90, atol=1e-6)
### END HIDDEN TESTS
