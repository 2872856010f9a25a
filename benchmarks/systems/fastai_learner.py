"""fastai's `vision_learner` with a frozen body.

Sources: https://docs.fast.ai/vision.data.html (`ImageDataLoaders.from_folder`),
https://docs.fast.ai/vision.learner.html (`vision_learner`) and
https://docs.fast.ai/learner.html (`freeze`, `fit`, `train_bn`).

fastai's defaults stay: Adam at 1e-3, as many loader workers as cores, the last incomplete training
batch left out, and `train_bn=True`: the batch norm of the frozen body learns, so that gradients
run through all of it.

Not fastai's defaults: the head is the one linear layer that every system has (`custom_head`)
instead of two layers with dropout; weights come from the task's file instead of the network;
training pictures are cropped in their middle, as validation pictures are, and not at random;
ImageNet's mean and deviation are given by hand, which `pretrained=True` would have done; no
progress bar.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("FASTAI_HOME", str(Path.cwd() / "fastai"))  # no folder in the user's home

from fastai.vision.all import (
    ImageDataLoaders,
    Normalize,
    Resize,
    accuracy,
    imagenet_stats,
    set_seed,
    vision_learner,
)
from measuring import Clock, Task, serve
from torch import nn
from torch_resnet import resnet18
from torchvision import models


class MiddleResize(Resize):
    """fastai's Resize, which crops training pictures at random, made to crop in the middle."""

    def before_call(self, b: Any, split_idx: int) -> None:
        """Places the crop as for a validation picture."""
        super().before_call(b, 1)


def measure(task: Task) -> dict[str, Any]:
    """Trains the head for the task's epochs."""
    set_seed(task.seed)
    with Clock() as clock:
        loaders = ImageDataLoaders.from_folder(
            task.data,
            valid="val",
            bs=task.batch_size,
            item_tfms=MiddleResize(task.image_size),
            batch_tfms=Normalize.from_stats(*imagenet_stats),
        )
        given = resnet18(task)
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), given.fc)
        learner = vision_learner(
            loaders,
            models.resnet18,
            pretrained=False,
            normalize=False,
            custom_head=head,
            init=None,
            metrics=partial(accuracy),
        )
        for module, source in zip(learner.model[0], given.children(), strict=False):
            module.load_state_dict(source.state_dict())
        learner.freeze()
        with learner.no_bar(), learner.no_logging():
            learner.fit(task.epochs)
    return {**clock.figures(), "val_accuracy": float(learner.recorder.values[-1][-1])}


if __name__ == "__main__":
    serve(measure)
