"""Keras layers that compute as PyTorch's do, or as Keras's own where a recipe asks for that."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from ftkit.freezing import BatchNormPolicy


class BatchNorm(keras.layers.Layer):
    """Batch normalisation with PyTorch's arithmetic and ftkit's policies.

    PyTorch normalises a batch with its biased variance and adds the unbiased one, n/(n-1), to
    the running variance: https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html

    Attributes:
        policy: What it does in training (see :class:`ftkit.freezing.FreezePlan`). At prediction
            it is always in inference mode.
    """

    def __init__(
        self,
        epsilon: float = 1e-5,
        momentum: float = 0.1,
        unbiased: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.epsilon = epsilon
        self.momentum = momentum
        self.unbiased = unbiased
        self.policy: BatchNormPolicy = "inference"

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the four vectors, one number per channel."""
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(shape=shape, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=shape, initializer="zeros", name="beta")
        self.moving_mean = self.add_weight(
            shape=shape, initializer="zeros", trainable=False, name="moving_mean"
        )
        self.moving_variance = self.add_weight(
            shape=shape, initializer="ones", trainable=False, name="moving_variance"
        )

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Normalises over all but the last axis, and moves the statistics if the policy says so."""
        mean, variance = self.moving_mean.value, self.moving_variance.value
        if training and self.policy != "inference":
            mean, variance = tf.nn.moments(inputs, [0, 1, 2])
            count = tf.cast(tf.size(inputs) / tf.size(mean), variance.dtype)
            sample = variance * count / (count - 1) if self.unbiased else variance
            self._move(self.moving_mean, mean)
            self._move(self.moving_variance, sample)
        return tf.nn.batch_normalization(
            inputs, mean, variance, self.beta.value, self.gamma.value, self.epsilon
        )

    def _move(self, running: keras.Variable, value: tf.Tensor) -> None:
        running.assign((1 - self.momentum) * running.value + self.momentum * value)


class SharedDropout(keras.layers.Layer):
    """Dropout whose mask is given, so that every framework drops the same units.

    Attributes:
        keep: What the next forward pass in training multiplies by, shape ``(n, units)``; with
            None it drops at random.
    """

    def __init__(self, rate: float, **options: Any) -> None:
        super().__init__(**options)
        self.rate = rate
        self.keep: tf.Tensor | None = None

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Drops units in training, and does nothing otherwise."""
        if not training or not self.rate:
            return inputs
        keep, self.keep = self.keep, None
        if keep is not None:
            return inputs * tf.cast(keep, inputs.dtype)
        return tf.nn.dropout(inputs, self.rate)
