"""What is frozen is computed once: activations at the boundary, kept for as long as they hold.

Everything here is NumPy; a backend brings only the function that computes.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from ftkit.backends.recording import Recorder
from ftkit.backends.shelves import DiskShelf, MemoryShelf, NoRoom, Shelf
from ftkit.data.batches import PLAIN, Activations, Views, evaluation_rows, view, views_ahead
from ftkit.data.dataset import Split
from ftkit.freezing import LayerState, resolve, still_depth
from ftkit.history import STOPPED, Computing, Event, Kept

SHARE_OF_FREE_MEMORY = 0.25
"""How much of what is free is used to keep things: of the host's memory, and of a GPU's."""
Front = Callable[[NDArray[Any]], list[NDArray[Any]]]
"""From pictures, or from the activations at a boundary, to those at deeper ones."""
MakeFront = Callable[[int, tuple[int, ...]], Front]


@dataclass(frozen=True)
class Part:
    """One split of a run's pictures, with its augmented views.

    Attributes:
        split: The pictures.
        views: Which views of each are computed.
        recorder: The run.
    """

    split: Split
    views: Views
    recorder: Recorder

    @property
    def rows(self) -> int:
        """How many rows its activations have."""
        return len(self.split) * self.views.count

    def keys(self, tensors: Mapping[str, str]) -> list[str]:
        """What the activations at each depth from 0 depend on, as a digest.

        Args:
            tensors: The fingerprint of every tensor.
        """
        network, recipe = self.recorder.architecture, self.recorder.recipe
        about: list[Any] = [
            network.name,
            network.keras_layers,
            asdict(network.scaling),
            recipe.precision,
            recipe.device,
            sorted(recipe.differences),
            self.split.images.shape,
            self.recorder.fingerprint(self.split),
            [recipe.augment if self.views != PLAIN else "none", asdict(self.views)],
            recipe.seed if not self.views.exact else 0,
        ]
        found = [_digest(about)]
        for block in network.blocks:
            own = [
                tensors[f"{layer.name}.{key}"]
                for layer in network.layers
                if layer.block == block
                for key in layer.shapes
            ]
            found.append(_digest([found[-1], block, own]))
        return found

    def batches(self, source: Shelf | None) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Rows and what is computed from: pictures, or activations that are there."""
        if source is not None:
            for rows in evaluation_rows(source.shape):
                yield rows, source[rows]
            return
        count = len(self.split)
        for number in range(self.views.count):
            for rows in evaluation_rows(self.split.images.shape):
                images = view(self.split, self.recorder.recipe, self.views, number, rows)
                offset = number * count
                yield (
                    slice(offset + rows.start, offset + rows.stop),
                    np.array(images, order="C"),  # a file's own bytes cannot be handed on
                )


class Cache:
    """Activations by what they were computed from, so that nothing stale is ever found.

    Attributes:
        enabled: Whether anything is kept.
        memory: Bytes to hold in memory; what is more goes to disk.
        depths: Freeze depths that other runs from the same weights will need: what is computed
            on the way to a deeper one is kept for them.
        steps: How many steps a run will make at most; None where it makes all.
    """

    def __init__(self, enabled: bool = True, memory: int | None = None) -> None:
        self.enabled = enabled
        self.depths: Sequence[int] = ()
        self.steps: int | None = None
        self._shelves: dict[str, Shelf] = {}  # what was used last comes last
        self.memory = self.share() if memory is None else memory

    def share(self) -> int:
        """A quarter of the memory that is free, or held here, in bytes."""
        free = psutil.virtual_memory().available + self._held({})
        return int(free * SHARE_OF_FREE_MEMORY)

    def inputs(
        self,
        recorder: Recorder,
        states: tuple[LayerState, ...],
        tensors: Mapping[str, str],
        make_front: MakeFront,
        should_stop: Callable[[], bool],
    ) -> Generator[Event, None, tuple[Split | Activations, Split | Activations]]:
        """What the steps and the evaluations of a phase take, computed here if need be.

        Args:
            recorder: The run, at the start of the phase.
            states: What each layer does in the phase.
            tensors: The fingerprint of every tensor at its start.
            make_front: From the depth of what is there and the depths that are wanted to a
                function that computes them, in inference mode.
            should_stop: Asked after each batch; True leaves what is half done.

        Yields:
            How far it is; at the end what is kept, or why nothing is.

        Returns:
            What stands for the training and for the validation pictures.
        """
        train, val = recorder.dataset.train, recorder.dataset.val
        depth = still_depth(states, recorder.architecture)
        views = views_ahead(recorder.recipe)
        if (reason := self._impossible(recorder, depth)) or views is None:
            yield Kept(recorder.phase, reason=reason)
            return train, val
        parts = (Part(train, views, recorder), Part(val, PLAIN, recorder))
        keys = [part.keys(tensors) for part in parts]
        ahead = self._ahead(recorder, depth)
        reused = all(found[depth] in self._shelves for found in keys)
        shared = reused or bool(ahead) or depth in self.depths
        if not shared and (reason := self._useless(recorder, views)):
            yield Kept(recorder.phase, reason=reason)
            return train, val
        wanted = {found[at] for found in keys for at in (depth, *ahead, self._start(found, depth))}
        fronts = _once(make_front)
        done, total = 0, sum(part.rows for part in parts)
        started = time.perf_counter()
        try:
            for part, found in zip(parts, keys):
                for rows in self._fill(part, found, depth, ahead, wanted, fronts):
                    done += rows
                    yield Computing(recorder.phase, done, total)
                    if should_stop():
                        yield Kept(recorder.phase, reason=STOPPED)
                        return train, val
        except NoRoom as error:
            yield Kept(recorder.phase, reason=str(error))
            return train, val
        shelves = [self._use(found[depth]) for found in keys]
        yield Kept(
            phase=recorder.phase,
            boundary=recorder.architecture.boundary_name(depth),
            depth=depth,
            bytes=sum(shelf.nbytes for shelf in shelves),
            seconds=time.perf_counter() - started,
            place="disk" if any(shelf.place == "disk" for shelf in shelves) else "memory",
            reused=reused,
            views=views.count,
            exact=views.exact,
        )
        return (
            Activations(shelves[0], train.labels, depth, views),
            Activations(shelves[1], val.labels, depth),
        )

    def _ahead(self, recorder: Recorder, depth: int) -> set[int]:
        """Shallower depths to keep on the way: for later phases of this run, and for other runs."""
        found: set[int] = set()
        lowest = depth
        for phase in recorder.phases[recorder.phase + 1 :]:
            states = resolve(phase.freeze, recorder.architecture)
            lowest = min(lowest, still_depth(states, recorder.architecture))
            found.add(lowest)
        if recorder.phase == 0:  # later the weights are no longer those that others start from
            found.update(self.depths)
        return {at for at in found if 0 < at < depth}

    def _impossible(self, recorder: Recorder, depth: int) -> str:
        """Why nothing can be kept; empty if something can."""
        augment = recorder.recipe.augment
        if not self.enabled:
            return "the cache is switched off"
        if depth == 0:
            return "the first block is not frozen, or not still"
        if views_ahead(recorder.recipe) is None:
            return (
                f"{augment} draws new pictures in every epoch; --views N would train on N fixed "
                "ones of each"
            )
        return ""

    def _useless(self, recorder: Recorder, views: Views) -> str:
        """Why it would not pay to compute what this phase alone needs; empty if it would."""
        recipe, epochs = recorder.recipe, recorder.phases[recorder.phase].epochs
        if self.steps is not None and self.steps * recipe.batch_size < len(recorder.dataset.train):
            return "the run ends before it has seen every picture"
        if views.count < epochs:
            return ""
        if epochs == 1:
            return "one epoch computes it once anyway"
        return f"{epochs} epochs would not save a pass over {views.count} views of each picture"

    def _fill(
        self,
        part: Part,
        keys: Sequence[str],
        depth: int,
        ahead: set[int],
        wanted: set[str],
        make_front: MakeFront,
    ) -> Iterator[int]:
        """Computes what is not there yet, and tells how many rows at a time.

        Raises:
            NoRoom: If neither memory nor disk has room for what the phase needs.
        """
        if keys[depth] in self._shelves:
            yield part.rows
            return
        start = self._start(keys, depth)
        ends = (*sorted(at for at in ahead if at > start), depth)
        front = make_front(start, ends)
        made: dict[int, Shelf] = {}
        source = self._use(keys[start]) if start else None
        for rows, inputs in part.batches(source):
            found = dict(zip(ends, front(inputs)))
            if not rows.start:
                made = self._shelves_for(part, found, depth, wanted)
            for at, shelf in made.items():
                shelf[rows] = found[at]
            yield rows.stop - rows.start
        for at, shelf in made.items():  # whole ones only: a run that is stopped leaves none
            self._shelves[keys[at]] = shelf

    def _shelves_for(
        self, part: Part, values: Mapping[int, NDArray[Any]], depth: int, wanted: set[str]
    ) -> dict[int, Shelf]:
        """Room for the activations at each depth, in memory or on disk; that of the phase first.

        What has not been used for longest makes room, unless it is wanted. What is only for
        later is left out where there is no room for it.

        Raises:
            NoRoom: If there is none for the depth of the phase.
        """
        made: dict[int, Shelf] = {}
        for at in sorted(values, key=lambda at: at != depth):
            shape, dtype = (part.rows, *values[at].shape[1:]), values[at].dtype
            size = part.rows * values[at][0].nbytes
            fits = self._make_room(size, made, wanted)
            try:
                made[at] = MemoryShelf(shape, dtype) if fits else DiskShelf(shape, dtype)
            except NoRoom:
                if at == depth:
                    raise
        return made

    def _make_room(self, size: int, made: Mapping[int, Shelf], wanted: set[str]) -> bool:
        """Whether there is room in memory, once what is not wanted has gone.

        What cannot help stays; but what goes to disk takes the place of what was there.
        """
        spare = [key for key in self._shelves if key not in wanted]
        in_memory = [key for key in spare if self._shelves[key].place == "memory"]
        free = self.memory - self._held(made)
        fits = size <= free + sum(self._shelves[key].nbytes for key in in_memory)
        for key in spare:
            if fits and self._held(made) + size <= self.memory:
                break
            if fits == (key in in_memory):
                del self._shelves[key]
        return fits

    def _start(self, keys: Sequence[str], depth: int) -> int:
        """The deepest boundary in front of a depth at which something is kept; 0 for none."""
        return max((at for at in range(depth) if keys[at] in self._shelves), default=0)

    def _use(self, key: str) -> Shelf:
        """What is kept under a key, which counts as used now."""
        self._shelves[key] = self._shelves.pop(key)
        return self._shelves[key]

    def _held(self, filling: Mapping[int, Shelf]) -> int:
        """Bytes in memory, with what is being filled."""
        shelves = (*self._shelves.values(), *filling.values())
        return sum(shelf.nbytes for shelf in shelves if shelf.place == "memory")


def _once(make_front: MakeFront) -> MakeFront:
    """Makes each function once, for training and for validation pictures."""
    made: dict[tuple[int, tuple[int, ...]], Front] = {}

    def find(start: int, ends: tuple[int, ...]) -> Front:
        if (start, ends) not in made:
            made[start, ends] = make_front(start, ends)
        return made[start, ends]

    return find


def _digest(values: list[Any]) -> str:
    return hashlib.blake2b(json.dumps(values).encode(), digest_size=16).hexdigest()
