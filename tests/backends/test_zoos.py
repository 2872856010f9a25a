"""The networks against torchvision's own, and against what either zoo says of them."""

from __future__ import annotations

import numpy as np
import pytest
from test_contract import noise

from ftkit.architecture import Head
from ftkit.backbones.catalogue import BACKBONES, architecture

TORCHVISION = [name for name in BACKBONES if "_s" not in name]
KERAS = {name: spec.keras.function for name, spec in BACKBONES.items() if spec.keras}
# torchvision turns a picture that is scaled for ImageNet into Inception's own scale by itself:
# some roundings more. All other networks get the same numbers.
SIZE = {"inception_v3": 107, "vgg16": 48}


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("backbone", TORCHVISION)
def test_a_network_is_torchvisions_own(probes, figure, backbone, training):
    arrays = {"images": noise(4, SIZE.get(backbone, 64))}
    found = probes["pytorch"]("own_zoo", arrays, backbone=backbone, training=training)
    auxiliary = [name for name in found["missing"] if name.startswith("AuxLogits.")]
    assert found["missing"] == auxiliary and bool(auxiliary) == (backbone == "inception_v3")
    assert found["unexpected"] == []
    parted = float(np.abs(found["found"] - found["wanted"]).max() / np.abs(found["wanted"]).max())
    figure("torchvision's own networks, fp64 (relative)", parted)
    assert found["found"].shape == (4, 5)
    assert parted <= 1e-12
    assert found["statistics_apart"] <= 1e-12
    norms = [key for key in architecture(backbone, Head(), 5).shapes if ".running_" in key]
    assert found["statistics_moved"] == (len(norms) if training else 0)


def test_torchvision_publishes_what_is_counted_here(probes):
    records = probes["pytorch"]("zoo_records", names=dict.fromkeys(TORCHVISION, ""))
    for name, record in records.items():
        network = architecture(name, Head(), 1000)
        assert network.parameters == record["num_params"] - record.get("auxiliary", 0), name
        giga = sum(network.multiplications(network.image_size).values()) / 1e9
        assert giga == pytest.approx(record["_ops"], abs=0.0005), name
        assert network.image_size == record["image_size"]
        if record["min_size"]:
            assert network.smallest_image <= min(record["min_size"])
    at_least = {name: record["min_size"] for name, record in records.items()}
    for name in ("inception_v3", "vgg16", "convnext_tiny"):
        assert [architecture(name, Head(), 2).smallest_image] * 2 == at_least[name]


def test_the_keras_variants_have_the_parameters_of_keras_applications(probes):
    records = probes["tensorflow"]("zoo_records", names=KERAS)
    for name, record in records.items():
        network = architecture(name, Head(), 1000, "keras")
        assert network.parameters == record["num_params"], name
        assert network.image_size == record["image_size"], name
