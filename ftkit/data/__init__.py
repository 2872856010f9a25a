"""Where the pictures come from: drawn tasks, digits, cats and dogs, or a folder of one's own."""

from __future__ import annotations

from ftkit.data.dataset import Dataset, Split, stratified
from ftkit.data.digits import load_digits
from ftkit.data.drawn import TASKS, draw
from ftkit.data.folder import has_val_folder, load_folder
from ftkit.data.pets import NAMES as PETS
from ftkit.data.pets import load_pets
from ftkit.errors import FtkitError, unknown_name
from ftkit.paths import typed_path

__all__ = ["NAMES", "Dataset", "Split", "load", "seeded", "stratified"]

NAMES = (*TASKS, "digits", *PETS)
_VAL_START = 10_000_000  # drawn pictures are numbered; those to judge by come from far behind


def load(data: str, image_size: int, seed: int, train_size: int | None = None) -> Dataset:
    """The pictures that a recipe names.

    Drawn tasks draw as many training pictures as asked for, and a smaller number is the beginning
    of a larger one; other sources give a stratified subset. Validation pictures stay the same.

    Args:
        data: One of :data:`NAMES`, or a folder with one sub-folder per class. A folder that has
            one of those names is meant by a path: ``./pets``.
        image_size: Height and width in pixels.
        seed: Decides what is drawn, and how a folder is split.
        train_size: Training pictures wanted; None takes the task's own number, or all.

    Raises:
        FtkitError: If there is no such data, or it cannot be used.
    """
    if data in TASKS:
        return _drawn(data, image_size, seed, train_size)
    if data == "digits":
        dataset = load_digits(image_size, seed)
    elif data in PETS:
        dataset = load_pets(data, image_size)
    else:
        path = typed_path(data)
        if not path.exists() and path.name == data:
            raise FtkitError(
                f"{unknown_name('data', data, NAMES)} Or give a folder with one sub-folder per "
                f"class; there is none called {data!r} here."
            )
        dataset = load_folder(path, image_size, seed)
    return dataset if train_size is None else dataset.subset(train_size, seed)


def seeded(data: str, train_size: int | None = None) -> bool:
    """Whether the seed has a say in which pictures :func:`load` gives."""
    if train_size is not None or data in TASKS or data == "digits":
        return True
    return data not in PETS and not has_val_folder(typed_path(data))


def _drawn(name: str, image_size: int, seed: int, train_size: int | None) -> Dataset:
    task = TASKS[name]
    count = task.train if train_size is None else train_size
    if count < len(task.class_names):
        raise FtkitError(
            f"--train-size must be at least {len(task.class_names)} for {name} (one picture per "
            f"class); got {count}."
        )
    train = Split(*draw(name, count, image_size, seed))
    val = Split(*draw(name, task.val, image_size, seed, start=_VAL_START))
    return Dataset(name, task.class_names, train, val)
