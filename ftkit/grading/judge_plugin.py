"""The pytest plugin that tells the grader how each cell of the judge notebook went."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Generator
from typing import Any

import pytest

from ftkit.grading import wire
from ftkit.grading.judging import DESK

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_MOST_TEXT = 1000


class Reporter:
    """Sends one report per cell."""

    def __init__(self) -> None:
        self._desk = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._desk.connect(os.environ.get("FTKIT_GRADING_DESK", DESK))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: Any, call: Any
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Reports the call itself, and a set-up or tear-down only if it failed."""
        report = yield
        if report.when == "call" or not report.passed:
            outputs = item.test_outputs or []
            errors = [out for out in outputs if out.get("output_type") == "error"]
            text = f"{errors[-1].ename}: {errors[-1].evalue}" if errors else ""
            if not text and call.excinfo is not None:
                text = f"{call.excinfo.typename}: {call.excinfo.value}"
            clean = _COLOURS.sub("", text)[:_MOST_TEXT].encode(errors="replace").decode()
            wire.send(
                self._desk,
                {
                    "do": "report",
                    "cell": str(item.cell.get("id", "")),
                    "passed": report.passed and not hasattr(report, "wasxfail"),
                    "message": clean,
                },
            )
        return report


def pytest_configure(config: pytest.Config) -> None:
    """Registers the reporter."""
    config.pluginmanager.register(Reporter(), "ftkit-reporter")
