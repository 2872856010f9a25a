"""The framework differences that can change a run, each a named switch.

Under ``matched``, the default, both frameworks do the same. A recipe that names a difference
switches it on: each framework then does that one thing in its own way, and the curves part by
what it is worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Line:
    """A line of a framework's own source that does, or documents, what it does of itself.

    Attributes:
        file: The file, from the folder of installed packages.
        inside: The function or class that holds the line, ``"SGD.update_step"``; empty if none.
        text: The line, or the part of it that matters; spaces and line breaks may differ.
    """

    file: str
    inside: str
    text: str


@dataclass(frozen=True)
class Difference:
    """One thing that the frameworks do differently.

    Attributes:
        name: What a recipe calls it.
        pytorch: What PyTorch (or torchvision) does of itself.
        keras: What Keras does of itself.
        matched: What both do here by default: ``"pytorch"``, ``"keras"``, or a thing of its own.
        pytorch_lines: Where PyTorch does that.
        keras_lines: Where Keras, or TensorFlow for it, does that.
        seen: Where it shows, in words.
        shown_by: Entries of a recipe, as JSON types, under which it shows; {} if any recipe does.
    """

    name: str
    pytorch: str
    keras: str
    matched: str
    pytorch_lines: tuple[Line, ...]
    keras_lines: tuple[Line, ...]
    seen: str
    shown_by: Mapping[str, Any] = field(default_factory=dict, hash=False)


_BATCH_NORM = "torch/nn/modules/batchnorm.py"
_KERAS_BATCH_NORM = "keras/src/layers/normalization/batch_normalization.py"
_HEAD_ALONE: Mapping[str, Any] = {"strategies": ["feature-extraction"], "phases": []}


def _gather_then_use(policy: str) -> dict[str, Any]:
    """A phase under a policy of batch norm: what one under "train" gathers counts in the next."""
    freeze = {"depth": 2, "batch_norm": policy}
    return {"epochs": 1, "freeze": freeze, "lr": 1e-3}


_ALL = (
    Difference(
        "sgd-momentum",
        "v = momentum v + g; p -= lr v: a new rate applies to the old velocity too",
        "v = momentum v - lr g; p += v: the old velocity keeps the rate it was gathered at",
        matched="pytorch",
        pytorch_lines=(
            Line(
                "torch/optim/sgd.py",
                "_single_tensor_sgd",
                "buf.mul_(momentum).add_(grad, alpha=1 - dampening)",
            ),
            Line("torch/optim/sgd.py", "_single_tensor_sgd", "param.add_(grad, alpha=-lr)"),
        ),
        keras_lines=(
            Line(
                "keras/src/optimizers/sgd.py",
                "SGD.update_step",
                "ops.subtract(ops.multiply(m, momentum), ops.multiply(gradient, learning_rate),)",
            ),
            Line("keras/src/optimizers/sgd.py", "SGD.update_step", "self.assign_add(variable, m)"),
        ),
        seen="SGD with momentum while the learning rate falls: at one rate the two are the same.",
        shown_by={"optimizer": "sgd", "momentum": 0.9, "schedule": "cosine"},
    ),
    Difference(
        "adam-epsilon",
        "epsilon 1e-8 is added after the bias correction of the root",
        "epsilon 1e-7 is added before it: at the first step, as much as 3.2e-6 added after it",
        matched="pytorch",
        pytorch_lines=(
            Line(
                "torch/optim/adam.py",
                "_single_tensor_adam",
                "denom = (exp_avg_sq.sqrt() / bias_correction2_sqrt).add_(eps)",
            ),
        ),
        keras_lines=(
            Line(
                "keras/src/optimizers/adam.py",
                "Adam.update_step",
                "ops.multiply(m, alpha), ops.add(ops.sqrt(v), self.epsilon)",
            ),
        ),
        seen="Adam, most where gradients are as small as epsilon.",
        shown_by={"optimizer": "adam"},
    ),
    Difference(
        "rmsprop-constants",
        "alpha 0.99, epsilon 1e-8 added to the root",
        "rho 0.9, epsilon 1e-7 added under the root",
        matched="pytorch",
        pytorch_lines=(
            Line("torch/optim/rmsprop.py", "RMSprop.__init__", "alpha: float = 0.99"),
            Line("torch/optim/rmsprop.py", "_single_tensor_rmsprop", "avg = avg.add_(eps)"),
        ),
        keras_lines=(
            Line("keras/src/optimizers/rmsprop.py", "RMSprop.__init__", "rho=0.9"),
            Line(
                "keras/src/optimizers/rmsprop.py",
                "RMSprop.update_step",
                "denominator = ops.add(velocity, self.epsilon)",
            ),
        ),
        seen="RMSprop, from the first step on, which is lr / sqrt(1 - alpha) long.",
        shown_by={"optimizer": "rmsprop"},
    ),
    Difference(
        "weight-decay",
        "SGD, Adam and RMSprop add weight decay to the gradient (L2)",
        "every optimiser shrinks the weights themselves (decoupled)",
        matched="pytorch",
        pytorch_lines=(
            Line(
                "torch/optim/adam.py",
                "_single_tensor_adam",
                "grad = grad.add(param, alpha=weight_decay)",
            ),
        ),
        keras_lines=(
            Line(
                "keras/src/optimizers/base_optimizer.py",
                "BaseOptimizer._apply_weight_decay",
                "variable.assign(variable - variable * wd * lr)",
            ),
        ),
        seen="Adam with weight decay 0.01: what is added to the gradient is rescaled with it.",
        shown_by={"optimizer": "adam", "weight_decay": 1e-2},
    ),
    Difference(
        "head-init",
        "weights and bias uniform within 1/sqrt(inputs)",
        "weights uniform within sqrt(6 / (inputs + outputs)) (Glorot), bias zero",
        matched="pytorch",
        pytorch_lines=(
            Line(
                "torch/nn/modules/linear.py",
                "Linear.reset_parameters",
                "init.kaiming_uniform_(self.weight, a=math.sqrt(5))",
            ),
        ),
        keras_lines=(
            Line(
                "keras/src/layers/core/dense.py",
                "Dense.__init__",
                'kernel_initializer="glorot_uniform", bias_initializer="zeros"',
            ),
        ),
        seen="Any recipe, at the first step: the new head starts elsewhere.",
    ),
    Difference(
        "batch-norm-constants",
        "epsilon 1e-5 (Inception: 1e-3); a new batch counts 0.1 in the running statistics",
        "epsilon 1e-3; a new batch counts 0.01",
        matched="pytorch",
        pytorch_lines=(Line(_BATCH_NORM, "_BatchNorm.__init__", "eps: float = 1e-5"),),
        keras_lines=(
            Line(
                _KERAS_BATCH_NORM,
                "BatchNormalization.__init__",
                "momentum=0.99, epsilon=1e-3",
            ),
        ),
        seen="Batch norm that trains: epsilon at every step, the momentum when it is judged.",
        shown_by={"batch_norm": "train"},
    ),
    Difference(
        "running-variance",
        "the running variance takes in the unbiased variance of a batch, n/(n-1)",
        "it takes in the biased one",
        matched="pytorch",
        pytorch_lines=(
            Line(
                _BATCH_NORM,
                "BatchNorm2d",
                "the value stored in the moving average of the standard-deviation is calculated "
                "via the unbiased estimator",
            ),
        ),
        keras_lines=(
            Line(
                _KERAS_BATCH_NORM,
                "BatchNormalization.call",
                "moving_variance * self.momentum + variance * (1.0 - self.momentum)",
            ),
        ),
        seen="A phase in which batch norm trains, then one in which it uses what it gathered.",
        shown_by={
            "strategies": ["custom"],
            "phases": [_gather_then_use("train"), _gather_then_use("inference")],
        },
    ),
    Difference(
        "frozen-batch-norm",
        "requires_grad=False leaves batch statistics on and the running ones moving",
        "trainable=False means inference mode",
        matched="keras",
        pytorch_lines=(
            Line(_BATCH_NORM, "_BatchNorm.forward", "if self.training: bn_training = True"),
        ),
        keras_lines=(
            Line(_KERAS_BATCH_NORM, "BatchNormalization.call", "if training and self.trainable:"),
        ),
        seen="Any recipe that freezes a batch norm; here everything but the head.",
        shown_by=_HEAD_ALONE,
    ),
    Difference(
        "input-scaling",
        "RGB on 0..1, minus ImageNet's mean, divided by its deviation; Inception: on -1..1",
        "for ResNet and VGG: BGR on 0..255 minus ImageNet's mean, not divided; for Inception and "
        "MobileNet: RGB on -1..1; for EfficientNet and ConvNeXt: as PyTorch",
        matched="pytorch",
        pytorch_lines=(
            Line(
                "torchvision/transforms/_presets.py",
                "ImageClassification.forward",
                "img = F.normalize(img, mean=self.mean, std=self.std)",
            ),
        ),
        keras_lines=(
            Line(
                "keras/src/applications/imagenet_utils.py",
                "_preprocess_numpy_input",
                "x = x[..., ::-1]",
            ),
            Line(
                "keras/src/applications/imagenet_utils.py",
                "_preprocess_numpy_input",
                "mean = [103.939, 116.779, 123.68]",
            ),
        ),
        seen="Any recipe, at the first step: the weights expect other numbers.",
    ),
    Difference(
        "stride-2-padding",
        "size // 2 rows and columns on every side",
        'padding="same": where the number is odd, the extra row and column go right and bottom',
        matched="pytorch",
        pytorch_lines=(Line("torchvision/models/resnet.py", "conv3x3", "padding=dilation"),),
        keras_lines=(
            Line("tensorflow/python/ops/nn_ops.py", "", "pad_bottom = pad_along_height - pad_top"),
        ),
        seen="Any network with a 3 × 3 convolution of stride 2, at the first step.",
    ),
    Difference(
        "cross-entropy",
        "computed from the logits",
        "computed from the logits of a softmax layer whose output is handed straight to the loss; "
        "from any other probabilities, clipped to 1e-7..1-1e-7 (from_logits=False)",
        matched="pytorch",
        pytorch_lines=(
            Line("torch/nn/functional.py", "cross_entropy", "Predicted unnormalized logits"),
        ),
        keras_lines=(
            Line(
                "keras/src/losses/losses.py",
                "CategoricalCrossentropy.__init__",
                "from_logits=False",
            ),
            Line(
                "keras/src/backend/tensorflow/nn.py",
                "_get_logits",
                "output_ = output._keras_logits",
            ),
            Line(
                "keras/src/backend/tensorflow/nn.py",
                "categorical_crossentropy",
                "output, backend.epsilon(), 1.0 - backend.epsilon()",
            ),
        ),
        seen="Something between the softmax and the loss, here tf.identity, and logits so large "
        "that a probability is clipped: the head alone, at a rate of 1.",
        shown_by={"lr": 1.0, **_HEAD_ALONE},
    ),
    Difference(
        "dropout",
        "units are dropped by PyTorch's own random numbers",
        "units are dropped by TensorFlow's own random numbers",
        matched="one mask for both, drawn with NumPy",
        pytorch_lines=(
            Line("torch/nn/functional.py", "dropout", "_VF.dropout(input, p, training)"),
        ),
        keras_lines=(
            Line(
                "keras/src/backend/tensorflow/random.py",
                "dropout",
                "tf.nn.experimental.stateless_dropout(",
            ),
        ),
        seen="A head of 64 hidden units, half of them dropped.",
        shown_by={"head": {"hidden": 64, "dropout": 0.5}},
    ),
    Difference(
        "shuffling",
        "one permutation of all pictures per epoch",
        "drawn from a buffer of the next 1024: image_dataset_from_directory with batch_size=None",
        matched="pytorch",
        pytorch_lines=(
            Line(
                "torch/utils/data/sampler.py",
                "RandomSampler.__iter__",
                "torch.randperm(n, generator=generator)",
            ),
        ),
        keras_lines=(
            Line(
                "keras/src/utils/image_dataset_utils.py",
                "image_dataset_from_directory",
                "shuffle_buffer_size = 1024",
            ),
        ),
        seen="More pictures than the buffer holds: 1,280 drawn pets, in batches of 32.",
        shown_by={"data": "drawn-pets", "train_size": 1280, "batch_size": 32, **_HEAD_ALONE},
    ),
)

SWITCHES: dict[str, Difference] = {difference.name: difference for difference in _ALL}
