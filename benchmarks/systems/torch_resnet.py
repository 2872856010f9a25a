"""What the PyTorch systems share: the network with the given weights, the pictures, the device."""

from __future__ import annotations

from pathlib import Path

import torch
from measuring import MEAN, STD, Task
from safetensors.torch import load_file
from torch import nn
from torchvision import datasets, models, transforms

BLOCKS = (("conv1", "bn1"), ("layer1",), ("layer2",), ("layer3",), ("layer4",))


def device() -> torch.device:
    """Where to compute, chosen as PyTorch's tutorial does."""
    return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


def resnet18(task: Task) -> models.ResNet:
    """Torchvision's ResNet-18 with a head for the task's classes, and the task's weights."""
    model = models.resnet18(weights=None)
    model.fc = nn.Linear(model.fc.in_features, task.classes)
    missing, unexpected = model.load_state_dict(load_file(task.tensors), strict=False)
    wrong = [name for name in missing if not name.endswith("num_batches_tracked")] + unexpected
    if wrong:
        raise RuntimeError(
            f"Expected torchvision's names for resnet18 in {task.tensors}; these differ: {wrong}. "
            "Give --weights a file for resnet18."
        )
    return model


def freeze_blocks(model: models.ResNet, depth: int) -> None:
    """Sets requires_grad=False in the first so many of stem, layer1 to layer4."""
    for names in BLOCKS[:depth]:
        for name in names:
            model.get_submodule(name).requires_grad_(False)


def sizing(task: Task) -> list[object]:
    """Resize and centre crop: the same picture every time, and for every system."""
    return [transforms.Resize(task.image_size), transforms.CenterCrop(task.image_size)]


def image_folders(task: Task) -> dict[str, datasets.ImageFolder]:
    """The pictures of both phases, as normalised tensors."""
    steps = [*sizing(task), transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    return {
        phase: datasets.ImageFolder(str(Path(task.data) / phase), transforms.Compose(steps))
        for phase in ("train", "val")
    }
