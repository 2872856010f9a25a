"""The two backends are mirrored: they can be read side by side, file by file, step by step."""

from __future__ import annotations

import ast
import difflib
from pathlib import Path

import pytest

import ftkit.backends

FOLDER = Path(ftkit.backends.__file__).parent
MIRRORED = sorted(path.name for path in (FOLDER / "pytorch").glob("*.py"))

# What only one side has, and why. "file" alone is a whole file.
EXTRAS = {
    "pytorch": {
        "families.py: ScaledResNet": "torchvision's ResNet cannot be narrowed without a subclass",
        "families.py: ScaledVGG": "nor can its VGG",
        "families.py: ScaledConv": "nor can the convolutions of its Inception modules",
        "families.py: SmallInception": "torchvision has no Inception for small pictures",
        "layers.py: SharedDropout.forward": "what Keras calls call()",
        "backbones.py: Network.arithmetic": "Keras's layers have a policy for it",
        "backbones.py: Network.inference": "Keras's layers are told by each call",
    },
    "tensorflow": {
        "layers.py: BatchNorm": "PyTorch's arithmetic; torch.nn has it",
        "layers.py: Scale": "torchvision's ConvNeXt has it",
        "layers.py: AdaptivePooling": "torch.nn has it",
        "layers.py: gelu": "torch.nn has it",
        "layers.py: SharedDropout.call": "what PyTorch calls forward()",
        "backbones.py: Network.keras_scaling": "the difference input-scaling is Keras's alone",
        "backbones.py: Network.takes": "a traced function says what it takes",
        "optimizers.py: GroupedOptimizer": "torch.optim has parameter groups",
        "optimizers.py: SGD": "torch.optim has it",
        "optimizers.py: Adam": "torch.optim has it",
        "optimizers.py: RMSprop": "torch.optim has it",
        "training.py: cross_entropy": "torch.nn.functional has it",
    },
}

# Calls in train() that only one side makes, in order, and why.
OWN_CALLS = {
    "pytorch": {
        "torch.manual_seed": "seeds PyTorch's own dropout",
        "replace": "the difference frozen-batch-norm is PyTorch's",
        "apply_freeze": "once more each epoch: model.train() is the first thing of a PyTorch epoch",
    },
    "tensorflow": {"tf.random.set_seed": "seeds TensorFlow's own dropout"},
}

# The steps of make_step(), each by its name in either framework.
STEPS = {
    "network.preprocess": "preprocess",
    "part": "forward",
    "torch.nn.functional.cross_entropy": "loss",
    "cross_entropy": "loss",
    "loss.backward": "gradient",
    "tape.gradient": "gradient",
    "optimizer.step": "update",
    "optimizer.apply": "update",
    "logits.argmax": "count",
    "tf.argmax": "count",
}


def public(name: str) -> bool:
    return not name.startswith("_")


def signature(function: ast.FunctionDef) -> list[str]:
    """Parameters in order, each with its kind and default."""
    given = function.args
    plain = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(plain) - len(given.defaults)) + list(given.defaults)
    found = [
        f"{'/' if item in given.posonlyargs else ''}{item.arg}{written(default)}"
        for item, default in zip(plain, defaults)
    ]
    found += [f"*{given.vararg.arg}"] if given.vararg else []
    keyword_only = zip(given.kwonlyargs, given.kw_defaults)
    found += [f"*, {item.arg}{written(default)}" for item, default in keyword_only]
    return found + ([f"**{given.kwarg.arg}"] if given.kwarg else [])


def written(default: ast.expr | None) -> str:
    return "" if default is None else f"={ast.unparse(default)}"


def names(source: str) -> dict[str, str]:
    """Each public name of a module or of a class in it, and what can be said about it."""
    return dict(_names(ast.parse(source).body, ""))


def _names(body, prefix):
    for node in body:
        if isinstance(node, ast.FunctionDef) and public(node.name):
            documented = "documented" if ast.get_docstring(node) else "bare"
            yield f"{prefix}{node.name}", f"{documented} ({', '.join(signature(node))})"
        elif isinstance(node, ast.ClassDef) and public(node.name):
            yield f"{prefix}{node.name}", "class" if ast.get_docstring(node) else "bare class"
            yield from _names(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name) and public(target.id):
                    yield f"{prefix}{target.id}", "value"
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
            yield from [(f"{prefix}{name}", f"field{written(node.value)}")] * public(name)
    return


def faults(pytorch: str, tensorflow: str, extras: dict[str, set[str]] | None = None) -> list[str]:
    """What is not mirrored between two sources of one file, in words."""
    extras = extras or {"pytorch": set(), "tensorflow": set()}
    found = []
    sides = {"pytorch": names(pytorch), "tensorflow": names(tensorflow)}
    for side, other in (("pytorch", "tensorflow"), ("tensorflow", "pytorch")):
        for name in sides[side]:
            whole = name.partition(".")[0]
            if name not in sides[other] and not {name, whole} & extras[side]:
                found.append(f"{name}: only in {side}")
        found += [f"{name}: no longer in {side}" for name in extras[side] - sides[side].keys()]
    found += [
        f"{name}: {about} in pytorch, {sides['tensorflow'][name]} in tensorflow"
        for name, about in sides["pytorch"].items()
        if name in sides["tensorflow"] and sides["tensorflow"][name] != about
    ]
    return found


def exported(source: str) -> list[str]:
    """The names in ``__all__``."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return []


def calls(source: str, function: str) -> list[str]:
    """What a function calls, in the order in which it happens."""
    (node,) = (
        item
        for item in ast.parse(source).body
        if isinstance(item, ast.FunctionDef) and item.name == function
    )
    return [name for statement in node.body for name in _calls(statement)]


def _calls(node):
    for child in ast.iter_child_nodes(node):
        yield from _calls(child)
    if isinstance(node, ast.Call):
        yield ast.unparse(node.func)


def own_calls(pytorch: str, tensorflow: str) -> dict[str, list[str]]:
    """The calls in train() that just one of two sources makes, or makes elsewhere."""
    one, other = calls(pytorch, "train"), calls(tensorflow, "train")
    found: dict[str, list[str]] = {"pytorch": [], "tensorflow": []}
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    for _, start, end, other_start, other_end in matcher.get_opcodes():
        if one[start:end] != other[other_start:other_end]:
            found["pytorch"] += one[start:end]
            found["tensorflow"] += other[other_start:other_end]
    return found


def steps(source: str) -> list[str]:
    return [STEPS[name] for name in calls(source, "make_step") if name in STEPS]


def read(side: str, file: str) -> str:
    return (FOLDER / side / file).read_text(encoding="utf-8")


def extras_of(side: str, file: str) -> set[str]:
    return {
        extra.partition(": ")[2] for extra in EXTRAS[side] if extra.partition(": ")[0] == file
    } - {""}


def test_both_backends_have_the_same_files():
    there = {side: {path.name for path in (FOLDER / side).glob("*.py")} for side in EXTRAS}
    whole = {side: {name for name in EXTRAS[side] if ": " not in name} for side in EXTRAS}
    assert there["pytorch"] - whole["pytorch"] == there["tensorflow"] - whole["tensorflow"]
    assert all(whole[side] <= there[side] for side in EXTRAS)


@pytest.mark.parametrize("file", MIRRORED)
def test_both_sides_of_a_file_have_the_same_public_names_parameters_and_docstrings(file):
    extras = {side: extras_of(side, file) for side in EXTRAS}
    assert faults(read("pytorch", file), read("tensorflow", file), extras) == []


def test_both_backends_export_the_same_names():
    one, other = (
        exported(read("pytorch", "__init__.py")),
        exported(read("tensorflow", "__init__.py")),
    )
    assert one == other == sorted(one)
    assert len(one) > 10


def test_train_takes_the_same_steps_in_the_same_order():
    found = own_calls(read("pytorch", "training.py"), read("tensorflow", "training.py"))
    assert {side: list(dict.fromkeys(found[side])) for side in found} == {
        side: list(OWN_CALLS[side]) for side in found
    }
    assert found["pytorch"].count("apply_freeze") == 1


def test_a_training_step_takes_the_same_steps_in_the_same_order():
    one, other = steps(read("pytorch", "training.py")), steps(read("tensorflow", "training.py"))
    assert one == other == ["preprocess", "forward", "loss", "gradient", "update", "count"]


@pytest.mark.parametrize("side", ["pytorch", "tensorflow"])
def test_a_backend_has_the_functions_of_the_protocol(side):
    (protocol,) = (
        node
        for node in ast.parse((FOLDER / "protocol.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name == "Backend"
    )
    wanted = {node.name: signature(node) for node in protocol.body if hasattr(node, "args")}
    functions = {
        node.name: signature(node)
        for file in MIRRORED
        for node in ast.parse(read(side, file)).body
        if isinstance(node, ast.FunctionDef)
    }
    assert len(wanted) >= 10
    for name, parameters in wanted.items():
        assert parameters[0] == "self"
        assert name in exported(read(side, "__init__.py"))
        assert functions[name] == parameters[1:], name


# The comparison itself, on sources with a fault in them.
SOURCE = '''
LIMIT = 3
_TABLE: dict = {}

class Network:
    """A network."""
    model: object
    def forward(self, images):
        """Logits."""

def predict(network, images, *, batch: int = 8):
    """Logits."""

def train(network):
    """Trains."""
    first(network)
    for item in second():
        third(fourth(item))

def _own(anything):
    pass
'''


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("images, *", "pictures, *", "predict"),
        ("network, images, *", "images, network, *", "predict"),
        ("batch: int = 8", "batch: int = 9", "predict"),
        ("batch: int = 8", "batch: int", "predict"),
        ("*, batch", "batch", "predict"),
        ("def predict", "def guess", "predict: only in pytorch"),
        ("def _own", "def own", "own: only in tensorflow"),
        ("LIMIT = 3", "MOST = 3", "LIMIT: only in pytorch"),
        ("    model: object", "    net: object", "Network.model: only in pytorch"),
        ("forward(self, images)", "forward(self, pixels)", "Network.forward"),
        ('"""Trains."""', "pass", "train: documented"),
        ('"""A network."""', "pass", "Network: class"),
    ],
)
def test_the_comparison_finds_what_is_renamed_added_moved_or_undocumented(before, after, fault):
    assert SOURCE.count(before) == 1
    assert any(fault in found for found in faults(SOURCE, SOURCE.replace(before, after)))
    assert any(found for found in faults(SOURCE.replace(before, after), SOURCE))


def test_the_comparison_finds_nothing_where_only_private_names_and_types_differ():
    other = SOURCE.replace("_own", "_other").replace("batch: int", "batch: float")
    other = other.replace("_TABLE: dict", "_ROWS: list")
    assert faults(SOURCE, other) == []


def test_the_comparison_finds_an_extra_that_is_no_longer_there():
    extras = {"pytorch": {"Gone"}, "tensorflow": set()}
    assert faults(SOURCE, SOURCE, extras) == ["Gone: no longer in pytorch"]


def test_the_order_of_calls_is_that_in_which_they_happen():
    assert calls(SOURCE, "train") == ["first", "second", "fourth", "third"]


@pytest.mark.parametrize(
    ("before", "after", "own"),
    [
        ("first(network)", "pass", {"pytorch": ["first"], "tensorflow": []}),
        ("third(fourth(item))", "third(item)", {"pytorch": ["fourth"], "tensorflow": []}),
        ("first(network)", "late(network)", {"pytorch": ["first"], "tensorflow": ["late"]}),
    ],
)
def test_a_step_that_one_side_leaves_out_or_calls_otherwise_is_found(before, after, own):
    assert own_calls(SOURCE, SOURCE.replace(before, after)) == own


def test_two_steps_that_change_places_are_found():
    moved = SOURCE.replace("    first(network)\n", "").replace(
        "third(fourth(item))", "third(fourth(item))\n    first(network)"
    )
    assert own_calls(SOURCE, moved) == {"pytorch": ["first"], "tensorflow": ["first"]}
