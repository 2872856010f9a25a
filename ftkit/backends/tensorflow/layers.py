"""Keras layers that compute as PyTorch's do, or as Keras's own where a recipe asks for that."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from ftkit.freezing import BatchNormPolicy


class _SameShape(keras.layers.Layer):
    """A layer that changes no shape. Told so, Keras need not trace it to find out."""

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's."""
        return input_shape


class BatchNorm(_SameShape):
    """Batch normalisation with PyTorch's arithmetic and ftkit's policies.

    PyTorch normalises a batch with its biased variance and adds the unbiased one, n/(n-1), to
    the running variance: https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html

    TensorFlow's fused kernel does just that in one pass over the map; it has no float64, where
    the same is written out.

    Attributes:
        policy: What it does in training (see :class:`ftkit.freezing.FreezePlan`). At prediction
            it is always in inference mode.
    """

    def __init__(
        self,
        epsilon: float = 1e-5,
        momentum: float = 0.1,
        unbiased: bool = True,
        scale: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.epsilon = epsilon
        self.momentum = momentum
        self.unbiased = unbiased
        self.scale = scale
        self.policy: BatchNormPolicy = "inference"

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the four vectors, one number per channel; three where it does not scale."""
        shape = (input_shape[-1],)
        options = {"shape": shape, "autocast": False}  # float32, also for maps in bfloat16
        self.gamma = None
        if self.scale:
            self.gamma = self.add_weight(initializer="ones", name="gamma", **options)
        self.beta = self.add_weight(initializer="zeros", name="beta", **options)
        options["trainable"] = False
        self.moving_mean = self.add_weight(initializer="zeros", name="moving_mean", **options)
        self.moving_variance = self.add_weight(
            initializer="ones", name="moving_variance", **options
        )

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Normalises over all but the last axis, and moves the statistics if the policy says so."""
        moving = bool(training) and self.policy != "inference"
        normalise = self._written_out if inputs.dtype == tf.float64 else self._fused
        outputs, mean, sample = normalise(inputs, moving)
        if moving:
            count = tf.cast(tf.size(inputs) / tf.size(mean), sample.dtype)
            self._move(self.moving_mean, mean)
            self._move(
                self.moving_variance, sample if self.unbiased else sample * (count - 1) / count
            )
        return outputs

    def _fused(self, inputs: tf.Tensor, moving: bool) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The output, and the mean and unbiased variance of the batch."""
        mean, variance = self.moving_mean.value, self.moving_variance.value
        found = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.ones_like(mean) if self.gamma is None else self.gamma.value,
            offset=self.beta.value,
            mean=[] if moving else mean,
            variance=[] if moving else variance,
            epsilon=self.epsilon,
            is_training=moving,
        )
        return found.y, found.batch_mean, found.batch_variance

    def _written_out(
        self, inputs: tf.Tensor, moving: bool
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The same in float64."""
        mean, variance = self.moving_mean.value, self.moving_variance.value
        sample = variance
        if moving:
            mean, variance = tf.nn.moments(inputs, [0, 1, 2])
            count = tf.cast(tf.size(inputs) / tf.size(mean), variance.dtype)
            sample = variance * count / (count - 1)
        gamma = None if self.gamma is None else self.gamma.value
        outputs = tf.nn.batch_normalization(
            inputs, mean, variance, self.beta.value, gamma, self.epsilon
        )
        return outputs, mean, sample

    def _move(self, running: keras.Variable, value: tf.Tensor) -> None:
        running.assign((1 - self.momentum) * running.value + self.momentum * value)


class SharedDropout(_SameShape):
    """Dropout whose mask is given, so that every framework drops the same.

    It stands for dropout behind a vector, and for stochastic depth, which drops a picture's whole
    map (Huang et al. 2016, arXiv:1603.09382). Where it is not active it does nothing.

    Attributes:
        keep: What the next forward pass in training multiplies by, shape ``(n, units)``; with
            None it drops at random.
        active: Whether it drops in training.
    """

    def __init__(self, rate: float, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.rate = rate
        self.units = units
        self.keep: tf.Tensor | None = None
        self.active = True

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Drops in training, and does nothing otherwise."""
        if not training or not self.active or not self.rate:
            return inputs
        keep, self.keep = self.keep, None
        if keep is None:
            ones = tf.ones((tf.shape(inputs)[0], self.units), inputs.dtype)
            keep = tf.nn.dropout(ones, self.rate)
        keep = tf.cast(keep, inputs.dtype)
        return inputs * (keep[:, None, None, :] if inputs.shape.rank == 4 else keep)


class Scale(_SameShape):
    """One learned factor per channel: ConvNeXt's ``layer_scale``."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the vector of factors."""
        self.factors = self.add_weight(
            shape=(input_shape[-1],), initializer="ones", name="layer_scale"
        )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Multiplies each channel by its factor."""
        return inputs * self.factors.value


class AdaptivePooling(keras.layers.Layer):
    """Means over a grid of parts, whatever the map's size: ``torch.nn.AdaptiveAvgPool2d``.

    Cell ``i`` of ``n`` goes from row ``floor(i h / n)`` to before ``ceil((i + 1) h / n)``:
    ``aten/src/ATen/native/AdaptivePooling.h``.

    Args:
        cells: Rows and columns of the grid.
        **options: Keras's own.
    """

    def __init__(self, cells: tuple[int, int], **options: Any) -> None:
        super().__init__(**options)
        self.cells = cells

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """From ``(n, height, width, channels)`` to ``(n, rows, columns, channels)``."""
        size = tf.shape(inputs)
        rows = self._means(self.cells[0], size[1])
        columns = self._means(self.cells[1], size[2])
        return tf.einsum("rh,nhwc,sw->nrsc", rows, inputs, columns)

    def _means(self, cells: int, size: tf.Tensor) -> tf.Tensor:
        """A matrix that takes the mean of each cell, shape ``(cells, size)``."""
        cell = tf.range(cells)[:, None]
        place = tf.range(size)[None]
        inside = (place >= cell * size // cells) & (place < -((cell + 1) * -size // cells))
        weights = tf.cast(inside, self.compute_dtype)
        return weights / tf.reduce_sum(weights, 1, keepdims=True)


def gelu(inputs: tf.Tensor) -> tf.Tensor:
    """The exact x Φ(x) (Hendrycks and Gimpel 2016, arXiv:1606.08415).

    ``tf.nn.gelu`` rounds the root of 2 to float32 on the way, also where it computes in float64.
    """
    root = tf.constant(math.sqrt(2), inputs.dtype)
    return 0.5 * inputs * (1 + tf.math.erf(inputs / root))
