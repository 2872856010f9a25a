"""Computing in bfloat16: faster, rounded to three digits, and never held to the contract."""

from __future__ import annotations

import numpy as np
import pytest
from test_contract import noise

from ftkit.backbones.catalogue import BACKBONES
from ftkit.environments import bfloat16_cpu

SMALL = [name for name, item in BACKBONES.items() if item.bundled]


@pytest.mark.parametrize("backbone", [*SMALL, "mobilenet_v2", "convnext_tiny"])
def test_logits_are_those_of_float32_to_about_three_digits(backbone, both):
    weights = "bundled" if backbone in SMALL else "random"
    options = {"backbone": backbone, "weights": weights}
    sides = both("two_precisions", {"images": noise(6, 64)}, **options)
    for found in sides:
        one, other = found["fp32"], found["bf16"]
        assert one.dtype == other.dtype == np.float32
        apart = np.abs(one - other).max() / np.abs(one).max()
        # A rounding to 8 bits is at most 2 ** -9 of a number; some dozen layers add them up.
        assert 1e-5 < apart < 0.1, apart
        assert found["kept"].dtype == np.float32  # so that a cache can hold it


def test_weights_and_statistics_stay_in_float32_and_training_goes_the_same_way(both):
    sides = both("bfloat16_training", {"images": noise(24, 48), "labels": np.arange(24) % 2})
    for found in sides:
        assert found["types"] == ["float32"]
        assert found["precision"] == ["fp32", "bf16"]
        one, other = found["fp32"], found["bf16"]
        assert one[0] == pytest.approx(other[0], rel=0.02)
        assert 0 < np.abs(one - other).max() < 0.1
        assert other[-1] < other[0]


def test_auto_is_bfloat16_where_the_processor_has_it(backend):
    found = backend("precision_chosen", precision="auto")
    assert found["precision"] == ("bf16" if bfloat16_cpu() else "fp32")
    for precision in ("fp32", "fp64", "bf16"):
        assert backend("precision_chosen", precision=precision)["precision"] == precision
