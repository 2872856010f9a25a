"""Networks in PyTorch: torchvision's own modules with a new head."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ftkit.architecture import Architecture
from ftkit.backends.pytorch.devices import pick_device, pick_precision
from ftkit.backends.pytorch.families import make_model
from ftkit.errors import FtkitError
from ftkit.freezing import fingerprint

DTYPES = {"fp32": torch.float32, "fp64": torch.float64, "bf16": torch.float32}


@dataclass
class Network:
    """A model, and what it was built from.

    Attributes:
        model: A module that takes pictures ``(n, 3, height, width)`` and gives logits.
        architecture: Its layers, as records.
        dtype: Type of its weights and, but for ``"bf16"``, of its arithmetic.
        device: PyTorch's name of the device.
        precision: ``"fp32"``, ``"fp64"`` or ``"bf16"``: convolutions and matrix products in
            bfloat16, what needs more in float32.
        predictors: What :func:`~ftkit.backends.pytorch.prediction.predictor` made, by depth.
    """

    model: nn.Module
    architecture: Architecture
    dtype: torch.dtype
    device: str
    precision: str
    predictors: dict[int, Callable[[NDArray[Any]], torch.Tensor]] = field(default_factory=dict)

    def preprocess(self, inputs: NDArray[Any] | torch.Tensor) -> torch.Tensor:
        """Pictures as the network takes them: see :class:`ftkit.architecture.Scaling`.

        Args:
            inputs: uint8, shape ``(n, height, width, 3)``, RGB. Or activations, of any other
                type: they are taken as they are. NumPy's, or on the device already.

        Returns:
            Shape ``(n, 3, height, width)`` in the network's type, on its device; of activations
            ``(n, channels, height, width)`` or ``(n, units)``.
        """
        given = inputs if isinstance(inputs, torch.Tensor) else torch.from_numpy(inputs)
        if given.dtype != torch.uint8:
            values = given.to(self.device, self.dtype)
            return values.permute(0, 3, 1, 2) if values.dim() == 4 else values
        scale, shift = self._constants
        pixels = given.to(self.device).to(self.dtype)
        pixels = pixels.flip(-1) if self.architecture.scaling.bgr else pixels
        return (pixels * scale - shift).permute(0, 3, 1, 2)

    def arithmetic(self) -> torch.autocast:
        """A context in which the network computes in its precision."""
        on = self.precision == "bf16"
        return torch.autocast(self.device, torch.bfloat16, enabled=on)

    @contextmanager
    def inference(self) -> Iterator[None]:
        """A context of inference mode without gradients; each layer's mode is put back."""
        training = [module for module in self.model.modules() if module.training]
        self.model.eval()
        try:
            with torch.no_grad(), self.arithmetic():
                yield
        finally:
            for module in training:
                module.training = True

    @cached_property
    def _constants(self) -> tuple[torch.Tensor, torch.Tensor]:
        """What pixels are multiplied by, and what is then taken off; on the device."""
        scaling = self.architecture.scaling
        std = np.asarray(scaling.std)
        values = (1 / (255 * std), np.asarray(scaling.mean) / std)
        scale, shift = (torch.from_numpy(item).to(self.device, self.dtype) for item in values)
        return scale, shift


def build(
    architecture: Architecture,
    tensors: Mapping[str, NDArray[Any]],
    precision: str,
    device: str,
    differences: tuple[str, ...] = (),
) -> Network:
    """A network with the given weights.

    Args:
        architecture: What to build.
        tensors: Every tensor, in torchvision's names and layout.
        precision: ``"fp32"``, ``"fp64"``, ``"bf16"``, or ``"auto"``: bfloat16 where the device
            computes in it, else float32.
        device: ``"auto"``, ``"cpu"`` or ``"gpu"``.
        differences: Framework differences that are switched on. The layers of both frameworks
            follow torchvision when matched, so that none changes anything here.
    """
    chosen = pick_device(device)
    precision = pick_precision(precision, chosen)
    dtype = DTYPES[precision]
    model = make_model(architecture, dtype, differences).to_empty(device=chosen)
    network = Network(model, architecture, dtype, chosen, precision)
    load(network, tensors)
    return network


def load(network: Network, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Gives a network the tensors, in torchvision's names and layout."""
    state = network.model.state_dict()
    with torch.no_grad():
        for name, value in state.items():
            if name.endswith(".num_batches_tracked"):
                value.zero_()
            else:
                given = tensors[name]
                if given.shape != tuple(value.shape):
                    raise FtkitError(
                        f"Expected {name} of shape {tuple(value.shape)}; got {given.shape}."
                    )
                value.copy_(torch.from_numpy(np.ascontiguousarray(given)))


def export(network: Network) -> dict[str, NDArray[Any]]:
    """A copy of a network's tensors, in torchvision's names and layout."""
    state = network.model.state_dict()
    return {name: state[name].cpu().numpy().copy() for name in network.architecture.shapes}


def fingerprints(network: Network) -> dict[str, str]:
    """A digest of each tensor's bytes: equal where a tensor is bit-equal, without a copy of all."""
    state = network.model.state_dict()
    return {name: fingerprint(state[name].cpu().numpy()) for name in network.architecture.shapes}
