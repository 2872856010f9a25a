"""One bare forward pass of the Keras model under `tf.function`, pictures decoded beforehand.

Variants: `default`, and `xla` (`jit_compile=True`, which `fit` chooses by itself where there is a
GPU, but not on a CPU alone). The pass is run twice; the second is the measurement, and the first,
which holds the tracing, is told beside it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras_resnet import resnet18
from measuring import Clock, Task, serve


def decoded(task: Task, phase: str) -> tuple[np.ndarray, np.ndarray]:
    """Pictures, uint8 ``(n, size, size, 3)``, and labels of a phase."""
    found = keras.utils.image_dataset_from_directory(
        str(Path(task.data) / phase),
        label_mode="int",
        image_size=(task.image_size, task.image_size),
        batch_size=task.batch_size,
        shuffle=False,
        crop_to_aspect_ratio=True,
        verbose=False,
    )
    images, labels = zip(*found.as_numpy_iterator(), strict=True)
    return np.concatenate(images).round().astype(np.uint8), np.concatenate(labels)


def measure(task: Task) -> dict[str, Any]:
    """Two passes over the training and the validation pictures."""
    pictures = {phase: decoded(task, phase) for phase in ("train", "val")}
    model, _ = resnet18(task)
    shape = (None, task.image_size, task.image_size, 3)

    @tf.function(
        input_signature=[tf.TensorSpec(shape, tf.uint8)], jit_compile=task.variant == "xla"
    )
    def forward(images: tf.Tensor) -> tf.Tensor:
        return tf.argmax(model(tf.cast(images, tf.float32), training=False), axis=1)

    def predict(images: np.ndarray) -> np.ndarray:
        starts = range(0, len(images), task.batch_size)
        parts = [forward(tf.constant(images[start : start + task.batch_size])) for start in starts]
        return np.concatenate([part.numpy() for part in parts])

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
