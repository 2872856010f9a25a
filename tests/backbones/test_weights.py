"""Initial weights: drawn by seed, read from files, and refused when they do not fit."""

from __future__ import annotations

import math
from importlib.resources import files

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ftkit.architecture import Head
from ftkit.backbones.catalogue import architecture
from ftkit.backbones.weights import initial_tensors, move_by_one_unit
from ftkit.errors import FtkitError

NETWORK = architecture("resnet_s", Head(), 4)
HEAD = ("fc.weight", "fc.bias")
BACKBONE = [name for name in NETWORK.shapes if name not in HEAD]


def drawn(seed=0, network=NETWORK, **options):
    return initial_tensors(network, "random", seed, **options)


def read(path, network=NETWORK, seed=0):
    return initial_tensors(network, str(path), seed)


@pytest.fixture(scope="module")
def sound():
    """Tensors of a backbone that are all different from what seed 0 draws. Not to be changed."""
    rng = np.random.default_rng(5)
    return {name: rng.normal(size=NETWORK.shapes[name]).astype(np.float32) for name in BACKBONE}


# Drawn weights


def test_random_weights_have_every_tensor_in_float32_and_the_right_shape():
    tensors = drawn()
    assert {name: value.shape for name, value in tensors.items()} == NETWORK.shapes
    assert {value.dtype for value in tensors.values()} == {np.dtype(np.float32)}


def test_the_seed_and_nothing_else_decides_what_is_random():
    first, again, other = drawn(3), drawn(3), drawn(4)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    same = [name for name in first if np.array_equal(first[name], other[name])]
    assert same
    assert all(".bn" in f".{name}" or "downsample.1" in name for name in same)  # ones and zeros


def test_layers_of_the_same_shape_are_drawn_apart():
    tensors = drawn()
    assert not np.array_equal(tensors["layer1.0.conv1.weight"], tensors["layer1.1.conv1.weight"])


@pytest.mark.parametrize("name", ["conv1", "layer3.1.conv2", "layer4.0.downsample.0"])
def test_convolutions_are_normal_with_the_variance_of_he_by_fan_out(name):
    weight = drawn()[f"{name}.weight"].astype(np.float64)
    out, _, height, width = weight.shape
    expected = math.sqrt(2 / (out * height * width))
    assert weight.std() == pytest.approx(expected, rel=5 / math.sqrt(2 * weight.size))
    assert abs(weight.mean()) < 5 * expected / math.sqrt(weight.size)


def test_batch_norm_starts_as_the_identity():
    tensors = drawn()
    assert (tensors["bn1.weight"] == 1).all() and (tensors["bn1.running_var"] == 1).all()
    assert (tensors["bn1.bias"] == 0).all() and (tensors["bn1.running_mean"] == 0).all()


def test_the_head_is_uniform_within_pytorchs_bound_or_with_the_switch_kerass():
    pytorch, keras = drawn(), drawn(glorot_head=True)
    bound, glorot = 1 / math.sqrt(256), math.sqrt(6 / (256 + 4))
    assert 0.9 * bound < np.abs(pytorch["fc.weight"]).max() <= bound
    assert 0 < np.abs(pytorch["fc.bias"]).max() <= bound
    assert 0.9 * glorot < np.abs(keras["fc.weight"]).max() <= glorot
    assert (keras["fc.bias"] == 0).all()
    assert all(np.array_equal(pytorch[name], keras[name]) for name in BACKBONE)


def test_the_head_is_the_same_whatever_the_backbones_weights(tmp_path, sound):
    path = tmp_path / "w.safetensors"
    save_file({**sound, "fc.weight": np.ones((72, 256), np.float32)}, path)
    random, loaded, bundled = (
        drawn(7),
        read(path, seed=7),
        initial_tensors(NETWORK, "bundled", 7),
    )
    for name in HEAD:
        assert np.array_equal(random[name], loaded[name])
        assert np.array_equal(random[name], bundled[name])
    assert not np.array_equal(random["conv1.weight"], loaded["conv1.weight"])


@pytest.mark.parametrize(("precision", "kind"), [("fp32", np.float32), ("fp64", np.float64)])
def test_for_the_noise_floor_each_weight_moves_one_unit_up_or_down_and_statistics_stay(
    precision, kind
):
    tensors = drawn()
    moved, again, other = (move_by_one_unit(tensors, precision, seed) for seed in (0, 0, 1))
    for name, value in tensors.items():
        assert moved[name].dtype == kind
        assert np.array_equal(moved[name], again[name])
        if ".running_" in name:
            assert np.array_equal(moved[name], value)
            continue
        up, down = (np.nextafter(value.astype(kind), kind(end)) for end in (np.inf, -np.inf))
        rises = moved[name] == up
        assert (rises | (moved[name] == down)).all()
        assert value.size < 100 or 0.3 < rises.mean() < 0.7
    assert not np.array_equal(moved["conv1.weight"], other["conv1.weight"])


# Bundled weights


def test_resnet_s_comes_with_weights_in_half_precision_of_8_mb_at_most():
    source = files("ftkit.backbones") / "bundled" / "resnet_s.safetensors"
    assert source.stat().st_size <= 8_000_000
    stored = load_file(source)
    assert {value.dtype for value in stored.values()} == {np.dtype(np.float16)}
    tensors = initial_tensors(NETWORK, "bundled", 0)
    assert all(np.array_equal(tensors[name], stored[name]) for name in BACKBONE)


def test_a_backbone_without_bundled_weights_says_which_has_some():
    network = architecture("resnet18", Head(), 2)
    with pytest.raises(FtkitError, match="No weights for resnet18 .* they do for resnet_s."):
        initial_tensors(network, "bundled", 0)


# Files


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_a_file_of_any_precision_is_read_into_float32(tmp_path, sound, kind):
    path = tmp_path / "w.safetensors"
    stored = {name: value.astype(kind) for name, value in sound.items()}
    save_file(stored, path)
    tensors = read(path)
    assert list(tensors) == list(NETWORK.shapes)
    for name in BACKBONE:
        assert tensors[name].dtype == np.float32
        assert np.array_equal(tensors[name], stored[name].astype(np.float32))


def test_a_foreign_head_and_pytorchs_batch_counters_are_passed_over(tmp_path, sound):
    path = tmp_path / "w.safetensors"
    extra = {
        "fc.weight": np.zeros((1000, 256), np.float32),
        "fc.bias": np.zeros(1000, np.float32),
        "bn1.num_batches_tracked": np.array(7),
        "layer1.0.bn1.num_batches_tracked": np.array(7),
    }
    save_file({**sound, **extra}, path)
    tensors = read(path)
    assert set(tensors) == set(NETWORK.shapes)
    assert np.array_equal(tensors["fc.weight"], drawn()["fc.weight"])


def changed(sound, **changes):
    """The tensors with some replaced, or taken out where None; ``_`` stands for a dot."""
    tensors = {**sound, **{name.replace("_", ".", 1): value for name, value in changes.items()}}
    return {name: value for name, value in tensors.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conv1_weight": None}, "do not fit resnet_s. missing: conv1.weight. Names and shapes"),
        ({"layer9_x": np.zeros(1, np.float32)}, "unexpected: layer9.x."),
        (
            {"conv1_weight": np.zeros((32, 3, 3, 3), np.float32)},
            r"of the wrong shape: conv1.weight is \(32, 3, 3, 3\), expected \(32, 3, 7, 7\)",
        ),
        ({"bn1_bias": np.zeros((1, 32), np.float32)}, r"bn1.bias is \(1, 32\), expected \(32,\)"),
        ({"bn1_bias": np.full(32, np.nan, np.float32)}, "not finite: bn1.bias"),
        ({"bn1_running_var": np.full(32, np.inf, np.float16)}, "not finite: bn1.running_var"),
        (
            {"conv1_weight": None, "convone_weight": np.zeros(1, np.float32)},
            "missing: conv1.weight; unexpected: convone.weight",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused_and_the_tensors_are_named(
    tmp_path, sound, changes, message
):
    path = tmp_path / "w.safetensors"
    save_file(changed(sound, **changes), path)
    with pytest.raises(FtkitError, match=message):
        read(path)


def test_numbers_too_large_for_float32_are_not_finite(tmp_path, sound):
    path = tmp_path / "w.safetensors"
    save_file(changed(sound, bn1_bias=np.full(32, 1e300)), path)
    with pytest.raises(FtkitError, match="not finite: bn1.bias"):
        read(path)


def test_a_long_list_of_faults_is_cut_short(tmp_path, sound):
    path = tmp_path / "w.safetensors"
    save_file({"conv1.weight": sound["conv1.weight"]}, path)
    with pytest.raises(FtkitError, match=f"missing: bn1.weight, .* and {len(BACKBONE) - 5} more"):
        read(path)


def test_weights_of_another_backbone_are_refused(tmp_path, sound):
    path = tmp_path / "w.safetensors"
    save_file(sound, path)
    network = architecture("resnet18", Head(), 2)
    with pytest.raises(FtkitError, match=r"do not fit resnet18. of the wrong shape: conv1.weight"):
        initial_tensors(network, str(path), 0)


def test_a_file_that_is_cut_off_is_refused(tmp_path, sound):
    path = tmp_path / "w.safetensors"
    save_file(sound, path)
    whole = path.read_bytes()
    for length in (0, 5, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(FtkitError, match="no readable safetensors file.* copy or export"):
            read(path)


@pytest.mark.parametrize(
    "content",
    [
        b"not tensors at all",
        b"\x08\x00\x00\x00\x00\x00\x00\x00{broken}",
        b"\xff" * 64,
        b"\x02\x00\x00\x00\x00\x00\x00\x00[]",
        b"PK\x03\x04 a pickle of PyTorch's",
    ],
)
def test_a_file_of_anything_else_is_refused(tmp_path, content):
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(FtkitError, match="w.safetensors is no readable safetensors file"):
        read(path)


def test_brain_floats_are_refused_because_numpy_has_none(tmp_path):
    path = tmp_path / "w.safetensors"
    header = b'{"conv1.weight":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(FtkitError, match="Half, single and double precision can be read"):
        read(path)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("bundeld", r"Unknown weights 'bundeld'. Did you mean 'bundled'\?"),
        ("w.npz", "Unknown weights 'w.npz'. .* ends in .safetensors, .pth, .pt, .keras or .h5"),
        ("w.pth", "There is no weights file at w.pth"),
        ("none/w.safetensors", "There is no weights file at none.w.safetensors. Check the path."),
        ("~nobody-of-that-name/w.safetensors", "Expected a path; got '~nobody-of-that-name"),
        ("w" * 300 + ".safetensors", "File name too long"),
    ],
)
def test_what_names_no_weights_is_refused(weights, message):
    with pytest.raises(FtkitError, match=message):
        read(weights)


def test_a_folder_is_no_weights_file(tmp_path):
    folder = tmp_path / "w.safetensors"
    folder.mkdir()
    with pytest.raises(FtkitError, match="There is no weights file at .*w.safetensors"):
        read(folder)
