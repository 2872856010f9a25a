"""Keras's `compile` and `fit`, as its guide to transfer learning and fine-tuning says.

Source: https://keras.io/guides/transfer_learning/

As there: `image_dataset_from_directory`, batches cached in memory once they are decoded and
prefetched with AUTOTUNE, scaling inside the model, the base called with `training=False`. Frozen:
`base.trainable = False` and Adam at its default rate. Fine-tuned: `base.trainable = True` and Adam
at 1e-5. `jit_compile` stays `"auto"`.

The guide says that `training=False` keeps batch norm in inference mode while the base is
fine-tuned. In Keras 3 `fit` overrides it (https://github.com/keras-team/keras/issues/20285): batch
norm trains. The code here is the guide's; the result tells which mode was found, by whether the
moving statistics moved.

Not as there: the guide's order is prefetch, then cache; this one is cache, then prefetch, which
prefetches in every epoch. With a cache behind the shuffling, the order of the first epoch stays.
No augmentation and no dropout
before the head. The loss is the sparse cross-entropy over logits of all classes, as everywhere
else here. ResNet-18 is not in `keras.applications`; `keras_resnet.py` builds it. No progress bar.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras_resnet import resnet18
from measuring import Clock, Task, serve
from safetensors.numpy import load_file

FINE_TUNING_RATE = 1e-5
MEAN = "bn1.running_mean"


def pictures(task: Task, phase: str) -> tf.data.Dataset:
    """Batches of one phase: float32 pictures of 0 to 255, and labels."""
    found = keras.utils.image_dataset_from_directory(
        str(Path(task.data) / phase),
        label_mode="int",
        image_size=(task.image_size, task.image_size),
        batch_size=task.batch_size,
        shuffle=phase == "train",
        seed=task.seed,
        crop_to_aspect_ratio=True,
        verbose=False,
    )
    return found.cache().prefetch(tf.data.AUTOTUNE)


def measure(task: Task) -> dict[str, Any]:
    """Trains the head, or everything where no block is frozen."""
    keras.utils.set_random_seed(task.seed)
    tf.config.list_physical_devices()  # the framework is awake before the clock starts
    frozen = task.depths[0] > 0
    with Clock() as clock:
        train, val = (pictures(task, phase) for phase in ("train", "val"))
        model, base = resnet18(task)
        base.trainable = not frozen
        rate = {} if frozen else {"learning_rate": FINE_TUNING_RATE}
        model.compile(
            optimizer=keras.optimizers.Adam(**rate),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        )
        history = model.fit(train, validation_data=val, epochs=task.epochs, verbose=0)
    accuracy = float(history.history["val_accuracy"][-1])
    moved = bool(np.any(base.get_layer("bn1").moving_mean.numpy() != load_file(task.tensors)[MEAN]))
    mode = "train" if moved else "inference"
    return {**clock.figures(), "val_accuracy": accuracy, "batch_norm": mode}


if __name__ == "__main__":
    serve(measure)
