"""`import trillm`, in a fresh interpreter, against the 50 ms it may take."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from protocol import Comparison, compare

MEASURE = "import time; start = time.perf_counter(); import trillm; print((time.perf_counter() - start) * 1000)"


def milliseconds() -> float:
    """Time of the import alone: the interpreter's own start is not ours."""
    answer = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    return float(answer.stdout)


def run(blocks: int) -> Iterator[Comparison]:
    """One row."""
    yield compare("import trillm, against 50 ms", "ms", milliseconds, lambda: 50.0, goal="≤ 1", blocks=blocks)
