"""PyTorch's weight files, read in PyTorch's own process: nothing in them is executed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors.numpy import load_file

from ftkit.environments import check_backends, interpreter, program
from ftkit.errors import FtkitError

# Before, code could run in spite of weights_only (CVE-2025-32434, CVE-2026-24747).
SAFE_TORCH = (2, 10)


def read_state_dict(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors in a ``.pth`` or ``.pt`` file, by name, as NumPy arrays.

    Raises:
        FtkitError: If PyTorch is not installed, or the file is damaged or holds anything but
            tensors.
    """
    _check_zip(path)
    try:
        check_backends(("pytorch",))
    except FtkitError as error:
        raise FtkitError(
            f"Only PyTorch can read {path.name}, TensorFlow cannot. {error} Or turn the file into "
            ".safetensors on a machine that has it."
        ) from error
    with tempfile.TemporaryDirectory(prefix="ftkit-weights-") as folder:
        target = Path(folder) / "tensors.safetensors"
        done = subprocess.run(
            [interpreter("pytorch"), "-c", program(__name__), str(path.resolve()), str(target)],
            capture_output=True,
            text=True,
            check=False,
        )
        try:
            why = json.loads(done.stdout.splitlines()[-1])["error"]
        except (IndexError, ValueError, KeyError):
            why = f"PyTorch's process ended with code {done.returncode}: {done.stderr[-500:]}"
        if why:
            raise FtkitError(
                f"{path} is no readable state_dict: {why} Save one with "
                "torch.save(model.state_dict(), FILE), or download the file again."
            )
        return dict(load_file(target))


def main() -> None:
    """Turns the first argument, a state_dict, into the second, safetensors; prints what failed."""
    try:
        _convert(sys.argv[1], sys.argv[2])
        why = ""
    except FtkitError as error:
        why = str(error)
    print(json.dumps({"error": why}))


def _convert(source: str, target: str) -> None:
    import torch
    from safetensors.torch import save_file

    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    if version < SAFE_TORCH:
        wanted = ".".join(map(str, SAFE_TORCH))
        raise FtkitError(
            f"expected PyTorch {wanted} or newer, whose reader runs nothing in a file; this is "
            f"{torch.__version__}. Update it, or turn the file into .safetensors elsewhere."
        )
    try:
        found = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files make the unpickler raise nearly anything
        first = str(error).strip().splitlines() or [type(error).__name__]
        if re.search("not an allowed global|is blocked|Unsupported global", str(error)):
            raise FtkitError(
                "it holds more than tensors, and that could be code; it was not run."
            ) from error
        raise FtkitError(
            f"it is damaged, cut off or no PyTorch file ({first[0][:200]})."
        ) from error
    for key in ("state_dict", "model_state_dict", "model"):  # as training scripts nest it
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not found:
        raise FtkitError(f"expected a dictionary of tensors, got {type(found).__name__}.")
    odd = [str(key) for key, value in found.items() if not isinstance(value, torch.Tensor)]
    if odd:
        raise FtkitError(f"expected tensors only; {', '.join(odd[:4])} is something else.")
    tensors = {}
    # A network that several processes trained carries the name of its wrapper.
    wrapper = "module." if all(str(key).startswith("module.") for key in found) else ""
    for key, value in found.items():
        if value.is_floating_point() and value.dtype.itemsize < 4 and value.dtype != torch.half:
            value = value.float()  # NumPy has neither bfloat16 nor the 8-bit kinds
        tensors[str(key).removeprefix(wrapper)] = value.detach().clone().contiguous()
    save_file(tensors, target)


def _check_zip(path: Path) -> None:
    """Holds a file in PyTorch's zip format to its own checksums: PyTorch itself does not."""
    if not zipfile.is_zipfile(path):
        return  # the format before 2020, which has none
    try:
        with zipfile.ZipFile(path) as archive:
            packed = [item.filename for item in archive.infolist() if item.compress_type]
            broken = packed[0] if packed else archive.testzip()  # PyTorch never compresses
    except Exception as error:  # zlib, struct, zipfile: whatever damage leads to
        broken = str(error) or type(error).__name__
    if broken:
        raise FtkitError(
            f"{path} is damaged: {broken} does not have the checksum that it was written with. "
            "Copy or download it again, or save it with PyTorch's defaults."
        )
