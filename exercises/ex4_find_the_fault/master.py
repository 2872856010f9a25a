# %% kind="exercise" title="Find the fault" minutes=40 frameworks=["pytorch","tensorflow"]

# %% [markdown] id="intro"
# # Find the fault
# Six pieces of code, each with one silent mistake: the code runs, and the numbers look plausible.
# For each piece **find** the line, **name** the fault, and **repair** it: write the function anew,
# and set `q1_fault` and so on to the line's number and one of the names below. Where the change of
# one line or of another would mend it, either line counts.
#
# | name | what it means |
# |---|---|
# | `"frozen head"` | the new head never learns |
# | `"wrong scale"` | a frozen backbone sees inputs on a scale that it was not trained on |
# | `"moving statistics"` | a frozen batch norm goes on updating its mean and variance |
# | `"stale optimiser"` | a change of what is trainable does not reach the training |
# | `"wrong label form"` | a loss takes labels of another form than they have |
# | `"unlike accuracies"` | two accuracies stand side by side that are measured in different ways |
# | `"leaked validation"` | the model has seen what it is tested on |
# | `"rate too high"` | large steps destroy what pretraining has learnt |
# | `"unshuffled batches"` | batches hold one class each |
#
# The network is small, so that all runs in seconds: two blocks (dense layer, batch norm, ReLU) and
# a head. `load(weights)` makes it from arrays, `weights_of(model)` gives them back.

# %% id="setup" kind="setup"
import numpy as np

from ftkit.grading.assertions import assert_close

EPSILON = 1e-3
PARTS = ("weight", "scale", "shift", "mean", "variance")


def forward(weights, inputs):
    """What the network must give with its batch norms at rest, in NumPy: the features."""
    for block in ("block1", "block2"):
        weight, scale, shift, mean, variance = (weights[f"{block}.{part}"] for part in PARTS)
        inputs = (inputs @ weight - mean) / np.sqrt(variance + EPSILON) * scale + shift
        inputs = np.maximum(inputs, 0)
    return inputs


def pretrained(rng):
    """Weights of a network with a head for five classes, and statistics of its own data."""
    weights, inputs = {}, rng.normal(size=(200, 48))
    for block, width in (("block1", 32), ("block2", 24)):
        weight = rng.normal(size=(inputs.shape[1], width)) / np.sqrt(inputs.shape[1])
        inputs = inputs @ weight
        weights[f"{block}.weight"] = weight
        weights[f"{block}.scale"] = rng.uniform(0.8, 1.2, width)
        weights[f"{block}.shift"] = rng.uniform(0.0, 0.4, width)
        weights[f"{block}.mean"] = inputs.mean(axis=0)
        weights[f"{block}.variance"] = inputs.var(axis=0)
        inputs = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
        inputs = np.maximum(inputs * weights[f"{block}.scale"] + weights[f"{block}.shift"], 0)
    weights |= {"head.weight": rng.normal(size=(24, 5)) / 5, "head.bias": np.zeros(5)}
    return {name: value.astype(np.float32) for name, value in weights.items()}


def new_task(rng, count=160):
    """Inputs of a new task, whose mean and spread differ from pretraining's, and their classes."""
    centres = rng.normal(size=(2, 48))
    labels = np.arange(count) % 2
    inputs = centres[labels] + 0.4 * rng.normal(size=(count, 48)) + 0.5
    return inputs.astype(np.float32), labels


def new_head(rng):
    """Random values for a head of two classes."""
    weight = 0.1 * rng.normal(size=(24, 2))
    return {"weight": weight.astype(np.float32), "bias": np.zeros(2, np.float32)}


def accuracy_of(weights, inputs, labels):
    """How many of the inputs the network with these weights gets right."""
    scores = forward(weights, inputs) @ weights["head.weight"] + weights["head.bias"]
    assert np.isfinite(scores).all(), "expected weights that are finite numbers; got NaN or more"
    return np.mean(scores.argmax(axis=1) == labels)


def check_moved(start, after, moved):
    """Asserts which arrays have changed, and that all others are equal bit by bit."""
    assert sorted(after) == sorted(start), f"expected {sorted(start)}; got {sorted(after)}"
    for name, before in start.items():
        now = np.asarray(after[name])
        assert now.shape == before.shape, f"{name}: expected {before.shape}; got {now.shape}"
        if name in moved:
            assert np.abs(now - before).max() > 1e-4, f"{name}: expected to learn; it stayed"
        else:
            assert np.array_equal(now, before), f"{name}: expected to stay bit by bit; it moved"


# %% id="framework" kind="setup" framework="pytorch" judge=false
import torch
from torch import nn


def load(weights):
    """The network with these weights."""
    blocks = {}
    for block in ("block1", "block2"):
        fan_in, width = weights[f"{block}.weight"].shape
        blocks[block] = nn.Sequential(
            nn.Linear(fan_in, width, bias=False), nn.BatchNorm1d(width, eps=EPSILON), nn.ReLU()
        )
    model = nn.Sequential()
    for name, block in blocks.items():
        model.add_module(name, block)
    model.add_module("head", nn.Linear(*weights["head.weight"].shape))
    with torch.no_grad():
        for name, tensor in _tensors(model).items():
            value = torch.tensor(weights[name])
            tensor.copy_(value.T if name.endswith("weight") else value)
    return model


def weights_of(model):
    """The weights as arrays."""
    made = {name: tensor.detach().numpy().copy() for name, tensor in _tensors(model).items()}
    return {name: value.T if name.endswith("weight") else value for name, value in made.items()}


def _tensors(model):
    found = {"head.weight": model.head.weight, "head.bias": model.head.bias}
    for name, block in (("block1", model.block1), ("block2", model.block2)):
        norm = block[1]
        values = (block[0].weight, norm.weight, norm.bias, norm.running_mean, norm.running_var)
        found |= {f"{name}.{part}": value for part, value in zip(PARTS, values)}
    return found


def head_of(values):
    """A new head with these values."""
    head = nn.Linear(*values["weight"].shape)
    with torch.no_grad():
        head.weight.copy_(torch.tensor(values["weight"]).T)
        head.bias.copy_(torch.tensor(values["bias"]))
    return head


# %% id="framework" kind="setup" framework="tensorflow" judge=false
import tensorflow as tf


def load(weights):
    """The network with these weights."""
    inputs = tf.keras.Input((weights["block1.weight"].shape[0],))
    x = inputs
    for block in ("block1", "block2"):
        width = weights[f"{block}.weight"].shape[1]
        x = tf.keras.layers.Dense(width, use_bias=False, name=f"{block}_dense")(x)
        x = tf.keras.layers.BatchNormalization(epsilon=EPSILON, name=f"{block}_norm")(x)
        x = tf.keras.layers.ReLU(name=f"{block}_relu")(x)
    outputs = tf.keras.layers.Dense(weights["head.weight"].shape[1], name="head")(x)
    model = tf.keras.Model(inputs, outputs)
    for name, variable in _variables(model).items():
        variable.assign(weights[name])
    return model


def weights_of(model):
    """The weights as arrays."""
    return {name: variable.numpy() for name, variable in _variables(model).items()}


def _variables(model):
    head = model.get_layer("head")
    found = {"head.weight": head.kernel, "head.bias": head.bias}
    for name in ("block1", "block2"):
        norm = model.get_layer(f"{name}_norm")
        kernel = model.get_layer(f"{name}_dense").kernel
        values = (kernel, norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)
        found |= {f"{name}.{part}": value for part, value in zip(PARTS, values)}
    return {name: getattr(value, "value", value) for name, value in found.items()}


def with_head(model, values):
    """The same layers under a new head with these values."""
    head = tf.keras.layers.Dense(values["weight"].shape[1], name="head")
    made = tf.keras.Model(model.input, head(model.get_layer("block2_relu").output))
    head.set_weights([values["weight"], values["bias"]])
    return made


# %% [markdown] id="q1_task"
# ## Question 1
# A network gets a new head; the head and the dense layer of `block2` are to learn, and all else is
# to stay bit by bit, batch norms included. `values` holds the new head's first values. Write
# `fine_tune` so that this holds, and that the network tells the two classes apart.


# %% id="q1_piece" framework="pytorch"
def q1_piece(weights, values, inputs, labels):
    x, y = torch.tensor(inputs), torch.tensor(labels)
    model = load(weights)  # line 1
    model.head = head_of(values)  # line 2
    model.eval()  # line 3
    for parameter in model.parameters():  # line 4
        parameter.requires_grad = False  # line 5
    model.block2[0].weight.requires_grad = True  # line 6
    learning = [p for p in model.parameters() if p.requires_grad]  # line 7
    optimizer = torch.optim.Adam(learning, lr=0.01)  # line 8
    for _ in range(60):  # line 9
        optimizer.zero_grad()  # line 10
        nn.functional.cross_entropy(model(x), y).backward()  # line 11
        optimizer.step()  # line 12
    return weights_of(model)


# %% id="q1_piece" framework="tensorflow"
def q1_piece(weights, values, inputs, labels):
    model = load(weights)  # line 1
    model = with_head(model, values)  # line 2
    loss_of = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)  # line 3
    for layer in model.layers:  # line 4
        layer.trainable = False  # line 5
    model.get_layer("block2_dense").trainable = True  # line 6
    learning = model.trainable_variables  # line 7
    optimizer = tf.keras.optimizers.Adam(0.01)  # line 8
    for _ in range(60):  # line 9
        with tf.GradientTape() as tape:  # line 10
            loss = loss_of(labels, model(inputs, training=False))  # line 11
        optimizer.apply_gradients(zip(tape.gradient(loss, learning), learning))  # line 12
    return weights_of(model)


# %% id="q1" kind="answer" framework="pytorch" exports=["fine_tune","q1_fault"]
#| seconds=30 call_seconds=10
#| hints=["Print which parameters have requires_grad after line 6.",
#| "Is the head among them?",
#| "Let the head learn as block2[0] does."]
q1_fault = {"line": 0, "name": ""}


def fine_tune(weights, values, inputs, labels):
    """Trains the new head and block2's dense layer; returns all weights as arrays."""
    ### BEGIN SOLUTION
    x, y = torch.tensor(inputs), torch.tensor(labels)
    model = load(weights)
    for parameter in model.parameters():
        parameter.requires_grad = False
    model.head = head_of(values)
    model.eval()
    model.block2[0].weight.requires_grad = True
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(learning, lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return weights_of(model)


q1_fault = {"line": 5, "name": "frozen head"}
### END SOLUTION


# %% id="q1" kind="answer" framework="tensorflow" exports=["fine_tune","q1_fault"]
#| seconds=40 call_seconds=15
#| hints=["Print [v.path for v in learning] after line 7.",
#| "Is the head among them?",
#| "Let the head learn as block2_dense does."]
q1_fault = {"line": 0, "name": ""}


def fine_tune(weights, values, inputs, labels):
    """Trains the new head and block2's dense layer; returns all weights as arrays."""
    ### BEGIN SOLUTION
    model = with_head(load(weights), values)
    loss_of = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for layer in model.layers:
        layer.trainable = layer.name in ("head", "block2_dense")
    learning = model.trainable_variables
    optimizer = tf.keras.optimizers.Adam(0.01)
    for _ in range(60):
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(inputs, training=False))
        optimizer.apply_gradients(zip(tape.gradient(loss, learning), learning))
    return weights_of(model)


q1_fault = {"line": 5, "name": "frozen head"}
### END SOLUTION


# %% id="q1_moved" kind="test" question="q1" points=1
#| title="the head and block2's dense layer move, and nothing else does"
rng = np.random.default_rng(1)
weights, values = pretrained(rng), new_head(rng)
inputs, labels = new_task(rng)
after = fine_tune(weights, values, inputs, labels)
start = {**weights, "head.weight": values["weight"], "head.bias": values["bias"]}
check_moved(start, after, ("head.weight", "head.bias", "block2.weight"))

# %% id="q1_named" kind="test" question="q1" points=1
#| title="the fault is found and named"
### BEGIN HIDDEN TESTS
assert q1_fault["line"] in (2, 4, 5, 6) and q1_fault["name"] == "frozen head"
### END HIDDEN TESTS

# %% id="q1_hidden" kind="test" question="q1" points=1
#| title="the same holds on other data, of which new pictures are told apart"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

rng = hidden_rng("q1")
weights, values = pretrained(rng), new_head(rng)
inputs, labels = new_task(rng, 240)
after = fine_tune(weights, values, inputs[:160], labels[:160])
start = {**weights, "head.weight": values["weight"], "head.bias": values["bias"]}
check_moved(start, after, ("head.weight", "head.bias", "block2.weight"))
assert accuracy_of(after, inputs[160:], labels[160:]) >= 0.85
### END HIDDEN TESTS

# %% [markdown] id="q2_task"
# ## Question 2
# The pretrained network was trained on pictures with values from 0 to 1, from which each channel's
# `mean` was taken and which were divided by its `deviation`. Pictures come as whole numbers from
# 0 to 255, of shape (pictures, 4, 4, 3). Write `extract`: the features that the frozen network
# gives for them, as an array (pictures, 24).


# %% id="q2_piece" framework="pytorch"
def q2_piece(weights, pictures, mean, deviation):
    model = load(weights).eval()  # line 1
    pictures = torch.tensor(pictures, dtype=torch.float32)  # line 2
    x = (pictures - torch.tensor(mean)) / torch.tensor(deviation)  # line 3
    x = x.reshape(len(x), -1).float()  # line 4
    with torch.no_grad():  # line 5
        return model.block2(model.block1(x)).numpy()  # line 6


# %% id="q2_piece" framework="tensorflow"
def q2_piece(weights, pictures, mean, deviation):
    model = load(weights)  # line 1
    pictures = np.asarray(pictures, np.float32)  # line 2
    x = (pictures - mean) / deviation  # line 3
    x = x.reshape(len(x), -1).astype(np.float32)  # line 4
    body = tf.keras.Model(model.input, model.get_layer("block2_relu").output)  # line 5
    return body(x, training=False).numpy()  # line 6


# %% id="q2" kind="answer" framework="pytorch" exports=["extract","q2_fault"]
#| seconds=20 call_seconds=8
#| hints=["Print the smallest and the largest value of x.",
#| "On which scale are mean and deviation given, and on which are the pictures?",
#| "Divide the pictures by 255 before anything else."]
q2_fault = {"line": 0, "name": ""}


def extract(weights, pictures, mean, deviation):
    """The frozen network's features of whole-numbered pictures."""
    ### BEGIN SOLUTION
    model = load(weights).eval()
    pictures = torch.tensor(pictures, dtype=torch.float32) / 255
    x = (pictures - torch.tensor(mean)) / torch.tensor(deviation)
    with torch.no_grad():
        return model.block2(model.block1(x.reshape(len(x), -1).float())).numpy()


q2_fault = {"line": 3, "name": "wrong scale"}
### END SOLUTION


# %% id="q2" kind="answer" framework="tensorflow" exports=["extract","q2_fault"]
#| seconds=20 call_seconds=8
#| hints=["Print the smallest and the largest value of x.",
#| "On which scale are mean and deviation given, and on which are the pictures?",
#| "Divide the pictures by 255 before anything else."]
q2_fault = {"line": 0, "name": ""}


def extract(weights, pictures, mean, deviation):
    """The frozen network's features of whole-numbered pictures."""
    ### BEGIN SOLUTION
    model = load(weights)
    x = (np.asarray(pictures, np.float32) / 255 - mean) / deviation
    body = tf.keras.Model(model.input, model.get_layer("block2_relu").output)
    return body(x.reshape(len(x), -1).astype(np.float32), training=False).numpy()


q2_fault = {"line": 3, "name": "wrong scale"}
### END SOLUTION


# %% id="q2_mean" kind="test" question="q2" points=1
#| title="a picture of the mean colour gives the features of zeros"
weights = pretrained(np.random.default_rng(2))
colour = np.array([51, 102, 204], np.uint8)
grey = np.broadcast_to(colour, (3, 4, 4, 3)).copy()
got = extract(weights, grey, np.array([0.2, 0.4, 0.8]), np.array([0.2, 0.3, 0.25]))
assert_close(got, forward(weights, np.zeros((3, 48))), rtol=1e-3, atol=1e-3)

# %% id="q2_named" kind="test" question="q2" points=1
#| title="the fault is found and named"
### BEGIN HIDDEN TESTS
assert q2_fault["line"] in (2, 3) and q2_fault["name"] == "wrong scale"
### END HIDDEN TESTS

# %% id="q2_hidden" kind="test" question="q2" points=1
#| title="other pictures get the features that they should"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

rng = hidden_rng("q2")
weights = pretrained(rng)
pictures = rng.integers(0, 256, (17, 4, 4, 3)).astype(np.uint8)
mean, deviation = rng.uniform(0.3, 0.6, 3), rng.uniform(0.15, 0.35, 3)
wanted = forward(weights, ((pictures / 255 - mean) / deviation).reshape(17, 48))
assert_close(extract(weights, pictures, mean, deviation), wanted, rtol=1e-3, atol=2e-3)
### END HIDDEN TESTS

# %% [markdown] id="q3_task"
# ## Question 3
# Only the head (here of five classes, two of which occur) is to learn; the frozen blocks are to
# stay bit by bit. Write `train_head`.


# %% id="q3_piece" framework="pytorch"
def q3_piece(weights, inputs, labels):
    x, y = torch.tensor(inputs), torch.tensor(labels)
    model = load(weights)  # line 1
    for block in (model.block1, model.block2):  # line 2
        block.requires_grad_(False)  # line 3
    optimizer = torch.optim.Adam(model.head.parameters(), lr=0.02)  # line 4
    model.train()  # line 5
    for _ in range(60):  # line 6
        optimizer.zero_grad()  # line 7
        nn.functional.cross_entropy(model(x), y).backward()  # line 8
        optimizer.step()  # line 9
    return weights_of(model)


# %% id="q3_piece" framework="tensorflow"
def q3_piece(weights, inputs, labels):
    model = load(weights)  # line 1
    loss_of = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)  # line 2
    learning = model.get_layer("head").trainable_variables  # line 3
    optimizer = tf.keras.optimizers.Adam(0.02)  # line 4
    for _ in range(60):  # line 5
        with tf.GradientTape() as tape:  # line 6
            loss = loss_of(labels, model(inputs, training=True))  # line 7
        optimizer.apply_gradients(zip(tape.gradient(loss, learning), learning))  # line 8
    return weights_of(model)


# %% id="q3" kind="answer" framework="pytorch" exports=["train_head","q3_fault"]
#| seconds=30 call_seconds=10
#| hints=["Compare weights_of(model) before and after: which arrays moved that are no parameters?",
#| "requires_grad_(False) stops gradients. What else changes in train mode?",
#| "Batch norms in train mode update their statistics; put the frozen blocks in eval mode."]
q3_fault = {"line": 0, "name": ""}


def train_head(weights, inputs, labels):
    """Trains the head alone; returns all weights as arrays."""
    ### BEGIN SOLUTION
    x, y = torch.tensor(inputs), torch.tensor(labels)
    model = load(weights).eval()
    model.block1.requires_grad_(False)
    model.block2.requires_grad_(False)
    optimizer = torch.optim.Adam(model.head.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return weights_of(model)


q3_fault = {"line": 5, "name": "moving statistics"}
### END SOLUTION


# %% id="q3" kind="answer" framework="tensorflow" exports=["train_head","q3_fault"]
#| seconds=40 call_seconds=15
#| hints=["Compare weights_of(model) before and after: which arrays moved without a gradient?",
#| "What does training=True mean for a batch norm that is not set to trainable=False?",
#| "Call the model so that its batch norms leave their statistics alone: training=False."]
q3_fault = {"line": 0, "name": ""}


def train_head(weights, inputs, labels):
    """Trains the head alone; returns all weights as arrays."""
    ### BEGIN SOLUTION
    model = load(weights)
    loss_of = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    learning = model.get_layer("head").trainable_variables
    optimizer = tf.keras.optimizers.Adam(0.02)
    for _ in range(60):
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(inputs, training=False))
        optimizer.apply_gradients(zip(tape.gradient(loss, learning), learning))
    return weights_of(model)


q3_fault = {"line": 7, "name": "moving statistics"}
### END SOLUTION


# %% id="q3_moved" kind="test" question="q3" points=1
#| title="the head moves, and the frozen blocks stay, statistics included"
rng = np.random.default_rng(3)
weights = pretrained(rng)
inputs, labels = new_task(rng)
after = train_head(weights, inputs, labels)
check_moved(weights, after, ("head.weight", "head.bias"))

# %% id="q3_named" kind="test" question="q3" framework="pytorch" points=1
#| title="the fault is found and named"
### BEGIN HIDDEN TESTS
assert q3_fault["line"] == 5 and q3_fault["name"] == "moving statistics"
### END HIDDEN TESTS

# %% id="q3_named" kind="test" question="q3" framework="tensorflow" points=1
#| title="the fault is found and named"
### BEGIN HIDDEN TESTS
assert q3_fault["line"] == 7 and q3_fault["name"] == "moving statistics"
### END HIDDEN TESTS

# %% id="q3_hidden" kind="test" question="q3" points=1
#| title="the same holds on other data, of which new pictures are told apart"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

rng = hidden_rng("q3")
weights = pretrained(rng)
inputs, labels = new_task(rng, 240)
after = train_head(weights, inputs[:160], labels[:160])
check_moved(weights, after, ("head.weight", "head.bias"))
assert accuracy_of(after, inputs[160:], labels[160:]) >= 0.85
### END HIDDEN TESTS

# %% [markdown] id="q4_task"
# ## Question 4
# Two phases: first the head alone learns, then the head and the dense layer of `block2`. All else
# is to stay bit by bit. Write `two_phases`.


# %% id="q4_piece" framework="pytorch"
def q4_piece(weights, inputs, labels):
    x, y = torch.tensor(inputs), torch.tensor(labels)
    model = load(weights).eval()  # line 1
    model.requires_grad_(False)  # line 2
    model.head.requires_grad_(True)  # line 3
    learning = [p for p in model.parameters() if p.requires_grad]  # line 4
    optimizer = torch.optim.Adam(learning, lr=0.01)  # line 5
    for step in range(60):  # line 6
        if step == 30:  # line 7
            model.block2[0].requires_grad_(True)  # line 8
        optimizer.zero_grad()  # line 9
        nn.functional.cross_entropy(model(x), y).backward()  # line 10
        optimizer.step()  # line 11
    return weights_of(model)


# %% id="q4_piece" framework="tensorflow"
def q4_piece(weights, inputs, labels):
    model = load(weights)  # line 1
    for layer in model.layers:  # line 2
        layer.trainable = layer.name == "head"  # line 3
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)  # line 4
    model.compile(optimizer=tf.keras.optimizers.Adam(0.01), loss=loss)  # line 5
    model.fit(inputs, labels, batch_size=32, epochs=6, verbose=0)  # line 6
    model.get_layer("block2_dense").trainable = True  # line 7
    model.fit(inputs, labels, batch_size=32, epochs=6, verbose=0)  # line 8
    return weights_of(model)


# %% id="q4" kind="answer" framework="pytorch" exports=["two_phases","q4_fault"]
#| seconds=30 call_seconds=10
#| hints=["Compare block2.weight before and after.",
#| "Which parameters does the optimiser of line 5 know in step 30?",
#| "The second phase needs a new optimiser, or add_param_group."]
q4_fault = {"line": 0, "name": ""}


def two_phases(weights, inputs, labels):
    """Trains the head, then the head and block2's dense layer; returns all weights as arrays."""
    ### BEGIN SOLUTION
    x, y = torch.tensor(inputs), torch.tensor(labels)
    model = load(weights).eval()
    model.requires_grad_(False)
    for opened in (model.head, model.block2[0]):
        opened.requires_grad_(True)
        learning = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.Adam(learning, lr=0.01)
        for _ in range(30):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    return weights_of(model)


q4_fault = {"line": 8, "name": "stale optimiser"}
### END SOLUTION


# %% id="q4" kind="answer" framework="tensorflow" exports=["two_phases","q4_fault"]
#| seconds=60 call_seconds=25
#| hints=["Compare block2.weight before and after.",
#| "When does Keras look at trainable: at each step, or when training is compiled?",
#| "Compile again before the second phase."]
q4_fault = {"line": 0, "name": ""}


def two_phases(weights, inputs, labels):
    """Trains the head, then the head and block2's dense layer; returns all weights as arrays."""
    ### BEGIN SOLUTION
    model = load(weights)
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for layer in model.layers:
        layer.trainable = False
    for opened in ("head", "block2_dense"):
        model.get_layer(opened).trainable = True
        model.compile(optimizer=tf.keras.optimizers.Adam(0.01), loss=loss)
        model.fit(inputs, labels, batch_size=32, epochs=6, verbose=0)
    return weights_of(model)


q4_fault = {"line": 7, "name": "stale optimiser"}
### END SOLUTION


# %% id="q4_moved" kind="test" question="q4" points=1
#| title="the head and block2's dense layer move, and nothing else does"
rng = np.random.default_rng(4)
weights = pretrained(rng)
inputs, labels = new_task(rng)
after = two_phases(weights, inputs, labels)
check_moved(weights, after, ("head.weight", "head.bias", "block2.weight"))

# %% id="q4_named" kind="test" question="q4" framework="pytorch" points=1
#| title="the fault is found and named"
### BEGIN HIDDEN TESTS
assert q4_fault["line"] in (4, 5, 7, 8) and q4_fault["name"] == "stale optimiser"
### END HIDDEN TESTS

# %% id="q4_named" kind="test" question="q4" framework="tensorflow" points=1
#| title="the fault is found and named"
### BEGIN HIDDEN TESTS
assert q4_fault["line"] in (5, 7, 8) and q4_fault["name"] == "stale optimiser"
### END HIDDEN TESTS

# %% id="q4_hidden" kind="test" question="q4" points=1
#| title="the same holds on other data, of which new pictures are told apart"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

rng = hidden_rng("q4")
weights = pretrained(rng)
inputs, labels = new_task(rng, 240)
after = two_phases(weights, inputs[:160], labels[:160])
check_moved(weights, after, ("head.weight", "head.bias", "block2.weight"))
assert accuracy_of(after, inputs[160:], labels[160:]) >= 0.85
### END HIDDEN TESTS

# %% [markdown] id="q5_task"
# ## Question 5
# Data sets give labels in three forms: one-hot (pictures, classes), or whole numbers, of shape
# (pictures, 1) or (pictures,). One of them the piece takes rightly, one wrongly without a word, and
# at one it stops, unless by chance there are as many pictures as classes. Write `cross_entropy` for
# all three forms; it returns the mean loss as a number.


# %% id="q5_piece" framework="pytorch"
def q5_piece(logits, labels):
    logits, labels = torch.tensor(logits), torch.tensor(labels)  # line 1
    log_shares = torch.log_softmax(logits, dim=1)  # line 2
    losses = -(labels * log_shares).sum(dim=1)  # line 3
    return float(losses.mean())  # line 4


# %% id="q5_piece" framework="tensorflow"
def q5_piece(logits, labels):
    logits, labels = tf.constant(logits), tf.cast(labels, logits.dtype)  # line 1
    log_shares = tf.nn.log_softmax(logits, axis=1)  # line 2
    losses = -tf.reduce_sum(labels * log_shares, axis=1)  # line 3
    return float(tf.reduce_mean(losses))  # line 4


# %% id="q5" kind="answer" framework="pytorch" exports=["cross_entropy","q5_fault"]
#| seconds=15 call_seconds=5
#| hints=["Which shape has labels * log_shares, if labels is (pictures, 1)?",
#| "A label of 2 that is not one-hot counts the logarithm of each class twice.",
#| "Flatten whole numbers to (pictures,) and use nn.functional.cross_entropy."]
q5_fault = {"line": 0, "name": ""}


def cross_entropy(logits, labels):
    """The mean cross-entropy, for one-hot labels and for whole numbers."""
    ### BEGIN SOLUTION
    logits, labels = torch.tensor(logits), torch.tensor(labels)
    if labels.shape != logits.shape:
        labels = nn.functional.one_hot(labels.reshape(-1).long(), logits.shape[1])
    return float(-(labels * torch.log_softmax(logits, dim=1)).sum(dim=1).mean())


q5_fault = {"line": 3, "name": "wrong label form"}
### END SOLUTION


# %% id="q5" kind="answer" framework="tensorflow" exports=["cross_entropy","q5_fault"]
#| seconds=15 call_seconds=5
#| hints=["Which shape has labels * log_shares, if labels is (pictures, 1)?",
#| "A label of 2 that is not one-hot counts the logarithm of each class twice.",
#| "Flatten whole numbers to (pictures,) and use tf.one_hot."]
q5_fault = {"line": 0, "name": ""}


def cross_entropy(logits, labels):
    """The mean cross-entropy, for one-hot labels and for whole numbers."""
    ### BEGIN SOLUTION
    logits, labels = tf.constant(logits), np.asarray(labels)
    if labels.shape != tuple(logits.shape):
        labels = np.eye(logits.shape[1])[labels.reshape(-1).astype(int)]
    losses = -tf.reduce_sum(
        tf.cast(labels, logits.dtype) * tf.nn.log_softmax(logits, axis=1), axis=1
    )
    return float(tf.reduce_mean(losses))


q5_fault = {"line": 3, "name": "wrong label form"}
### END SOLUTION


# %% id="q5_forms" kind="test" question="q5" points=1
#| title="equal logits of four classes give log 4 in every form"
flat = np.zeros((5, 4), np.float32)
classes = np.array([0, 3, 1, 1, 2])
for form in (np.eye(4, dtype=np.float32)[classes], classes, classes[:, None]):
    got = cross_entropy(flat, form)
    assert_close(got, np.log(4), rtol=1e-4)

# %% id="q5_named" kind="test" question="q5" points=1
#| title="the fault is found and named"
### BEGIN HIDDEN TESTS
assert q5_fault["line"] in (1, 3) and q5_fault["name"] == "wrong label form"
### END HIDDEN TESTS

# %% id="q5_hidden" kind="test" question="q5" points=1
#| title="all forms give the right loss for other logits"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

rng = hidden_rng("q5")
for count in (1, 7, 30):
    logits = rng.normal(0, 2, (count, 5)).astype(np.float32)
    classes = rng.integers(0, 5, count)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wanted = -np.log(shares[np.arange(count), classes]).mean()
    for form in (np.eye(5, dtype=np.float32)[classes], classes, classes[:, None]):
        assert_close(cross_entropy(logits, form), wanted, rtol=1e-3)
### END HIDDEN TESTS

# %% [markdown] id="q6_task"
# ## Question 6
# An epoch trains a linear head on batch after batch. `history[i]` holds the head's
# `{"weight", "bias"}` **before** step i, and last of all those after the last step, so there is one
# more of them than of `batches`; a batch and `validation` are pairs of features and labels. Write
# `accuracies`: those of training and validation, such that their difference means something. Both
# are of the head as it is at the end, over all pictures: batches may be of different sizes.


# %% id="q6_piece"
def q6_piece(history, batches, validation):
    def accuracy(head, features, labels):  # line 1
        scores = features @ head["weight"] + head["bias"]  # line 2
        return np.mean(scores.argmax(axis=1) == labels)  # line 3

    seen = [accuracy(head, *batch) for head, batch in zip(history, batches)]  # line 4
    training = np.mean(seen)  # line 5
    return {"training": training, "validation": accuracy(history[-1], *validation)}  # line 6


# %% id="q6" kind="answer" exports=["accuracies","q6_fault"] seconds=15 call_seconds=5
#| hints=["Which head does line 4 take for the first batch, and which does line 6 take?",
#| "A mean over batches counts a small last batch as much as a large one.",
#| "Join the batches' features and labels, and use history[-1] for both."]
q6_fault = {"line": 0, "name": ""}


def accuracies(history, batches, validation):
    """The last head's accuracy on all of training and on validation."""

    ### BEGIN SOLUTION
    def accuracy(features, labels):
        scores = features @ history[-1]["weight"] + history[-1]["bias"]
        return float(np.mean(scores.argmax(axis=1) == labels))

    features = np.concatenate([batch[0] for batch in batches])
    labels = np.concatenate([batch[1] for batch in batches])
    return {"training": accuracy(features, labels), "validation": accuracy(*validation)}


q6_fault = {"line": 4, "name": "unlike accuracies"}
### END SOLUTION


# %% id="q6_same" kind="test" question="q6" points=1
#| title="training pictures that serve as validation too get one accuracy"
features = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]])
labels = np.array([0, 1, 0])
heads = [{"weight": sign * np.eye(2), "bias": np.zeros(2)} for sign in (-1, -1, 1)]
parts = [(features[:2], labels[:2]), (features[2:], labels[2:])]
got = accuracies(heads, parts, (features, labels))
assert got == {"training": 1.0, "validation": 1.0}, f"expected 1.0 for both; got {got}"

# %% id="q6_named" kind="test" question="q6" points=1
#| title="the fault is found and named"
### BEGIN HIDDEN TESTS
assert q6_fault["line"] in (4, 5) and q6_fault["name"] == "unlike accuracies"
### END HIDDEN TESTS

# %% id="q6_hidden" kind="test" question="q6" points=1
#| title="both accuracies are right for other heads and batches of different sizes"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

rng = hidden_rng("q6")
for _ in range(3):
    features, labels = rng.normal(size=(150, 6)), rng.integers(0, 3, 150)
    heads = [{"weight": rng.normal(size=(6, 3)), "bias": rng.normal(size=3)} for _ in range(4)]
    right = (features @ heads[-1]["weight"] + heads[-1]["bias"]).argmax(axis=1) == labels
    cuts = [(0, 57), (57, 98), (98, 101)]
    parts = [(features[a:b], labels[a:b]) for a, b in cuts]
    got = accuracies(heads, parts, (features[101:], labels[101:]))
    assert_close(got["training"], right[:101].mean(), rtol=1e-6)
    assert_close(got["validation"], right[101:].mean(), rtol=1e-6)
### END HIDDEN TESTS
