"""What tests of several parts share: a folder of small pictures, other Pythons, a browser."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

if "PYTEST_XDIST_WORKER" in os.environ:  # several tests at a time: a core for each
    for variable in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(variable, "1")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of 15 pictures of 32 pixels: noise, reddish or bluish. Read only."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name, channel in (("blue", 2), ("red", 0)):
        (folder / name).mkdir()
        for number in range(15):
            pixels = rng.integers(0, 180, (32, 32, 3), dtype=np.uint8)
            pixels[:, :, channel] += 70
            Image.fromarray(pixels).save(folder / name / f"{number:02}.png")
    return folder


@pytest.fixture
def a_python(tmp_path: Path) -> Callable[..., str]:
    """Makes an interpreter of its own: this one, behind lines of shell that run before it."""

    def make(*lines: str, options: str = "", name: str = "python") -> str:
        path = tmp_path / name
        run = f'exec "{sys.executable}" {options} "$@"'
        path.write_text("\n".join(["#!/bin/sh", *lines, run, ""]), encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture
def no_process_left() -> Callable[[], bool]:
    """Says whether every process that was started since is gone."""
    before = set(psutil.Process().children(recursive=True))

    def gone() -> bool:
        started = set(psutil.Process().children(recursive=True)) - before
        return not psutil.wait_procs(list(started), timeout=10)[1]

    return gone


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium. Until it ends, its event loop counts as running: hence not for a whole session."""
    if CHROMIUM is None and os.environ.get("FTKIT_TEST_BROWSER") != "required":
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()
