"""Weight files that point elsewhere, or promise more than they hold, are refused."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest

from ftkit.backbones.keras_files import read_keras
from ftkit.errors import FtkitError


@pytest.fixture
def secret(tmp_path):
    """A file that no weight file should be able to show."""
    path = tmp_path / "secret.bin"
    path.write_bytes(np.arange(4, dtype="<f4").tobytes())
    return path


def layer(file, name="conv1"):
    group = file.create_group(f"layers/{name}/vars")
    group.attrs["name"] = name
    return group


def test_numbers_that_lie_in_another_file_are_refused(tmp_path, secret):
    path = tmp_path / "w.weights.h5"
    with h5py.File(path, "w") as file:
        layer(file).create_dataset("0", (4,), "<f4", external=[(str(secret), 0, 16)])
    with pytest.raises(FtkitError, match="in the file itself"):
        read_keras(path)


@pytest.mark.parametrize("kind", ["soft", "external"])
def test_links_are_not_followed(tmp_path, kind):
    other, path = tmp_path / "other.h5", tmp_path / "w.weights.h5"
    with h5py.File(other, "w") as file:
        file["numbers"] = np.ones(3, np.float32)
    with h5py.File(path, "w") as file:
        file["elsewhere"] = np.ones(3, np.float32)
        soft, outside = h5py.SoftLink("/elsewhere"), h5py.ExternalLink(str(other), "/numbers")
        layer(file)["0"] = soft if kind == "soft" else outside
    with pytest.raises(FtkitError, match="there is a link, or nothing"):
        read_keras(path)


def test_a_small_file_cannot_ask_for_gigabytes(tmp_path):
    path = tmp_path / "w.weights.h5"
    with h5py.File(path, "w") as file:
        layer(file).create_dataset("0", (60_000, 60_000), "f4", chunks=(100, 100))
    assert path.stat().st_size < 100_000
    with pytest.raises(FtkitError, match="elsewhere, or missing"):
        read_keras(path)


def test_a_compressed_archive_is_not_blown_up(tmp_path):
    path = tmp_path / "w.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(10**7))
    with pytest.raises(FtkitError, match="is compressed"):
        read_keras(path)


def test_variables_of_the_model_itself_do_not_hide_its_layers(tmp_path):
    path = tmp_path / "w.weights.h5"
    with h5py.File(path, "w") as file:
        layer(file)["0"] = np.ones(3, np.float32)
        file.create_group("vars")["0"] = np.zeros(2, np.float32)
    found = read_keras(path)
    assert np.array_equal(found["conv1"][0], np.ones(3))


def test_a_pytorch_whose_reader_may_run_code_is_not_used(tmp_path):
    program = (
        "import torch; torch.__version__ = '2.9.1'\n"
        "from ftkit.backbones.state_dict import _convert\n"
        f"torch.save({{'x': torch.ones(2)}}, {str(tmp_path / 'w.pth')!r})\n"
        f"_convert({str(tmp_path / 'w.pth')!r}, {str(tmp_path / 'w.safetensors')!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "FtkitError: expected PyTorch 2.10 or newer" in done.stderr
    assert not (tmp_path / "w.safetensors").exists()
