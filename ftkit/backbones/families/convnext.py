"""Convolutions in the manner of transformers (Liu et al. 2022, arXiv:2201.03545)."""

from __future__ import annotations

from ftkit.backbones.blueprint import Blueprint, Value

WIDTHS = (96, 192, 384, 768)
UNITS = (3, 3, 9, 3)
EPSILON = 1e-6
SPREAD = 0.02  # of random weights
LAYER_SCALE = 1e-6
STOCHASTIC_DEPTH = 0.1  # of the last unit; it grows from 0 at the first


def convnext_tiny(plan: Blueprint) -> Value:
    """A stem, four stages with a halving before each but the first, and a last normalisation.

    There is no batch norm. The last normalisation belongs to torchvision's classifier and is
    pretrained: it is a block of its own behind the pooling. ``keras.applications`` has the same
    network, without stochastic depth unless asked.
    """
    plan.begin("stem", "features.0")
    x = plan.conv(plan.picture, "features.0.0", WIDTHS[0], 4, 4, 0, bias=True, initial=SPREAD)
    x = plan.layer_norm(x, "features.0.1", EPSILON)
    done, total = 0, sum(UNITS)
    for stage, (width, units) in enumerate(zip(WIDTHS, UNITS)):
        number = 2 * stage + 1
        plan.begin(f"stage{stage + 1}", f"features.{number}")
        if stage:
            x = plan.layer_norm(x, f"features.{number - 1}.0", EPSILON)
            name = f"features.{number - 1}.1"
            x = plan.conv(x, name, width, 2, 2, 0, bias=True, initial=SPREAD)
        for unit in range(units):
            rate = 0.0 if plan.keras else STOCHASTIC_DEPTH * done / (total - 1)
            x = _unit(plan, x, f"features.{number}.{unit}", rate)
            done += 1
    plan.begin("norm", "classifier.1")
    return plan.flatten(plan.layer_norm(plan.apply("global_pool", x), "classifier.0", EPSILON), 1)


def _unit(plan: Blueprint, x: Value, prefix: str, rate: float) -> Value:
    """A 7 × 7 convolution of each channel, then two linear layers at each place."""
    y = plan.depthwise(x, f"{prefix}.block.0", 7, bias=True, initial=SPREAD)
    y = plan.layer_norm(y, f"{prefix}.block.2", EPSILON)
    y = plan.linear(y, f"{prefix}.block.3", 4 * x.channels, SPREAD)
    y = plan.linear(plan.apply("gelu", y), f"{prefix}.block.5", x.channels, SPREAD)
    y = plan.scale(y, prefix, LAYER_SCALE)
    return plan.add(plan.drop(y, f"{prefix}.stochastic_depth", rate, "stochastic_depth"), x)
