"""PyTorch layers that take from outside what must be the same in every framework."""

from __future__ import annotations

import torch
from torch import nn


class SharedDropout(nn.Module):
    """Dropout whose mask is given, so that every framework drops the same.

    It stands for dropout behind a vector, and for stochastic depth, which drops a picture's whole
    map (Huang et al. 2016, arXiv:1603.09382). In evaluation mode it does nothing.

    Attributes:
        keep: What the next forward pass in training multiplies by, shape ``(n, units)``; with
            None it drops at random.
    """

    def __init__(self, rate: float, units: int) -> None:
        super().__init__()
        self.rate = rate
        self.units = units
        self.keep: torch.Tensor | None = None

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Drops in training, and does nothing otherwise."""
        if not self.training or not self.rate:
            return values
        keep, self.keep = self.keep, None
        if keep is None:
            ones = values.new_ones(len(values), self.units)
            keep = nn.functional.dropout(ones, self.rate)
        return values * keep.reshape(*keep.shape, *[1] * (values.dim() - 2))
