"""What PyTorch can run on, and how it is made to compute there as TensorFlow does."""

from __future__ import annotations

import numpy as np
import torch
import torchvision

from ftkit.environments import bfloat16_cpu
from ftkit.errors import FtkitError

MEBIBYTE = 2**20


def devices() -> tuple[str, ...]:
    """What there is: ``"cpu"``, and ``"gpu"`` if PyTorch sees one."""
    return ("cpu", "gpu") if torch.cuda.is_available() else ("cpu",)


def pick_device(device: str) -> str:
    """PyTorch's own name of the device that a recipe asks for.

    On a GPU, TF32 is turned off: matched runs compute in the precision that they say.

    Args:
        device: ``"auto"``, ``"cpu"`` or ``"gpu"``.

    Raises:
        FtkitError: If a GPU is asked for and PyTorch sees none.
    """
    if device == "gpu" and "gpu" not in devices():
        raise FtkitError(
            "Expected a GPU that PyTorch can use; it sees none. Use --device cpu, or install a "
            "driver that fits this PyTorch."
        )
    if device == "cpu" or "gpu" not in devices():
        return "cpu"
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.cuda.reset_peak_memory_stats()
    return "cuda"


def pick_precision(precision: str, device: str) -> str:
    """What ``"auto"`` means on a device: ``"bf16"`` where it computes in it, else ``"fp32"``.

    Args:
        precision: The recipe's.
        device: PyTorch's name of the device.
    """
    if precision != "auto":
        return precision
    capable = bfloat16_cpu() if device == "cpu" else torch.cuda.is_bf16_supported(False)
    return "bf16" if capable else "fp32"


def free_device_memory(device: str) -> int:
    """Bytes that are free on a GPU; 0 on a CPU, where everything is on the device already."""
    return 0 if device == "cpu" else int(torch.cuda.mem_get_info()[0])


def device_memory_mb(device: str) -> float | None:
    """The most that PyTorch has allocated on a GPU since it was picked, in MiB; None on a CPU."""
    return None if device == "cpu" else torch.cuda.max_memory_allocated() / MEBIBYTE


def versions() -> dict[str, str]:
    """The versions that a result depends on."""
    return {
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "numpy": np.__version__,
    }
