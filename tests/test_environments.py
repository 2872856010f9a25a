"""Which interpreter runs which framework, and what is said when one is not there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ftkit.environments import BACKENDS, bfloat16_cpu, check_backends, interpreter
from ftkit.errors import FtkitError

BARE = "-I -S"  # without the installed packages and without the current folder


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_framework_runs_in_this_python_unless_the_environment_names_another(
    backend, monkeypatch, a_python
):
    monkeypatch.delenv(f"FTKIT_{backend.upper()}_PYTHON", raising=False)
    assert interpreter(backend) == sys.executable
    other = a_python()
    monkeypatch.setenv(f"FTKIT_{backend.upper()}_PYTHON", other)
    assert interpreter(backend) == other
    assert check_backends([backend]) == (backend,)


def test_each_framework_has_an_interpreter_of_its_own(monkeypatch, a_python):
    other = a_python()
    monkeypatch.setenv("FTKIT_TENSORFLOW_PYTHON", other)
    assert [interpreter(backend) for backend in BACKENDS] == [sys.executable, other]


def test_backends_come_in_the_order_given_and_once_each():
    assert check_backends(["tensorflow", "pytorch", "tensorflow"]) == ("tensorflow", "pytorch")


def test_asking_loads_no_framework():
    check_backends(BACKENDS)
    assert not {"torch", "tensorflow", "keras"} & set(sys.modules)


def test_no_backend_at_all_is_refused():
    with pytest.raises(FtkitError, match="at least one backend of: pytorch, tensorflow; got none."):
        check_backends([])


def test_an_unknown_backend_is_refused_with_the_nearest():
    with pytest.raises(FtkitError, match=r"Unknown backend 'pytroch'. Did you mean 'pytorch'\?"):
        check_backends(["pytroch"])


@pytest.mark.parametrize(
    ("backend", "modules", "other"),
    [
        ("pytorch", "torch and torchvision", "tensorflow"),
        ("tensorflow", "tensorflow and keras", "pytorch"),
    ],
)
def test_a_framework_that_is_not_installed_is_named_with_the_pip_line_and_the_way_without(
    backend, modules, other, monkeypatch, a_python
):
    bare = a_python(options=BARE)
    monkeypatch.setenv(f"FTKIT_{backend.upper()}_PYTHON", bare)
    with pytest.raises(FtkitError) as caught:
        check_backends(BACKENDS)
    message = str(caught.value)
    assert f"The {backend} backend needs {modules}" in message
    assert f"not installed in {bare}" in message
    assert f"pip install 'ftkit[{backend}]'" in message
    assert f"--backends {other}" in message


def test_where_neither_is_installed_no_way_without_is_offered(monkeypatch, a_python):
    for backend in BACKENDS:
        monkeypatch.setenv(f"FTKIT_{backend.upper()}_PYTHON", a_python(options=BARE))
    with pytest.raises(FtkitError, match=r"pip install 'ftkit\[pytorch\]'\.$"):
        check_backends(BACKENDS)


def test_the_other_framework_is_not_needed(monkeypatch, a_python):
    monkeypatch.setenv("FTKIT_TENSORFLOW_PYTHON", a_python(options=BARE))
    assert check_backends(["pytorch"]) == ("pytorch",)


def test_an_interpreter_that_is_not_there_is_named_with_its_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("FTKIT_PYTORCH_PYTHON", str(tmp_path / "none"))
    with pytest.raises(
        FtkitError, match="FTKIT_PYTORCH_PYTHON to name .* there is no file '.*none"
    ):
        check_backends(["pytorch"])


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [
        ("words\n", 0o644, "Permission denied"),
        ("\x00\x01", 0o755, "Exec format error"),
        ("#!/bin/sh\necho no such option >&2\nexit 2\n", 0o755, "no such option"),
    ],
)
def test_a_file_that_is_no_interpreter_is_refused_with_the_reason(
    content, mode, reason, monkeypatch, tmp_path
):
    path = tmp_path / "python"
    path.write_text(content, encoding="utf-8")
    path.chmod(mode)
    monkeypatch.setenv("FTKIT_PYTORCH_PYTHON", str(path))
    with pytest.raises(FtkitError, match=f"does not run as a Python interpreter: .*{reason}.*Let"):
        check_backends(["pytorch"])


@pytest.mark.parametrize(
    ("told", "multiplies"),
    [
        ("flags\t\t: fpu avx512f avx512_bf16 avx512_fp16\n", True),
        ("flags\t\t: fpu avx512f amx_bf16 amx_tile amx_int8\n", True),
        ("Features\t: fp asimd sve2 i8mm bf16\n", True),
        ("flags\t\t: fpu avx2 avx512f avx512_vnni\n", False),
        ("Features\t: fp asimd svebf16x nobf16\n", False),
        ("", False),
    ],
    ids=["x86, AVX-512", "x86, AMX", "ARM", "x86 without", "ARM without", "nothing told"],
)
def test_a_processor_has_bfloat16_if_the_kernel_lists_it(told, multiplies, monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda path, **options: told)
    assert bfloat16_cpu() is multiplies


def test_where_nothing_tells_a_processor_has_no_bfloat16(monkeypatch):
    def refuse(path, **options):
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", refuse)
    assert bfloat16_cpu() is False
