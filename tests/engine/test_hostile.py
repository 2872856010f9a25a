"""What lies in the user's folder or environment does not reach into a worker."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import ftkit
recipe = ftkit.Recipe(train_size=8, epochs=1, strategies=("feature-extraction",), device="cpu")
runs = ftkit.run(recipe, "{backend}").runs
print([(run.status, run.error) for run in runs])
"""


@pytest.mark.parametrize("backend", ["pytorch", "tensorflow"])
def test_a_file_named_like_a_module_and_another_keras_backend_change_nothing(tmp_path, backend):
    for name in ("random", "queue", "torch", "keras"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the user’s own file was run')")
    home = tmp_path / "home"
    (home / ".keras").mkdir(parents=True)
    settings = '{"backend": "torch", "image_data_format": "channels_first", "floatx": "float16"}'
    (home / ".keras" / "keras.json").write_text(settings)
    answer = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM.format(backend=backend)],
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": "torch", "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stdout.strip() == "[('done', '')]", answer.stderr
