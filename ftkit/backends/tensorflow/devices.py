"""What TensorFlow can run on, and how it is made to compute there as PyTorch does."""

from __future__ import annotations

import os
import subprocess

import keras
import numpy as np
import tensorflow as tf

from ftkit.environments import bfloat16_cpu
from ftkit.errors import FtkitError

MEBIBYTE = 2**20


def devices() -> tuple[str, ...]:
    """What there is: ``"cpu"``, and ``"gpu"`` if TensorFlow sees one."""
    return ("cpu", "gpu") if tf.config.list_physical_devices("GPU") else ("cpu",)


def pick_device(device: str) -> str:
    """TensorFlow's own name of the device that a recipe asks for.

    On a GPU, TF32 is turned off: matched runs compute in the precision that they say. Memory is
    taken as it is needed, not all at once.

    Args:
        device: ``"auto"``, ``"cpu"`` or ``"gpu"``.

    Raises:
        FtkitError: If a GPU is asked for and TensorFlow sees none.
    """
    if device == "gpu" and "gpu" not in devices():
        raise FtkitError(
            "Expected a GPU that TensorFlow can use; it sees none. Use --device cpu, or install "
            "tensorflow[and-cuda] in an environment of its own."
        )
    tf.config.experimental.enable_tensor_float_32_execution(False)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    if device == "cpu" or "gpu" not in devices():
        return "cpu"
    tf.config.experimental.reset_memory_stats("GPU:0")
    return "gpu"


def pick_precision(precision: str, device: str) -> str:
    """What ``"auto"`` means on a device: ``"bf16"`` where it computes in it, else ``"fp32"``.

    Args:
        precision: The recipe's.
        device: ``"cpu"`` or ``"gpu"``.
    """
    if precision != "auto":
        return precision
    if device == "cpu":
        return "bf16" if bfloat16_cpu() else "fp32"
    details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    # Ampere, 8.0, is the first that has it: https://docs.nvidia.com/cuda/ampere-tuning-guide
    capable = all(item.get("compute_capability", (0, 0)) >= (8, 0) for item in details)
    return "bf16" if capable else "fp32"


def free_device_memory(device: str) -> int:
    """Bytes that are free on a GPU; 0 on a CPU, where everything is on the device already.

    TensorFlow tells what it holds, not what there is: the device's own tool does.
    """
    if device == "cpu":
        return 0
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").partition(",")[0]
    asked = [
        "nvidia-smi",
        "--query-gpu=memory.free",
        "--format=csv,noheader,nounits",
        "--id",
        first,
    ]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        return int(told) * MEBIBYTE
    except (OSError, ValueError, subprocess.CalledProcessError):
        return 0


def device_memory_mb(device: str) -> float | None:
    """The most that TensorFlow has held on a GPU since it was picked, in MiB; None on a CPU."""
    if device == "cpu":
        return None
    return float(tf.config.experimental.get_memory_info("GPU:0")["peak"]) / MEBIBYTE


def versions() -> dict[str, str]:
    """The versions that a result depends on."""
    return {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
    }
