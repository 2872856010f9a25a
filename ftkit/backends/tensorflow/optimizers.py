"""PyTorch's optimisers, written as Keras optimisers; switched on, Keras's own arithmetic."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from ftkit.backends.tensorflow.backbones import Network
from ftkit.freezing import LayerState
from ftkit.recipe import Phase, Recipe


class GroupedOptimizer(keras.optimizers.Optimizer):
    """What the optimisers share: groups of variables, and weight decay.

    Step counts and powers are taken in float64, as PyTorch takes them in Python.

    Args:
        learning_rate: The rate; each group's is that times its factor.
        groups: Like PyTorch's parameter groups: ``params`` (variables), ``name`` and ``factor``.
            Without groups every variable has the factor 1.
        decay: Weight decay.
        decoupled: Shrink the weights by lr × decay (Loshchilov and Hutter 2017, arXiv:1711.05101)
            instead of adding decay × weight to the gradient.
    """

    slots: tuple[str, ...] = ()

    def __init__(
        self,
        learning_rate: float,
        groups: tuple[dict[str, Any], ...] = (),
        decay: float = 0.0,
        decoupled: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **options)
        self.decay = decay
        self.decoupled = decoupled
        self.groups = groups
        self.factors = [group["factor"] for group in groups for _ in group["params"]]

    def build(self, variables: list[keras.Variable]) -> None:
        """Makes a zero for each variable and slot."""
        if self.built:
            return
        super().build(variables)
        self.slot_variables = {
            slot: self.add_optimizer_variables(variables, slot) for slot in self.slots
        }

    def slot(self, name: str, variable: tf.Variable) -> keras.Variable:
        """What the optimiser remembers of a variable."""
        return self.slot_variables[name][self._get_variable_index(variable)]

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: Any) -> None:
        """One update of one variable: its decay, then the optimiser's own."""
        factor = self.factors[self._get_variable_index(variable)] if self.factors else 1.0
        rate = tf.cast(learning_rate, tf.float64) * factor
        if self.decay and self.decoupled:
            variable.assign(variable * tf.cast(1 - rate * self.decay, variable.dtype))
        elif self.decay:
            gradient = gradient + self.decay * variable
        self.update(gradient, variable, rate)

    def _backend_update_step(
        self, grads: Any, trainable_variables: Any, learning_rate: Any
    ) -> None:
        """Updates each variable.

        Keras's own sums over replicas first, through ``tf.custom_gradient``, which remembers each
        graph that it was used in for good, and with it all of the network's variables.
        """
        for gradient, variable in zip(grads, trainable_variables):
            self.update_step(gradient, variable.value, learning_rate)

    def update(self, gradient: tf.Tensor, variable: tf.Variable, rate: tf.Tensor) -> None:
        """Moves the variable; ``rate`` is float64."""
        raise NotImplementedError

    def bias_correction(self, beta: float) -> tf.Tensor:
        """1 - beta^t, float64; t is 1 at the first step."""
        step = tf.cast(self.iterations.value, tf.float64) + 1
        return 1 - tf.pow(tf.constant(beta, tf.float64), step)


class SGD(GroupedOptimizer):
    """``torch.optim.SGD``: v = momentum v + g, p -= lr v.

    Args:
        momentum: Share of the velocity that is kept.
        rate_in_velocity: Keras's form: v = momentum v - lr g, p += v.
        **options: See :class:`GroupedOptimizer`.
    """

    slots = ("velocity",)

    def __init__(self, momentum: float, rate_in_velocity: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.momentum = momentum
        self.rate_in_velocity = rate_in_velocity

    def update(self, gradient: tf.Tensor, variable: tf.Variable, rate: tf.Tensor) -> None:
        """Moves the variable; ``rate`` is float64."""
        velocity = self.slot("velocity", variable)
        rate = tf.cast(rate, variable.dtype)
        if self.rate_in_velocity:
            velocity.assign(self.momentum * velocity.value - rate * gradient)
            variable.assign_add(velocity.value)
        else:
            velocity.assign(self.momentum * velocity.value + gradient)
            variable.assign_sub(rate * velocity.value)


class Adam(GroupedOptimizer):
    """``torch.optim.Adam``: epsilon 1e-8 is added to the root after its bias correction.

    m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g²;
    p -= lr / (1 - b1^t) × m / (sqrt(v) / sqrt(1 - b2^t) + eps): Kingma and Ba 2014,
    arXiv:1412.6980, in the order of ``torch/optim/adam.py``.

    Args:
        epsilon_first: Keras's form: 1e-7 is added to sqrt(v), before the correction.
        **options: See :class:`GroupedOptimizer`.
    """

    slots = ("first", "second")
    beta_1, beta_2 = 0.9, 0.999

    def __init__(self, epsilon_first: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.epsilon_first = epsilon_first

    def update(self, gradient: tf.Tensor, variable: tf.Variable, rate: tf.Tensor) -> None:
        """Moves the variable; ``rate`` is float64."""
        first, second = self.slot("first", variable), self.slot("second", variable)
        first.assign(first.value + (1 - self.beta_1) * (gradient - first.value))
        second.assign(self.beta_2 * second.value + (1 - self.beta_2) * gradient * gradient)
        size = rate / self.bias_correction(self.beta_1)
        correction = tf.sqrt(self.bias_correction(self.beta_2))
        if self.epsilon_first:
            size = size * correction
            root = tf.sqrt(second.value) + 1e-7
        else:
            root = tf.sqrt(second.value) / tf.cast(correction, variable.dtype) + 1e-8
        variable.assign_sub(tf.cast(size, variable.dtype) * (first.value / root))


class RMSprop(GroupedOptimizer):
    """``torch.optim.RMSprop``: s = 0.99 s + 0.01 g²; p -= lr g / (sqrt(s) + 1e-8).

    Args:
        keras_constants: Keras's form: 0.9 for 0.99, and sqrt(s + 1e-7).
        **options: See :class:`GroupedOptimizer`.
    """

    slots = ("square",)

    def __init__(self, keras_constants: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.keras_constants = keras_constants

    def update(self, gradient: tf.Tensor, variable: tf.Variable, rate: tf.Tensor) -> None:
        """Moves the variable; ``rate`` is float64."""
        square = self.slot("square", variable)
        alpha = 0.9 if self.keras_constants else 0.99
        square.assign(alpha * square.value + (1 - alpha) * gradient * gradient)
        if self.keras_constants:
            root = tf.sqrt(square.value + 1e-7)
        else:
            root = tf.sqrt(square.value) + 1e-8
        variable.assign_sub(tf.cast(rate, variable.dtype) * (gradient / root))


def make_optimizer(
    network: Network, states: tuple[LayerState, ...], recipe: Recipe, phase: Phase
) -> keras.optimizers.Optimizer:
    """The recipe's optimiser over the layers that learn, one group for each block.

    Keras keeps a learning rate in its default float type, so that type is set to the network's.

    Args:
        network: The network.
        states: What each layer does in this phase.
        recipe: Which optimiser, and its constants.
        phase: The learning rate, and each block's factor on it.
    """
    blocks: dict[str, list[Any]] = {}
    for state in states:
        if state.learns and state.layer.shapes:
            layer = network.model.get_layer(state.layer.name)
            blocks.setdefault(state.layer.block, []).extend(layer.trainable_variables)
    groups = [
        {"params": variables, "name": block, "factor": phase.block_rates.get(block, 1.0)}
        for block, variables in blocks.items()
    ]
    keras.config.set_floatx(network.dtype)
    native = recipe.differences
    options: dict[str, Any] = {
        "groups": tuple(groups),
        "learning_rate": phase.lr,
        "decay": recipe.weight_decay,
        "decoupled": recipe.optimizer == "adamw" or "weight-decay" in native,
    }
    optimizer: GroupedOptimizer
    with tf.device(network.device):
        if recipe.optimizer == "sgd":
            in_velocity = "sgd-momentum" in native
            optimizer = SGD(recipe.momentum, rate_in_velocity=in_velocity, **options)
        elif recipe.optimizer in ("adam", "adamw"):
            optimizer = Adam(epsilon_first="adam-epsilon" in native, **options)
        else:
            optimizer = RMSprop(keras_constants="rmsprop-constants" in native, **options)
        optimizer.build([variable for variables in blocks.values() for variable in variables])
    return optimizer


def set_rate(optimizer: keras.optimizers.Optimizer, lr: float | tf.Tensor) -> None:
    """Sets the learning rate of the next step, each block's by its factor."""
    optimizer.learning_rate.assign(lr)


def optimizer_groups(optimizer: keras.optimizers.Optimizer) -> list[dict[str, Any]]:
    """What the optimiser trains, for the audit."""
    return [
        {
            "name": group["name"],
            "parameters": sum(int(tf.size(variable.value)) for variable in group["params"]),
            "lr": float(optimizer.learning_rate.numpy()) * group["factor"],
            "weight_decay": optimizer.decay,
        }
        for group in optimizer.groups
    ]
