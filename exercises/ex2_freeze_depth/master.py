# ruff: noqa: F821, what stands in double braces is filled in
# %% kind="exercise" title="How many blocks to freeze" minutes=40
#| frameworks=["pytorch","tensorflow"]
#| variants={"rule": [
#|   {"errors": 2, "pairs": [[0, 0.9], [3, 0.873], [5, 0.867]]},
#|   {"errors": 1, "pairs": [[0, 0.9], [3, 0.888], [5, 0.882]]},
#|   {"errors": 1.5, "pairs": [[0, 0.9], [3, 0.8805], [5, 0.8745]]},
#|   {"errors": 2.5, "pairs": [[0, 0.9], [3, 0.8655], [5, 0.8595]]},
#|   {"errors": 3, "pairs": [[0, 0.9], [3, 0.858], [5, 0.852]]}],
#| "depths": [
#|   {"words": "four depths or more, 0 (everything learns) and 5 (only the head does) among them",
#|    "must": [0, 5], "may": [0, 1, 2, 3, 4, 5]},
#|   {"words": "the depths 0 (everything learns), 1, 2 and 5 (only the head does), and no others",
#|    "must": [0, 1, 2, 5], "may": [0, 1, 2, 5]},
#|   {"words": "the depths 0 (everything learns), 1, 3 and 5 (only the head does), and no others",
#|    "must": [0, 1, 3, 5], "may": [0, 1, 3, 5]},
#|   {"words": "the depths 0 (everything learns), 1, 4 and 5 (only the head does), and no others",
#|    "must": [0, 1, 4, 5], "may": [0, 1, 4, 5]},
#|   {"words": "the depths 0 (everything learns), 2, 3 and 5 (only the head does), and no others",
#|    "must": [0, 2, 3, 5], "may": [0, 2, 3, 5]},
#|   {"words": "the depths 0 (everything learns), 2, 4 and 5 (only the head does), and no others",
#|    "must": [0, 2, 4, 5], "may": [0, 2, 4, 5]},
#|   {"words": "the depths 0 (everything learns), 3, 4 and 5 (only the head does), and no others",
#|    "must": [0, 3, 4, 5], "may": [0, 3, 4, 5]}]}

# %% [markdown] id="intro"
# # How many blocks to freeze
# You freeze a network to a depth with your own hands, decide when two accuracies differ at all, and
# then measure: the records of your own runs are the evidence.
#
# The small network of question 1 is given as arrays: `block1` and `block2` with `weight` (in, out),
# batch norm's `scale`, `shift`, `mean` and `variance`, then a ReLU; and `head` with `weight` and
# `bias`.

# %% id="setup" kind="setup"
import json
from pathlib import Path

import numpy as np

BLOCKS = ("block1", "block2", "block3", "head")


def make_network(rng, channels=8, hidden=16, classes=3):
    """A network as it comes from pretraining."""
    network, inputs = {}, channels
    for name in BLOCKS[:-1]:
        network[name] = {
            "weight": rng.normal(size=(inputs, hidden)) * np.sqrt(2 / inputs),
            "scale": rng.uniform(0.8, 1.2, hidden),
            "shift": 0.1 * rng.normal(size=hidden),
            "mean": 0.1 * rng.normal(size=hidden),
            "variance": rng.uniform(0.8, 1.2, hidden),
        }
        inputs = hidden
    network["head"] = {
        "weight": 0.1 * rng.normal(size=(hidden, classes)),
        "bias": np.zeros(classes),
    }
    return {
        name: {key: value.astype(np.float32) for key, value in arrays.items()}
        for name, arrays in network.items()
    }


def loss_of(network, pictures, labels):
    """The mean cross-entropy, computed with NumPy and the running statistics."""
    x = pictures.astype(float)
    for name in BLOCKS[:-1]:
        block = network[name]
        x = (x @ block["weight"] - block["mean"]) / np.sqrt(block["variance"] + 1e-5)
        x = np.maximum(x * block["scale"] + block["shift"], 0)
    logits = x @ network["head"]["weight"] + network["head"]["bias"]
    logits = logits - logits.max(axis=1, keepdims=True)
    shares = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return float(-shares[np.arange(len(labels)), labels].mean())


def audit(before, after):
    """The names of all arrays that moved, such as block1.weight."""
    return [
        f"{name}.{key}"
        for name in BLOCKS
        for key in before[name]
        if not np.array_equal(before[name][key], after[name][key])
    ]


def learning(depth):
    """What may move if the first so many blocks are frozen: no running statistics."""
    names = [f"{name}.{key}" for name in BLOCKS[depth:-1] for key in ("weight", "scale", "shift")]
    return [*names, "head.weight", "head.bias"]


def make_task(rng, count=120):
    """Pictures as vectors, each class around its own centre."""
    labels = np.arange(count) % 3
    centres = 2 * np.linalg.qr(rng.normal(size=(8, 8)))[0][:3]
    return (centres[labels] + rng.normal(size=(count, 8))).astype(np.float32), labels


# %% id="gather" kind="setup" judge=false
def gather(folder, backend=""):
    """What FreezeLab.save(folder) or ftkit compare wrote, as a list to paste into an answer.

    Of runs in both frameworks it takes those of backend, or else of the first that it finds.
    """
    found = []
    for path in sorted(Path(folder).rglob("summary.json")):
        summary = json.loads(path.read_text(encoding="utf-8"))
        for run in summary["runs"]:
            if run["status"] != "done" or run["backend"] != (backend or run["backend"]):
                continue
            backend = run["backend"]
            blocks = run["audit"]["phases"][-1]["blocks"]
            found.append(
                {
                    "data": summary["recipe"]["data"],
                    "backend": backend,
                    "depth": run["freeze_depth"],
                    "seed": summary["recipe"]["seed"],
                    "epochs": summary["recipe"]["epochs"],
                    "learns": {name: row["trainable_parameters"] for name, row in blocks.items()},
                    "moved": {name: len(row["moved"]) for name, row in blocks.items()},
                    "first_loss": round(run["step_losses"][0], 4),
                    "accuracy": round(run["val_accuracy"], 6),
                    "predictions": "".join(str(label) for label in run["val_predictions"]),
                }
            )
    return found


# %% id="framework" kind="setup" framework="pytorch" judge=false
import torch


def build(network):
    """The network as a module; model["block1"] and so on are its parts, in training mode."""

    class Network(torch.nn.ModuleDict):
        def forward(self, x):
            for name in BLOCKS:
                x = self[name](x)
            return x

    model = Network()
    with torch.no_grad():
        for name in BLOCKS[:-1]:
            arrays = {key: torch.as_tensor(value) for key, value in network[name].items()}
            linear = torch.nn.Linear(*arrays["weight"].shape, bias=False)
            norm = torch.nn.BatchNorm1d(len(arrays["scale"]), eps=1e-5)
            linear.weight.copy_(arrays["weight"].T)
            norm.weight.copy_(arrays["scale"])
            norm.bias.copy_(arrays["shift"])
            norm.running_mean.copy_(arrays["mean"])
            norm.running_var.copy_(arrays["variance"])
            model[name] = torch.nn.Sequential(linear, norm, torch.nn.ReLU())
        arrays = {key: torch.as_tensor(value) for key, value in network["head"].items()}
        model["head"] = torch.nn.Linear(*arrays["weight"].shape)
        model["head"].weight.copy_(arrays["weight"].T)
        model["head"].bias.copy_(arrays["bias"])
    return model


def arrays_of(model):
    """The module as arrays again, copied."""
    made = {}
    for name in BLOCKS[:-1]:
        linear, norm, _ = model[name]
        tensors = (linear.weight.T, norm.weight, norm.bias, norm.running_mean, norm.running_var)
        keys = ("weight", "scale", "shift", "mean", "variance")
        made[name] = {key: one.detach().numpy().copy() for key, one in zip(keys, tensors)}
    head = model["head"]
    made["head"] = {
        "weight": head.weight.detach().numpy().T.copy(),
        "bias": head.bias.detach().numpy().copy(),
    }
    return made


# %% id="framework" kind="setup" framework="tensorflow" judge=false
import tensorflow as tf


def build(network):
    """The network as a Keras model; model.get_layer("block1") and so on are its parts."""
    model = tf.keras.Sequential([tf.keras.Input((network["block1"]["weight"].shape[0],))])
    for name in BLOCKS[:-1]:
        block = tf.keras.Sequential(
            [
                tf.keras.layers.Dense(len(network[name]["scale"]), use_bias=False),
                tf.keras.layers.BatchNormalization(epsilon=1e-5),
                tf.keras.layers.ReLU(),
            ],
            name=name,
        )
        model.add(block)
        keys = ("scale", "shift", "mean", "variance")
        block.layers[0].set_weights([network[name]["weight"]])
        block.layers[1].set_weights([network[name][key] for key in keys])
    model.add(tf.keras.layers.Dense(len(network["head"]["bias"]), name="head"))
    model.layers[-1].set_weights([network["head"]["weight"], network["head"]["bias"]])
    return model


def arrays_of(model):
    """The model as arrays again, copied."""
    made = {}
    for name in BLOCKS[:-1]:
        dense, norm, _ = model.get_layer(name).layers
        keys = ("scale", "shift", "mean", "variance")
        made[name] = {"weight": dense.get_weights()[0], **dict(zip(keys, norm.get_weights()))}
    made["head"] = dict(zip(("weight", "bias"), model.get_layer("head").get_weights()))
    return made


# %% [markdown] id="q1_task"
# ## Question 1
# Write `train_at_depth(network, pictures, labels, depth)`. Freeze the first `depth` of the blocks
# `BLOCKS[:-1]` and train the rest with the head, until the loss is at most 0.8 of what it was.
# Batch norm uses its running statistics throughout, in every block, and they stay as they are;
# scale and shift learn where the block is not frozen. Return the network as arrays.
# `build(network)` and `arrays_of(model)` go there and back.


# %% id="q1" kind="answer" framework="pytorch" exports=["train_at_depth"]
#| seconds=40 call_seconds=10
#| hints=["requires_grad=False does not stop batch norm's running statistics.",
#| "model.eval() makes batch norm use them and leave them alone; gradients flow all the same.",
#| "Adam at 0.01 on the parameters of BLOCKS[depth:], 60 steps on all pictures, are enough."]
def train_at_depth(network, pictures, labels, depth):
    """Trains all but the first ``depth`` blocks."""
    ### BEGIN SOLUTION
    model = build(network).eval()
    chosen = [p for name in BLOCKS[depth:] for p in model[name].parameters()]
    optimizer = torch.optim.Adam(chosen, lr=0.01)
    x, y = torch.as_tensor(pictures), torch.as_tensor(labels)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return arrays_of(model)
    ### END SOLUTION


# %% id="q1" kind="answer" framework="tensorflow" exports=["train_at_depth"]
#| seconds=80 call_seconds=25
#| hints=["Batch norm that is not frozen moves its statistics if it is called with training=True.",
#| "model(x, training=False) uses them and leaves them alone; gradients flow all the same.",
#| "Collect trainable_variables of BLOCKS[depth:]; 60 steps of Adam at 0.01 are enough."]
def train_at_depth(network, pictures, labels, depth):
    """Trains all but the first ``depth`` blocks."""
    ### BEGIN SOLUTION
    model = build(network)
    chosen = [v for name in BLOCKS[depth:] for v in model.get_layer(name).trainable_variables]
    optimizer = tf.keras.optimizers.Adam(0.01)
    optimizer.build(chosen)
    x, y = tf.constant(pictures), tf.constant(labels)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            logits = model(x, training=False)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
            loss = tf.reduce_mean(losses)
        optimizer.apply_gradients(zip(tape.gradient(loss, chosen), chosen))

    for _ in range(60):
        step()
    return arrays_of(model)
    ### END SOLUTION


# %% id="q1_learns" kind="test" question="q1" points=1
#| title="with one block frozen, the loss falls to 0.8 of what it was"
rng = np.random.default_rng(2)
network = make_network(rng)
pictures, labels = make_task(rng)
after = train_at_depth(network, pictures, labels, 1)
losses = loss_of(network, pictures, labels), loss_of(after, pictures, labels)
assert losses[1] <= 0.8 * losses[0], f"expected at most 0.8 of {losses[0]:.3f}; got {losses[1]:.3f}"

# %% id="q1_audit" kind="test" question="q1" points=1
#| title="the frozen block and all running statistics stay, the rest moves"
changed = audit(network, after)
strayed = [name for name in changed if name not in learning(1)]
assert not strayed, f"expected these to stay as they were: {', '.join(strayed)}"
assert len(changed) == len(learning(1)), f"expected {learning(1)} to move; got {changed}"

# %% id="q1_hidden" kind="test" question="q1" points=3
#| title="so it is at other depths, from nothing frozen to everything but the head"
### BEGIN HIDDEN TESTS
from ftkit.grading.judging import hidden_rng

rng = hidden_rng("q1")
for depth in (0, 2, 3):
    network = make_network(rng)
    pictures, labels = make_task(rng)
    after = train_at_depth(network, pictures, labels, depth)
    assert sorted(audit(network, after)) == sorted(learning(depth))
    before = loss_of(network, pictures, labels)
    assert loss_of(after, pictures, labels) <= (0.9 if depth == 3 else 0.8) * before
### END HIDDEN TESTS

# %% [markdown] id="q2_task"
# ## Question 2
# On 400 pictures, an accuracy of 0.905 cannot be told from one of 0.910. Write
# `deepest(accuracies, pictures)`: `accuracies` is a dict from freeze depth to validation accuracy,
# `pictures` how many were classified. Return the **deepest** freezing that is as good as the best:
# at most {{rule.errors}} times the standard error below the best accuracy p; that error is
# sqrt(p (1 − p) / pictures).


# %% id="q2" kind="answer" exports=["deepest"] seconds=10 call_seconds=3
#| hints=["Deepest means the largest number: the most blocks frozen.",
#| "The bound comes from the best accuracy alone; then ask every depth.",
#| "max(depth for depth, value in accuracies.items() if value >= bound)"]
def deepest(accuracies, pictures):
    """Finds the deepest freezing that cannot be told from the best."""
    ### BEGIN SOLUTION
    best = max(accuracies.values())
    bound = best - {{rule.errors}} * (best * (1 - best) / pictures) ** 0.5
    return max(depth for depth, value in accuracies.items() if value >= bound)
    ### END SOLUTION


# %% id="q2_clear" kind="test" question="q2" points=1
#| title="of three depths it finds the one"
got = deepest(dict({{rule.pairs}}), 400)
assert got == 3, f"expected depth 3; got {got!r}"

# %% id="q2_hidden" kind="test" question="q2" points=2
#| title="where others are as good, it is the deepest of them"
### BEGIN HIDDEN TESTS
rng = hidden_rng("q2")
for _ in range(6):
    pictures, best = int(rng.integers(100, 900)), float(rng.uniform(0.7, 0.95))
    error = (best * (1 - best) / pictures) ** 0.5
    error *= {{rule.errors}}
    near, out = sorted(rng.choice([1, 2, 4], 2, replace=False).tolist())
    given = {0: best - 0.6 * error, 3: best, near: best - 2 * error, out: best - 1.5 * error}
    assert deepest({**given, 5: best - 0.85 * error}, pictures) == 5
    assert deepest({**given, 5: best - 1.15 * error}, pictures) == 3
### END HIDDEN TESTS

# %% id="evidence" kind="setup"
PARAMETERS = {"stem": 4768, "layer1": 37120, "layer2": 131712, "layer3": 525568, "layer4": 2099712}
PICTURES = {"drawn-pets": (400, 2), "new-shapes": (600, 6)}
FIRST = 10_000_000  # the number of the first validation picture; classes take turns


def problem(record, data):
    """What is wrong with a record of a run, in words; empty if nothing is."""
    pictures, classes = PICTURES[data]
    if record["data"] != data:
        return f"expected a run on {data}; got {record['data']}"
    names = [*PARAMETERS, "head"]
    if list(record["learns"]) != names or list(record["moved"]) != names:
        return f"expected the audit of {', '.join(names)}; got {', '.join(record['learns'])}"
    for place, (name, parameters) in enumerate(PARAMETERS.items()):
        frozen = place < record["depth"]
        if record["learns"][name] != (0 if frozen else parameters):
            return f"at depth {record['depth']}, {name} does not learn what it should"
        if (record["moved"][name] > 0) == frozen:
            return f"at depth {record['depth']}, {name} {'moved' if frozen else 'did not move'}"
    if record["learns"]["head"] != 257 * classes or not record["moved"]["head"]:
        return "the head does not learn"
    said = [int(label) for label in record["predictions"]]
    if len(said) != pictures:
        return f"expected {pictures} predictions; got {len(said)}"
    right = np.mean(np.array(said) == (FIRST + np.arange(pictures)) % classes)
    if not abs(right - record["accuracy"]) <= 1e-5:
        return f"of its predictions {right:.4f} are right; it says {record['accuracy']:.4f}"
    return ""


def assert_evidence(data, guess, records, found):
    """Checks that records are of one experiment, at the depths that the task names.

    One of them must be of the guess, and something be told of what they show.
    """
    for record in records:
        wrong = problem(record, data)
        assert not wrong, f"a record does not hold together: {wrong}"
    depths = [record["depth"] for record in records]
    assert len(set(depths)) == len(depths) >= 4, f"expected four different depths; got {depths}"
    assert set({{depths.must}}) <= set(depths), f"expected {{depths.must}} among them; got {depths}"
    assert set(depths) <= set({{depths.may}}), f"expected {{depths.may}} alone; got {depths}"
    same = {(record["backend"], record["seed"], record["epochs"]) for record in records}
    assert len(same) == 1, f"expected one framework, seed and number of epochs; got {same}"
    texts = {record["predictions"] for record in records}
    assert len(texts) == len(records), "two runs made the same predictions; one is a copy"
    losses = [record["first_loss"] for record in records]
    assert max(losses) - min(losses) < 0.01, f"expected one loss at the start; got {losses}"
    assert guess in depths, f"expected a guess of {depths}, which have runs; got {guess}"
    missing = {"best", "deepest", "held"}.difference(found)
    assert not missing, f"expected best, deepest and held; missing: {', '.join(sorted(missing))}"


# %% id="reference" kind="judge"
def assert_found(guess, records, found):
    best = max(record["accuracy"] for record in records)
    assert found["best"] in [row["depth"] for row in records if row["accuracy"] == best]
    bound = best - {{rule.errors}} * (best * (1 - best) / len(records[0]["predictions"])) ** 0.5
    good = [record["depth"] for record in records if record["accuracy"] >= bound]
    assert found["deepest"] == max(good)
    assert found["held"] == (guess in good)


# %% [markdown] id="far_task"
# ## Question 3: the far task
# Cats and dogs are far from the shapes that the weights come from. Train in the lab at
# {{depths.words}}; five epochs or more. But **first** write down `guess`: at which of your depths
# you expect the highest accuracy. Then train, and save:
#
# ```python
# from ftkit import Recipe
# from ftkit.widgets.freeze_lab import FreezeLab
# lab = FreezeLab(Recipe(data="drawn-pets", epochs=5))   # … then lab.save("far")
# print(gather("far"))
# ```
#
# `ftkit compare --data drawn-pets --strategies depth-5,…,depth-0 --out far` (your depths) does the
# same without a page. Paste what `gather` gives as `records`. Then tell in the dict `found` what it
# shows: `best` (the depth of the highest accuracy), `deepest` (question 2), and `held`: whether
# your guess is as good as the best, as question 2 has it. A wrong guess costs nothing; a wrong
# `held` does.


# %% id="q3" kind="answer" exports=["guess","records","found"] seconds=10 call_seconds=3
#| hints=["gather(\"far\") reads every summary.json below the folder.",
#| "Records belong together: one framework, one seed, one number of epochs.",
#| "held is True if the guess is at most {{rule.errors}} standard errors below the best."]
### BEGIN SOLUTION
guess = {{depths.may}}[2]


def recorded(data, first_loss, predictions):
    """What gather gave of real runs, put shortly: the rest of a record follows from its depth."""
    pictures, classes = PICTURES[data]
    records = []
    for depth in {{depths.may}}:
        learns = dict(list(PARAMETERS.items())[depth:])
        right = sum(
            int(label) == (FIRST + i) % classes for i, label in enumerate(predictions[depth])
        )
        records.append(
            {
                "data": data,
                "backend": "pytorch",
                "depth": depth,
                "seed": 0,
                "epochs": 5,
                "learns": {**dict.fromkeys(PARAMETERS, 0), **learns, "head": 257 * classes},
                "moved": {**dict.fromkeys(PARAMETERS, 0), **dict.fromkeys(learns, 15), "head": 2},
                "first_loss": first_loss,
                "accuracy": right / pictures,
                "predictions": predictions[depth],
            }
        )
    return records


def told(guess, records):
    """What records show, by the rule of question 2."""
    reached = {record["depth"]: record["accuracy"] for record in records}
    best = max(reached, key=reached.get)
    error = (reached[best] * (1 - reached[best]) / len(records[0]["predictions"])) ** 0.5
    good = [depth for depth in reached if reached[depth] >= reached[best] - {{rule.errors}} * error]
    return {"best": best, "deepest": max(good), "held": guess in good}


records = recorded(
    "drawn-pets",
    0.7055,
    {
        5: (
            "01101101111101011101010011010001010001010001000111110111011000010000001111000000"
            "11010101001111100101110000001101010110011111010111011101010101010101000001001001"
            "01010111010001010111001101101011000100010100010011010101010110010101010111010111"
            "11011101010001110101001110100000010100010101010101100101010101010100000101010101"
            "01010001110101010111011101010001000101011111000000011101010101010000010101010001"
        ),
        4: (
            "01000101111101010101010001011101010101010101000111010101011001010000000101000001"
            "01010001100111110101010100111111010110010101010101011101010101010101000001000101"
            "01010111010001010111000101110011000110010101010001010101010100010101010101110111"
            "01011111010001110101011100110000110100010101010101110101010101010100000101010101"
            "01010111110101011111011101010101001101010101110001011101010101010100010101010101"
        ),
        3: (
            "01000101111101010101010001011100010101010101000111010101010001010100000101000101"
            "01000001100111110101010101110011010111010101010101010101010101010111010001010101"
            "01010111010001010101000101010101000110010101010101010101110100010101010101110111"
            "01011101010001110101011101010000010100010101010100110101010101010101010101010101"
            "01010111010101110111010101010101001101010100000101010101010101010100010101010101"
        ),
        2: (
            "01010101110101010101010001010101010101010101000111110101010001010100010101010101"
            "01010000000101100111010101111111010111010101011101010101010101010101010001010101"
            "01010111010001010101010101010101000100010101010101010111110100010101010101010111"
            "01011101010001110101011101000000010101010101010100010101010101010101010101010101"
            "01010101010101110111010101010101011101010101010101010101010101010101010101010101"
        ),
        1: (
            "01010101010101010101010001010101010101010101000101010101010101010001010101010101"
            "01010100000111000101010001110101000111010101010101010101010101010101010101010101"
            "01010111010101010101010101010101000101010101010101010111110101010101010101010101"
            "01010101010101010101011101010000010101010101010100010101010101000101010101010101"
            "01010101010101110111000101010101010101010101010001010101010101010101010101010101"
        ),
        0: (
            "01010100010101010101010001010101010101010101000101010101010101010111010101010101"
            "01010101000111000101010101110101010111010101011101010101010101010101010101010101"
            "01010111010101010101010101010101000101010101010101010101110101010101010101010101"
            "01011101010101010101011101010100110101010101010101010101010101010101010101010101"
            "01010101011101110111000101010101010101010101010101010101010101010101010101010101"
        ),
    },
)
found = told(guess, records)
### END SOLUTION

# %% id="q3_records" kind="test" question="q3" points=2
#| title="the records are those of one experiment, and their freeze audits hold"
assert_evidence("drawn-pets", guess, records, found)

# %% id="q3_found" kind="test" question="q3" points=2
#| title="what was found is what the records show"
### BEGIN HIDDEN TESTS
assert_evidence("drawn-pets", guess, records, found)
assert_found(guess, records, found)
### END HIDDEN TESTS

# %% id="q3_hidden" kind="test" question="q3" points=1
#| title="the accuracies lie where runs with other seeds lie"
### BEGIN HIDDEN TESTS
reached = {record["depth"]: record["accuracy"] for record in records}
assert_evidence("drawn-pets", guess, records, found)
assert all(record["epochs"] >= 5 for record in records)
# four seeds, five epochs: 0.75 to 0.81 at depth 5 and 0.91 to 0.95 at depth 0, each ± 0.02
assert 0.66 <= reached[5] <= 0.88 and 0.84 <= reached[0] <= 0.99
assert reached[0] > reached[5]
### END HIDDEN TESTS

# %% [markdown] id="near_task"
# ## Question 4: the near task
# `new-shapes` are six shapes that the weights have never seen, drawn like those that they come
# from. Where do you expect the best depth now? Write down `near_guess` **first**, then do as in
# question 3, at the same depths, with `data="new-shapes"` and the folder `"near"`:
#
# `ftkit compare --data new-shapes --strategies depth-5,…,depth-0 --out near` (your depths).
#
# Paste the records as `near_records`, and tell in `near_found` what they show.


# %% id="q4" kind="answer" exports=["near_guess","near_records","near_found"]
#| seconds=10 call_seconds=3
#| hints=["gather(\"near\") reads every summary.json below the folder.",
#| "Everything is as in question 3; only the data and the names differ.",
#| "near_found has the entries best, deepest and held."]
### BEGIN SOLUTION
near_guess = {{depths.may}}[3]
near_records = recorded(
    "new-shapes",
    1.9375,
    {
        5: (
            "44112355012354012544002545002345012555012354012335112345012355012343012353012345"
            "01230401244500234501234501254501234531234501255501234501234501234500234500230500"
            "25450124450523550123450123450125450123450123550123550123450323450023550123450123"
            "35012354002345012345002545012341012345002345032555012545012344112545012345012355"
            "01235500234501234501234501134401234503254501254501234501234500234501251531234511"
            "23550123450122550123150123450123450025550023450133440123450123450123453125450123"
            "45312345012355012345002345012545012545012345012245012445012355012345012345012345"
            "0123450122540105450325550123550125450123"
        ),
        4: (
            "45112345012344012545002545002345012355012314012335112345012355012344012343012345"
            "01234501244501234501234401254501234531234501234501234501234501234500234500234500"
            "23440123430423450123450123450124450123450123350123450123450323451423440123450123"
            "45012344012245012344012345012341012345002344002545012344012345112345012345012345"
            "01235500234501234501234531234501234503254501254501234501234500234501251531234511"
            "23450123450422450123150123430123450025550023450133440123440123450123453123440123"
            "45312345012345012345002345012545012545012344012245312345012355012345012345012345"
            "0123450122450123450125450123450125150123"
        ),
        3: (
            "45112345012343012345002545002345012045012314012335112345012355012344012343012345"
            "00234501244501234501234501234501234501234501254501234501234501234500234500234500"
            "23440123450523551123450123450124450123450123350123450123450323451123430123450123"
            "45012344012245012245012545012344012345012344002545012345012345112345012345012345"
            "01234500234501234501234531235501234503234501254501234531234500234501231531234511"
            "23450123450422450123450123450123450025550023450133450123540123550123453123450123"
            "45012345012345012345002345312545012545012344012245312345012355012345012345012345"
            "0123450122450125450123450123450125450123"
        ),
        2: (
            "45112345012344012345002445002345012345012314012315102345112355012345012343012345"
            "00234501244501234501234501234501234501234501234501234501234501234501234500234500"
            "23450123450523451123450123450124450123450123350123450123450323450423440123450123"
            "45012345012245012345012545012344012343012344012445012345012345112345012345012345"
            "01234500234501234501234501234501234503234501234501234501234500234501254531234511"
            "23450123450423450123450123450123450023550023450133450123540123450123450123440223"
            "45012345012345012345002345312545012445012345012245012445012345002345012345012345"
            "0123450123450135450320450123450125450123"
        ),
        1: (
            "45102345012343012341002445002345012545012315012335012345112355312345012343012345"
            "00231500244531234501235501234501234501234501234501234501234501234500234500234501"
            "23440123450523451125450123450124450123450123350123450123450323450423450123450123"
            "43012345012345012345012345012341012345012345002545012345012345112545012145012345"
            "01234500234501234501234501214501234503234501254501234501254500234501234531234511"
            "25450023450423450123451123450123450023550023450133450123440123150123450123440123"
            "45012345012345312345002345312545012445012345012345012145012345002345012345012345"
            "0123450123450133450023450123450125450123"
        ),
        0: (
            "45112345012343012341002445002345112545012345012334112345112355012345012345012345"
            "00234500244501234501234501234501234501234501254501234501234501234501234500234500"
            "25440123450523451123450123450124450123450123450123450123450325450123450123450123"
            "43012344112245012345042345012541012345042344002545012345012345112545012345012345"
            "01234500234501234501234501214501234502234501254501254501254500234501254531234511"
            "23450123450423450123455123450123450123550023450133440123440123450123453123440223"
            "45312345012345012345002345312445012445012344012245012545012345012345012345012345"
            "3123450123450135450123450122450125450123"
        ),
    },
)
near_found = told(near_guess, near_records)
### END SOLUTION

# %% id="q4_records" kind="test" question="q4" points=2
#| title="the records are those of one experiment, and their freeze audits hold"
assert_evidence("new-shapes", near_guess, near_records, near_found)

# %% id="q4_found" kind="test" question="q4" points=2
#| title="what was found is what the records show"
### BEGIN HIDDEN TESTS
assert_evidence("new-shapes", near_guess, near_records, near_found)
assert_found(near_guess, near_records, near_found)
### END HIDDEN TESTS

# %% id="q4_hidden" kind="test" question="q4" points=1
#| title="the accuracies lie where runs with other seeds lie"
### BEGIN HIDDEN TESTS
reached = {record["depth"]: record["accuracy"] for record in near_records}
assert_evidence("new-shapes", near_guess, near_records, near_found)
assert all(record["epochs"] >= 5 for record in near_records)
# five seeds, five epochs: 0.83 to 0.88 at depth 5 and 0.88 to 0.92 at depth 0, each ± 0.02
assert 0.74 <= reached[5] <= 0.95 and 0.78 <= reached[0] <= 0.98
### END HIDDEN TESTS

# %% [markdown] id="end"
# Compare what you found with the tables in the README: they show what fewer pictures change.
