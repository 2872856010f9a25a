"""The table of backbones and the card of each."""

from __future__ import annotations

import re
import signal

import pytest

from ftkit.architecture import Head
from ftkit.backbones.catalogue import BACKBONES, architecture
from ftkit.backbones.checkpoints import CHECKPOINTS, PUBLISHED, checkpoint
from ftkit.cli import main
from ftkit.downloads import cached
from ftkit.errors import FtkitError
from ftkit.freezing import FreezePlan, frozen_at_depth, resolve, trainable_parameters
from ftkit.report.cards import model_card, models_table

# Parameters and multiply-adds (of one picture, 1,000 classes) as torchvision publishes them.
COUNTED = {
    "resnet18": ("11,689,512", 1.814),
    "resnet50": ("25,557,032", 4.089),
    "vgg16": ("138,357,544", 15.470),
    "convnext_tiny": ("28,589,128", 4.456),
}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FTKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def ftkit(capsys):
    """Runs a command in this process; gives its code, output and errors."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*arguments):
        code = main(arguments)
        return (code, *capsys.readouterr())

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


def rows(text):
    """The lines of a card's table of blocks, below its title."""
    lines = text.splitlines()
    [title] = [
        number for number, line in enumerate(lines) if line.split()[:2] == ["depth", "block"]
    ]
    end = next(number for number, line in enumerate(lines) if line.startswith("A row with"))
    return [line for line in lines[title + 1 : end] if line.strip("-")]


def flat(text):
    return " ".join(text.split())


# The table


def test_the_table_has_a_line_for_each_backbone_with_its_weights():
    words = models_table().partition("\n\n")[0].split()
    starts = [words.index(name) for name in BACKBONES]
    assert starts == sorted(starts)
    for (name, spec), start, end in zip(BACKBONES.items(), starts, [*starts[1:], len(words)]):
        line = words[start:end]
        assert line[1:3] == [str(spec.year), str(spec.image_size)]
        weights = {word.strip(",") for word in line} & {"bundled", *PUBLISHED}
        assert weights == ({"bundled"} if spec.bundled else CHECKPOINTS[name].keys())
        for kind in ("imagenet", "native"):
            if kind in CHECKPOINTS.get(name, {}):
                assert f"{CHECKPOINTS[name][kind].top1:.1f}%" in line


def test_no_line_is_wider_than_the_page():
    texts = [models_table(), *(model_card(name) for name in BACKBONES)]
    for line in "\n".join(texts).splitlines():
        assert len(line) <= 100 or " " not in line.strip(), line  # a path is not broken
        assert line == line.rstrip()
        assert not line.strip("-") or not line.endswith("-"), line  # an option is not broken


# A card


@pytest.mark.parametrize("name", BACKBONES)
def test_a_card_says_what_each_freeze_depth_leaves_to_train(name):
    network = architecture(name, Head(), 7)
    found = rows(model_card(name, classes=7))
    assert len(found) == len(network.blocks) + 2
    for depth, row in enumerate(found[:-1]):
        plan = FreezePlan(depth=depth)
        left = trainable_parameters(resolve(plan, network))
        assert left == trainable_parameters(
            resolve(FreezePlan(frozen_at_depth(network, depth)), network)
        )
        words = row.split()
        assert words[0] == str(depth)
        assert words[1] == (network.blocks[depth - 1] if depth else "(nothing")
        assert words[-2] == f"{left:,}"
        assert float(words[-1].rstrip("%")) == pytest.approx(
            100 * left / network.parameters, abs=0.1
        )
    assert found[-1].split()[0] == network.head_block


@pytest.mark.parametrize("name", BACKBONES)
def test_a_cards_blocks_add_up_to_the_network(name):
    network = architecture(name, Head(), 2)
    found = rows(model_card(name))
    own = [int(row.split()[3].replace(",", "")) for row in found[1:-1]]
    head = int(found[-1].split()[2].replace(",", ""))
    assert sum(own) + head == network.parameters
    assert f"{sum(own):,} without a classifier" in model_card(name)


@pytest.mark.parametrize("name", COUNTED)
def test_with_a_thousand_classes_a_cards_figures_are_the_published_ones(name):
    parameters, giga = COUNTED[name]
    card = model_card(name, classes=1000)
    assert rows(card)[0].split()[-2] == parameters
    counted = re.search(r"^mult-adds +([\d,]+) for one picture$", card, re.MULTILINE)[1]
    assert int(counted.replace(",", "")) / 1e9 == pytest.approx(giga, abs=0.0005)


def test_a_card_gives_the_paper_the_input_and_what_keras_does_differently():
    text = flat(model_card("resnet50"))
    assert text.startswith("resnet50: ResNet-50: residual units that narrow to a bottleneck")
    assert "paper 2015, https://arxiv.org/abs/1512.03385" in text
    assert "pictures 224 x 224 pixels, at least" in text
    assert "(pixel / 255 - [0.485 0.456 0.406]) / [0.229 0.224 0.225]" in text
    assert f"in Keras keras.applications.ResNet50: {BACKBONES['resnet50'].keras.differs}" in text
    assert "in Keras" not in model_card("resnet18")


def test_a_card_of_a_small_backbone_says_where_its_weights_come_from():
    text = model_card("resnet_s")
    assert "ftkit/backbones/bundled/resnet_s.md says how they were made" in text
    assert "top-1" not in text


def test_a_card_says_of_each_published_file_what_it_reaches_and_whether_it_is_there(cache):
    path = cached(checkpoint("mobilenet_v2", "imagenet").download)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    text = flat(model_card("mobilenet_v2"))
    for item in CHECKPOINTS["mobilenet_v2"].values():
        there = (
            "in the cache, laid there by hand"
            if cached(item.download) == path
            else "not in the cache"
        )
        assert f"{item.named}, top-1 {item.top1:.1f}% ({item.source})" in text
        assert f"{there}: {cached(item.download)}" in text


def test_an_unknown_backbone_is_refused_with_the_nearest():
    with pytest.raises(FtkitError, match=r"Unknown backbone 'resnet5'. Did you mean 'resnet50'\?"):
        model_card("resnet5")


# The commands


def test_ftkit_models_prints_the_table(ftkit):
    assert ftkit("models") == (0, models_table() + "\n", "")


def test_ftkit_models_with_a_name_prints_its_card_for_as_many_classes_as_asked(ftkit):
    assert ftkit("models", "resnet50") == (0, model_card("resnet50") + "\n", "")
    code, said, _ = ftkit("models", "vgg_s", "--classes", "37")
    assert (code, said) == (0, model_card("vgg_s", 37) + "\n")
    assert "with a head for 37 classes" in flat(said)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("models", "resnet5"), "ftkit: Unknown backbone 'resnet5'. Did you mean 'resnet50'?"),
        (("models", "resnet50", "--classes", "0"), "ftkit: --classes must be at least 1; got 0."),
        (("fetch",), "ftkit: Expected what to fetch, of: resnet18, "),
        (("fetch", "resnet5"), "ftkit: Unknown name to fetch 'resnet5'. Did you mean 'resnet50'?"),
    ],
)
def test_bad_input_is_one_line_and_code_2(ftkit, arguments, message):
    code, said, errors = ftkit(*arguments)
    assert (code, said) == (2, "")
    assert errors.startswith(message) and errors.count("\n") == 1


def test_ftkit_fetch_list_shows_the_cache_and_downloads_nothing(ftkit, cache, monkeypatch):
    monkeypatch.setenv("FTKIT_MIRROR", "ftp://asking.would.fail")
    code, said, errors = ftkit("fetch", "--list")
    assert (code, errors) == (0, "")
    lines = said.splitlines()
    assert lines[0] == f"cache: {cache}"
    for name in (*CHECKPOINTS, "pets"):
        assert any(line.split()[:2] == ["absent", name] for line in lines), name
    assert not cache.exists()
