"""Bundled picture tasks, drawn on demand with NumPy: textured shapes, new shapes, drawn pets."""

from __future__ import annotations

from ftkit.data.drawn.tasks import TASKS, DrawnTask, draw

__all__ = ["TASKS", "DrawnTask", "draw"]
