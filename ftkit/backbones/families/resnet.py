"""Residual networks (He et al. 2015, arXiv:1512.03385), as ``torchvision.models.resnet``."""

from __future__ import annotations

from ftkit.backbones.blueprint import Blueprint, Value


def resnet(plan: Blueprint, width: int, depths: tuple[int, ...], bottleneck: bool) -> Value:
    """A stem and four blocks of residual units.

    Torchvision strides in the 3 × 3 convolution of a bottleneck ("v1.5") and has no biases;
    ``keras.applications`` strides in the first 1 × 1 and has biases.

    Args:
        plan: Takes the operations.
        width: Channels of the stem; each block from the second on doubles them.
        depths: Residual units per block.
        bottleneck: Units of 1 × 1, 3 × 3 and 1 × 1 with four times the channels, instead of two
            3 × 3.
    """
    plan.begin("stem", "maxpool")
    x = plan.conv(plan.picture, "conv1", width, 7, stride=2, bias=plan.keras)
    x = plan.apply("relu", plan.batch_norm(x, "bn1"))
    # Behind a ReLU nothing is below 0: padding with 0 is as good as PyTorch's -inf.
    x = plan.max_pool(x, 3, 2, padding=1)
    for index, depth in enumerate(depths):
        block = f"layer{index + 1}"
        plan.begin(block, block)
        for unit in range(depth):
            stride = 2 if index > 0 and unit == 0 else 1
            write = _bottleneck if bottleneck else _basic
            x = write(plan, x, f"{block}.{unit}", width * 2**index, stride)
    return x


def _basic(plan: Blueprint, x: Value, prefix: str, width: int, stride: int) -> Value:
    """Two 3 × 3 convolutions beside a short cut."""
    y = plan.conv(x, f"{prefix}.conv1", width, 3, stride)
    y = plan.apply("relu", plan.batch_norm(y, f"{prefix}.bn1"))
    y = plan.batch_norm(plan.conv(y, f"{prefix}.conv2", width, 3), f"{prefix}.bn2")
    return plan.apply("relu", plan.add(y, _shortcut(plan, x, prefix, width, stride)))


def _bottleneck(plan: Blueprint, x: Value, prefix: str, width: int, stride: int) -> Value:
    """1 × 1, 3 × 3 and 1 × 1 convolutions beside a short cut."""
    first, second = (stride, 1) if plan.keras else (1, stride)
    bias = plan.keras
    y = plan.conv(x, f"{prefix}.conv1", width, 1, first, bias=bias)
    y = plan.apply("relu", plan.batch_norm(y, f"{prefix}.bn1"))
    y = plan.conv(y, f"{prefix}.conv2", width, 3, second, bias=bias)
    y = plan.apply("relu", plan.batch_norm(y, f"{prefix}.bn2"))
    y = plan.conv(y, f"{prefix}.conv3", 4 * width, 1, bias=bias)
    y = plan.batch_norm(y, f"{prefix}.bn3")
    return plan.apply("relu", plan.add(y, _shortcut(plan, x, prefix, 4 * width, stride)))


def _shortcut(plan: Blueprint, x: Value, prefix: str, width: int, stride: int) -> Value:
    """The input itself; where its shape changes, through a 1 × 1 convolution."""
    if stride == 1 and x.channels == width:
        return x
    x = plan.conv(x, f"{prefix}.downsample.0", width, 1, stride, bias=plan.keras)
    return plan.batch_norm(x, f"{prefix}.downsample.1")
