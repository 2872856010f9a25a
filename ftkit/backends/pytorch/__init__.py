"""The PyTorch backend: the functions of :mod:`ftkit.backends.protocol`."""

from ftkit.backends.pytorch.backbones import Network, build, export, fingerprints, load
from ftkit.backends.pytorch.devices import device_memory_mb, devices, pick_device, versions
from ftkit.backends.pytorch.explaining import grad_cam
from ftkit.backends.pytorch.features import features
from ftkit.backends.pytorch.feeding import hold
from ftkit.backends.pytorch.freezing import apply_freeze, batch_norm_modes
from ftkit.backends.pytorch.optimizers import make_optimizer, optimizer_groups, set_rate
from ftkit.backends.pytorch.parts import front, tail
from ftkit.backends.pytorch.prediction import evaluate, predict, predictor
from ftkit.backends.pytorch.training import make_step, train

__all__ = [
    "Network",
    "apply_freeze",
    "batch_norm_modes",
    "build",
    "device_memory_mb",
    "devices",
    "evaluate",
    "export",
    "features",
    "fingerprints",
    "front",
    "grad_cam",
    "hold",
    "load",
    "make_optimizer",
    "make_step",
    "optimizer_groups",
    "pick_device",
    "predict",
    "predictor",
    "set_rate",
    "tail",
    "train",
    "versions",
]
