"""How fast this machine reads memory."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from peers import ROOT, THREADS

__all__ = ["read_bandwidth"]


@cache
def _program() -> Path:
    program = ROOT / "target" / "bench" / "read_bandwidth"
    program.parent.mkdir(parents=True, exist_ok=True)
    source = Path(__file__).with_name("read_bandwidth.c")
    command = ["cc", "-O3", "-march=native", "-pthread", str(source), "-o", str(program)]
    subprocess.run(command, check=True)
    return program


def read_bandwidth(file: Path, *, huge: bool) -> float:
    """How fast all threads together read a file that is in memory, in GB/s: the best of some passes.

    Where the page cache has it, or a copy in huge pages, which is the most that memory gives.
    """
    command = [str(_program()), str(THREADS), "huge" if huge else "mapped", str(file)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
