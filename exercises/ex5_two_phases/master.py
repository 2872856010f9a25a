# ruff: noqa: F821, what stands in double braces is filled in
# %% kind="exercise" title="Two phases, and a rate for each block" minutes=40
#| frameworks=["pytorch","tensorflow"]
#| variants={"head": [
#|   {"words": "the learning rate `top`", "times": 1},
#|   {"words": "twice the learning rate `top`", "times": 2},
#|   {"words": "3 times the learning rate `top`", "times": 3},
#|   {"words": "4 times the learning rate `top`", "times": 4},
#|   {"words": "half the learning rate `top`", "times": 0.5},
#|   {"words": "5 times the learning rate `top`", "times": 5},
#|   {"words": "a tenth of the learning rate `top`", "times": 0.1},
#|   {"words": "10 times the learning rate `top`", "times": 10}]}

# %% [markdown] id="intro"
# # Two phases, and a rate for each block
# A new head makes large random errors at first; sent through the whole network they would spoil
# what it has learned before. So the head learns alone first, and then all of it, the early blocks
# more slowly than the late ones. You write that schedule yourself, in three questions.
#
# The network is small, and given as arrays: `{"block1": {"weight", "bias"}, "block2": …, "head":
# …}`, each weight of shape (in, out), each block followed by a ReLU.

# %% id="setup" kind="setup"
import numpy as np

from ftkit.grading.assertions import assert_close

BLOCKS = ("block1", "block2", "head")


def make_network(rng, channels=12, hidden=24, classes=4):
    """A network as it comes from pretraining."""
    sides = (channels, hidden, hidden, classes)
    return {
        name: {
            "weight": (rng.normal(size=(i, o)) * np.sqrt(2 / i)).astype(np.float32),
            "bias": (0.1 * rng.normal(size=o)).astype(np.float32),
        }
        for name, i, o in zip(BLOCKS, sides, sides[1:])
    }


def logits_of(network, pictures):
    """What the network says, computed with NumPy."""
    x = pictures
    for name in BLOCKS[:-1]:
        x = np.maximum(x @ network[name]["weight"] + network[name]["bias"], 0)
    return x @ network["head"]["weight"] + network["head"]["bias"]


def make_task(rng, network, count):
    """A task that the network's features nearly fit: pictures as vectors, and their labels."""
    teacher = make_network(rng)
    for name in BLOCKS[:-1]:
        weight = network[name]["weight"]
        drift = 0.3 * weight.std() * rng.normal(size=weight.shape)
        teacher[name] = {"weight": weight + drift, "bias": network[name]["bias"]}
    pictures = rng.normal(size=(count, 12)).astype(np.float32)
    scores = logits_of(teacher, pictures)
    return pictures, (scores - scores.mean(axis=0)).argmax(axis=1)


def moved(before, after):
    """The blocks of which any number differs."""
    return [
        name
        for name in BLOCKS
        if any(not np.array_equal(before[name][key], after[name][key]) for key in before[name])
    ]


# %% id="framework" kind="setup" framework="pytorch" judge=false
import torch


def build(network):
    """The network as a module; model["head"] is a Linear layer, model(x) gives logits."""

    class Network(torch.nn.ModuleDict):
        def forward(self, x):
            for name in BLOCKS[:-1]:
                x = torch.relu(self[name](x))
            return self["head"](x)

    model = Network()
    for name, arrays in network.items():
        model[name] = torch.nn.Linear(*arrays["weight"].shape)
        with torch.no_grad():
            model[name].weight.copy_(torch.as_tensor(arrays["weight"]).T)
            model[name].bias.copy_(torch.as_tensor(arrays["bias"]))
    return model


def arrays_of(model):
    """The module as arrays again, copied."""
    return {
        name: {
            "weight": model[name].weight.detach().numpy().T.copy(),
            "bias": model[name].bias.detach().numpy().copy(),
        }
        for name in BLOCKS
    }


# %% id="framework" kind="setup" framework="tensorflow" judge=false
import tensorflow as tf


def build(network):
    """The network as a Keras model; model.get_layer("head") is a Dense layer, the output logits."""
    layers = [
        tf.keras.layers.Dense(
            len(network[name]["bias"]), activation=None if name == "head" else "relu", name=name
        )
        for name in BLOCKS
    ]
    model = tf.keras.Sequential([tf.keras.Input((network["block1"]["weight"].shape[0],)), *layers])
    for layer in layers:
        layer.set_weights([network[layer.name]["weight"], network[layer.name]["bias"]])
    return model


def arrays_of(model):
    """The model as arrays again, copied."""
    weights = {name: model.get_layer(name).get_weights() for name in BLOCKS}
    return {name: {"weight": weight, "bias": bias} for name, (weight, bias) in weights.items()}


# %% [markdown] id="q1_task"
# ## Question 1
# Write `block_rates(names, top, factor)`. `names` are a network's blocks from the input to the
# head. The head, the last one, gets {{head.words}}; each block before it gets `factor`
# times the rate of the block behind it. Return a dict from name to rate.


# %% id="q1" kind="answer" exports=["block_rates"] seconds=10 call_seconds=3
#| hints=["Which power of factor does the head get, and which the block just before it?",
#| "Count from the end: reversed(names) with enumerate."]
def block_rates(names, top, factor):
    """Gives each block its learning rate."""
    ### BEGIN SOLUTION
    first = {{head.times}} * top
    return {name: first * factor**power for power, name in enumerate(reversed(names))}
    ### END SOLUTION


# %% id="q1_head" kind="test" question="q1" points=1 title="the head gets its rate"
rates = block_rates(["stem", "head"], 0.1, 0.5)
assert sorted(rates) == ["head", "stem"], f"expected a rate for stem and head; got {sorted(rates)}"
assert_close(rates["head"], {{head.times}} * 0.1, rtol=1e-6)

# %% id="q1_hidden" kind="test" question="q1" points=1
#| title="each block before it gets factor times the next one's"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

rng = hidden_rng("q1")
for count in (1, 4, 6):
    names = [f"b{i}" for i in range(count)]
    top, factor = rng.uniform(0.01, 0.1), rng.uniform(0.1, 0.9)
    rates = block_rates(names, top, factor)
    assert sorted(rates) == names
    wanted = [{{head.times}} * top * factor ** (count - 1 - i) for i in range(count)]
    assert_close([rates[name] for name in names], wanted, rtol=1e-6)
### END HIDDEN TESTS

# %% [markdown] id="q2_task"
# ## Question 2
# Write `one_step(network, pictures, labels, rates)`: one step of plain gradient descent (no
# momentum) on the mean cross-entropy of all pictures. `rates` has the learning rates of some
# blocks; a block without one is frozen, and must come back bit for bit. Return the network as
# arrays. `build(network)` and `arrays_of(model)` go there and back.


# %% id="q2" kind="answer" framework="pytorch" exports=["one_step"] seconds=20 call_seconds=8
#| hints=["torch.optim.SGD takes a list of groups, each with its own params and lr.",
#| "A block that is in no group is frozen.",
#| "[{\"params\": model[name].parameters(), \"lr\": rate} for name, rate in rates.items()]"]
def one_step(network, pictures, labels, rates):
    """Does one step of gradient descent at a rate per block."""
    ### BEGIN SOLUTION
    model = build(network)
    groups = [{"params": model[name].parameters(), "lr": rate} for name, rate in rates.items()]
    optimizer = torch.optim.SGD(groups)
    logits = model(torch.as_tensor(pictures))
    torch.nn.functional.cross_entropy(logits, torch.as_tensor(labels)).backward()
    optimizer.step()
    return arrays_of(model)
    ### END SOLUTION


# %% id="q2" kind="answer" framework="tensorflow" exports=["one_step"] seconds=20 call_seconds=8
#| hints=["Keras optimizers have one rate; tape.gradient gives what each variable needs.",
#| "variable.assign_sub(rate * gradient) is a step of plain gradient descent.",
#| "Go over rates.items(): model.get_layer(name).trainable_variables; leave the others alone."]
def one_step(network, pictures, labels, rates):
    """Does one step of gradient descent at a rate per block."""
    ### BEGIN SOLUTION
    model = build(network)
    with tf.GradientTape() as tape:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, model(pictures))
        loss = tf.reduce_mean(losses)
    variables = {name: model.get_layer(name).trainable_variables for name in rates}
    gradients = tape.gradient(loss, variables)
    for name, rate in rates.items():
        for variable, gradient in zip(variables[name], gradients[name]):
            variable.assign_sub(rate * gradient)
    return arrays_of(model)
    ### END SOLUTION


# %% id="reference" kind="judge"
def expected_step(network, pictures, labels, rates):
    inputs, x = [], pictures.astype(float)
    for name in BLOCKS:
        inputs.append(x)
        x = x @ network[name]["weight"] + network[name]["bias"]
        x = x if name == "head" else np.maximum(x, 0)
    shares = np.exp(x - x.max(axis=1, keepdims=True))
    slope = shares / shares.sum(axis=1, keepdims=True)
    slope[np.arange(len(labels)), labels] -= 1
    slope /= len(labels)
    wanted = {}
    for name, given in zip(reversed(BLOCKS), reversed(inputs)):
        rate = rates.get(name, 0)
        arrays = network[name]
        wanted[name] = {
            "weight": arrays["weight"] - rate * given.T @ slope,
            "bias": arrays["bias"] - rate * slope.sum(axis=0),
        }
        slope = (slope @ arrays["weight"].T) * (given > 0)
    return wanted


# %% id="q2_frozen" kind="test" question="q2" points=1
#| title="a block without a rate stays as it is, and one with a rate moves"
rng = np.random.default_rng(5)
network = make_network(rng)
pictures, labels = make_task(rng, network, 50)
after = one_step(network, pictures, labels, {"head": 0.1})
assert moved(network, after) == ["head"], (
    f"expected only the head to move; got {moved(network, after)}"
)

# %% id="q2_hidden" kind="test" question="q2" points=3
#| title="each block moves by its own rate times the gradient"
### BEGIN HIDDEN TESTS
rng = hidden_rng("q2")
for names in (BLOCKS, ("block2", "head")):
    network = make_network(rng)
    pictures, labels = make_task(rng, network, 40)
    rates = {name: float(rng.uniform(0.05, 0.5)) for name in names}
    after = one_step(network, pictures, labels, rates)
    wanted = expected_step(network, pictures, labels, rates)
    for name in BLOCKS:
        for key in ("weight", "bias"):
            assert_close(after[name][key], wanted[name][key], atol=2e-5)
    assert moved(network, after) == list(names)
### END HIDDEN TESTS

# %% [markdown] id="q3_task"
# ## Question 3
# Write `two_phases(network, pictures, labels)`. First train the head alone, the blocks frozen; then
# everything, at rates that fall towards the input. Return the network after each phase:
# `{"first": arrays, "second": arrays}`. After the second it must get **75 %** of unseen pictures
# right on the task below, and **79 %** in the mean over three other tasks of this kind. (The head
# alone comes to about 78 % on average, both phases to 82 %.) A call may take 15 seconds.


# %% id="q3" kind="answer" framework="pytorch" exports=["two_phases"] seconds=80 call_seconds=15
#| memory_mb=3000
#| hints=["The first phase's optimizer holds the head's parameters and no others.",
#| "Keep a copy after the first phase: arrays_of copies.",
#| "150 steps of Adam on all pictures at 0.05 for the head; then 150 at 0.01, 0.005 and 0.0025."]
def two_phases(network, pictures, labels):
    """Trains the head, then everything; gives the network after each phase."""
    ### BEGIN SOLUTION
    model = build(network)
    x, y = torch.as_tensor(pictures), torch.as_tensor(labels)
    with torch.no_grad():
        model["head"].weight.zero_()
        model["head"].bias.zero_()

    def train(rates, steps):
        groups = [{"params": model[name].parameters(), "lr": rate} for name, rate in rates.items()]
        optimizer = torch.optim.Adam(groups)
        for _ in range(steps):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        return arrays_of(model)

    first = train({"head": 0.05}, 150)
    second = train({"block1": 0.0025, "block2": 0.005, "head": 0.01}, 150)
    return {"first": first, "second": second}
    ### END SOLUTION


# %% id="q3" kind="answer" framework="tensorflow" exports=["two_phases"] seconds=80 call_seconds=15
#| memory_mb=3000
#| hints=["The first phase applies gradients to the head's variables and no others.",
#| "One optimizer per block gives one rate per block; tf.function makes steps fast.",
#| "150 steps of Adam on all pictures at 0.05 for the head; then 150 at 0.01, 0.005 and 0.0025."]
def two_phases(network, pictures, labels):
    """Trains the head, then everything; gives the network after each phase."""
    ### BEGIN SOLUTION
    model = build(network)
    x, y = tf.constant(pictures), tf.constant(labels)
    head = model.get_layer("head")
    head.set_weights([np.zeros_like(weights) for weights in head.get_weights()])

    def train(rates, steps):
        variables = {name: model.get_layer(name).trainable_variables for name in rates}
        optimizers = {name: tf.keras.optimizers.Adam(rate) for name, rate in rates.items()}
        for name, optimizer in optimizers.items():
            optimizer.build(variables[name])

        @tf.function
        def step():
            with tf.GradientTape() as tape:
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x))
                loss = tf.reduce_mean(losses)
            gradients = tape.gradient(loss, variables)
            for name, optimizer in optimizers.items():
                optimizer.apply_gradients(zip(gradients[name], variables[name]))

        for _ in range(steps):
            step()
        return arrays_of(model)

    first = train({"head": 0.05}, 150)
    second = train({"block1": 0.0025, "block2": 0.005, "head": 0.01}, 150)
    return {"first": first, "second": second}
    ### END SOLUTION


# %% id="q3_first" kind="test" question="q3" points=1
#| title="in the first phase the head moves and nothing else"
rng = np.random.default_rng(0)
network = make_network(rng)
pictures, labels = make_task(rng, network, 1400)
phases = two_phases(network, pictures[:800], labels[:800])
changed = moved(network, phases["first"])
assert changed == ["head"], f"expected only the head to move in the first phase; got {changed}"

# %% id="q3_second" kind="test" question="q3" points=1
#| title="in the second phase everything moves"
changed = moved(phases["first"], phases["second"])
assert changed == list(BLOCKS), f"expected all blocks to move in the second phase; got {changed}"

# %% id="q3_accuracy" kind="test" question="q3" points=1
#| title="it gets at least 75 % of unseen pictures right"
accuracy = np.mean(logits_of(phases["second"], pictures[800:]).argmax(axis=1) == labels[800:])
assert accuracy >= 0.75, f"expected at least 0.75 of unseen pictures right; got {accuracy:.3f}"

# %% id="q3_hidden" kind="test" question="q3" points=3
#| title="on three other tasks: the same phases, and 79 % on average"
### BEGIN HIDDEN TESTS
rng = hidden_rng("q3")
reached = []
for _ in range(3):
    network = make_network(rng)
    pictures, labels = make_task(rng, network, 3800)  # with fewer, chance would decide
    phases = two_phases(network, pictures[:800], labels[:800])
    assert moved(network, phases["first"]) == ["head"]
    assert moved(phases["first"], phases["second"]) == list(BLOCKS)
    scores = logits_of(phases["second"], pictures[800:])
    assert np.isfinite(scores).all() and scores.shape == (3000, 4)
    reached.append(np.mean(scores.argmax(axis=1) == labels[800:]))
assert np.mean(reached) >= 0.79
### END HIDDEN TESTS
