"""Colours, strokes and letters of the plots, for light and for dark pages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Ink:
    """What one kind of page is drawn in.

    The lines' colours are from Okabe and Ito's palette, which stays apart in every common kind of
    colour blindness; the strokes differ too.

    Attributes:
        paper: Background.
        text: Letters.
        faint: Axes, phase boundaries and remarks.
        grid: Grid lines.
        shadow: Background of the steps that the contract speaks of.
        lines: First framework, second framework, difference.
        limit: The contract's bound.
    """

    paper: str
    text: str
    faint: str
    grid: str
    shadow: str
    lines: tuple[str, str, str]
    limit: str

    def line(self, index: int, single: bool) -> dict[str, Any]:
        """How a line is drawn: the second dashed on top of a wider first, so that both show.

        Args:
            index: 0 and 1 for the frameworks, 2 for their difference.
            single: Whether to mark each point, for lines of few.
        """
        style: dict[str, Any] = {"color": self.lines[min(index, 2)], "zorder": 2 + index}
        if index == 0:
            style |= {"linewidth": 3.8, "solid_capstyle": "round"}
        elif index == 1:
            style |= {"linewidth": 1.8, "dashes": (3.5, 2.5)}
        else:
            style |= {"linewidth": 1.2}
        if single:
            style |= {"marker": "os."[min(index, 2)], "markersize": (7.5, 4.5, 4)[min(index, 2)]}
        return style

    @staticmethod
    def drawable(text: str) -> str:
        """The text with a box for every letter that the plots' font does not have."""
        return "".join(letter if _in_font(letter) else "\N{WHITE SQUARE}" for letter in text)


LIGHT = Ink(
    paper="#ffffff",
    text="#1c2430",
    faint="#5b6675",
    grid="#e3e8ee",
    shadow="#f1f4f8",
    lines=("#0072b2", "#f07f13", "#7a4b94"),
    limit="#b3261e",
)
DARK = Ink(
    paper="#171c24",
    text="#e6ebf2",
    faint="#9aa7b8",
    grid="#2a323d",
    shadow="#1f2630",
    lines=("#3b8fd4", "#ffb648", "#c9a0e0"),
    limit="#ff8a80",
)


def axes_in(axes: Axes, ink: Ink) -> None:
    """Gives empty axes their colours."""
    axes.set_facecolor(ink.paper)
    axes.grid(True, color=ink.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=ink.faint, labelcolor=ink.text, labelsize=9, length=3)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(ink.text)
        label.set_fontsize(10)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(ink.faint)


def legend_in(axes: Axes, ink: Ink, columns: int = 1) -> None:
    """A legend above the axes' upper right corner, without a frame."""
    axes.legend(
        loc="lower right" if columns > 1 else "upper right",
        bbox_to_anchor=(1, 0.97) if columns > 1 else None,
        ncols=columns,
        frameon=False,
        fontsize=9 if columns == 1 else 8,
        labelcolor=ink.text,
        handlelength=2.6,
        borderpad=0,
        columnspacing=1.2,
    )


@cache
def _in_font(letter: str) -> bool:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties()))
    return letter.isprintable() and font.get_char_index(ord(letter)) != 0
