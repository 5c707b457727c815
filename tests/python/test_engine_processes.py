"""Forks, and the end of the interpreter, with the compute threads of `candle` or ONNX Runtime about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from . import test_exit, test_fork
from .program import output


@pytest.fixture(params=["candle", "onnx"])
def path(request: pytest.FixtureRequest, tiny_folder: Path, tiny_onnx: Callable[..., Path]) -> Path:
    """ONNX Runtime's engine refuses the context that programs ask for unless a model was made for it."""
    return tiny_folder if request.param == "candle" else tiny_onnx("grown", "--context", "65536")


def with_threads(begin: str) -> str:
    """One thread would compute alone."""
    assert begin.count("threads=1") == 1
    return begin.replace("threads=1", "threads=2")


@pytest.mark.parametrize("name", test_exit.PROGRAMS)
def test_a_clean_exit(path: Path, name: str) -> None:
    if "embeds" in name and (path / "model.onnx").exists():
        pytest.skip("a graph that generates makes no vectors")
    assert output(with_threads(test_exit.BEGIN) + test_exit.PROGRAMS[name], path) == ""


@pytest.mark.parametrize("name", test_fork.PROGRAMS)
def test_fork_is_survived(path: Path, name: str) -> None:
    printed = output(with_threads(test_fork.BEGIN) + test_fork.PROGRAMS[name], path)
    assert printed.split("\n")[:-1] == ["both well"]
