"""Lightning, with a frozen backbone in the two ways that its documentation shows.

Variant `callback`: the `BackboneFinetuning` callback, which unfreezes only after the last epoch.
Source: https://lightning.ai/docs/pytorch/stable/api/lightning.pytorch.callbacks.BackboneFinetuning.html
The callback freezes with `train_bn=True`: batch norm keeps its gradients, which therefore run
through the whole backbone, although the optimiser holds the head alone, as in its example.

Variant `no-grad`: the backbone in `eval()`, called under `torch.no_grad()`.
Source: https://lightning.ai/docs/pytorch/stable/advanced/pretrained.html

In both: Adam at 1e-3, as in the callback's example; as many loader workers as cores, which
https://lightning.ai/docs/pytorch/stable/advanced/speed.html names as the place to start, and kept
alive between epochs. Checkpoints, the logger, the progress bar and the sanity check before the
first epoch are off: no other system has them.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import BackboneFinetuning
from measuring import Clock, Task, serve
from torch import Tensor, nn, optim
from torch.utils.data import DataLoader
from torch_resnet import image_folders, resnet18

RATE = 1e-3


class Classifier(LightningModule):
    """A backbone and a head; the optimiser holds the head."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        network = resnet18(task)
        self.backbone = nn.Sequential(*list(network.children())[:-1])
        self.head = nn.Sequential(nn.Flatten(), network.fc)
        self.under_no_grad = task.variant == "no-grad"
        if self.under_no_grad:
            self.backbone.eval()

    def forward(self, images: Tensor) -> Tensor:
        """The logits."""
        if not self.under_no_grad:
            return self.head(self.backbone(images))
        with torch.no_grad():
            features = self.backbone(images)
        return self.head(features)

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        """The loss of a batch."""
        images, labels = batch
        return nn.functional.cross_entropy(self(images), labels)

    def validation_step(self, batch: list[Tensor], _: int) -> None:
        """Adds a batch to the validation accuracy."""
        images, labels = batch
        right = (self(images).argmax(1) == labels).float().mean()
        self.log("val_accuracy", right, batch_size=len(labels))

    def configure_optimizers(self) -> optim.Optimizer:
        """Adam over the head."""
        return optim.Adam(self.head.parameters(), lr=RATE)


def measure(task: Task) -> dict[str, Any]:
    """Trains the head for the task's epochs."""
    seed_everything(task.seed)
    callbacks = []
    if task.variant == "callback":
        callbacks.append(BackboneFinetuning(unfreeze_backbone_at_epoch=task.epochs))
    with Clock() as clock:
        loaders = {
            phase: DataLoader(
                folder,
                batch_size=task.batch_size,
                shuffle=phase == "train",
                num_workers=os.cpu_count() or 1,
                persistent_workers=True,
            )
            for phase, folder in image_folders(task).items()
        }
        trainer = Trainer(
            max_epochs=task.epochs,
            callbacks=callbacks,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(Classifier(task), loaders["train"], loaders["val"])
    return {**clock.figures(), "val_accuracy": float(trainer.callback_metrics["val_accuracy"])}


if __name__ == "__main__":
    serve(measure)
