"""Oxford-IIIT Pet, cats against dogs or 37 breeds, in the layout that torchvision gives it.

``images/NAME.jpg``, and ``annotations/trainval.txt`` and ``test.txt`` with a line ``NAME CLASS-ID
SPECIES BREED-ID`` per picture: Parkhi, Vedaldi, Zisserman and Jawahar, "Cats and Dogs", 2012.
"""

from __future__ import annotations

import re
import shutil
import tarfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from gzip import BadGzipFile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from filelock import FileLock

from ftkit import downloads
from ftkit.data.dataset import Dataset, Split
from ftkit.data.folder import decode_all
from ftkit.downloads import Download, OnProgress
from ftkit.errors import FtkitError, unknown_name
from ftkit.writing import writable_folder

NAMES = ("pets", "pet-breeds")
SPECIES = {1: "Cat", 2: "Dog"}
BREEDS = 37
_SITE = "https://www.robots.ox.ac.uk/~vgg/data/pets/data"
_PLACE = "data/oxford-iiit-pet"
# The checksums are those in torchvision 0.29, torchvision/datasets/oxford_iiit_pet.py.
DOWNLOADS = tuple(
    Download(f"{_SITE}/{name}.tar.gz", f"{_PLACE}/{name}.tar.gz", f"md5:{md5}", megabytes)
    for name, md5, megabytes in (
        ("images", "5c4f3ee8e5d25df40f4fd59a7f44e54c", 792),
        ("annotations", "95a8c909bbe2e81eed6a22bccdf3f68f", 19),
    )
)
_LINE = re.compile(r"([^\s/\\]+)_([^\s/\\_]+)\s+([1-9][0-9]?)\s+([12])\s+([1-9][0-9]?)")


class _Listed(NamedTuple):
    file: str
    breed: int
    species: int


def load_pets(name: str, image_size: int) -> Dataset:
    """Read Oxford-IIIT Pet from the cache; download it first, with bars, if it is not there.

    The published trainval part is train, the test part is val, each in the published order. Every
    picture is cut to its centre square, as one from a folder is. What lies in the cache is used as
    it is, also if it is only a part of the published set; then the classes are those that occur in
    either list, in the order of their ids, and the labels count them from 0. (torchvision takes
    the id less 1, which is the same where no id is left out.)

    Args:
        name: ``"pets"`` for cats against dogs, ``"pet-breeds"`` for the breeds.
        image_size: Height and width of the result in pixels.

    Returns:
        Images uint8 of shape ``(n, image_size, image_size, 3)``. Pictures that are missing or
        could not be decoded are listed in ``skipped``.

    Raises:
        FtkitError: If the pictures are neither there nor can be had, if a list is missing or has
            a wrong line, if fewer than two classes occur, or if over a tenth of the pictures are
            missing or unreadable.
    """
    if name not in NAMES:
        raise unknown_name("data", name, NAMES)
    if image_size < 1:
        raise FtkitError(f"Expected an image size of at least 1 pixel; got {image_size}.")
    folder = _folder() if not _lacking() else _download()
    breeds: dict[int, str] = {}
    train = _listed(folder / "annotations" / "trainval.txt", breeds)
    both = train + _listed(folder / "annotations" / "test.txt", breeds)
    ids = np.array([one.breed if name == "pet-breeds" else one.species for one in both])
    occurring = np.unique(ids)
    meaning = breeds if name == "pet-breeds" else SPECIES
    class_names = tuple(meaning[int(number)] for number in occurring)
    if len(class_names) < 2:
        raise FtkitError(
            f"Expected at least two classes in {folder / 'annotations'} for {name}; "
            f"got {class_names[0]} only. {_remedy(folder)}"
        )
    files = [folder / "images" / one.file for one in both]
    images, good, skipped = decode_all(files, image_size, folder, _remedy(folder))
    labels = np.searchsorted(occurring, ids)[good].astype(np.int64)
    cut = int((good < len(train)).sum())
    train_part, val_part = Split(images[:cut], labels[:cut]), Split(images[cut:], labels[cut:])
    return Dataset(name, class_names, train_part, val_part, skipped)


def fetch_pets(on_progress: OnProgress | None = None) -> Path:
    """Download and unpack what is not there yet; the archives are removed once unpacked.

    Processes that do so at once wait for one another. An unpacking that breaks off leaves nothing
    that could be taken for the whole.

    Args:
        on_progress: As for :func:`ftkit.downloads.fetch`; None is silent.

    Returns:
        The folder that holds ``images/`` and ``annotations/``.

    Raises:
        Unreachable: If there is no network.
        FtkitError: If what comes is not the published file, if an archive holds anything but the
            folder it is named after, or if the cache cannot be written.
    """
    folder = _folder()
    if not _lacking():
        return folder
    if not hasattr(tarfile, "data_filter"):
        raise FtkitError(
            "Expected a Python whose tarfile can keep an archive inside its folder; this one "
            "cannot. Update it: 3.10.12, 3.11.4 and all from 3.12 on can."
        )
    writable_folder(folder)
    try:
        with FileLock(folder / "unpacking.lock"):
            for download in _lacking():  # another process may have been here since
                archive = downloads.fetch(download, on_progress)
                ours = downloads.state(download) == "verified"
                _unpack(archive, folder / _top(download))
                if ours:  # what was laid there by hand stays
                    archive.unlink(missing_ok=True)
                    archive.with_name(f"{archive.name}.json").unlink(missing_ok=True)
    except OSError as error:
        raise FtkitError(
            f"Oxford-IIIT Pet could not be unpacked in {folder}: {error.strerror or error}. Make "
            "room, change the folder's permissions, or choose another cache with FTKIT_CACHE."
        ) from error
    return folder


def pets_state() -> str:
    """What is there, in words.

    Returns:
        ``"ready"`` if both folders are there. Else ``"damaged"`` if an archive is; ``"absent"`` if
        nothing is there; ``"partial"`` if something is missing; ``"unverified"`` if nothing is but
        an archive was laid there by hand; ``"not unpacked"`` if both were downloaded.

    Raises:
        FtkitError: If the cache folder cannot be read.
    """
    lacking = _lacking()
    if not lacking:
        return "ready"
    states = {downloads.state(download) for download in lacking}
    if "damaged" in states:
        return "damaged"
    if states == {"absent"} and len(lacking) == len(DOWNLOADS):
        return "absent"
    if states & {"absent", "partial"}:
        return "partial"
    return "unverified" if "unverified" in states else "not unpacked"


def _folder() -> Path:
    return downloads.cache_folder() / _PLACE


def _top(download: Download) -> str:
    """The one folder in an archive: ``images`` for ``images.tar.gz``."""
    return PurePosixPath(download.place).name.removesuffix(".tar.gz")


def _lacking() -> list[Download]:
    """The archives whose folder is not there."""

    def there(folder: Path) -> bool:
        with suppress(OSError):  # what is above may not be entered; the downloads say so
            return folder.is_dir()
        return False

    return [download for download in DOWNLOADS if not there(_folder() / _top(download))]


def _remedy(folder: Path) -> str:
    return f"Mend that, or remove {folder} and run: ftkit fetch pets."


def _download() -> Path:
    try:
        with downloads.progress_bars() as on_progress:
            return fetch_pets(on_progress)
    except downloads.Unreachable as error:
        raise FtkitError(
            f"Oxford-IIIT Pet is not in the cache, {_folder()}, and cannot be reached. {error} "
            "Where there is a network, `ftkit fetch pets` fills the cache; drawn-pets is the "
            "bundled task of cats and dogs, which needs none."
        ) from error


def _listed(path: Path, breeds: dict[int, str]) -> list[_Listed]:
    """The pictures that a list names; the names of their breeds are added to ``breeds``."""
    remedy = _remedy(path.parents[1])
    try:
        lines = path.read_text("utf-8-sig", "backslashreplace").splitlines()
    except OSError as error:
        why = error.strerror or error
        raise FtkitError(f"Expected the list of pictures at {path}; {why}. {remedy}") from error
    found = []
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith("#"):
            continue
        entry = _LINE.fullmatch(line)
        if not entry or int(entry[3]) > BREEDS:
            raise FtkitError(
                f"Expected NAME CLASS-ID SPECIES BREED-ID in line {number} of {path}, the class "
                f"1 to {BREEDS}, the species 1 (cat) or 2 (dog), as in 'Bengal_7 6 1 2'; got "
                f"{line!r}. {remedy}"
            )
        breed, breed_id = entry[1].replace("_", " ").title(), int(entry[3])
        if breeds.setdefault(breed_id, breed) != breed or [*breeds.values()].count(breed) > 1:
            before = ", ".join(f"{key} {value}" for key, value in sorted(breeds.items()))
            raise FtkitError(
                f"Expected one class id per breed; line {number} of {path} has {breed_id} for "
                f"{breed}, against earlier lines: {before}. {remedy}"
            )
        found.append(_Listed(line.split()[0] + ".jpg", breed_id, int(entry[4])))
    if not found:
        raise FtkitError(f"Expected a line per picture in {path}; got none. {remedy}")
    return found


def _unpack(archive: Path, target: Path) -> None:
    """Unpacks beside the target first; then the whole takes its name."""
    part = target.with_name(f".{target.name}.part")
    again = f"Remove {archive} and run: ftkit fetch pets."
    shutil.rmtree(part, ignore_errors=True)  # left by a process that was killed
    try:
        with tarfile.open(archive, "r:gz") as tar:
            tar.extractall(part, filter=_only(target.name, f"{archive}. {again}"))
        if not (part / target.name).is_dir():
            raise FtkitError(f"Expected a folder {target.name}/ in {archive}; got none. {again}")
        (part / target.name).replace(target)
    except (tarfile.TarError, BadGzipFile, zlib.error, EOFError) as error:
        raise FtkitError(f"Expected a sound archive; {archive}: {error}. {again}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _only(top: str, where: str) -> Callable[[tarfile.TarInfo, str], tarfile.TarInfo | None]:
    """A filter for what lies in that folder, and nothing that leads out of it."""

    def check(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
        parts = PurePosixPath(member.name).parts
        if not parts or parts[-1].startswith("._"):  # macOS's, as in annotations.tar.gz
            return None
        if parts[0] != top or ".." in parts or member.issym():
            raise FtkitError(
                f"Expected plain files in {top}/, and nothing else; got {member.name!r} in {where}"
            )
        return tarfile.data_filter(member, folder)

    return check
