"""What the step-by-step notebooks claim of the frameworks, and their line for own pictures.

Each framework runs in a process of its own.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from textwrap import dedent

import pytest

from ftkit.environments import interpreter

SOURCES = Path(__file__).parents[2] / "notebooks" / "sources" / "en"
CELL = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DATA = re.compile(r'^DATA, TRAIN_SIZE = "drawn-pets", \d+ .*$', re.MULTILINE)


def run(backend: str, program: str, folder: Path) -> list[str]:
    """The lines that a program prints, run by a framework's Python in a folder."""
    environment = {
        **os.environ,
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "MPLBACKEND": "Agg",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    command = [interpreter(backend), "-c", program]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


KERAS_MODEL = """
    import keras, numpy as np
    from keras import layers

    rng = np.random.default_rng(0)
    x, y = rng.normal(3, 1, (32, 4)), rng.normal(size=(32, 1))

    def fitted(norm, call):
        norm.build((None, 4))
        inner, outer = keras.Input((4,)), keras.Input((4,))
        base = keras.Model(inner, norm(inner))
        model = keras.Model(outer, layers.Dense(1)(base(outer, **call)))
        model.compile("sgd", "mse")
        model.fit(x, y, verbose=0)
        return model

    def moves(norm, call):
        fitted(norm, call)
        return bool(norm.moving_mean.numpy().any())
"""


def keras(program: str, folder: Path) -> list[str]:
    return run("tensorflow", dedent(KERAS_MODEL) + dedent(program), folder)


def test_fit_of_a_functional_model_overrides_training_false(tmp_path):
    program = 'print(moves(layers.BatchNormalization(), {"training": False}))'
    assert keras(program, tmp_path) == ["True"]


def test_batch_norm_that_is_not_trainable_keeps_its_statistics_under_fit(tmp_path):
    program = "print(moves(layers.BatchNormalization(trainable=False), {}))"
    assert keras(program, tmp_path) == ["False"]


def test_fit_goes_on_with_what_it_was_compiled_with(tmp_path):
    program = """
    norm = layers.BatchNormalization(trainable=False)
    model = fitted(norm, {})
    norm.trainable = True
    for compiled in (False, True):
        if compiled:
            model.compile("sgd", "mse")
        model.fit(x, y, verbose=0)
        print(bool(norm.moving_mean.numpy().any()), bool(norm.beta.numpy().any()))
    """
    assert keras(program, tmp_path) == ["False False", "True True"]


def test_parameters_without_gradient_do_not_keep_batch_norm_of_pytorch_still(tmp_path):
    program = """
    import torch

    norm = torch.nn.BatchNorm1d(4)
    for parameter in norm.parameters():
        parameter.requires_grad = False
    for mode in (False, True):
        norm.train(mode)
        norm(torch.full((8, 4), 3.0))
        print(bool(norm.running_mean.any()))
    """
    assert run("pytorch", dedent(program), tmp_path) == ["False", "True"]


@pytest.mark.parametrize(
    ("name", "backend"),
    [("02_pytorch_step_by_step", "pytorch"), ("03_tensorflow_step_by_step", "tensorflow")],
)
def test_the_path_runs_on_a_folder_of_pictures_and_gives_the_numbers_of_ftkit(
    name, backend, pictures, tmp_path
):
    cells = CELL.findall((SOURCES / f"{name}.md").read_text(encoding="utf-8"))
    program = "\n".join(cell for cell in cells if not cell.startswith("Quiz("))
    program, changed = DATA.subn(f"DATA, TRAIN_SIZE = {str(pictures)!r}, None", program)
    assert changed == 1
    printed = run(backend, program, tmp_path)
    assert "classes: ('blue', 'red')" in printed
    assert "4 steps, the losses agree to 1e-5: True" in printed
