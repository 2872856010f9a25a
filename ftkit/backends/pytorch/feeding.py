"""What steps take, on the device where it fits: no copy from the host in each step."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ftkit.backends.caching import SHARE_OF_FREE_MEMORY
from ftkit.backends.pytorch.backbones import Network
from ftkit.backends.pytorch.devices import free_device_memory
from ftkit.data.batches import PLAIN, Activations, evaluation_rows
from ftkit.data.dataset import Split


class DeviceRows:
    """Rows of numbers on a device; batches are taken there.

    Attributes:
        values: The rows.
    """

    def __init__(self, values: torch.Tensor) -> None:
        self.values = values

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows first."""
        return tuple(self.values.shape)

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.values.nbytes

    def __getitem__(self, rows: Any) -> torch.Tensor:
        """The rows of a slice, or of the numbers in an array."""
        if isinstance(rows, slice):
            return self.values[rows]
        return self.values[torch.from_numpy(rows).to(self.values.device)]


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
    if source.values.nbytes > room:
        return source
    held: torch.Tensor | None = None
    for rows in evaluation_rows(source.values.shape):
        part = torch.from_numpy(np.array(source.values[rows]))
        if held is None:
            held = part.new_empty(source.values.shape, device=network.device)
        held[rows] = part.to(network.device)
    assert held is not None  # no dataset is without pictures
    return Activations(DeviceRows(held), source.labels, source.depth, views)
