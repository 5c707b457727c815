"""Forks, and the end of the interpreter, with ONNX Runtime's threads about: as with the other engines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from . import test_exit, test_fork
from .program import output
from .test_candle_process import with_threads

LONG = ("--context", "65536")
"""For programs that ask for a longer context than the tiny model was made for, which this engine refuses."""


@pytest.mark.parametrize("name", [name for name in test_exit.PROGRAMS if "embeds" not in name])
def test_a_clean_exit(tiny_onnx: Callable[..., Path], name: str) -> None:
    path = tiny_onnx("grown", *LONG)
    assert output(with_threads(test_exit.BEGIN) + test_exit.PROGRAMS[name], path) == ""


@pytest.mark.parametrize("name", test_fork.PROGRAMS)
def test_fork_is_survived(tiny_onnx: Callable[..., Path], name: str) -> None:
    printed = output(with_threads(test_fork.BEGIN) + test_fork.PROGRAMS[name], tiny_onnx("grown", *LONG))
    assert printed.split("\n")[:-1] == ["both well"]
