"""The program that runs inside a framework's own process: takes jobs, tells events.

Jobs arrive on standard input, one JSON object a line; events leave on standard output, each line an
array of some of them. What the framework prints goes to standard error. When the input ends, the
process ends: a worker never outlives the program that started it.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from ftkit.backbones.catalogue import architecture
from ftkit.backends.caching import Cache
from ftkit.backends.protocol import Backend
from ftkit.data.store import open_stored
from ftkit.history import Explained, RunEnd, RunFailed, Step, event_to_dict
from ftkit.recipe import Recipe
from ftkit.version import __version__

BUNCH_SECONDS = 0.05  # the eye sees no difference
# Keras looks for these, for wrappers and plots that no job uses: a third of TensorFlow's start.
UNUSED = ("matplotlib", "pandas", "sklearn")


class Inbox:
    """Reads what the parent sends, while the main thread trains."""

    def __init__(self, lines: TextIO) -> None:
        self.jobs: queue.Queue[dict[str, Any]] = queue.Queue()
        self.stop = threading.Event()
        threading.Thread(target=self._listen, args=(lines,), daemon=True).start()

    def _listen(self, lines: TextIO) -> None:
        for line in lines:
            message = json.loads(line)
            if message["do"] == "stop":
                self.stop.set()
            else:
                self.stop.clear()  # here, in the order of the messages: a stop is never lost
                self.jobs.put(message)
        os._exit(0)  # the parent is gone: so is the reason to go on, whatever is being computed


class Outbox:
    """Sends messages; steps in bunches, since one may take less time than telling of it.

    Args:
        stream: Where to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._begun = threading.Event()
        threading.Thread(target=self._post, name="outbox", daemon=True).start()

    def send(self, message: dict[str, Any]) -> None:
        """Sends a message; that of a step a little later, with those that follow it."""
        with self._lock:
            self._waiting.append(message)
            if message["kind"] != Step.kind:
                self._flush()
        if message["kind"] == Step.kind and not self._begun.is_set():
            self._begun.set()

    def _post(self) -> None:
        """Sends a bunch a little after its first step came, whatever is computed meanwhile."""
        while True:
            self._begun.wait()
            time.sleep(BUNCH_SECONDS)
            self._begun.clear()
            with self._lock, suppress(OSError):  # the parent is gone: the inbox ends the process
                self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._stream.write(json.dumps(self._waiting) + "\n")
            self._stream.flush()
            self._waiting.clear()


def main() -> None:
    """Serves one backend, named by the first argument, until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt stops
    send = Outbox(os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")).send
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    inbox = Inbox(sys.stdin)
    cache = Cache()
    with hidden(UNUSED):
        backend: Backend = importlib.import_module(f"ftkit.backends.{sys.argv[1]}")
    found = backend.devices()
    gc.collect()
    gc.freeze()  # a framework's own objects stay: no later collection need look at them
    send({"kind": "ready", "devices": found, "ftkit": __version__})
    while True:
        job = inbox.jobs.get()
        try:
            if job["do"] == "explain":
                explain_job(backend, job, send)
            else:
                run_job(backend, job, inbox.stop.is_set, send, cache)
        except Exception as error:  # whatever breaks a run is told, and costs only that run
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            send(event_to_dict(RunFailed(reason, traceback.format_exc())))
        gc.collect()
        give_back()


@contextmanager
def hidden(packages: Sequence[str]) -> Iterator[None]:
    """Lets what is imported here believe that some packages are not installed.

    Args:
        packages: Those that are loaded already stay.
    """
    absent: dict[str, Any] = dict.fromkeys(name for name in packages if name not in sys.modules)
    sys.modules.update(absent)  # None: an import of it raises ModuleNotFoundError
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def give_back() -> None:
    """Gives memory that is free back to the system: the next job's peak is then its own.

    glibc's ``malloc_trim(3)``; other C libraries have none.
    """
    trim = getattr(ctypes.CDLL(None) if sys.platform == "linux" else None, "malloc_trim", None)
    if trim is not None:
        trim(0)


def run_job(
    backend: Backend,
    job: dict[str, Any],
    stop_asked: Callable[[], bool],
    send: Callable[[dict[str, Any]], None],
    cache: Cache,
) -> None:
    """Trains as a job says, and sends the events of the run.

    Args:
        backend: The framework.
        job: ``recipe``, ``strategy``, ``zoo`` (whose network), ``dataset`` (a folder that
            :mod:`ftkit.data.store` wrote),
            ``tensors`` (the initial weights, safetensors), ``max_steps`` (or None), ``export``
            (where to write the final weights, or None), ``cache`` (whether to keep what is
            frozen), ``cache_memory`` (bytes of it in memory, or None) and ``depths`` (what other
            jobs from the same weights will need of it).
        stop_asked: Whether the parent wants the run to end.
        send: Takes each event as JSON types.
        cache: What is kept between jobs.
    """
    recipe = Recipe.from_dict(job["recipe"])
    dataset = open_stored(Path(job["dataset"]))
    classes = len(dataset.class_names)
    network_layers = architecture(recipe.backbone, recipe.head, classes, job["zoo"])
    phases = recipe.phases_of(job["strategy"], network_layers)
    tensors = load_file(job["tensors"])
    network = backend.build(
        network_layers, tensors, recipe.precision, recipe.device, recipe.differences
    )
    del tensors  # half a gigabyte for VGG
    steps = 0

    def should_stop() -> bool:
        return stop_asked() or (job["max_steps"] is not None and steps >= job["max_steps"])

    cache.enabled, cache.depths, cache.steps = job["cache"], job["depths"], job["max_steps"]
    cache.memory = cache.share() if job["cache_memory"] is None else job["cache_memory"]
    for event in backend.train(network, dataset, recipe, phases, should_stop, cache):
        steps += isinstance(event, Step)
        if isinstance(event, RunEnd) and job["export"]:
            part = Path(job["export"]).with_suffix(".part")
            save_file(backend.export(network), part, {"zoo": job["zoo"]})
            part.replace(job["export"])
        send(event_to_dict(event))


def explain_job(
    backend: Backend, job: dict[str, Any], send: Callable[[dict[str, Any]], None]
) -> None:
    """Computes where a trained network looks, writes it, and says so.

    Args:
        backend: The framework.
        job: ``recipe``, ``classes`` (how many), ``tensors`` (the weights that a run exported),
            ``pictures`` (safetensors: ``images``, and ``labels``, the class that is asked for),
            ``block`` (of which block's output, or None), ``file`` (where to write the ``maps``).
        send: Takes the event as JSON types.
    """
    recipe = Recipe.from_dict(job["recipe"])
    with safe_open(job["tensors"], "numpy") as weights:
        zoo = (weights.metadata() or {}).get("zoo", "torchvision")
    network_layers = architecture(recipe.backbone, recipe.head, job["classes"], zoo)
    network = backend.build(
        network_layers,
        load_file(job["tensors"]),
        recipe.precision,
        recipe.device,
        recipe.differences,
    )
    given = load_file(job["pictures"])
    maps = backend.grad_cam(network, given["images"], given["labels"], job["block"])
    save_file({"maps": maps.astype(np.float32)}, job["file"])
    send(event_to_dict(Explained(job["file"])))
