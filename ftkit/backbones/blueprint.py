"""Writes a network down, operation by operation."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from ftkit.architecture import PICTURE, Head, Layer, LayerKind, Operation

Kernel = int | tuple[int, int]


class Value(NamedTuple):
    """What an operation gives.

    Attributes:
        number: The operation's.
        channels: Its channels, or its numbers where it is a vector.
    """

    number: int
    channels: int


class Blueprint:
    """Collects the operations of a network, one method call each.

    Attributes:
        operations: What has been written so far.
        block_ends: Torchvision's name of the module that ends each block.
        block: The block that is being written.
        keras: Whether to write ``keras.applications``' variant.
        epsilon: Of batch norm.
        momentum: Of batch norm: the weight of a new batch.
    """

    def __init__(self, keras: bool = False, epsilon: float = 1e-5, momentum: float = 0.1) -> None:
        self.operations: list[Operation] = []
        self.block_ends: dict[str, str] = {}
        self.block = ""
        self.keras = keras
        self.epsilon = epsilon
        self.momentum = momentum
        self.picture = Value(PICTURE, 3)

    def begin(self, block: str, end: str) -> None:
        """Starts a block, whose output will be that of torchvision's module ``end``."""
        self.block = block
        self.block_ends[block] = end

    def padding(self, stride: int) -> Literal["same"] | None:
        """Keras's padding where it strides in MobileNet and EfficientNet; torchvision's else."""
        return "same" if self.keras and stride > 1 else None

    def conv(
        self,
        x: Value,
        name: str,
        out: int,
        kernel: Kernel,
        stride: int = 1,
        padding: Kernel | Literal["same"] | None = None,
        bias: bool = False,
        initial: float | None = None,
    ) -> Value:
        """A convolution; without ``padding``, half its kernel on each side."""
        height, width = _pair(kernel)
        shapes: dict[str, tuple[int, ...]] = {"weight": (out, x.channels, height, width)}
        if bias:
            shapes["bias"] = (out,)
        layer = Layer(name, "conv", self.block, shapes, initial=initial)
        return self._window("conv", x, out, kernel, stride, padding, layer)

    def depthwise(
        self,
        x: Value,
        name: str,
        kernel: Kernel,
        stride: int = 1,
        padding: Kernel | Literal["same"] | None = None,
        bias: bool = False,
        initial: float | None = None,
    ) -> Value:
        """A convolution of each channel by itself."""
        shapes: dict[str, tuple[int, ...]] = {"weight": (x.channels, 1, *_pair(kernel))}
        if bias:
            shapes["bias"] = (x.channels,)
        layer = Layer(name, "depthwise", self.block, shapes, initial=initial)
        return self._window("depthwise", x, x.channels, kernel, stride, padding, layer)

    def linear(self, x: Value, name: str, out: int, initial: float | None = None) -> Value:
        """A fully connected layer with bias."""
        shapes = {"weight": (out, x.channels), "bias": (out,)}
        layer = Layer(name, "linear", self.block, shapes, initial=initial)
        return self._add("linear", (x,), out, layer)

    def batch_norm(self, x: Value, name: str, scale: bool = True) -> Value:
        """Batch normalisation; ``scale=False`` leaves out what multiplies."""
        keys = ("weight", "bias", "running_mean", "running_var")[0 if scale else 1 :]
        layer = Layer(name, "batch_norm", self.block, dict.fromkeys(keys, (x.channels,)))
        options = {"epsilon": self.epsilon, "momentum": self.momentum}
        return self._add("batch_norm", (x,), x.channels, layer, **options)

    def conv_norm(
        self, x: Value, name: str, out: int, kernel: int, stride: int, activation: str
    ) -> Value:
        """A convolution, batch norm and an activation: torchvision's ``Conv2dNormActivation``."""
        x = self.conv(x, f"{name}.0", out, kernel, stride, self.padding(stride))
        return self.apply(activation, self.batch_norm(x, f"{name}.1"))

    def layer_norm(self, x: Value, name: str, epsilon: float) -> Value:
        """Normalisation over the channels of each place."""
        shapes = {"weight": (x.channels,), "bias": (x.channels,)}
        layer = Layer(name, "layer_norm", self.block, shapes)
        return self._add("layer_norm", (x,), x.channels, layer, epsilon=epsilon)

    def scale(self, x: Value, name: str, initial: float) -> Value:
        """One learned factor per channel: ConvNeXt's ``layer_scale``."""
        shapes = {"layer_scale": (x.channels, 1, 1)}
        layer = Layer(name, "scale", self.block, shapes, initial=initial)
        return self._add("scale", (x,), x.channels, layer)

    def drop(self, x: Value, name: str, rate: float, kind: LayerKind = "dropout") -> Value:
        """Dropout, or stochastic depth; with a rate of 0, nothing."""
        if not rate:
            return x
        units = x.channels if kind == "dropout" else 1
        layer = Layer(name, kind, self.block, rate=rate, units=units)
        return self._add(kind, (x,), x.channels, layer)

    def max_pool(self, x: Value, kernel: int, stride: int, padding: Kernel = 0) -> Value:
        """The largest of each window; padding must not be larger than what is padded."""
        return self._window("max_pool", x, x.channels, kernel, stride, padding)

    def avg_pool(
        self, x: Value, kernel: int, stride: int, padding: Kernel | Literal["same"] = 0
    ) -> Value:
        """The mean of each window; zeros count, unless they are ``"same"`` padding."""
        return self._window("avg_pool", x, x.channels, kernel, stride, padding)

    def adaptive_pool(self, x: Value, cells: int) -> Value:
        """The mean over each of ``cells`` × ``cells`` parts of the map."""
        return self._add("adaptive_pool", (x,), x.channels, kernel=(cells, cells))

    def flatten(self, x: Value, cells: int) -> Value:
        """A map of ``cells`` × ``cells`` places as one vector: channel, row, column."""
        return self._add("flatten", (x,), x.channels * cells * cells)

    def apply(self, kind: str, x: Value) -> Value:
        """An operation without weights that keeps the channels: ``"relu"``, ``"global_pool"``."""
        return self._add(kind, (x,), x.channels)

    def add(self, x: Value, other: Value) -> Value:
        """The sum of two maps."""
        return self._add("add", (x, other), x.channels)

    def multiply(self, x: Value, other: Value) -> Value:
        """A map times one number per channel."""
        return self._add("multiply", (x, other), x.channels)

    def concat(self, *values: Value) -> Value:
        """The channels of all, one after the other."""
        return self._add("concat", values, sum(value.channels for value in values))

    def head(self, x: Value, name: str, head: Head, classes: int) -> Value:
        """The recipe's head, numbered as PyTorch numbers the layers of a ``Sequential``.

        Linear, ReLU, dropout, linear; or dropout, linear; or, without dropout, a linear layer
        alone.
        """
        self.block = "head"
        if head.hidden:
            x = self.apply("relu", self.linear(x, f"{name}.0", head.hidden))
            x = self.drop(x, f"{name}.2", head.dropout)
            return self.linear(x, f"{name}.3", classes)
        x = self.drop(x, f"{name}.0", head.dropout)
        return self.linear(x, f"{name}.1" if head.dropout else name, classes)

    def _window(
        self,
        kind: str,
        x: Value,
        channels: int,
        kernel: Kernel,
        stride: int,
        padding: Kernel | Literal["same"] | None,
        layer: Layer | None = None,
    ) -> Value:
        height, width = _pair(kernel)
        pad: tuple[int, int] | Literal["same"]
        if padding is None:
            pad = (height // 2, width // 2)
        else:
            pad = "same" if padding == "same" else _pair(padding)
        options = {"kernel": (height, width), "stride": stride, "padding": pad}
        return self._add(kind, (x,), channels, layer, **options)

    def _add(
        self,
        kind: str,
        inputs: tuple[Value, ...],
        channels: int,
        layer: Layer | None = None,
        **options: Any,
    ) -> Value:
        numbers = tuple(value.number for value in inputs)
        self.operations.append(Operation(kind, numbers, self.block, channels, layer, **options))
        return Value(len(self.operations) - 1, channels)


def _pair(kernel: Kernel) -> tuple[int, int]:
    return (kernel, kernel) if isinstance(kernel, int) else kernel
