"""A real JupyterLab server, once for all tests; notebooks are opened in it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

TOKEN = "for-tests-alone"
QUIET = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false"},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
    # As in `ftkit lab`, whose settings these are not.
    "@jupyterlab/apputils-extension:kernels-settings": {"commsOverSubshells": "disabled"},
}
READY_SECONDS = 60


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Server:
    """JupyterLab on this machine, with nobody's settings but its own.

    Attributes:
        folder: Where its notebooks lie.
        state: Where it keeps a learner's tries at exercises.
        url: Where it answers.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "notebooks"
        self.folder.mkdir()
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        homes = {
            name: str(folder / name)
            for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
        }
        self.state = folder / "state"
        homes["FTKIT_STATE"] = str(self.state)
        homes["JUPYTERLAB_SETTINGS_DIR"] = str(folder / "settings")
        homes["JUPYTERLAB_WORKSPACES_DIR"] = str(folder / "workspaces")
        for plugin, values in QUIET.items():
            package, name = plugin.split(":")
            path = folder / "settings" / package / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values), encoding="utf-8")
        self._log = (folder / "jupyterlab.log").open("wb")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyterlab",
                "--no-browser",
                "--allow-root",
                f"--ServerApp.port={port}",
                "--ServerApp.port_retries=0",
                "--LabApp.expose_app_in_browser=True",
                f"--IdentityProvider.token={TOKEN}",
                f"--ServerApp.root_dir={self.folder}",
            ],
            env={**os.environ, **homes, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                asked = f"{self.url}/api?token={TOKEN}"
                with urllib.request.urlopen(asked, timeout=5):
                    return
            time.sleep(0.1)
        raise RuntimeError(f"JupyterLab did not start; see {self._log.name}")

    def sessions(self) -> list[dict[str, Any]]:
        """Which notebook has which kernel, as the server tells it."""
        with urllib.request.urlopen(f"{self.url}/api/sessions?token={TOKEN}", timeout=10) as answer:
            told: list[dict[str, Any]] = json.load(answer)
        return told

    def kernel(self, notebook: str) -> psutil.Process:
        """The process of this notebook's kernel; what is forked from it bears the same words."""
        (number,) = (one["kernel"]["id"] for one in self.sessions() if one["path"] == notebook)
        found = psutil.Process(self.process.pid).children()
        (kernel,) = (one for one in found if any(number in word for word in one.cmdline()))
        return kernel

    def close(self) -> None:
        """Ends the server and its kernels."""
        tree = [self.process.pid]
        with contextlib.suppress(psutil.Error):
            tree += [
                child.pid for child in psutil.Process(self.process.pid).children(recursive=True)
            ]
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        for number in tree:
            with contextlib.suppress(OSError):
                os.kill(number, signal.SIGKILL)
        self.process.wait()
        self._log.close()


class Page:
    """A notebook that is open in the browser.

    Attributes:
        tab: Playwright's page.
        errors: What the page's console reported as an error.
    """

    def __init__(self, tab: Any, server: Server, name: str) -> None:
        self.tab = tab
        self.server = server
        self.name = name
        self.errors: list[str] = []
        tab.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self) -> None:
        """Opens the notebook, and waits until its kernel is there and idle."""
        url = f"{self.server.url}/lab/tree/{self.name}?token={TOKEN}&reset"
        self.tab.goto(url)
        self.ready()

    def ready(self) -> None:
        """Waits until there is a kernel and it has nothing to do.

        "Idle" alone appears for a moment before there is a kernel.
        """
        panel = ".jp-NotebookPanel:not(.lm-mod-hidden)"
        self.tab.wait_for_function(
            """panel => {
                const name = document.querySelector(`${panel} .jp-KernelName`);
                const state = document.querySelector(`${panel} .jp-Notebook-ExecutionIndicator`);
                return name && state && !/No Kernel/.test(name.textContent)
                    && state.dataset.status === "idle";
            }""",
            arg=panel,
            timeout=READY_SECONDS * 1000,
        )

    def menu(self, *names: str) -> None:
        """Chooses from the menu bar."""
        first, *rest = names
        self.tab.get_by_role("menuitem", name=first, exact=True).first.click()
        for name in rest:
            self.tab.get_by_role("menuitem", name=name).first.click()

    def run_all(self, seconds: float = 120) -> None:
        """Runs every cell, and waits until the last has its number."""
        self.menu("Run", "Run All Cells")
        self.tab.wait_for_function(
            """() => {
                const panel = document.querySelector(".jp-NotebookPanel:not(.lm-mod-hidden)");
                const prompts = panel.querySelectorAll(".jp-CodeCell .jp-InputPrompt");
                const last = prompts[prompts.length - 1];
                return last && /\\[\\d+\\]/.test(last.textContent);
            }""",
            timeout=seconds * 1000,
        )

    def save(self, text: str = "application/vnd.jupyter.widget-view+json") -> None:
        """Saves the notebook, and waits until this text is in its file.

        A page that is left before that takes what it was about to save with it.
        """
        self.menu("File", "Save Notebook")
        path, until = self.server.folder / self.name, time.monotonic() + READY_SECONDS
        while text not in path.read_text(encoding="utf-8"):
            assert time.monotonic() < until, f"{self.name} was saved without {text}"
            time.sleep(0.1)

    def workers(self) -> list[psutil.Process]:
        """What runs under the notebook's kernel, once there is a process for each framework."""
        until = time.monotonic() + READY_SECONDS
        kernel = self.server.kernel(self.name)
        while len(found := kernel.children(recursive=True)) < 2:
            assert time.monotonic() < until, "no two workers were started"
            time.sleep(0.1)
        return found

    def restart(self, widget: str) -> None:
        """Restarts the kernel, and waits until this widget says that it is gone."""
        self.menu("Kernel", "Restart Kernel")
        self.tab.locator(".jp-Dialog .jp-mod-accept").click()
        self.tab.wait_for_selector(f"{widget}.ft-gone .ft-dead:visible", timeout=20_000)

    def all_dead(self, widget: str) -> bool:
        """Whether no control of this widget pretends to work; there must be some."""
        controls = self.tab.locator(f"{widget} :is(button, input, select)")
        assert controls.count() > 1
        dead = "found => found.every(one => one.matches(':disabled'))"
        return bool(controls.evaluate_all(dead))

    def dark(self) -> None:
        """Turns the dark theme on; until the next reload."""
        self.tab.evaluate(
            """() => { window.jupyterapp.commands.execute(
                "apputils:change-theme", {theme: "JupyterLab Dark"}); }"""
        )  # fired and not waited for: a command may never answer
        self.tab.wait_for_selector('body[data-jp-theme-light="false"]', state="attached")

    def tab_to(self, name: str, most: int = 30) -> None:
        """Presses Tab until the control of this class has the focus, at most so often."""
        for _ in range(most):
            self.tab.keyboard.press("Tab")
            if self.tab.evaluate("name => document.activeElement.classList.contains(name)", name):
                return
        raise AssertionError(f"{name} was not reached with {most} times Tab")

    def looks(self) -> Iterator[str]:
        """Shows the page in each theme and width, and gives the name of each such look."""
        for theme in ("light", "dark"):
            if theme == "dark":
                self.dark()
            for width in (1280, 800):
                self.tab.set_viewport_size({"width": width, "height": 900})
                self.tab.evaluate(
                    "() => new Promise(done => "
                    "requestAnimationFrame(() => requestAnimationFrame(done)))"
                )
                yield f"{theme}-{width}"

    def fits(self, selector: str) -> bool:
        """Whether an element shows all its width, within the second that a layout takes."""
        fit = """selector => {
            const root = document.querySelector(selector);
            return root.scrollWidth <= root.clientWidth;
        }"""
        from playwright.sync_api import TimeoutError as Late

        try:
            self.tab.wait_for_function(fit, arg=selector, timeout=1000)
        except Late:
            return False
        return True

    def outputs_with_errors(self) -> list[str]:
        """The text of every error output."""
        chosen = '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"]'
        return [item.inner_text() for item in self.tab.query_selector_all(chosen)]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab, started once."""
    started = Server(tmp_path_factory.mktemp("jupyterlab"))
    yield started
    started.close()


@pytest.fixture
def notebook(browser: Any, server: Server) -> Iterator[Callable[..., Page]]:
    """Opens a notebook of these cells in a tab of its own, ready to be run."""
    pages: list[Page] = []

    def open_(*cells: str, width: int = 1280, height: int = 900, name: str = "") -> Page:
        name = name or f"test_{len(list(server.folder.iterdir()))}.ipynb"
        if cells:
            made = nbformat.v4.new_notebook(
                cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
                metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
            )
            nbformat.write(made, server.folder / name)
        tab = browser.new_page(viewport={"width": 1280, "height": height})
        page = Page(tab, server, name)
        pages.append(page)
        page.open()
        if width != 1280:  # a narrow toolbar hides whether the kernel is ready
            tab.set_viewport_size({"width": width, "height": height})
        return page

    yield open_
    for page in pages:
        page.tab.close()
    _end_kernels(server)


@pytest.fixture
def opener(notebook: Callable[..., Page]) -> Callable[..., Callable[..., Page]]:
    """Makes what opens a widget on a page: a cell is run, and the widget waited for."""

    def make(first: str, selector: str, timeout: float = 30_000) -> Callable[..., Page]:
        def open_(cell: str = first, **options: Any) -> Page:
            page = notebook(cell, **options)
            page.run_all()
            page.tab.wait_for_selector(selector, timeout=timeout)
            return page

        return open_

    return make


def _end_kernels(server: Server) -> None:
    for item in server.sessions():
        url = f"{server.url}/api/sessions/{item['id']}?token={TOKEN}"
        with contextlib.suppress(OSError):
            urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=10)
