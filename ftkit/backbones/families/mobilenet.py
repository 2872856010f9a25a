"""Inverted residuals (Sandler et al. 2018, arXiv:1801.04381), as torchvision's MobileNetV2."""

from __future__ import annotations

from ftkit.backbones.blueprint import Blueprint, Value

# Expansion, channels, units and the first unit's stride of each stage: table 2 of the paper.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet_v2(plan: Blueprint) -> Value:
    """A stem, seven stages of inverted residuals, and a last 1 × 1 convolution.

    Keras pads on the right and below only where it strides.
    """
    plan.begin("stem", "features.0")
    x = plan.conv_norm(plan.picture, "features.0", 32, 3, 2, "relu6")
    number = 1
    for stage, (expansion, width, units, stride) in enumerate(STAGES, 1):
        plan.begin(f"stage{stage}", f"features.{number + units - 1}")
        for unit in range(units):
            prefix = f"features.{number}.conv"
            x = _unit(plan, x, prefix, expansion, width, stride if unit == 0 else 1)
            number += 1
    plan.begin("last", "features.18")
    return plan.conv_norm(x, "features.18", 1280, 1, 1, "relu6")


def _unit(plan: Blueprint, x: Value, prefix: str, expansion: int, width: int, stride: int) -> Value:
    """Widen, filter each channel, and narrow without an activation."""
    y, index = x, 0
    if expansion != 1:
        y = plan.conv_norm(y, f"{prefix}.0", x.channels * expansion, 1, 1, "relu6")
        index = 1
    padding = plan.padding(stride)
    y = plan.depthwise(y, f"{prefix}.{index}.0", 3, stride, padding)
    y = plan.apply("relu6", plan.batch_norm(y, f"{prefix}.{index}.1"))
    y = plan.conv(y, f"{prefix}.{index + 1}", width, 1)
    y = plan.batch_norm(y, f"{prefix}.{index + 2}")
    return plan.add(x, y) if stride == 1 and x.channels == width else y
