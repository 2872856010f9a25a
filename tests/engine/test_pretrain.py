"""Pretraining writes weights that both frameworks load, and a card that is true of them."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file

from ftkit.architecture import Head
from ftkit.backbones.catalogue import architecture
from ftkit.backbones.weights import initial_tensors
from ftkit.engine.pretrain import pretrain
from ftkit.errors import FtkitError
from ftkit.recipe import Recipe

SMALL = Recipe(
    data="new-shapes",
    train_size=12,
    image_size=32,
    epochs=1,
    batch_size=6,
    weights="random",
    strategies=("scratch",),
    device="cpu",
)


def test_the_weights_are_what_was_trained_in_half_precision_and_can_be_used(tmp_path):
    seen = []
    made = pretrain(
        SMALL, "pytorch", tmp_path, "ftkit pretrain", lambda run, event: seen.append(run)
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "resnet_s.md",
        "resnet_s.safetensors",
    ]
    stored = load_file(made.weights)
    network = architecture("resnet_s", Head(), 6)
    assert {name: value.shape for name, value in stored.items()} == network.shapes
    assert {value.dtype for value in stored.values()} == {np.dtype(np.float16)}
    start = initial_tensors(network, "random", 0)
    assert not np.array_equal(stored["conv1.weight"], start["conv1.weight"].astype(np.float16))
    used = initial_tensors(network, str(made.weights), 0)
    assert np.array_equal(used["layer4.1.conv2.weight"], stored["layer4.1.conv2.weight"])
    card = made.card.read_text(encoding="utf-8")
    assert f"{made.run.val_accuracy:.3f} (chance is 0.167)" in card
    assert "12 training and 600 validation pictures of 32 x 32 pixels, 6 classes" in card
    assert "| `ftkit pretrain` |" in card
    assert seen[0] is made.run


@pytest.mark.parametrize(
    ("recipe", "backend", "message"),
    [
        (Recipe(data="digits"), "pytorch", "Expected a drawn task .* got 'digits'"),
        (Recipe(data="a/folder"), "pytorch", "Expected a drawn task .* got 'a/folder'"),
        (SMALL, "torch", "Unknown backend 'torch'"),
    ],
)
def test_what_cannot_be_pretrained_on_is_refused_and_nothing_written(
    tmp_path, recipe, backend, message
):
    with pytest.raises(FtkitError, match=message):
        pretrain(recipe, backend, tmp_path / "out", "ftkit pretrain")
    assert list(tmp_path.iterdir()) == []
