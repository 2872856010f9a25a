"""What happens in a run, as records: a stream of events, and the run that they add up to."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal, get_args

from ftkit.errors import FtkitError

STOPPED = "the run was stopped"
"""Why nothing is kept, where a run ended before it was."""

Status = Literal["running", "done", "stopped", "failed"]


@dataclass(frozen=True)
class PhaseStart:
    """A phase begins.

    Attributes:
        phase: Its index, from 0.
        frozen: Names in its freeze plan.
        freeze_depth: Whole blocks frozen from the input on.
        trainable_parameters: Weights that learn.
        total_parameters: Weights in all.
        epochs: Epochs that it will run.
        steps: Steps that it will run.
        run_steps: Steps that the whole run will make.
    """

    kind: ClassVar[str] = "phase_start"
    phase: int
    frozen: tuple[str, ...]
    freeze_depth: int
    trainable_parameters: int
    total_parameters: int
    epochs: int
    steps: int
    run_steps: int


@dataclass(frozen=True)
class Computing:
    """Activations at the frozen boundary are being computed.

    Attributes:
        phase: Index of the phase, from 0.
        done: Pictures (each view of one counts) that are through.
        total: Pictures in all.
    """

    kind: ClassVar[str] = "computing"
    phase: int
    done: int
    total: int


@dataclass(frozen=True)
class Kept:
    """What a phase trains on: activations that were computed once, or the pictures.

    Attributes:
        phase: Index of the phase, from 0.
        boundary: Where they stand, ``"layer4, pooled"``; empty if nothing is kept.
        depth: How many blocks are in front of it.
        bytes: Size of the activations, training and validation.
        seconds: What they cost in this phase.
        place: ``"memory"`` or ``"disk"``; empty if nothing is kept.
        reused: Whether all of them were there already.
        views: Augmented versions of each training picture.
        exact: Whether these are all there are, so that training sees what it would see without.
        reason: Why nothing is kept.
    """

    kind: ClassVar[str] = "kept"
    phase: int
    boundary: str = ""
    depth: int = 0
    bytes: int = 0
    seconds: float = 0.0
    place: str = ""
    reused: bool = False
    views: int = 1
    exact: bool = True
    reason: str = ""


@dataclass(frozen=True)
class Step:
    """One batch has been learned from.

    Attributes:
        phase: Index of the phase, from 0.
        epoch: Index of the epoch within the whole run, from 0.
        step: Index of the step within the whole run, from 0.
        loss: Mean loss of the batch before the update.
        correct: Pictures of the batch that were classified rightly before the update.
        pictures: Pictures in the batch.
        lr: Learning rate of the step.
        seconds: Wall time of the step, taking its batch included.
    """

    kind: ClassVar[str] = "step"
    phase: int
    epoch: int
    step: int
    loss: float
    correct: int
    pictures: int
    lr: float
    seconds: float


@dataclass(frozen=True)
class Epoch:
    """One pass over the training pictures, and the evaluation after it.

    Attributes:
        phase: Index of the phase, from 0.
        epoch: Index of the epoch within the whole run, from 0.
        train_loss: Mean of the steps' losses, weighted by their pictures: a moving figure, taken
            while the network changed.
        train_accuracy: Likewise.
        val_loss: Mean loss over the validation pictures at the epoch's end.
        val_accuracy: Share of them classified rightly.
        seconds: Wall time of the epoch, evaluation included.
    """

    kind: ClassVar[str] = "epoch"
    phase: int
    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float


@dataclass(frozen=True)
class PhaseEnd:
    """A phase is over.

    Attributes:
        phase: Its index, from 0.
        audit: What was to be trained and what moved (see :func:`ftkit.freezing.audit`).
    """

    kind: ClassVar[str] = "phase_end"
    phase: int
    audit: dict[str, Any]


@dataclass(frozen=True)
class RunEnd:
    """A run is over.

    Attributes:
        stopped: Whether it was ended early by request.
        val_probabilities: Softmax outputs for the validation pictures, ``(n, classes)``.
        peak_memory_mb: Peak resident memory of the framework's process during the run, in
            MiB; on a GPU the peak that the framework allocated there.
        device: What it ran on.
        versions: Versions of what computed it.
        precision: What it computed in: where the recipe says ``"auto"``, what that came to.
    """

    kind: ClassVar[str] = "run_end"
    stopped: bool
    val_probabilities: list[list[float]]
    peak_memory_mb: float
    device: str
    versions: dict[str, str]
    precision: str = "fp32"


@dataclass(frozen=True)
class RunFailed:
    """A run broke off.

    Attributes:
        reason: What went wrong, in one line.
        details: The end of the worker's error output.
    """

    kind: ClassVar[str] = "run_failed"
    reason: str
    details: str = ""


@dataclass(frozen=True)
class Explained:
    """Where a network looks has been computed.

    Attributes:
        file: Where the maps are (see :mod:`ftkit.engine.explain`).
    """

    kind: ClassVar[str] = "explained"
    file: str


Event = PhaseStart | Computing | Kept | Step | Epoch | PhaseEnd | RunEnd | RunFailed | Explained
_EVENTS = {cls.kind: cls for cls in get_args(Event)}


def event_to_dict(event: Event) -> dict[str, Any]:
    """An event as JSON types, with its kind."""
    return {"kind": event.kind, **vars(event)}  # asdict() would take longer than a short step


def event_from_dict(values: dict[str, Any]) -> Event:
    """The event that :func:`event_to_dict` wrote.

    Raises:
        FtkitError: If the kind is unknown.
    """
    values = dict(values)
    kind = values.pop("kind", None)
    if kind not in _EVENTS:
        raise FtkitError(f"Expected an event of {', '.join(_EVENTS)}; got {kind!r}.")
    if kind == "phase_start":
        values["frozen"] = tuple(values["frozen"])
    event: Event = _EVENTS[kind](**values)
    return event


@dataclass
class Run:
    """One strategy in one framework, from its first step to its last.

    Attributes:
        backend: ``"pytorch"`` or ``"tensorflow"``.
        strategy: The recipe's name for it.
        seed: The recipe's seed, where one experiment runs with several.
        status: ``"done"``, ``"stopped"`` on request, ``"failed"``, or ``"running"``.
        error: Why it failed, in one line; empty otherwise.
        error_details: The end of the worker's error output.
        phases: The phases that began.
        kept: What each phase trained on.
        steps: Every step.
        epochs: Every epoch.
        audits: The freeze audit of each phase.
        seconds: Wall time from the first phase to the end, evaluation included, starting the
            process and loading the data not.
        end: Predictions, memory, device and versions; None unless the run came to its end.
        weights: The file of its final weights; empty unless they were exported.
    """

    backend: str
    strategy: str
    seed: int | None = None
    status: Status = "running"
    error: str = ""
    error_details: str = ""
    phases: list[PhaseStart] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)
    audits: list[dict[str, Any]] = field(default_factory=list)
    end: RunEnd | None = None
    seconds: float = 0.0
    weights: str = ""

    def add(self, event: Event) -> None:
        """Takes in the next event of the run."""
        if isinstance(event, PhaseStart):
            self.phases.append(event)
        elif isinstance(event, (Computing, Explained)):
            pass  # the outcome of the one is told by Kept, that of the other by its file
        elif isinstance(event, Kept):
            self.kept.append(event)
        elif isinstance(event, Step):
            self.steps.append(event)
        elif isinstance(event, Epoch):
            self.epochs.append(event)
        elif isinstance(event, PhaseEnd):
            self.audits.append(event.audit)
        elif isinstance(event, RunEnd):
            self.end = event
            self.status = "stopped" if event.stopped else "done"
        else:
            self.status = "failed"
            self.error = event.reason
            self.error_details = event.details

    @property
    def name(self) -> str:
        """``"pytorch feature-extraction"``, ``"pytorch depth-2, seed 1"``."""
        return f"{self.backend} {self.label}"

    @property
    def label(self) -> str:
        """``"feature-extraction"``, ``"depth-2, seed 1"``: what it is called in its framework."""
        return self.strategy if self.seed is None else f"{self.strategy}, seed {self.seed}"

    @property
    def freeze_depth(self) -> int | None:
        """Whole blocks frozen in the last phase; None before the first."""
        return self.phases[-1].freeze_depth if self.phases else None

    @property
    def trainable_parameters(self) -> int | None:
        """Weights that learn in the last phase; None before the first."""
        return self.phases[-1].trainable_parameters if self.phases else None

    @property
    def total_parameters(self) -> int | None:
        """Weights in all; None before the first phase."""
        return self.phases[-1].total_parameters if self.phases else None

    @property
    def val_accuracy(self) -> float | None:
        """Validation accuracy after the last epoch; None before the first."""
        return self.epochs[-1].val_accuracy if self.epochs else None

    @property
    def val_loss(self) -> float | None:
        """Validation loss after the last epoch; None before the first."""
        return self.epochs[-1].val_loss if self.epochs else None

    @property
    def share(self) -> float:
        """How much of it is over, by its steps, from 0 to 1; 0 before the first phase."""
        total = self.phases[-1].run_steps if self.phases else 0
        return len(self.steps) / total if total else 0.0

    @property
    def step_losses(self) -> list[float]:
        """Loss of every step."""
        return [step.loss for step in self.steps]

    @property
    def val_predictions(self) -> list[int]:
        """Predicted label of each validation picture; empty if the run did not end."""
        rows = self.end.val_probabilities if self.end else []
        return [row.index(max(row)) for row in rows]

    @property
    def pass_seconds(self) -> float:
        """Seconds of it that went into computing what is frozen, for this run and for others."""
        return sum(item.seconds for item in self.kept if not item.reused)

    @property
    def images_per_second(self) -> float | None:
        """Training pictures per second of training, without each phase's first step.

        That step holds what a framework does once, such as TensorFlow's tracing. None if there
        is no other step.
        """
        counted = [
            now for before, now in zip(self.steps, self.steps[1:]) if now.phase == before.phase
        ]
        seconds = sum(step.seconds for step in counted)
        return sum(step.pictures for step in counted) / seconds if seconds else None

    def summary(self) -> dict[str, Any]:
        """The run as ``summary.json`` holds it."""
        return {
            "backend": self.backend,
            "strategy": self.strategy,
            "seed": self.seed,
            "status": self.status,
            "error": self.error,
            "freeze_depth": self.freeze_depth,
            "trainable_parameters": self.trainable_parameters,
            "total_parameters": self.total_parameters,
            "val_accuracy": self.val_accuracy,
            "val_loss": self.val_loss,
            "seconds": self.seconds,
            "images_per_second": self.images_per_second,
            "peak_memory_mb": self.end.peak_memory_mb if self.end else None,
            "device": self.end.device if self.end else None,
            "precision": self.end.precision if self.end else None,
            "versions": self.end.versions if self.end else {},
            "kept": [asdict(item) for item in self.kept],
            "step_losses": self.step_losses,
            "val_predictions": self.val_predictions,
            "audit": {
                "holds": all(audit["holds"] for audit in self.audits),
                "phases": self.audits,
            },
        }

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Run:
        """The run that :meth:`to_dict` wrote."""
        given = dict(values)
        given["phases"] = [
            PhaseStart(**{**item, "frozen": tuple(item["frozen"])}) for item in given["phases"]
        ]
        given["kept"] = [Kept(**item) for item in given["kept"]]
        given["steps"] = [Step(**item) for item in given["steps"]]
        given["epochs"] = [Epoch(**item) for item in given["epochs"]]
        given["end"] = RunEnd(**given["end"]) if given["end"] else None
        return cls(**given)
