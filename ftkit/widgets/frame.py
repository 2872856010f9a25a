"""What every widget has: its files, a sign of life, and a picture that stays in the notebook."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import anywidget
from IPython.display import DisplayHandle, display
from matplotlib.figure import Figure

FOLDER = Path(__file__).parent
UPDATE_SECONDS = 0.1  # between two updates of a page: ten a second look smooth
STILL_DPI = 110


def script(*names: str) -> str:
    """Scripts as one module: the browser loads a widget's code from the kernel, not from a server.

    Args:
        names: Files of this folder; each may use what those before it define.
    """
    return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in names)


class Frame(anywidget.AnyWidget):
    """A widget that answers the page, and leaves a picture behind.

    The page asks now and then whether the kernel is there, and disables its controls while no
    answer comes: a widget whose kernel is gone must not pretend to work. Below the widget stands a
    picture of its last state. It is hidden while the widget lives, and is all that a saved
    notebook shows when it is opened again, or exported.
    """

    _css = FOLDER / "widgets.css"

    def __init__(self, **traits: Any) -> None:
        self._sending = threading.RLock()
        super().__init__(**traits)
        self._still: DisplayHandle | None = None
        self.on_msg(self._on_message)

    def still(self) -> tuple[Figure | None, str]:
        """The last state as a figure and in words."""
        raise NotImplementedError  # each widget has its own

    def handle(self, message: dict[str, Any]) -> None:
        """Does what a control of the page asks for: ``{"do": …}``."""

    def take_choice(self, message: dict[str, Any]) -> None:
        """Takes the choice that a command was given under.

        Changes of traits wait in the page while the kernel is busy, commands do not: a command can
        arrive before the choice that it was meant for.
        """
        if isinstance(message.get("choice"), dict):
            self.set_state({"choice": message["choice"]})

    def keep(self) -> None:
        """Brings the picture that stays in the notebook up to date."""
        if self._still is not None:
            self._still.update(self._picture(), raw=True)

    def _ipython_display_(self) -> None:
        data, metadata = self._repr_mimebundle_() or ({}, {})
        display(data, metadata=metadata, raw=True)
        self._still = display(self._picture(), raw=True, display_id=True)

    def _picture(self) -> dict[str, Any]:
        figure, text = self.still()
        if figure is None:
            return {"text/plain": text}
        file = BytesIO()
        figure.savefig(file, format="png", dpi=STILL_DPI)
        return {"image/png": file.getvalue(), "text/plain": text}

    def send_state(self, key: Any = None) -> None:
        """Sends traits to the page: what they are now, also where threads send at the same time."""
        with self._sending:  # else what was read first could be sent last
            super().send_state(key)

    def _tell_again(self, names: Sequence[str]) -> None:
        """Sends the state of these traits.

        JupyterLab drops what is sent between its asking for all widgets' state and its making of
        them: after a reload a page may have missed a change, and would never hear of it.
        """
        known = [name for name in names if name in self.keys]
        if known:
            self.send_state(known)

    def _on_message(self, _: Any, message: Any, buffers: Any) -> None:
        if not isinstance(message, dict):
            return
        if message.get("do") == "ping":
            self._tell_again(message.get("state", ()))
            self.send({"pong": True})
        else:
            self.handle(message)


class Updates:
    """Pushes what has changed to the page, at most so often.

    Args:
        push: Sends the whole state: a page that was reloaded meanwhile misses nothing.
        seconds: Between two pushes.
    """

    def __init__(self, push: Callable[[], None], seconds: float = UPDATE_SECONDS) -> None:
        self._push = push
        self._seconds = seconds
        self._changed = threading.Event()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to push."""
        self._over.clear()
        self._changed.set()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def changed(self) -> None:
        """There is something new."""
        self._changed.set()

    def stop(self) -> None:
        """Pushes a last time, and ends."""
        self._over.set()
        self._changed.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while True:
            self._changed.wait()
            self._changed.clear()
            over = self._over.is_set()
            self._push()
            if over:
                return
            self._over.wait(self._seconds)
