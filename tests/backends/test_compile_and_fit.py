"""Keras's own ``compile`` and ``fit`` give the losses of the written-out loop."""

from __future__ import annotations

import numpy as np
import pytest
from test_contract import noise, random_tensors


@pytest.mark.parametrize(
    ("how", "optimizer", "depth", "batch_norm"),
    [
        ("fit", "sgd", 0, "train"),
        ("fit", "adamw", 3, "inference"),
        ("train_on_batch", "adamw", 0, "train"),
        ("train_on_batch", "rmsprop", 5, "inference"),
    ],
)
def test_compile_and_fit_give_the_same_losses(probes, figure, how, optimizer, depth, batch_norm):
    rng = np.random.default_rng(11)
    arrays = {**random_tensors(), "images": noise(20, 48), "labels": rng.integers(0, 2, 20)}
    recipe = {"optimizer": optimizer, "lr": 1e-3, "batch_size": 8, "epochs": 2}
    recipe |= {"weight_decay": 0.01, "label_smoothing": 0.1, "augment": "flip"}
    found = probes["tensorflow"](
        "compiled", arrays, recipe=recipe, depth=depth, batch_norm=batch_norm, how=how
    )
    assert len(found["losses"]) == 6
    parted = float(np.abs(found["losses"] - found["fit_losses"]).max())
    figure("compile and fit against the written-out loop, fp64", parted)
    assert parted <= 1e-9
    assert found["weights_parted"] <= 1e-9
