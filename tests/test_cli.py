"""The command line as a program: bad input, a real comparison, and faults in mid-run."""

from __future__ import annotations

import inspect
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from PIL import Image
from safetensors.numpy import save_file

from ftkit import api, cli
from ftkit.engine.session import START
from ftkit.errors import FtkitError
from ftkit.recipe import Recipe

FTKIT = [sys.executable, "-m", "ftkit"]
FILES = ["curves.png", "history.json", "report.html", "summary.json"]
RUN_ENTRIES = {
    "backend",
    "strategy",
    "status",
    "error",
    "freeze_depth",
    "trainable_parameters",
    "total_parameters",
    "val_accuracy",
    "val_loss",
    "seconds",
    "images_per_second",
    "peak_memory_mb",
    "device",
    "versions",
    "precision",
    "seed",
    "kept",
    "step_losses",
    "val_predictions",
    "audit",
}


@pytest.fixture(scope="session")
def unreadable_in(pictures, tmp_path_factory):
    """Copies the pictures and spoils some of the first class."""

    def make(count):
        folder = tmp_path_factory.mktemp("spoilt") / "pictures"
        shutil.copytree(pictures, folder)
        for path in sorted((folder / "blue").iterdir())[:count]:
            path.write_bytes(b"no picture")
        return folder

    return make


def start(*arguments, **options):
    return subprocess.Popen(
        [*FTKIT, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def read(folder, name="summary.json"):
    return json.loads((folder / name).read_text(encoding="utf-8"))


# Bad input


@pytest.fixture
def refused(tmp_path, a_python):
    """Runs a command, makes sure that it was refused cleanly, and gives its message."""
    log = tmp_path / "started.log"
    python = a_python(f'echo "$@" >> "{log}"', name="watched")
    watched = {"FTKIT_PYTORCH_PYTHON": python, "FTKIT_TENSORFLOW_PYTHON": python}

    def run(*arguments, out=None, usage=False, environment=None, command="compare"):
        out = tmp_path / "new" / "out" if out is None else out
        existed = out.exists()
        there = out.parent.exists()
        answer = subprocess.run(
            [*FTKIT, command, "--out", str(out), *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, **watched, **(environment or {})},
        )
        assert answer.returncode == 2, answer
        assert answer.stdout == ""
        assert "Traceback" not in answer.stderr
        assert "Warning" not in answer.stderr
        begin = "usage: " if usage else "ftkit: "
        assert answer.stderr.startswith(begin)
        assert (out.exists(), out.parent.exists()) == (existed, there)
        started = log.read_text(encoding="utf-8") if log.exists() else ""
        assert "ftkit.engine.worker" not in started  # no framework was waited for
        return answer.stderr

    return run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--data drawn-pet", r"data 'drawn-pet'. Did you mean 'drawn-pets'\? .* give a folder"),
        ("--data no/such/folder", "one sub-folder per class; cannot read no.such.folder: No such"),
        ("--backbone resnet_z", r"backbone 'resnet_z'. Did you mean 'resnet_s'\? Choose one of"),
        (
            "--weights bundeld",
            r"weights 'bundeld'. Did you mean 'bundled'\? .* ends in .safetensors",
        ),
        ("--weights w.safetensors", "There is no weights file at w.safetensors. Check the path."),
        ("--backbone resnet18", "No weights for resnet18 .* Use --weights imagenet, random"),
        ("--strategies two-fase", r"strategy 'two-fase'. Did you mean 'two-phase'\? Choose one of"),
        ("--strategies scratch,fine-tunning", r"'fine-tunning'. Did you mean 'fine-tuning'\?"),
        ("--strategies ,", "Expected at least one strategy of: scratch, .*; got none"),
        ("--strategies depth-6", r"between 0 \(nothing frozen\) and 5 \(all of stem, .*; got 6"),
        ("--views 2", "views are the fixed versions .* --augment flip-crop .* Leave views out"),
        ("--views 0 --augment flip-crop", "views must be a whole number of at least 1; got 0"),
        ("--optimizer adamm", "Unknown optimizer 'adamm'. Did you mean 'adam"),
        ("--backends tensorflo", r"Unknown backend 'tensorflo'. Did you mean 'tensorflow'\?"),
        ("--backends ,", "at least one backend of: pytorch, tensorflow; got none"),
        ("--precision fp23", r"Unknown precision 'fp23'. Did you mean 'fp32'\?"),
        ("--device gpus", r"Unknown device 'gpus'. Did you mean 'gpu'\?"),
        ("--schedule linaer", r"Unknown schedule 'linaer'. Did you mean 'linear'\?"),
        ("--augment flop", r"Unknown augmentation 'flop'. Did you mean 'flip'\?"),
        ("--batch-norm infrence", r"'infrence'. Did you mean 'inference'\?"),
        ("--differences dropuot", r"Unknown difference 'dropuot'. Did you mean 'dropout'\?"),
        ("--freeze-depth -1", "freeze_depth must be a whole number of at least 0; got -1"),
        ("--freeze-depth 6", r"between 0 \(nothing frozen\) and 5 \(all of stem, .*; got 6"),
        ("--batch-size 0", "batch_size must be a whole number of at least 1; got 0"),
        ("--epochs 0", "epochs must be a whole number of at least 1; got 0"),
        ("--train-size 1", r"--train-size must be at least 2 for drawn-pets .*; got 1"),
        ("--data digits --train-size 5000", "--train-size must lie between 10 .*; got 5000"),
        ("--image-size 16", "image_size must be a whole number of at least 32; got 16"),
        ("--lr nan", "lr must be a number above 0; got nan"),
        ("--lr -1", "lr must be a number above 0; got -1"),
        ("--dropout 1", "head.dropout must lie in 0 <= head.dropout < 1; got 1"),
        ("--seed -1", "seed must be a whole number of at least 0; got -1"),
        ("--recipe none.json", "Expected a JSON file with a recipe at none.json; .*No such file"),
    ],
)
def test_what_names_nothing_or_is_out_of_range_is_refused(refused, arguments, message):
    assert re.search(message, refused(*arguments.split()), re.DOTALL)


@pytest.mark.parametrize(
    "arguments",
    [
        *("--epochs five", "--lr fast", "--train-size 1.5", "--epocs 3", "--seed"),
        *("--momentum 0.9", "--views two", "--depths 0,2"),
    ],
)
def test_what_is_no_number_or_no_option_is_refused_with_the_usage(refused, arguments):
    assert "ftkit" in refused(*arguments.split(), usage=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--depths 0,6", r"between 0 \(nothing frozen\) and 5 \(all of stem, .*; got 6"),
        ("--depths=-1", "between 0 .* and 5 .*; got -1"),
        ("--depths ,", "at least one freeze depth; got none"),
        ("--seeds 0", "at least one seed; got 0"),
        ("--backends tensorflo", r"Did you mean 'tensorflow'\?"),
        ("--data no/such/folder", "cannot read no.such.folder"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(refused, arguments, message):
    assert re.search(message, refused(*arguments.split(), command="sweep"), re.DOTALL)


def folders(root, **counts):
    """A folder with a sub-folder per class, with so many pictures."""
    root.mkdir()
    for name, count in counts.items():
        (root / name).mkdir()
        for number in range(count):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(root / name / f"{number}.png")
    return root


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({}, "at least two sub-folders in .*data, one per class; got none. Sort the pictures"),
        ({"cat": 5}, "at least two sub-folders in .*data, one per class; got cat. Sort"),
        ({"cat": 5, "dog": 1}, "at least 2 readable .* in .*dog; got 1. Add pictures"),
        ({"cat": 5, "dog": 0}, "at least 2 readable .* in .*dog; got 0. Add pictures"),
    ],
)
def test_a_folder_that_is_no_dataset_is_refused(refused, tmp_path, counts, message):
    assert re.search(message, refused("--data", folders(tmp_path / "data", **counts)))


def test_over_a_tenth_of_unreadable_pictures_is_refused_and_they_are_named(refused, unreadable_in):
    message = refused("--data", unreadable_in(4))
    assert "4 of 30 are not. Replace or remove them." in message
    assert "00.png: not a picture" in message


def test_a_file_is_no_folder_of_pictures(refused, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert "cannot read" in refused("--data", tmp_path / "file")


@pytest.mark.parametrize("fault", ["shape", "garbage", "cut off"])
def test_weights_of_the_wrong_shape_or_corrupted_are_refused(refused, tmp_path, fault):
    path = tmp_path / "w.safetensors"
    save_file({"conv1.weight": np.zeros((8, 3, 7, 7), np.float32)}, path)
    if fault == "garbage":
        path.write_bytes(b"garbage")
    elif fault == "cut off":
        path.write_bytes(path.read_bytes()[:-8])
    message = refused("--weights", path)
    if fault == "shape":
        assert "conv1.weight is (8, 3, 7, 7), expected (32, 3, 7, 7)" in message
    else:
        assert f"{path} is no readable safetensors file" in message


def test_an_output_folder_that_cannot_be_written_is_refused(refused, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    message = refused(out=tmp_path / "file" / "out")
    assert "Expected a folder that can be written at" in message
    assert "Choose another folder" in message


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder that root cannot write")
def test_an_output_folder_where_not_even_root_may_write_is_refused(refused):
    assert "Expected a folder that can be written at /proc/out" in refused(out=Path("/proc/out"))


def test_an_earlier_result_survives_bad_input(refused, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "summary.json").write_text("{}", encoding="utf-8")
    refused("--data", "no/such/folder", out=out)
    assert [path.name for path in out.iterdir()] == ["summary.json"]
    assert (out / "summary.json").read_text(encoding="utf-8") == "{}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{broken", "Expected a JSON file with a recipe at"),
        ("[]", "Expected a JSON object with a recipe's entries in"),
        ('{"epoch": 3}', "Unknown recipe entry 'epoch'. Did you mean 'epochs'?"),
        ('{"epochs": "five"}', "epochs must be a whole number of at least 1; got 'five'."),
        ('{"data": null}', "data must be a name or a path; got None."),
        ('{"head": {"units": 3}}', "The recipe has a value of the wrong kind"),
    ],
)
def test_a_broken_recipe_file_is_refused(refused, tmp_path, content, message):
    path = tmp_path / "recipe.json"
    path.write_text(content, encoding="utf-8")
    assert message in refused("--recipe", path)


def test_a_framework_that_is_not_installed_is_refused_with_the_pip_line(refused, a_python):
    bare = a_python(options="-I -S", name="bare")
    message = refused(environment={"FTKIT_TENSORFLOW_PYTHON": bare})
    assert "The tensorflow backend needs tensorflow and keras" in message
    assert "pip install 'ftkit[tensorflow]'" in message
    assert "--backends pytorch" in message


def test_a_gpu_that_is_not_there_is_refused_and_no_folder_is_left(pictures, tmp_path):
    out = tmp_path / "out"
    small = ["--data", pictures, "--image-size", 32, "--backends", "pytorch"]
    process = start("compare", *small, "--device", "gpu", "--out", out)
    said = process.communicate()
    assert process.returncode == 2, said
    assert said[1].startswith("ftkit: Expected a GPU that pytorch can use; it sees none.")
    assert not out.exists()


def test_without_a_command_the_usage_is_told():
    answer = subprocess.run(FTKIT, capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert answer.stderr.startswith("usage: ftkit")


# What the options come to


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Gives what a command asks of the library, which then does nothing."""

    def run(command, *arguments):
        signature, given = inspect.signature(getattr(api, command)), {}

        def take(*values, **named):
            bound = signature.bind(*values, **named)
            bound.apply_defaults()
            given.update(bound.arguments)
            raise FtkitError("that is enough")

        monkeypatch.setattr(api, command, take)
        assert cli.main([command, "--out", str(tmp_path / "out"), *arguments]) == 2
        return SimpleNamespace(**given)

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("command", ["compare", "sweep"])
def test_without_options_what_is_frozen_is_kept_in_memory_that_the_cache_chooses(asked, command):
    found = asked(command)
    assert (found.recipe, found.backends) == (Recipe(), ("pytorch", "tensorflow"))
    assert (found.cache, found.cache_memory) == (True, None)


@pytest.mark.parametrize("command", ["compare", "sweep"])
def test_the_cache_can_be_switched_off(asked, command):
    assert asked(command, "--no-cache").cache is False


@pytest.mark.parametrize(
    ("size", "bytes_"),
    [
        ("0", 0),
        ("4096", 4096),
        ("10B", 10),
        ("1.5k", 1536),
        ("500M", 500 * 2**20),
        ("2G", 2 * 2**30),
        ("2 GiB", 2 * 2**30),
        ("1tb", 2**40),
    ],
)
@pytest.mark.parametrize("command", ["compare", "sweep"])
def test_the_memory_of_the_cache_is_given_in_units_of_1024(asked, command, size, bytes_):
    assert asked(command, "--cache-memory", size).cache_memory == bytes_


@pytest.mark.parametrize(
    ("options", "folder"), [((), None), (("--export", "weights"), Path("weights"))]
)
def test_weights_are_written_only_where_somebody_asks(asked, options, folder):
    assert asked("compare", *options).export == folder


@pytest.mark.parametrize("size", ["lots", "2X", "G", "1e9", "-1", "2 G G", "nan", "", "9" * 400])
def test_what_is_no_size_is_refused_with_examples_of_some_that_are(asked, capsys, size):
    with pytest.raises(SystemExit):
        asked("compare", f"--cache-memory={size}")
    message = f"--cache-memory: expected a size such as 500M, 2G or 0; got {size!r}"
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["compare", "sweep"])
def test_views_and_precision_are_the_recipes(asked, command):
    recipe = asked(command, "--augment=flip-crop", "--views=4", "--precision=bf16").recipe
    assert recipe == Recipe(augment="flip-crop", views=4, precision="bf16")


@pytest.mark.parametrize(
    ("arguments", "seeds", "depths"),
    [
        ((), 3, None),
        (("--seeds", "5", "--depths", "2"), 5, (2,)),
        (("--depths", "5, 0,2"), 3, (5, 0, 2)),
    ],
)
def test_a_sweep_takes_all_depths_and_three_seeds_unless_told_otherwise(
    asked, arguments, seeds, depths
):
    found = asked("sweep", *arguments)
    assert (found.seeds, found.freeze_depths) == (seeds, depths)


@pytest.mark.parametrize("depths", ["two", "1.5", "0;2", "0,,x"])
def test_depths_that_are_no_whole_numbers_are_refused_with_an_example(asked, capsys, depths):
    with pytest.raises(SystemExit):
        asked("sweep", "--depths", depths)
    message = f"--depths: expected whole numbers such as 0,2,5; got {depths!r}"
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--strategies=scratch", "--freeze-depth=2", "--depth=2"])
def test_a_sweep_has_no_option_for_what_it_decides_itself(asked, capsys, option):
    with pytest.raises(SystemExit):
        asked("sweep", option)
    assert f"unrecognized arguments: {option}" in capsys.readouterr().err


# A real comparison


@pytest.fixture(scope="module")
def compared(unreadable_in, tmp_path_factory):
    """A comparison of two strategies on a folder with one unreadable picture."""
    folder = tmp_path_factory.mktemp("compared")
    temporary = folder / "temporary"
    temporary.mkdir()
    data = unreadable_in(1)
    process = start(
        *("compare", "--data", data, "--train-size", 16, "--image-size", 32, "--epochs", 1),
        *("--batch-size", 6, "--strategies", "feature-extraction,two-phase"),
        *("--device", "cpu", "--out", folder / "out"),
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    said = process.communicate()
    assert process.returncode == 0, said
    return folder, *said, data


def test_it_writes_four_files_and_leaves_nothing_else_anywhere(compared):
    folder = compared[0]
    assert sorted(path.name for path in (folder / "out").iterdir()) == FILES
    assert list((folder / "temporary").iterdir()) == []
    assert (folder / "out" / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "<html" in (folder / "out" / "report.html").read_text(encoding="utf-8")


def test_the_summary_has_the_documented_entries_and_no_others(compared):
    summary = read(compared[0] / "out")
    assert set(summary) == {"recipe", "data", "runs", "match", "interrupted", "notes"}
    assert [(run["backend"], run["strategy"]) for run in summary["runs"]] == [
        (backend, strategy)
        for backend in ("pytorch", "tensorflow")
        for strategy in ("feature-extraction", "two-phase")
    ]
    for run in summary["runs"]:
        assert set(run) == RUN_ENTRIES
        assert run["status"] == "done"
        epochs = 1 if run["strategy"] == "feature-extraction" else 2
        assert len(run["step_losses"]) == 3 * epochs
        assert len(run["val_predictions"]) == summary["data"]["val_pictures"]
        assert run["audit"]["holds"] is True
        assert run["seconds"] > 0
        assert run["peak_memory_mb"] > 50
    assert [run["freeze_depth"] for run in summary["runs"]] == [5, 4, 5, 4]
    assert summary["data"]["train_pictures"] == 16


def test_the_frameworks_match(compared):
    match = read(compared[0] / "out")["match"]
    assert [item["strategy"] for item in match] == ["feature-extraction", "two-phase"]
    assert match[0]["holds"] is True
    assert match[0]["largest_difference"] <= match[0]["bound"] == 1e-5
    assert match[1]["largest_difference"] <= match[1]["bound"]


def test_an_unreadable_picture_is_named_skipped_and_counted(compared):
    folder, said, _, data = compared
    (skipped,) = read(folder / "out")["data"]["skipped"]
    assert skipped == f"{data / 'blue' / '00.png'}: not a picture"
    assert skipped in said


def test_it_prints_a_row_per_run_the_verdict_and_where_the_files_are(compared):
    folder, said, _, _ = compared
    for framework in ("PyTorch", "TensorFlow"):
        for strategy in ("feature-extraction", "two-phase"):
            assert re.search(rf"^{framework} +{strategy} .*2,799,394", said, re.MULTILINE)
    assert "The match holds in feature-extraction" in said
    assert f"Written to {folder / 'out'}" in said


def test_without_a_terminal_progress_is_one_plain_line_per_epoch_and_per_pass(compared):
    lines = compared[2].splitlines()
    said = r"(epoch [12], training loss \d|computed once up to layer4, pooled, \d)"
    line = rf"(pytorch|tensorflow) (feature-extraction|two-phase): {said}"
    assert all(re.match(line, text) for text in lines[:8]), lines
    assert ["computed once" in text for text in lines[:8]] == [True, False, False, False] * 2
    floor = rf"pytorch two-phase, noise floor: {said}"
    assert all(re.match(floor, text) for text in lines[8:]), lines
    assert len(lines) > 8


def test_the_history_holds_every_event_of_every_run(compared):
    for run in read(compared[0] / "out", "history.json")["runs"]:
        phases = 1 if run["strategy"] == "feature-extraction" else 2
        counts = [len(run[name]) for name in ("phases", "steps", "epochs", "audits")]
        assert counts == [phases, 3 * phases, phases, phases]
        assert run["end"]["device"] == "cpu"


def test_the_recipe_in_the_summary_reruns_the_experiment(compared, tmp_path):
    process = start("compare", "--recipe", compared[0] / "out" / "summary.json", "--out", tmp_path)
    said = process.communicate()
    assert process.returncode == 0, said
    first, again = read(compared[0] / "out"), read(tmp_path)
    assert again["recipe"] == first["recipe"]
    for one, other in zip(first["runs"], again["runs"], strict=True):
        assert one["step_losses"] == pytest.approx(other["step_losses"], abs=1e-6)
        assert one["val_predictions"] == other["val_predictions"]


# On a terminal, and faults in mid-run


@pytest.fixture
def long_run(pictures, tmp_path):
    """The arguments of a run of hundreds of epochs."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    small = ["--data", pictures, "--image-size", 32, "--batch-size", 2, "--device", "cpu"]
    return ["compare", *small, "--epochs", 300, "--out", tmp_path / "out"]


def children_of(process, count):
    """The workers of a program, once there are so many."""
    parent = psutil.Process(process.pid)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = [child for child in parent.children() if START in child.cmdline()]
        if len(found) == count:
            return {child.cmdline()[-1]: child for child in found}
        time.sleep(0.05)
    raise AssertionError(f"{count} workers were expected; there are {found}")


def test_a_terminal_gets_bars(pictures, tmp_path):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [
            *(*FTKIT, "compare", "--data", str(pictures), "--image-size", "32", "--epochs", "1"),
            *("--strategies", "feature-extraction", "--backends", "pytorch"),
            *("--out", str(tmp_path)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            block = os.read(ours, 65536)
        except OSError:  # how Linux tells that the other side is closed
            break
        if not block:
            break
        shown += block
    os.close(ours)
    assert process.wait(timeout=30) == 0
    text = shown.decode()
    assert "\x1b[" in text
    assert "━" in text
    assert "100%" in text
    assert "val. accuracy" in text
    assert "training loss" not in text


def test_a_worker_killed_in_mid_run_costs_its_run_alone(pictures, tmp_path):
    out = tmp_path / "out"
    process = start(
        *("compare", "--data", pictures, "--image-size", 32, "--batch-size", 2, "--epochs", 5),
        *("--strategies", "fine-tuning,feature-extraction", "--device", "cpu", "--out", out),
    )
    workers = children_of(process, 2)
    line = process.stderr.readline()
    assert line.startswith("pytorch fine-tuning: epoch 1,")
    workers["pytorch"].kill()
    table, lines = process.communicate()
    assert process.returncode == 1, lines
    reason = "the pytorch process ended (signal 9)"
    assert f"pytorch fine-tuning: failed, {reason}" in lines
    assert reason in table
    assert "Traceback" not in lines
    runs = {(run["backend"], run["strategy"]): run for run in read(out)["runs"]}
    failed = runs.pop(("pytorch", "fine-tuning"))
    assert (failed["status"], failed["error"]) == ("failed", reason)
    assert 12 <= len(failed["step_losses"]) < 5 * 12
    assert [(run["status"], len(run["step_losses"])) for run in runs.values()] == [("done", 60)] * 3
    assert sorted(path.name for path in out.iterdir()) == FILES


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_keeps_the_partial_history_and_leaves_no_process(presses, long_run, tmp_path):
    process = start(
        *long_run,
        *("--backends", "pytorch"),
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
    )
    (worker,) = children_of(process, 1).values()
    assert process.stderr.readline().startswith("pytorch scratch: epoch 1,")
    for _ in range(presses):
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    table, lines = process.communicate(timeout=30)
    assert process.returncode == 130, lines
    assert "Traceback" not in lines
    assert "scratch" in table
    assert not worker.is_running()
    summary, history = read(tmp_path / "out"), read(tmp_path / "out", "history.json")
    assert summary["interrupted"] is True
    (run,) = history["runs"]
    assert run["status"] == summary["runs"][0]["status"] == "stopped"
    assert len(run["steps"]) >= 12
    assert len(run["epochs"]) >= 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES
    assert list((tmp_path / "temporary").iterdir()) == []


def test_ctrl_c_before_the_first_step_leaves_nothing(long_run, tmp_path):
    process = start(*long_run, env={**os.environ, "TMPDIR": str(tmp_path / "temporary")})
    workers = children_of(process, 2)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert "Traceback" not in said[1]
    assert not psutil.wait_procs(list(workers.values()), timeout=10)[1]
    assert not (tmp_path / "out").exists()
    assert list((tmp_path / "temporary").iterdir()) == []


def test_workers_end_by_themselves_when_the_program_is_killed(long_run, tmp_path):
    process = start(*long_run, env={**os.environ, "TMPDIR": str(tmp_path / "temporary")})
    workers = children_of(process, 2)
    assert process.stderr.readline().startswith("pytorch scratch: epoch 1,")
    process.kill()
    process.communicate()
    assert not psutil.wait_procs(list(workers.values()), timeout=10)[1]
