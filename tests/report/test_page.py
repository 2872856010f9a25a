"""The page needs nothing but itself, escapes every name, and says what the records say."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser

import numpy as np
import pytest

from ftkit.engine.comparison import Comparison
from ftkit.history import Run
from ftkit.recipe import Recipe
from ftkit.report.confusion import confusion_matrix, most_confused
from ftkit.report.freeze_diagram import LEAST, diagram, scaled
from ftkit.report.page import page
from ftkit.report.samples import best_strategy, choose, data_uri, samples

Build = Callable[..., Comparison]
Fail = Callable[..., Run]
EVIL = "<script>alert('x')</script>"
_VOID = {"meta", "img", "br", "source", "link", "rect", "line", "path"}


class Reader(HTMLParser):
    """Reads a page, and checks that what is opened is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def html(comparison: Comparison) -> str:
    return page(comparison)


def test_the_page_needs_nothing_but_itself(html: str) -> None:
    reader = Reader(html)
    assert not reader.all("script") and not reader.all("link") and not reader.all("iframe")
    for tag, attrs in reader.tags:
        for name in ("src", "srcset", "href", "xlink:href", "data"):
            value = attrs.get(name)
            assert value is None or value.startswith(("data:image/", "#")), (tag, name)
        assert not any(name.startswith("on") for name in attrs), tag
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", html))
    assert "@import" not in html
    assert len(html) < 2_000_000


def test_every_link_on_the_page_leads_somewhere(html: str) -> None:
    reader = Reader(html)
    ids = {attrs["id"] for _, attrs in reader.tags if "id" in attrs}
    assert {str(attrs["href"])[1:] for attrs in reader.all("a")} <= ids
    labels = {attrs["aria-labelledby"] for _, attrs in reader.tags if "aria-labelledby" in attrs}
    assert labels <= ids


def test_pictures_have_words_and_tables_have_captions_and_scopes(html: str) -> None:
    reader = Reader(html)
    assert all(attrs.get("alt") for attrs in reader.all("img"))
    assert len(reader.all("table")) == len(reader.all("caption"))
    assert all(attrs.get("scope") in ("row", "col") for attrs in reader.all("th"))
    for attrs in reader.all("svg"):
        assert attrs.get("aria-label") or attrs.get("aria-hidden") == "true"


def test_the_same_comparison_gives_the_same_page(build: Build) -> None:
    assert page(build(["two-phase"])) == page(build(["two-phase"]))


def test_the_recipe_on_the_page_can_be_run_again(html: str, comparison: Comparison) -> None:
    text = re.search(r"<pre tabindex=\"0\"><code>(.*?)</code></pre>", html, re.S)
    assert text
    values = json.loads(text[1].replace("&#34;", '"'))
    assert Recipe.from_dict(values) == comparison.recipe
    assert "ftkit compare --recipe" in html


def test_names_from_outside_are_escaped(build: Build, failed: Fail) -> None:
    comparison = build(["scratch", "fine-tuning"], class_names=("cat", EVIL), data=EVIL)
    comparison.dataset = dataclasses.replace(
        comparison.dataset, name=EVIL, skipped=(f"{EVIL}.jpg: not a picture",)
    )
    comparison.runs[1] = failed("tensorflow", "scratch", EVIL, steps=2)
    comparison.runs[1].error_details = EVIL
    found = page(comparison)
    assert "<script" not in found and "&lt;script&gt;" in found
    Reader(found)


def test_a_failed_run_shows_its_reason_on_the_page(build: Build, failed: Fail) -> None:
    comparison = build(["scratch"])
    comparison.runs[1] = failed("tensorflow", "scratch", "out of memory", steps=2)
    comparison.match.clear()
    found = page(comparison)
    assert "out of memory" in found and "Not comparable, because TensorFlow failed" in found


def test_a_comparison_in_which_all_failed_is_still_a_page(build: Build, failed: Fail) -> None:
    comparison = build(["scratch", "two-phase"])
    comparison.runs[:] = [failed(run.backend, run.strategy, "boom") for run in comparison.runs]
    comparison.match.clear()
    found = page(comparison)
    Reader(found)
    assert "as planned; no run finished this phase" in found


def test_many_classes_show_the_most_confused_pairs(build: Build) -> None:
    names = tuple(f"breed {index}" for index in range(15))
    found = page(build(["scratch"], class_names=names))
    Reader(found)
    assert 'class="matrix"' not in found and "Most confused classes" in found


def test_confusion_matrices_add_up(comparison: Comparison) -> None:
    labels = comparison.dataset.val.labels
    for run in comparison.runs:
        matrix = confusion_matrix(labels, run.val_predictions, 2)
        assert matrix.sum() == len(labels)
        assert matrix.trace() == np.equal(run.val_predictions, labels).sum()
        assert matrix.sum(axis=1).tolist() == np.bincount(labels).tolist()
        mistakes = most_confused(matrix, comparison.dataset.class_names)
        assert sum(pair.pictures for pair in mistakes) == matrix.sum() - matrix.trace()


def test_the_worst_confusion_comes_first() -> None:
    matrix = np.array([[5, 0, 3], [1, 9, 0], [0, 4, 6]])
    found = most_confused(matrix, ["a", "b", "c"], limit=2)
    assert [(item.truth, item.predicted, item.pictures, item.of) for item in found] == [
        ("c", "b", 4, 10),
        ("a", "c", 3, 8),
    ]


def test_block_widths_are_to_scale_above_the_least() -> None:
    widths = scaled([4_768, 131_000, 525_000, 2_100_000, 514])
    assert widths[0] == widths[1] == widths[4] == LEAST
    assert widths[3] / widths[2] == pytest.approx(4)
    assert scaled([1] * 40) == pytest.approx([LEAST] * 40)


def test_the_diagram_has_a_row_per_phase_and_agrees_with_the_audit(
    comparison: Comparison,
) -> None:
    found = diagram(comparison)
    assert [row.strategy for row in found] == [
        "scratch",
        "feature-extraction",
        "fine-tuning",
        "two-phase",
        "two-phase",
    ]
    states = [{box.block: box.state for box in row.boxes} for row in found]
    assert set(states[0].values()) == {"learns"}
    assert [name for name, state in states[1].items() if state == "learns"] == ["head"]
    assert [name for name, state in states[4].items() if state == "learns"] == ["layer4", "head"]
    assert found[1].source == "audited in PyTorch and TensorFlow"


def test_frameworks_that_froze_differently_have_a_row_each(build: Build) -> None:
    comparison = build(["feature-extraction"])
    comparison.runs[0].audits[0]["blocks"]["layer1"]["batch_norm"] = ["statistics"]
    sources = [row.source for row in diagram(comparison)]
    assert sources == ["audited in PyTorch", "audited in TensorFlow"]


def test_a_broken_audit_is_named_on_the_page(build: Build) -> None:
    comparison = build(["feature-extraction"])
    comparison.runs[0].audits[0] |= {"holds": False, "strayed": ["bn1.running_mean"]}
    assert "moved though frozen: bn1.running_mean" in page(comparison)


def test_samples_show_disputes_and_mistakes_first_and_none_twice() -> None:
    labels = np.array([0, 1] * 10)
    first = labels.copy()
    first[3] = 0
    second = first.copy()
    second[4] = 1
    confidence = np.linspace(0.5, 0.99, 40).reshape(2, 20)
    found = choose(np.stack([first, second]), confidence, labels, 12)
    assert found[:2] == [(4, "The frameworks disagree"), (3, "Wrong, and sure of it")]
    assert len(found) == len(dict(found)) == 12


def test_samples_come_from_the_most_accurate_strategy(comparison: Comparison) -> None:
    strategy = best_strategy(comparison)
    assert strategy == "fine-tuning"
    found = samples(comparison, strategy)
    assert len(found) == 12
    for sample in found:
        assert [guess.right for guess in sample.guesses] == [
            guess.predicted == sample.truth for guess in sample.guesses
        ]


def test_a_long_run_makes_no_large_page(build: Build) -> None:
    found = page(build(["scratch", "fine-tuning"], epochs=120))
    assert "data:image/svg+xml" not in found
    assert len(found) < 1_000_000


def test_large_pictures_are_made_small() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (400, 400, 3), dtype=np.uint8)
    assert len(data_uri(noise)) < 40_000
    assert data_uri(noise[:32, :32]).startswith("data:image/png;base64,")
