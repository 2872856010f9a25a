"""MBConv units with squeeze and excitation (Tan and Le 2019, arXiv:1905.11946)."""

from __future__ import annotations

from ftkit.backbones.blueprint import Blueprint, Value

# Expansion, kernel, the first unit's stride, channels and units of each stage of B0: table 1.
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
STOCHASTIC_DEPTH = 0.2  # of a unit behind the last one; it grows from 0 at the first


def efficientnet_b0(plan: Blueprint) -> Value:
    """A stem, seven stages of MBConv units, and a last 1 × 1 convolution.

    Keras pads on the right and below only where it strides.
    """
    plan.begin("stem", "features.0")
    x = plan.conv_norm(plan.picture, "features.0", 32, 3, 2, "silu")
    done, total = 0, sum(stage[-1] for stage in STAGES)
    for number, (expansion, kernel, stride, width, units) in enumerate(STAGES, 1):
        plan.begin(f"stage{number}", f"features.{number}")
        for unit in range(units):
            prefix = f"features.{number}.{unit}"
            rate = STOCHASTIC_DEPTH * done / total
            step = stride if unit == 0 else 1
            x = _unit(plan, x, prefix, expansion, kernel, step, width, rate)
            done += 1
    plan.begin("last", "features.8")
    return plan.conv_norm(x, "features.8", 1280, 1, 1, "silu")


def _unit(
    plan: Blueprint,
    x: Value,
    prefix: str,
    expansion: int,
    kernel: int,
    stride: int,
    width: int,
    rate: float,
) -> Value:
    """Widen, filter each channel, weigh the channels, and narrow without an activation."""
    y, index = x, 0
    if expansion != 1:
        y = plan.conv_norm(y, f"{prefix}.block.0", x.channels * expansion, 1, 1, "silu")
        index = 1
    padding = plan.padding(stride)
    y = plan.depthwise(y, f"{prefix}.block.{index}.0", kernel, stride, padding)
    y = plan.apply("silu", plan.batch_norm(y, f"{prefix}.block.{index}.1"))
    y = _squeeze_excite(plan, y, f"{prefix}.block.{index + 1}", x.channels // 4)
    y = plan.conv(y, f"{prefix}.block.{index + 2}.0", width, 1)
    y = plan.batch_norm(y, f"{prefix}.block.{index + 2}.1")
    if stride > 1 or x.channels != width:
        return y
    return plan.add(plan.drop(y, f"{prefix}.stochastic_depth", rate, "stochastic_depth"), x)


def _squeeze_excite(plan: Blueprint, x: Value, prefix: str, width: int) -> Value:
    """Each channel times a number between 0 and 1 that the means of all channels decide."""
    y = plan.conv(plan.apply("global_pool", x), f"{prefix}.fc1", width, 1, bias=True)
    y = plan.conv(plan.apply("silu", y), f"{prefix}.fc2", x.channels, 1, bias=True)
    return plan.multiply(x, plan.apply("sigmoid", y))
