"""One engine, measured in this process, which `_benchmark.py` starts for it.

It reads what to do from standard input and answers by one line of JSON. It ends when whoever started it is gone: nobody
would read the answer, and a machine that computes for nobody is slow for everybody.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import sys
import threading
from pathlib import Path
from time import perf_counter
from typing import Any

from trillm import _plan
from trillm._model import Model
from trillm.errors import TrillmError

__all__ = ["main"]

_EVERY = 0.01
"""Seconds between two looks at memory. Looking takes some 50 µs: half a percent of one core."""


def main() -> None:
    """Does it."""
    # Whatever else writes to standard output, a library's own code among it, must not end up in the answer.
    answers = os.dup(1)
    os.dup2(2, 1)
    job = pickle.load(sys.stdin.buffer)
    try:
        answer = _measure(**job)
    except TrillmError as error:
        answer = {"error": str(error), "code": error.code, "hint": error.hint}
    os.write(answers, json.dumps(answer).encode() + b"\n")


def _measure(path: str, force: bool, load: dict[str, Any], generate: dict[str, Any]) -> dict[str, Any]:
    _plan.check(path, force=force, **load)
    gc.collect()
    memory = _Memory()
    memory.start()
    begun = perf_counter()
    with Model(path, **load) as llm:
        loaded = perf_counter()
        with llm.stream(**generate) as stream:
            next(stream)
            first = perf_counter()
            for _ in stream:
                pass
            last = perf_counter()
        memory.look()
        assert stream.completion is not None
        return {
            "load": loaded - begun,
            "first_token": first - loaded,
            "generation": last - loaded,
            "tokens": stream.completion.usage.completion_tokens,
            "peak": memory.grown,
        }


class _Memory(threading.Thread):
    """Looks at this process's memory, and whether anybody still waits for it."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._before = self._most = _anonymous()

    @property
    def grown(self) -> int | None:
        """Bytes at the most, beside those before; `None` where the system does not tell."""
        return None if self._most is None or self._before is None else self._most - self._before

    def look(self) -> None:
        """Looks once."""
        now = _anonymous()
        if now is not None and self._most is not None:
            self._most = max(self._most, now)

    def run(self) -> None:
        """Looks for as long as the process is."""
        starter = os.getppid()
        ever = threading.Event()
        while not ever.wait(_EVERY):
            self.look()
            if os.getppid() != starter:
                os._exit(1)


def _anonymous() -> int | None:
    """Bytes in memory that no file backs."""
    try:
        status = Path("/proc/self/status").read_bytes()
    except OSError:
        return None
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith(b"RssAnon:")]
    return int(sizes[0]) << 10 if sizes else None
