"""Takes the pictures of the widgets in `docs/widgets`: `python docs/screens.py [NAME …]`.

Each widget is opened in a real JupyterLab and used, as the browser tests do; it takes minutes, both
frameworks and Chromium. The look of each is judged by eye.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import nbformat
from PIL import Image
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "widgets"))

from conftest import ARGUMENTS, CHROMIUM, Page, Server  # noqa: E402  # the line above finds it

SHOTS = {
    "freeze_lab": (
        ".ft-lab",
        [
            "import ftkit\nfrom ftkit.widgets import FreezeLab\n"
            "lab = FreezeLab(ftkit.Recipe(train_size=100, batch_size=16, epochs=10))\nlab",
            "for depth in (5, 4, 2):\n    lab.train(depth)\n    lab.wait()",
        ],
    ),
    "side_by_side": (
        ".ft-side",
        ["from ftkit.widgets import SideBySide\nSideBySide('freeze')"],
    ),
    "difference_lab": (
        ".ft-differences",
        [
            "from ftkit.widgets import DifferenceLab\nlab = DifferenceLab()\nlab",
            "lab.train()\nlab.wait()",
        ],
    ),
    "prediction_browser": (
        ".ft-predictions",
        [
            "import ftkit\nfrom ftkit.widgets import PredictionBrowser\n"
            "recipe = ftkit.Recipe(train_size=200, epochs=4, strategies=['fine-tuning'])\n"
            "PredictionBrowser(ftkit.compare(recipe, export='weights'))",
        ],
    ),
    "backbone_race": (
        ".ft-race",
        [
            "import ftkit\nfrom ftkit.widgets import BackboneRace\n"
            "race = BackboneRace(recipe=ftkit.Recipe(train_size=200, epochs=8,\n"
            "    strategies=['feature-extraction']))\nrace",
            "race.train()\nrace.wait()",
        ],
    ),
    "quiz": (".ft-quiz", ["from ftkit.widgets import Quiz\nQuiz('04_freeze_depth')"]),
    "check": (
        ".ft-checker",
        [
            "from pathlib import Path\nfrom ftkit.grading import installed\n"
            "file = 'ex3_predictions.pytorch.ipynb'\n"
            "Path(file).write_text(installed.starters()[file])",
            "def confusion(truth, predicted, classes):\n"
            "    matrix = np.zeros((classes, classes), dtype=int)\n"
            "    np.add.at(matrix, (truth, predicted), 1)\n"
            "    return matrix",
            "def worst_mistakes(probabilities, truth, count):\n"
            "    wrong = np.flatnonzero(probabilities.argmax(axis=1) != truth)\n"
            "    return np.argsort(-probabilities.max(axis=1))[:count]",
            "from ftkit.widgets import Check\ncheck = Check('ex3', notebook=file)\ncheck",
            "check.check()\ncheck.wait()",
        ],
    ),
}
"""For each picture, the widget's class and the cells that lead there."""
WIDTH, HEIGHT = 1280, 2300  # so high that each is seen whole
TALLEST = 1120
RUN_SECONDS = 300
SETTLE_MS = 1500  # the last update, and what moves into its place


def shrink(path: Path) -> None:
    """Keeps the upper part of a picture, in 256 colours."""
    with Image.open(path) as shot:
        seen = shot.convert("RGB").crop((0, 0, shot.width, min(shot.height, TALLEST)))
    seen.quantize(256).save(path, optimize=True)


def main(names: list[str]) -> None:
    """Takes the pictures of these names; all if there is none."""
    folder = HERE / "widgets"
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        server = Server(Path(scratch))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            for name in names or SHOTS:
                selector, cells = SHOTS[name]
                made = nbformat.v4.new_notebook(
                    cells=list(map(nbformat.v4.new_code_cell, cells)),
                    metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
                )
                nbformat.write(made, server.folder / f"{name}.ipynb")
                page = Page(
                    browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}),
                    server,
                    f"{name}.ipynb",
                )
                page.open()
                page.run_all(RUN_SECONDS)
                page.tab.wait_for_selector(selector)
                page.tab.wait_for_timeout(SETTLE_MS)
                path = folder / f"{name}.png"
                page.tab.locator(selector).first.screenshot(path=path)
                shrink(path)
                page.tab.close()
                print(name, flush=True)
        finally:
            browser.close()
            server.close()


if __name__ == "__main__":
    main(sys.argv[1:])
