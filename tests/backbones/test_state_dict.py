"""PyTorch's weight files: read bit by bit, never executed, and refused when they are damaged."""

from __future__ import annotations

import pickle
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ftkit.architecture import Head
from ftkit.backbones.catalogue import architecture
from ftkit.backbones.state_dict import read_state_dict
from ftkit.backbones.weights import initial_tensors
from ftkit.errors import FtkitError

# Writes the files, and what is in them as npz. Its only argument is the folder.
MAKE = """
import pathlib, sys
sys.path.pop(0)
import numpy as np, torch, torchvision

torch.manual_seed(0)
folder = pathlib.Path(sys.argv[1])
network = torchvision.models.resnet18(weights=None)
with torch.no_grad():
    for value in network.state_dict().values():
        value.random_(100) if value.dtype == torch.int64 else value.normal_()
resnet = network.state_dict()
small = {
    "a.weight": torch.randn(8, 3, 2, 2).to(memory_format=torch.channels_last),
    "a.bias": torch.nn.Parameter(torch.randn(8)),
    "b.weight": torch.randn(5, 8).t(),
    "b.running_var": torch.rand(6, dtype=torch.float64)[::2],
    "b.num_batches_tracked": torch.tensor(7),
    "half": torch.randn(9).half(),
    "brain": torch.randn(9).bfloat16(),
    "eight": torch.randn(9).to(torch.float8_e4m3fn),
}
small["tied"] = small["a.bias"]

def save(name, given, **options):
    torch.save(given, folder / name, **options)

save("resnet18.pth", resnet)
save("old-resnet18.pt", resnet, _use_new_zipfile_serialization=False)
save("small.pt", small)
data_parallel = {f"module.{key}": value for key, value in small.items()}
save("state_dict.pth", {"epoch": 3, "state_dict": data_parallel, "best": 0.5})
nested = {"model": small, "optimizer": {"state": {}, "param_groups": []}}
save("model.pth", nested)
save("list.pth", [small["half"]])
save("empty.pth", {})
save("number.pth", {"a.weight": small["a.weight"], "epoch": 3})

class Evil:
    def __reduce__(self):
        return open, (str(folder / "executed"), "w")

executed = []
for name in ("evil.pth", "old-evil.pth"):
    save(name, {"a": small["half"], "b": Evil()}, _use_new_zipfile_serialization=name == "evil.pth")
    torch.load(folder / name, weights_only=False)
    executed.append((folder / "executed").exists())
    (folder / "executed").unlink()
assert executed == [True, True], executed

def plain(given):
    return {
        key: (value.float() if key in ("brain", "eight") else value).detach().numpy()
        for key, value in given.items()
    }

np.savez(folder / "resnet18.npz", **plain(resnet))
np.savez(folder / "small.npz", **plain(small))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder with the files. Read only."""
    folder = tmp_path_factory.mktemp("state-dicts")
    done = subprocess.run(
        [sys.executable, "-c", MAKE, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def contents(path):
    with np.load(path) as saved:
        return dict(saved)


def check_equal(found, wanted):
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape), name
        assert found[name].tobytes() == value.tobytes(), name


# What is read


def test_torchvisions_resnet18_is_read_bit_by_bit(made):
    check_equal(read_state_dict(made / "resnet18.pth"), contents(made / "resnet18.npz"))
    assert not {"torch", "tensorflow", "keras"} & set(sys.modules)


def test_a_network_starts_from_the_numbers_in_a_file_also_of_the_format_before_2020(made):
    network = architecture("resnet18", Head(), 3)
    tensors = initial_tensors(network, str(made / "old-resnet18.pt"), 0)
    stored = contents(made / "resnet18.npz")
    assert list(tensors) == list(network.shapes)
    for name in network.shapes:
        if not name.startswith("fc."):
            assert tensors[name].tobytes() == stored[name].tobytes(), name


@pytest.mark.parametrize("name", ["state_dict.pth", "model.pth"])
def test_any_memory_layout_and_precision_is_read_also_nested_and_wrapped(made, name):
    check_equal(read_state_dict(made / name), contents(made / "small.npz"))


def test_modules_in_the_current_folder_are_not_imported(made, tmp_path, monkeypatch):
    seen = tmp_path / "seen"
    for module in ("random", "torch", "safetensors", "numpy", "json"):
        content = f"open({str(seen)!r}, 'w').close()\nraise SystemExit(9)\n"
        (tmp_path / f"{module}.py").write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    ordinary = subprocess.run([sys.executable, "-c", "import torch"], check=False)
    assert ordinary.returncode == 9 and seen.exists()
    seen.unlink()
    shutil.copy(made / "small.pt", tmp_path)
    check_equal(read_state_dict(Path("small.pt")), contents(made / "small.npz"))
    assert not seen.exists()


# What is refused


@pytest.mark.parametrize("name", ["evil.pth", "old-evil.pth"])
def test_code_in_a_file_is_refused_and_not_run(made, name):
    with pytest.raises(FtkitError) as caught:
        read_state_dict(made / name)
    message = str(caught.value)
    assert f"{name} is no readable state_dict: it holds more than tensors" in message
    assert "it was not run. Save one with torch.save(model.state_dict(), FILE)" in message
    assert not (made / "executed").exists()


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_bare_pickle_is_refused_and_not_run(tmp_path, protocol):
    path, executed = tmp_path / "w.pth", tmp_path / "executed"
    path.write_bytes(pickle.dumps({"conv1.weight": Evil(executed)}, protocol))
    pickle.loads(path.read_bytes())
    assert executed.exists()
    executed.unlink()
    with pytest.raises(FtkitError, match="w.pth is no readable state_dict: it "):
        read_state_dict(path)
    assert not executed.exists()


@pytest.mark.parametrize(
    ("name", "share"), [("small.pt", 0), ("resnet18.pth", 0.5), ("old-resnet18.pt", 0.5)]
)
def test_a_file_that_is_cut_off_is_refused(made, tmp_path, name, share):
    whole = (made / name).read_bytes()
    path = tmp_path / "w.pth"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(FtkitError, match="w.pth is no readable state_dict: it is damaged"):
        read_state_dict(path)


@pytest.mark.parametrize("name", ["resnet18.pth", "old-resnet18.pt"])
def test_a_file_that_lacks_its_last_byte_is_refused(made, tmp_path, name):
    path = tmp_path / "w.pth"
    path.write_bytes((made / name).read_bytes()[:-1])
    with pytest.raises(FtkitError, match="w.pth is (no readable state_dict: it is )?damaged"):
        read_state_dict(path)


def test_one_flipped_bit_in_a_tensor_is_found(made, tmp_path):
    path = tmp_path / "w.pth"
    content = bytearray((made / "resnet18.pth").read_bytes())
    with zipfile.ZipFile(made / "resnet18.pth") as archive:
        entries = [item for item in archive.infolist() if "/data/" in item.filename]
        largest = max(entries, key=lambda item: item.file_size)
    name, extra = struct.unpack("<HH", content[largest.header_offset + 26 :][:4])
    start = largest.header_offset + 30 + name + extra
    content[start + largest.file_size // 2] ^= 16
    path.write_bytes(content)
    with pytest.raises(FtkitError, match=f"w.pth is damaged: {largest.filename} does not have"):
        read_state_dict(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("list.pth", "expected a dictionary of tensors, got list."),
        ("empty.pth", "expected a dictionary of tensors, got dict."),
        ("number.pth", "expected tensors only; epoch is something else."),
    ],
)
def test_what_is_no_dictionary_of_tensors_is_refused(made, name, message):
    with pytest.raises(FtkitError, match=f"{name} is no readable state_dict: {message} Save one"):
        read_state_dict(made / name)


def test_any_other_file_is_refused(tmp_path):
    path = tmp_path / "w.pt"
    path.write_text("words", encoding="utf-8")
    with pytest.raises(FtkitError, match="w.pt is no readable state_dict: it .* Save one"):
        read_state_dict(path)


def test_without_pytorch_it_says_what_to_install_and_what_else_can_be_done(
    made, monkeypatch, a_python
):
    monkeypatch.setenv("FTKIT_PYTORCH_PYTHON", a_python(options="-I -S"))
    with pytest.raises(FtkitError) as caught:
        read_state_dict(made / "small.pt")
    message = str(caught.value)
    assert message.startswith("Only PyTorch can read small.pt, TensorFlow cannot. ")
    assert "pip install 'ftkit[pytorch]'" in message
    assert message.endswith("Or turn the file into .safetensors on a machine that has it.")
