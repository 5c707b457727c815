"""What a Python `for` over a stream costs per token, with an engine that computes nothing.

And what it leaves of the interpreter to others.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from peers import ROOT
from protocol import Comparison, compare

TOKENS = 20_000


def core_with_fake_engine() -> ModuleType:
    """The extension, built with the testkit's engine, loaded beside the installed one."""
    subprocess.run(["cargo", "build", "-q", "--locked", "-p", "trillm-py", "--features", "fake"], check=True, cwd=ROOT)
    library = ROOT / "target" / "bench" / "_core.abi3.so"
    library.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "target" / "debug" / "lib_core.so", library)
    spec = importlib.util.spec_from_file_location("trillm._core", library)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def seconds_per_token(model: Any) -> float:
    """Reads a stream to its end as fast as it can: looking at its pieces would be measured with it."""
    stream = model.stream([65], max_tokens=TOKENS, temperature=0, ignore_eos=True)
    next(stream)
    start = time.perf_counter()
    count = sum(1 for _ in stream)
    return (time.perf_counter() - start) / count


class Counter:
    """A thread that counts, and so shows how much of the interpreter it gets."""

    def __init__(self) -> None:
        self.count = 0
        self.running = True
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while self.running:
            self.count += 1

    def pace(self, during: Callable[[], None]) -> float:
        """Counts a second while `during` runs."""
        start, before = time.perf_counter(), self.count
        during()
        return (self.count - before) / (time.perf_counter() - start)


def run(blocks: int) -> Iterator[Comparison]:
    """A row for the cost of a token against a goal, one for the pace of a counting thread with and without a stream."""
    core = core_with_fake_engine()
    quick = core.fake_model()
    yield compare(
        "a token of a Python `for`, against 20 µs",
        "µs",
        lambda: seconds_per_token(quick) * 1e6,
        lambda: 20.0,
        goal="≤ 1",
        blocks=blocks,
    )
    # A token each 10 ms, as from a real model.
    steady = core.fake_model(step_time=0.01)

    def read() -> None:
        for _ in steady.stream([65], max_tokens=100, temperature=0, ignore_eos=True):
            pass

    counter = Counter()
    yield compare(
        "pace of a counting thread while a stream is read, against none",
        "counts/s",
        lambda: counter.pace(read),
        lambda: counter.pace(lambda: time.sleep(1)),
        goal="≥ 0.95",
        blocks=blocks,
    )
    counter.running = False
