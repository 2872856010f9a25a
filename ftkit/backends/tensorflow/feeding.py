"""What steps take, on the device where it fits: no copy from the host in each step."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ftkit.backends.caching import SHARE_OF_FREE_MEMORY
from ftkit.backends.tensorflow.backbones import Network
from ftkit.backends.tensorflow.devices import free_device_memory
from ftkit.data.batches import PLAIN, Activations, evaluation_rows
from ftkit.data.dataset import Split


class DeviceRows:
    """Rows of numbers on a device; batches are taken there.

    Attributes:
        values: The rows.
    """

    def __init__(self, values: tf.Tensor) -> None:
        self.values = values

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows first."""
        return tuple(self.values.shape)

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return int(tf.size(self.values)) * self.values.dtype.size

    def __getitem__(self, rows: Any) -> tf.Tensor:
        """The rows of a slice, or of the numbers in an array."""
        return self.values[rows] if isinstance(rows, slice) else tf.gather(self.values, rows)


def hold(
    network: Network, source: Split | Activations, augmented: bool, room: int | None = None
) -> Split | Activations:
    """Puts pictures or activations on the device, if there is room for them.

    Pictures that are augmented anew in every epoch stay with NumPy.

    Args:
        network: The network.
        source: What steps or evaluations take.
        augmented: Whether its pictures are augmented.
        room: Bytes to take at most; None takes a quarter of what is free on a GPU, and nothing
            on a CPU, where there is nothing to gain.
    """
    views = source.views if isinstance(source, Activations) else PLAIN
    drawn_anew = augmented and isinstance(source, Split)
    if drawn_anew:
        return source
    if room is None:
        room = int(free_device_memory(network.device) * SHARE_OF_FREE_MEMORY)
    if 2 * source.values.nbytes > room:  # the parts are there until the whole is
        return source
    with tf.device(network.device):
        parts = [
            tf.constant(np.array(source.values[rows]))
            for rows in evaluation_rows(source.values.shape)
        ]
        return Activations(DeviceRows(tf.concat(parts, 0)), source.labels, source.depth, views)
