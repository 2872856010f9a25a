"""A plain PyTorch loop, as PyTorch's own tutorial on transfer learning writes it.

Source: https://docs.pytorch.org/tutorials/beginner/transfer_learning_tutorial.html

As there: `ImageFolder`, a `DataLoader` with four workers and shuffling for each phase, a training
and a validation phase in every epoch, `model.train()` for the whole network whatever is frozen,
freezing by `requires_grad = False`, a new `fc`, SGD at 1e-3 with momentum 0.9 over what is left to
train, and StepLR. The tutorial fine-tunes and extracts features with the same loop and rate.

Not as there: `RandomResizedCrop` and the flip are replaced by `Resize` and `CenterCrop`, so that
every system sees the same pictures; batches hold as many pictures as everywhere else (the tutorial
takes 4); nothing is saved after an epoch (the tutorial writes the best weights to a file).
"""

from __future__ import annotations

from typing import Any

import torch
from measuring import Clock, Task, serve
from torch import nn, optim
from torch.utils.data import DataLoader
from torch_resnet import device, freeze_blocks, image_folders, resnet18
from torchvision.models import ResNet

WORKERS = 4
RATE, MOMENTUM = 1e-3, 0.9
STEP_EPOCHS, STEP_FACTOR = 7, 0.1


def train(model: ResNet, loaders: dict[str, DataLoader[Any]], epochs: int) -> float:
    """The tutorial's loop; returns the validation accuracy after the last epoch."""
    where = device()
    model = model.to(where)
    criterion = nn.CrossEntropyLoss()
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = optim.SGD(learning, lr=RATE, momentum=MOMENTUM)
    scheduler = optim.lr_scheduler.StepLR(optimizer, STEP_EPOCHS, STEP_FACTOR)
    accuracy = 0.0
    for _ in range(epochs):
        for phase, loader in loaders.items():
            training = phase == "train"
            model.train(training)
            loss_sum, correct, seen = 0.0, 0, 0
            for inputs, labels in loader:
                inputs, labels = inputs.to(where), labels.to(where)
                optimizer.zero_grad()
                with torch.set_grad_enabled(training):
                    outputs = model(inputs)
                    loss = criterion(outputs, labels)
                    if training:
                        loss.backward()
                        optimizer.step()
                loss_sum += loss.item() * len(labels)
                correct += int((outputs.argmax(1) == labels).sum())
                seen += len(labels)
            if training:
                scheduler.step()
            accuracy = correct / seen
    return accuracy


def measure(task: Task) -> dict[str, Any]:
    """One training for each depth, from the same weights."""
    accuracies = {}
    with Clock() as clock:
        for depth in task.depths:
            torch.manual_seed(task.seed)
            with clock.part(f"depth {depth}"):
                loaders = {
                    phase: DataLoader(
                        folder, batch_size=task.batch_size, shuffle=True, num_workers=WORKERS
                    )
                    for phase, folder in image_folders(task).items()
                }
                model = resnet18(task)
                freeze_blocks(model, depth)
                accuracies[f"depth {depth}"] = train(model, loaders, task.epochs)
    last = accuracies[f"depth {task.depths[-1]}"]
    if len(task.depths) == 1:
        clock.parts.clear()  # the part is the whole
    return {**clock.figures(), "val_accuracy": last, "accuracies": accuracies}


if __name__ == "__main__":
    serve(measure)
