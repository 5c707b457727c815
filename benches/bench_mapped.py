"""What smollm2 in bf16 takes of memory beyond its file: in one process, and in a second one of the same file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench_memory import anonymous
from models import smollm2_bf16, weights_file
from peers import THREADS
from protocol import Comparison, compare

POSITIONS = 64

PROGRAM = """
import sys, trillm
def pause():
    print(flush=True)
    sys.stdin.readline()
pause()
llm = trillm.Model(sys.argv[1], threads=int(sys.argv[2]))
llm.generate([1] * (int(sys.argv[3]) // 2), max_tokens=int(sys.argv[3]) // 2, temperature=0, ignore_eos=True)
pause()
"""


class Process:
    """A process that has imported trillm, and after `load` has loaded the model and run it for a few steps."""

    def __init__(self, model: Path) -> None:
        """Returns when trillm is imported."""
        command = [sys.executable, "-c", PROGRAM, str(model), str(THREADS), str(POSITIONS)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self._process.pid
        self._arrived()

    def _arrived(self) -> None:
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError(f"the process ended with {self._process.wait()}")

    def load(self) -> None:
        """Returns when the model has run."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        self._arrived()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()


def cache(model: Path) -> float:
    """MB of keys and values for all positions, as f16."""
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    row = config["num_hidden_layers"] * config["num_key_value_heads"] * config["head_dim"]
    return float(POSITIONS * row * 2 * 2 / 1e6)


def together(*processes: Process) -> float:
    """Pss of all processes, in MB: pages that some of them share are counted once."""
    texts = (Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="utf-8") for process in processes)
    lines = (line.split() for text in texts for line in text.splitlines())
    return sum(int(line[1]) for line in lines if line[0] == "Pss:") * 1024 / 1e6


def run(blocks: int) -> Iterator[Comparison]:
    """Two rows, each against what it may be at most."""
    model = smollm2_bf16()
    file = weights_file(model).stat().st_size / 1e6

    def grown() -> float:
        with Process(model) as one:
            before = anonymous(one.pid)
            one.load()
            return (anonymous(one.pid) - before) * 2**20 / 1e6

    def added() -> float:
        with Process(model) as one, Process(model) as two:
            one.load()
            before = together(one, two)
            two.load()
            return together(one, two) - before

    for name, ours, most in (
        (f"RssAnon that loading and {POSITIONS} positions add, against 20 MB and the cache", grown, 20 + cache(model)),
        ("Pss that a second process adds when it loads, against 5% of the file", added, 0.05 * file),
    ):
        yield compare(name, "MB", ours, lambda most=most: most, goal="≤ 1", blocks=blocks)  # type: ignore[misc]
