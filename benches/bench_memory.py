"""Peak anonymous memory of a loaded smollm2 that answers one request, against `llama-server`, context 2048."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from models import smollm2
from peers import THREADS, llama_server
from processes import anonymous
from protocol import Comparison, compare

OURS = """
import sys, trillm
llm = trillm.Model(sys.argv[1], context=2048, threads=int(sys.argv[2]))
llm.generate([1, *range(400, 656)], max_tokens=32, temperature=0, ignore_eos=True)
"""


def peak(pid: int, done: Callable[[], bool]) -> float:
    """The highest reading, one each 5 ms, until `done`. The kernel keeps no high-water mark of this number."""
    highest = 0.0
    while not done():
        highest = max(highest, anonymous(pid))
        time.sleep(0.005)
    return highest


def run(blocks: int) -> Iterator[Comparison]:
    """One row."""
    path = str(smollm2())

    def ours() -> float:
        process = subprocess.Popen([sys.executable, "-c", OURS, path, str(THREADS)])
        return peak(process.pid, lambda: process.poll() is not None)

    def peer() -> float:
        with llama_server(Path(path), "-c", "2048") as server:
            request = threading.Thread(target=lambda: list(server.stream([1, *range(400, 656)], 32)))
            request.start()
            return peak(server.pid, lambda: not request.is_alive())

    yield compare("peak RssAnon smollm2, context 2048", "MiB", ours, peer, goal="≤ 1.0", blocks=blocks)
