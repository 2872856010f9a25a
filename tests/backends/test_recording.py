"""Peak memory: that of the time in which it is watched, and of no time before."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from ftkit.backends import recording
from ftkit.backends.recording import SAMPLE_SECONDS, PeakMemory

MEBIBYTE = 2**20
LARGE = 200  # MiB


def touched(mebibytes=LARGE):
    """An array whose pages are in memory."""
    return np.ones(mebibytes * MEBIBYTE, np.uint8)


@pytest.fixture(params=["the system's mark", "a thread that looks"])
def watch(request, monkeypatch):
    """Starts a watch."""
    if request.param == "a thread that looks":
        monkeypatch.setattr(recording, "_CLEAR", Path("/nowhere/clear_refs"))
    elif not Path("/proc/self/clear_refs").exists():
        pytest.skip("Linux alone marks the peak")
    watches = []

    def start():
        watches.append(PeakMemory())
        return watches[-1]

    yield start
    for item in watches:
        item.stop()


def test_what_was_taken_and_given_back_in_the_meantime_is_in_the_peak(watch):
    watched = watch()
    before = watched.mebibytes
    held = touched()
    time.sleep(3 * SAMPLE_SECONDS)
    del held
    assert LARGE * 0.9 < watched.mebibytes - before < LARGE * 1.5


def test_what_was_given_back_before_is_not(watch):
    held = touched()
    time.sleep(3 * SAMPLE_SECONDS)
    del held
    first = watch().mebibytes
    second = watch()
    held = touched(LARGE // 2)
    time.sleep(3 * SAMPLE_SECONDS)
    assert LARGE * 0.4 < second.mebibytes - first < LARGE * 0.9
    assert held.nbytes
