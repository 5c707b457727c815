"""ggml's own compute threads against OpenMP's: alone, beside one busy thread, and in a process with numpy loaded.

Here «peer» is the same build of ours with OpenMP instead.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from models import smollm2
from peers import ROOT, THREADS
from protocol import Comparison, compare

MEASURE = """
import sys, time
if sys.argv[3] == "numpy":
    import numpy
    numpy.ones((512, 512)) @ numpy.ones((512, 512))
import trillm
llm = trillm.Model(sys.argv[1], threads=int(sys.argv[2]))
stream = llm.stream([1], max_tokens=65, temperature=0, ignore_eos=True)
next(stream)
start = time.perf_counter()
count = sum(1 for _ in stream)
print(count / (time.perf_counter() - start))
"""


def package(feature: str | None) -> Path:
    """A folder to import trillm from, built with or without OpenMP."""
    features = ["--features", feature] if feature else []
    subprocess.run(["cargo", "build", "-q", "--locked", "-p", "trillm-py", *features], check=True, cwd=ROOT)
    folder = ROOT / "target" / "bench" / (feature or "own-threads")
    shutil.copytree(ROOT / "python" / "trillm", folder / "trillm", dirs_exist_ok=True)
    shutil.copy(ROOT / "target" / "debug" / "lib_core.so", folder / "trillm" / "_core.abi3.so")
    return folder


def speed(folder: Path, model: Path, extra: str) -> float:
    """Tokens a second of a fresh process."""
    answer = subprocess.run(
        [sys.executable, "-c", MEASURE, str(model), str(THREADS), extra],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(answer.stdout)


@contextmanager
def busy_thread() -> Iterator[None]:
    """Something else that wants a core."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def run(blocks: int) -> Iterator[Comparison]:
    """One row for each situation."""
    openmp, own, model = package("openmp"), package(None), smollm2()
    for extra, situation in (("", "alone"), ("numpy", "with numpy loaded")):
        ours, peer = partial(speed, own, model, extra), partial(speed, openmp, model, extra)
        yield compare(f"own threads, {situation}", "tokens/s", ours, peer, goal="higher", blocks=blocks)
    with busy_thread():
        ours, peer = partial(speed, own, model, ""), partial(speed, openmp, model, "")
        yield compare("own threads, beside one busy thread", "tokens/s", ours, peer, goal="higher", blocks=blocks)
