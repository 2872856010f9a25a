"""One bare forward pass in PyTorch: `eval()`, no gradients, pictures decoded beforehand.

Variants: `default` (the layout that PyTorch has by default) and `channels-last`
(https://docs.pytorch.org/tutorials/intermediate/memory_format_tutorial.html). The pass is run
twice; the second is the measurement, and the first is told beside it.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from measuring import MEAN, STD, Clock, Task, serve
from torch_resnet import device, image_folders, resnet18, sizing
from torchvision import transforms


def decoded(task: Task) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Pictures, uint8 ``(n, size, size, 3)``, and labels of both phases."""
    size = transforms.Compose(sizing(task))
    return {
        phase: (
            np.stack([np.asarray(size(folder.loader(path))) for path, _ in folder.samples]),
            np.asarray(folder.targets),
        )
        for phase, folder in image_folders(task).items()
    }


def measure(task: Task) -> dict[str, Any]:
    """Two passes over the training and the validation pictures."""
    where = device()
    pictures = decoded(task)
    layout = torch.channels_last if task.variant == "channels-last" else torch.contiguous_format
    model = resnet18(task).eval().to(where, memory_format=layout)
    mean, std = (torch.tensor(value, device=where).view(3, 1, 1) for value in (MEAN, STD))

    @torch.no_grad()
    def predict(images: np.ndarray) -> np.ndarray:
        found = []
        for start in range(0, len(images), task.batch_size):
            batch = torch.from_numpy(images[start : start + task.batch_size]).to(where)
            batch = batch.permute(0, 3, 1, 2).float().div_(255).sub_(mean).div_(std)
            found.append(model(batch.contiguous(memory_format=layout)).argmax(1).cpu().numpy())
        return np.concatenate(found)

    started = time.perf_counter()
    for images, _ in pictures.values():
        predict(images)
    first = time.perf_counter() - started
    with Clock() as clock:
        predicted = {phase: predict(images) for phase, (images, _) in pictures.items()}
    clock.parts["first pass"] = first
    accuracy = float((predicted["val"] == pictures["val"][1]).mean())
    return {**clock.figures(), "val_accuracy": accuracy}


if __name__ == "__main__":
    serve(measure)
