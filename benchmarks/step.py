"""Where the time of a training step goes, and what makes it shorter.

Run `python benchmarks/step.py` (`--help` for options). Each row is one process: ResNet-18 with
random weights, everything trained, one batch again and again. *First* is the first step, which
holds compiling and tracing; the rate is that of the median of the steps after it. *Of the peak*
is the share of the rate at which the same framework computes one large 3 x 3 convolution forward in
float32 here, counting two operations for each of a step's multiply-adds: forward, and as many again
for the gradients of inputs and of weights.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from ftkit.architecture import Head
from ftkit.backbones.catalogue import architecture
from ftkit.engine.session import KEEPING_MEMORY

PASSES = 3  # forward, gradients of inputs, gradients of weights
# What each row sets: whether PyTorch's maps lie channels last, whether freed memory is kept,
# what is compiled, and the precision.
ROWS: dict[str, dict[str, Any]] = {
    "PyTorch": {"backend": "pytorch"},
    "PyTorch, channels last": {"backend": "pytorch", "last": True},
    "PyTorch, channels last, memory kept": {"backend": "pytorch", "last": True, "keep": True},
    "the same, torch.compile": {"backend": "pytorch", "last": True, "keep": True, "compile": True},
    "the same, bfloat16": {"backend": "pytorch", "last": True, "keep": True, "bf16": True},
    "the same, bfloat16, torch.compile": {
        "backend": "pytorch",
        "last": True,
        "keep": True,
        "bf16": True,
        "compile": True,
    },
    "TensorFlow": {"backend": "tensorflow"},
    "TensorFlow, XLA": {"backend": "tensorflow", "compile": True},
    "TensorFlow, bfloat16": {"backend": "tensorflow", "bf16": True},
}


def pytorch_step(row: dict[str, Any], pictures: int, size: int) -> Callable[[], Any]:
    """One step of torchvision's ResNet-18."""
    import torch
    from torchvision.models import resnet18

    layout = torch.channels_last if row.get("last") else torch.contiguous_format
    model = resnet18(num_classes=2).to(memory_format=layout)
    images = torch.randn(pictures, 3, size, size).contiguous(memory_format=layout)
    labels = torch.randint(0, 2, (pictures,))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    forward = torch.compile(model) if row.get("compile") else model

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bool(row.get("bf16"))):
            loss = torch.nn.functional.cross_entropy(forward(images), labels)
        loss.backward()
        optimizer.step()

    return step


def tensorflow_step(row: dict[str, Any], pictures: int, size: int) -> Callable[[], Any]:
    """One step of ftkit's ResNet-18 in Keras, batch norm in training mode."""
    import numpy as np

    from ftkit.backbones.weights import initial_tensors
    from ftkit.backends import tensorflow as backend
    from ftkit.data.batches import Batch
    from ftkit.freezing import FreezePlan, resolve
    from ftkit.recipe import Phase, Recipe

    made = architecture("resnet18", Head(), 2)
    precision = "bf16" if row.get("bf16") else "fp32"
    network = backend.build(made, initial_tensors(made, "random", 0), precision, "cpu")
    phase = Phase(1, FreezePlan(batch_norm="train"), 1e-3)
    states = resolve(phase.freeze, made)
    backend.apply_freeze(network, states)
    recipe = Recipe(optimizer="sgd")
    optimizer = backend.make_optimizer(network, states, recipe, phase)
    step = backend.make_step(network, optimizer, recipe)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (pictures, size, size, 3), dtype=np.uint8)
    batch = Batch(images, rng.integers(0, 2, pictures), np.zeros((pictures, 0)))
    return lambda: step(batch, 1e-3)


def peak(backend: str) -> float:
    """Operations per second of a single large convolution in float32, forward only."""
    side, channels, pictures = 28, 256, 32
    if backend == "pytorch":
        import torch

        layout = torch.channels_last
        maps = torch.randn(pictures, channels, side, side).contiguous(memory_format=layout)
        layer = torch.nn.Conv2d(channels, channels, 3, padding=1).to(memory_format=layout)

        @torch.no_grad()
        def convolve() -> Any:
            return layer(maps)
    else:
        import tensorflow as tf

        rows = tf.random.normal((pictures, side, side, channels))
        kernel = tf.random.normal((3, 3, channels, channels))

        def convolve() -> Any:
            return tf.nn.conv2d(rows, kernel, 1, "SAME").numpy()

    operations = 2 * pictures * side**2 * channels**2 * 9
    return operations / min(timed(convolve) for _ in range(10))


def timed(work: Callable[[], Any]) -> float:
    """Seconds that it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure(row: dict[str, Any], pictures: int, size: int, steps: int) -> dict[str, float]:
    """Seconds of the first step and of the others, and the peak; in this process."""
    make = pytorch_step if row["backend"] == "pytorch" else tensorflow_step
    step = make(row, pictures, size)
    first = timed(step)
    if row.get("compile"):
        first += timed(step)  # it may be compiled once more, for another layout of gradients
    seconds = statistics.median(timed(step) for _ in range(steps))
    return {"first": first, "seconds": seconds, "peak": peak(row["backend"])}


def main() -> None:
    """Measures every row and prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=32, help="in a batch (32)")
    parser.add_argument("--size", type=int, default=224, help="pixels on a side (224)")
    parser.add_argument("--steps", type=int, default=7, help="after the first (7)")
    parser.add_argument("--rows", nargs="*", default=list(ROWS), help="all, if none is named")
    parser.add_argument("--here", help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = (options.pictures, options.size, options.steps)
    if options.here:
        print(json.dumps(measure(ROWS[options.here], *sizes)))
        return
    costs = architecture("resnet18", Head(), 2).multiplications(options.size)
    operations = 2 * PASSES * sum(costs.values()) * options.pictures
    print("| step | first, s | pictures/s | of the peak |\n|---|---|---|---|")
    for name in options.rows:
        kept = KEEPING_MEMORY if ROWS[name].get("keep") else {}
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **kept}
        if "XLA" in name:
            environment["TF_XLA_FLAGS"] = "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit"
        with tempfile.TemporaryDirectory() as empty:  # what was compiled before is not used
            environment["TORCHINDUCTOR_CACHE_DIR"] = empty
            told = subprocess.run(
                [sys.executable, __file__, *sys.argv[1:], "--here", name],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                check=True,
            ).stdout
        found = json.loads(told.splitlines()[-1])
        rate = options.pictures / found["seconds"]
        share = operations / found["seconds"] / found["peak"]
        print(f"| {name} | {found['first']:.1f} | {rate:.1f} | {share:.0%} |", flush=True)


if __name__ == "__main__":
    main()
