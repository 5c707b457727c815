"""What smollm2 in bf16 takes of memory beyond its file: in one process, and in a second one of the same file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from models import smollm2_bf16, weights_file
from peers import THREADS
from processes import Process, anonymous
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

    def start() -> Process:
        return Process(PROGRAM, model, THREADS, POSITIONS)

    def grown() -> float:
        with start() as one:
            before = anonymous(one.pid)
            one.go_on()
            return (anonymous(one.pid) - before) * 2**20 / 1e6

    def added() -> float:
        with start() as one, start() as two:
            one.go_on()
            before = together(one, two)
            two.go_on()
            return together(one, two) - before

    for name, ours, most in (
        (f"RssAnon that loading and {POSITIONS} positions add, against 20 MB and the cache", grown, 20 + cache(model)),
        ("Pss that a second process adds when it loads, against 5% of the file", added, 0.05 * file),
    ):
        yield compare(name, "MB", ours, lambda most=most: most, goal="≤ 1", blocks=blocks)  # type: ignore[misc]
