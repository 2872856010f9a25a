"""Pictures from a folder with one sub-folder per class."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from ftkit.data.dataset import Dataset, Split
from ftkit.errors import FtkitError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
# Pillow goes by content, not by suffix; naming the formats keeps it from starting Ghostscript
# for a PostScript file called .jpg.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
VAL_NAMES = ("val", "valid", "validation", "test")  # the first that exists is used
IGNORED = ("__MACOSX", "Thumbs.db")
THREADS = 8  # each holds one picture at full size
UPRIGHT = {  # EXIF orientation: what brings the stored pixels upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def load_folder(path: Path, image_size: int, seed: int, val_share: float = 0.2) -> Dataset:
    """Read every picture below a folder, upright, square and in RGB.

    The folder holds one sub-folder per class, or ``train/`` and ``val/`` (or ``valid/``,
    ``validation/``, ``test/``) that do. Without a val folder, ``hold_out`` makes the split.
    Pictures are taken in the order of their names; hidden files and other file types are ignored.

    Args:
        path: The folder.
        image_size: Height and width of the result in pixels.
        seed: Decides which pictures are held out; unused where the folder has a val part.
        val_share: Share of every class to hold out, between 0 and 1.

    Returns:
        Images uint8 of shape ``(n, image_size, image_size, 3)``. Pictures that could not be
        decoded are listed in ``skipped``.

    Raises:
        FtkitError: If the folder is missing or not laid out as above, if there are fewer than two
            classes or too few pictures in one, or if over a tenth of the pictures are unreadable.
    """
    if image_size < 1 or not 0 < val_share < 1:
        raise FtkitError(
            "Expected an image size of at least 1 pixel and a val share between 0 and 1; "
            f"got {image_size} and {val_share}."
        )
    roots = _parts(path)
    names = _class_names(roots)
    folders = [root / name for root in roots for name in names]
    pictures = [list(_pictures(folder)) for folder in folders]
    files = [file for found in pictures for file in found]
    # Numbers the folders: first those of train in label order, then those of val.
    group = np.repeat(np.arange(len(folders), dtype=np.int64), [len(found) for found in pictures])
    least = 2 if len(roots) == 1 else 1  # one for train and one for val
    _check_counts(group, folders, least)  # before the slow part
    images, good, skipped = decode_all(files, image_size, path)
    group = group[good]
    _check_counts(group, folders, least)
    labels = group % len(names)
    if len(roots) == 1:
        train, val = hold_out(labels, val_share, seed)
    else:
        train, val = (np.flatnonzero(group // len(names) == part) for part in (0, 1))
    order, cut = np.concatenate([train, val]), len(train)
    for row in range(image_size):  # in place, one row of pixels at a time: no second copy of all
        images[:, row] = images[order, row]
    train_part = Split(images[:cut], labels[train])
    return Dataset(str(path), names, train_part, Split(images[cut:], labels[val]), skipped)


def hold_out(
    labels: NDArray[np.int64], val_share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split every class at random into a train and a val part, each with at least one picture.

    Args:
        labels: int64, shape ``(n,)``, at least two of every class.
        val_share: Share of every class that goes to val, rounded to whole pictures.
        seed: Decides which.

    Returns:
        Indices of the train and of the val part, both int64 and ascending.
    """
    rng = np.random.default_rng([seed, 12])
    in_val = np.zeros(len(labels), dtype=bool)
    for cls in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == cls))
        in_val[members[: min(max(round(len(members) * val_share), 1), len(members) - 1)]] = True
    return np.flatnonzero(~in_val), np.flatnonzero(in_val)


def has_val_folder(path: Path) -> bool:
    """Whether the pictures to judge by stand apart, so that no seed chooses them.

    Raises:
        FtkitError: If there is no such folder.
    """
    return len(_parts(path)) > 1


def _parts(root: Path) -> list[Path]:
    """The folders that hold the class folders: train and val, or a single one to split."""
    folders = {folder.name.lower(): folder for folder in _listing(root)[0]}
    val = [folders[name] for name in VAL_NAMES if name in folders][:1]
    if "train" in folders and (val or len(folders) == 1):
        return [folders["train"], *val]
    return [root]


def _pictures(folder: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    here = folder.resolve()
    if here in above:  # a link back to a folder that is being read
        return
    folders, files = _listing(folder)
    yield from (file for file in files if file.suffix.lower() in SUFFIXES)
    for inner in folders:
        yield from _pictures(inner, (*above, here))


def _listing(folder: Path) -> tuple[list[Path], list[Path]]:
    """Sub-folders and files that are neither hidden nor left by an operating system, sorted."""
    folders: list[Path] = []
    files: list[Path] = []
    try:
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if not entry.name.startswith(".") and entry.name not in IGNORED:
                (folders if entry.is_dir() else files).append(entry)
    except OSError as error:
        hint = _nearest(folder) if isinstance(error, FileNotFoundError) else ""
        raise FtkitError(
            "Expected a folder of pictures with one sub-folder per class; cannot read "
            f"{folder}: {error.strerror}. {hint or 'Check the path and its permissions.'}"
        ) from error
    return folders, files


def _nearest(missing: Path) -> str:
    """A question that names the folder most like one that does not exist, or nothing."""
    while not missing.parent.exists():
        missing = missing.parent
    siblings = _listing(missing.parent)[0] if missing.parent.is_dir() else []
    by_name = {folder.name.casefold(): folder for folder in siblings}
    near = difflib.get_close_matches(missing.name.casefold(), by_name, n=1, cutoff=0.5)
    return f"Did you mean {by_name[near[0]]}?" if near else ""


def _class_names(roots: list[Path]) -> tuple[str, ...]:
    found = [[folder.name for folder in _listing(root)[0]] for root in roots]
    if len(found[0]) < 2:
        raise FtkitError(
            f"Expected at least two sub-folders in {roots[0]}, one per class; "
            f"got {', '.join(found[0]) or 'none'}. Sort the pictures into one sub-folder per "
            "class, or give the folder that holds the class folders."
        )
    if found[0] != found[-1]:
        only = [", ".join(sorted(set(a) - set(b))) or "none" for a, b in (found, found[::-1])]
        raise FtkitError(
            f"Expected the same classes in {roots[0]} and {roots[1]}; only in the first: "
            f"{only[0]}; only in the second: {only[1]}. Rename, add or remove class folders."
        )
    return tuple(found[0])


def _check_counts(group: NDArray[np.int64], folders: list[Path], least: int) -> None:
    for folder, count in zip(folders, np.bincount(group, minlength=len(folders)), strict=True):
        if count < least:
            raise FtkitError(
                f"Expected at least {least} readable picture(s) in {folder}; got {count}. "
                f"Add pictures ({' '.join(SUFFIXES)}) or remove the folder."
            )


def decode_all(
    files: list[Path], size: int, source: Path, remedy: str = "Replace or remove them."
) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    """Decode pictures, of which a tenth may be unreadable.

    Args:
        files: The pictures.
        size: Height and width of the result in pixels.
        source: The folder that an error names.
        remedy: What an error says to do.

    Returns:
        Those that could be read, uint8 of shape ``(n, size, size, 3)``; their indices in
        ``files``, ascending; and the others, each as ``path: reason``.

    Raises:
        FtkitError: If over a tenth are unreadable.
    """
    images = np.empty((len(files), size, size, 3), np.uint8)

    def decode_into(row: int) -> str:
        try:
            images[row] = decode(files[row], size)
        except UnidentifiedImageError:
            return "not a picture"
        except Exception as error:  # broken files make Pillow's decoders raise nearly anything
            strerror = error.strerror if isinstance(error, OSError) else None
            return strerror or str(error) or type(error).__name__
        return ""

    with warnings.catch_warnings():  # set here, as filters are shared by all threads
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with ThreadPoolExecutor(THREADS) as pool:  # Pillow decodes outside Python's lock
            reasons = list(pool.map(decode_into, range(len(files))))
    skipped = tuple(f"{file}: {why}" for file, why in zip(files, reasons, strict=True) if why)
    if len(skipped) * 10 > len(files):
        raise FtkitError(
            f"Expected at least nine tenths of the pictures in {source} to be readable; "
            f"{len(skipped)} of {len(files)} are not. {remedy} The first are:\n"
            + "\n".join(skipped[:5])
        )
    good = np.flatnonzero([not why for why in reasons])
    for place, row in enumerate(good):  # closes the gaps in place: no second copy of all
        if place < row:
            images[place] = images[row]
    return images[: len(good)], good, skipped


def decode(path: Path, size: int) -> NDArray[np.uint8]:
    """One picture, upright, its centre square scaled to ``(size, size, 3)``, uint8 RGB."""
    if path.stat().st_size == 0:
        raise ValueError("empty file")
    with Image.open(path, formats=FORMATS) as image:
        image.draft(None, (2 * size, 2 * size))  # JPEG: decode small, but twice as big as needed
        image.load()
        turn = _turn(image)
        rgb = _to_rgb(image)
    side = min(rgb.size)
    left, top = (rgb.width - side) / 2, (rgb.height - side) / 2
    # Scaling only the square keeps very long pictures cheap, and a square can be turned last.
    box = (left, top, left + side, top + side)
    square = rgb.resize((size, size), Image.Resampling.BICUBIC, box=box)
    return np.asarray(square if turn is None else square.transpose(turn))


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged EXIF data, not a damaged picture
        return None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "I" or image.mode.startswith("I;16"):  # Pillow clips these instead of scaling
        grey = np.clip(np.asarray(image), 0, 65535) / 257
        return Image.fromarray(grey.round().astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("floating point pixels, whose range is unknown")
    if image.has_transparency_data:
        canvas = Image.new("RGBA", image.size, "white")
        canvas.alpha_composite(image.convert("RGBA"))
        return canvas.convert("RGB")
    return image.convert("RGB")
