"""PyTorch layers that take from outside what must be the same in every framework."""

from __future__ import annotations

import torch
from torch import nn


class SharedDropout(nn.Module):
    """Dropout whose mask is given, so that every framework drops the same units.

    Attributes:
        keep: What the next forward pass in training multiplies by, shape ``(n, units)``; with
            None it drops at random.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.keep: torch.Tensor | None = None

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Drops units in training, and does nothing otherwise."""
        if not self.training:
            return values
        keep, self.keep = self.keep, None
        if keep is not None:
            return values * keep
        return nn.functional.dropout(values, self.rate)
