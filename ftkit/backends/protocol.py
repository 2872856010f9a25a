"""The seam: the functions that a backend is.

A backend is a module, not a class. Only NumPy arrays and the plain records of ftkit cross this
seam; the network is a backend's own and is handed back to it as it came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ftkit.architecture import Architecture
from ftkit.backends.caching import Cache
from ftkit.data.batches import Activations, Rows
from ftkit.data.dataset import Dataset, Split
from ftkit.freezing import LayerState
from ftkit.history import Event
from ftkit.recipe import Phase, Recipe


class Backend(Protocol):
    """What every backend module provides."""

    def devices(self) -> tuple[str, ...]:
        """What it can run on: ``"cpu"``, and ``"gpu"`` if there is one."""

    def versions(self) -> dict[str, str]:
        """The versions that a result depends on, by package."""

    def build(
        self,
        architecture: Architecture,
        tensors: Mapping[str, NDArray[Any]],
        precision: str,
        device: str,
        differences: tuple[str, ...] = (),
    ) -> Any:
        """A network with the given weights.

        Args:
            architecture: What to build.
            tensors: Every tensor, in torchvision's names and layout.
            precision: ``"fp32"`` or ``"fp64"``: type of weights and arithmetic; ``"bf16"``:
                float32 weights, convolutions and matrix products in bfloat16; ``"auto"``: that
                where the device computes in it, else float32.
            device: ``"auto"``, ``"cpu"`` or ``"gpu"``.
            differences: Framework differences that are switched on.

        Raises:
            FtkitError: If there is no such device.
        """

    def load(self, network: Any, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Gives a network the tensors, in torchvision's names and layout."""

    def export(self, network: Any) -> dict[str, NDArray[Any]]:
        """A copy of a network's tensors, in torchvision's names and layout, in its own type."""

    def fingerprints(self, network: Any) -> dict[str, str]:
        """A digest of each tensor's bytes, by torchvision's name."""

    def apply_freeze(self, network: Any, states: tuple[LayerState, ...]) -> None:
        """Makes every layer learn, or not, and behave as its state says, ready for training."""

    def batch_norm_modes(self, network: Any) -> dict[str, str]:
        """The mode that each batch-norm layer is really in, by its name."""

    def features(self, network: Any, images: NDArray[np.uint8], block: str) -> NDArray[Any]:
        """The activations behind a block in inference mode.

        They are ``(n, height, width, channels)``, or ``(n, units)`` where it ends in a vector.

        Args:
            network: The network.
            images: uint8, shape ``(n, height, width, 3)``, RGB.
            block: A block's name.
        """

    def front(
        self, network: Any, start: int, ends: tuple[int, ...]
    ) -> Callable[[NDArray[Any]], list[NDArray[Any]]]:
        """What computes the activations behind the first ``ends`` blocks, in inference mode.

        Args:
            network: The network.
            start: Blocks that its inputs have been through; 0 stands for pictures.
            ends: Blocks that each of its outputs has been through, ascending.
        """

    def grad_cam(
        self,
        network: Any,
        images: NDArray[np.uint8],
        labels: NDArray[np.int64],
        block: str | None = None,
    ) -> NDArray[Any]:
        """Where a network looks for a class (Grad-CAM), in inference mode, ``(n, height, width)``.

        Args:
            network: The network.
            images: uint8, shape ``(n, height, width, 3)``, RGB.
            labels: The class that is asked for, for each picture: int64, shape ``(n,)``.
            block: Of which block's output; None takes the last that is a map.

        Raises:
            FtkitError: If no block of that name ends in a map.
        """

    def predict(self, network: Any, images: NDArray[Any] | Rows, depth: int = 0) -> NDArray[Any]:
        """The logits of pictures in inference mode, shape ``(n, classes)``.

        Args:
            network: The network.
            images: uint8, shape ``(n, height, width, 3)``, RGB; or their activations.
            depth: Blocks that these have been through.
        """

    def evaluate(
        self, network: Any, source: Split | Activations
    ) -> tuple[float, float, NDArray[np.float64]]:
        """Mean cross-entropy, accuracy, and softmax outputs of shape ``(n, classes)``."""

    def train(
        self,
        network: Any,
        dataset: Dataset,
        recipe: Recipe,
        phases: tuple[Phase, ...],
        should_stop: Callable[[], bool],
        cache: Cache,
    ) -> Iterator[Event]:
        """Trains a network phase by phase and tells what happens.

        Args:
            network: The network; it is changed.
            dataset: The pictures.
            recipe: Batches, optimiser, loss.
            phases: What to train, in order.
            should_stop: Asked before each step, and before each batch of an evaluation; True ends
                the run there.
            cache: Keeps what the frozen blocks compute.

        Yields:
            The run's events, the last one a ``RunEnd``.
        """
