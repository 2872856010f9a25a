"""The TensorFlow backend: the functions of :mod:`ftkit.backends.protocol`."""

from ftkit.backends.tensorflow.backbones import Network, build, export, fingerprints, load
from ftkit.backends.tensorflow.devices import device_memory_mb, devices, pick_device, versions
from ftkit.backends.tensorflow.explaining import grad_cam
from ftkit.backends.tensorflow.features import features
from ftkit.backends.tensorflow.feeding import hold
from ftkit.backends.tensorflow.freezing import apply_freeze, batch_norm_modes
from ftkit.backends.tensorflow.optimizers import make_optimizer, optimizer_groups, set_rate
from ftkit.backends.tensorflow.parts import front, tail
from ftkit.backends.tensorflow.prediction import evaluate, predict, predictor
from ftkit.backends.tensorflow.training import make_step, train

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
