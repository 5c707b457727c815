"""Forks, and the end of the interpreter, with the compute threads of `candle` about: as with the other engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import test_exit, test_fork
from .program import output


def with_threads(begin: str) -> str:
    """One thread would compute alone."""
    assert begin.count("threads=1") == 1
    return begin.replace("threads=1", "threads=2")


@pytest.mark.parametrize("name", test_exit.PROGRAMS)
def test_a_clean_exit(tiny_folder: Path, name: str) -> None:
    assert output(with_threads(test_exit.BEGIN) + test_exit.PROGRAMS[name], tiny_folder) == ""


@pytest.mark.parametrize("name", test_fork.PROGRAMS)
def test_fork_is_survived(tiny_folder: Path, name: str) -> None:
    printed = output(with_threads(test_fork.BEGIN) + test_fork.PROGRAMS[name], tiny_folder)
    assert printed.split("\n")[:-1] == ["both well"]
