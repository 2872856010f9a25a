"""The framework differences that can change a run, each a named switch.

Under ``matched``, the default, both frameworks do the same. A recipe that names a difference
switches it on: each framework then does that one thing in its own way, and the curves part by
what it is worth.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One thing that the frameworks do differently.

    Attributes:
        name: What a recipe calls it.
        pytorch: What PyTorch (or torchvision) does of itself.
        keras: What Keras does of itself.
        matched: What both do here by default: ``"pytorch"``, ``"keras"``, or a thing of its own.
    """

    name: str
    pytorch: str
    keras: str
    matched: str


_ALL = (
    Difference(
        "sgd-momentum",
        "v = momentum v + g; p -= lr v: a new rate applies to the old velocity too",
        "v = momentum v - lr g; p += v: the old velocity keeps the rate it was gathered at",
        matched="pytorch",
    ),
    Difference(
        "adam-epsilon",
        "epsilon 1e-8 is added after the bias correction of the root",
        "epsilon 1e-7 is added before it: at the first step, as much as 3.2e-6 added after it",
        matched="pytorch",
    ),
    Difference(
        "rmsprop-constants",
        "alpha 0.99, epsilon 1e-8 added to the root",
        "rho 0.9, epsilon 1e-7 added under the root",
        matched="pytorch",
    ),
    Difference(
        "weight-decay",
        "SGD, Adam and RMSprop add weight decay to the gradient (L2)",
        "every optimiser shrinks the weights themselves (decoupled)",
        matched="pytorch",
    ),
    Difference(
        "head-init",
        "weights and bias uniform within 1/sqrt(inputs)",
        "weights uniform within sqrt(6 / (inputs + outputs)) (Glorot), bias zero",
        matched="pytorch",
    ),
    Difference(
        "batch-norm-constants",
        "epsilon 1e-5 (Inception: 1e-3); a new batch counts 0.1 in the running statistics",
        "epsilon 1e-3; a new batch counts 0.01",
        matched="pytorch",
    ),
    Difference(
        "running-variance",
        "the running variance takes in the unbiased variance of a batch, n/(n-1)",
        "it takes in the biased one",
        matched="pytorch",
    ),
    Difference(
        "frozen-batch-norm",
        "requires_grad=False leaves batch statistics on and the running ones moving",
        "trainable=False means inference mode",
        matched="keras",
    ),
    Difference(
        "input-scaling",
        "RGB on 0..1, minus ImageNet's mean, divided by its deviation; Inception: on -1..1",
        "for ResNet and VGG: BGR on 0..255 minus ImageNet's mean, not divided; for Inception and "
        "MobileNet: RGB on -1..1; for EfficientNet and ConvNeXt: as PyTorch",
        matched="pytorch",
    ),
    Difference(
        "stride-2-padding",
        "size // 2 rows and columns on every side",
        'padding="same": where the number is odd, the extra row and column go right and bottom',
        matched="pytorch",
    ),
    Difference(
        "cross-entropy",
        "computed from the logits",
        "computed from probabilities clipped to 1e-7..1-1e-7 (from_logits=False)",
        matched="pytorch",
    ),
    Difference(
        "dropout",
        "units are dropped by PyTorch's own random numbers",
        "units are dropped by TensorFlow's own random numbers",
        matched="one mask for both, drawn with NumPy",
    ),
    Difference(
        "shuffling",
        "one permutation of all pictures per epoch",
        "drawn from a buffer of the next 1024: image_dataset_from_directory with batch_size=None",
        matched="pytorch",
    ),
)

SWITCHES: dict[str, Difference] = {difference.name: difference for difference in _ALL}
