"""Plain stacks of 3 × 3 convolutions (Simonyan and Zisserman 2014, arXiv:1409.1556)."""

from __future__ import annotations

from ftkit.backbones.blueprint import Blueprint, Value


def vgg(
    plan: Blueprint,
    widths: tuple[tuple[int, ...], ...],
    cells: int,
    units: int,
    rate: float = 0.5,
    norm: bool = False,
    spread: float | None = 0.01,
) -> Value:
    """Blocks of convolutions, each ending in a max pooling, then two hidden linear layers.

    As in ``torchvision.models.vgg``, dropout follows each hidden layer; ``keras.applications``
    has none.

    Args:
        plan: Takes the operations.
        widths: Channels of each convolution, block by block.
        cells: The map is pooled to so many rows and columns before it is flattened.
        units: Units of each hidden layer.
        rate: Of dropout.
        norm: Put batch norm behind each convolution, as ``torchvision.models.vgg11_bn`` does.
        spread: Standard deviation of the hidden layers' random weights; None draws them as
            PyTorch does by default.
    """
    x, index = plan.picture, 0
    for number, block in enumerate(widths, 1):
        plan.begin(f"block{number}", f"features.{index + (3 if norm else 2) * len(block)}")
        for width in block:
            x = plan.conv(x, f"features.{index}", width, 3, bias=True)
            if norm:
                x = plan.batch_norm(x, f"features.{index + 1}")
            x = plan.apply("relu", x)
            index += 3 if norm else 2
        x = plan.max_pool(x, 2, 2)
        index += 1
    plan.begin("fc", "classifier.5")
    x = plan.flatten(plan.adaptive_pool(x, cells), cells)
    rate = 0.0 if plan.keras else rate
    x = plan.apply("relu", plan.linear(x, "classifier.0", units, spread))
    x = plan.drop(x, "classifier.2", rate)
    x = plan.apply("relu", plan.linear(x, "classifier.3", units, spread))
    return plan.drop(x, "classifier.5", rate)
