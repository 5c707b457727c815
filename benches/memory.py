"""Predicted memory against measured: `python benches/memory.py`, with `--record` into RESULTS.md.

Each case is a fresh process that imports trillm, says so, loads a model and uses it to the end: a prompt that fills a
step, others in which every page of a looked-up table is touched, then all slots at once until the cache is full.
Private is the peak of `RssAnon`, read each millisecond; total is the kernel's own high-water mark of all resident
memory, set back before the load. Both count from before the load, as `trillm.plan` does.
"""

from __future__ import annotations

import argparse
import json
import select
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trillm
from models import MADE, smollm2, smollm2_bf16, smollm2_onnx, windowed, windowed_gguf, written
from run import machine, record

LOW, HIGH = 0.9, 1.15
"""What a prediction is to be, as a multiple of what is measured."""

GROUPED = ("--width", "1024", "--heads", "16", "--kv-heads", "4", "--feed-forward", "4096", "--layers", "4")
VOCABULARY = ("--width", "512", "--heads", "8", "--kv-heads", "2", "--feed-forward", "1536", "--layers", "2")
LARGE = "128000"

HEADER = """\
| model | context | slots | cache | private: predicted | measured | ratio | total: predicted | measured | ratio |
|---|---|---|---|---|---|---|---|---|---|"""

PROGRAM = """
import gc, json, random, sys, trillm
path, params, own, tail = sys.argv[1], json.loads(sys.argv[2]), *map(int, sys.argv[3:])
def stop():
    print(flush=True)
    sys.stdin.readline()
gc.collect()
stop()
llm = trillm.load(path, **params)
draw, words = random.Random(1), llm.info.vocabulary
greedy = {"temperature": 0, "ignore_eos": True}
most = params["context"] - 1
# Other tokens than the special ones, which come first.
llm.generate([draw.randrange(words // 8, words) for _ in range(min(512, most))], max_tokens=1, **greedy)
every = list(range(words // 64, words, 24))
for first in range(0, len(every), most):
    llm.generate(every[first:first + most], max_tokens=1, **greedy)
slots = range(params["parallel"])
prompts = [[draw.randrange(words // 8, words) for _ in range(own - tail)] for _ in slots]
answers = llm.generate(prompts, max_tokens=tail, **greedy)
assert sum(len(answer.token_ids) for answer in answers) == tail * len(slots)
stop()
"""


@dataclass(frozen=True)
class Case:
    """A model and how it is loaded."""

    name: str
    path: Path
    context: int
    parallel: int
    cache_type: str = "f16"
    prepack: bool = True

    @property
    def params(self) -> dict[str, Any]:
        """As `load` takes them."""
        params: dict[str, Any] = {"context": self.context, "parallel": self.parallel, "threads": 2}
        if self.is_graph:
            return params if self.prepack else params | {"prepack": False}
        return params | {"cache_type": self.cache_type}

    @property
    def is_graph(self) -> bool:
        """Then every slot has a context of its own, in numbers as the graph has them."""
        return "ONNX" in self.name

    @property
    def key(self) -> str:
        """What it is told apart by."""
        return f"{self.name} {self.context} {self.parallel} {self.cache_type} {self.prepack}"


def status(pid: int) -> dict[str, int]:
    """What the system says of a process, in bytes; empty once it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {line.split(":")[0]: int(line.split()[1]) << 10 for line in lines if line.startswith(("Rss", "Vm"))}


def measure(case: Case) -> tuple[int, int]:
    """Private and total bytes that a fresh process gets."""
    own = case.context if case.is_graph else case.context // case.parallel
    # Long enough that all slots generate at the same time.
    tail = min(own // 2, 8 * case.parallel + 8)
    command = [sys.executable, "-c", PROGRAM, str(case.path), json.dumps(case.params), str(own), str(tail)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline()
        Path(f"/proc/{process.pid}/clear_refs").write_text("5", encoding="utf-8")
        before = status(process.pid)
        process.stdin.write(b"\n")
        process.stdin.flush()
        private = 0
        # Until it says that it is done.
        while not select.select([process.stdout], [], [], 0.001)[0]:
            private = max(private, status(process.pid).get("RssAnon", 0))
        said = process.stdout.readline()
        total = status(process.pid).get("VmHWM", 0)
        process.stdin.close()
        if process.wait() != 0 or not said:
            raise RuntimeError(f"{case.key} failed")
    return private - before["RssAnon"], total - before["VmRSS"]


def cases() -> Iterator[Case]:
    """All of them."""
    gguf, folder = smollm2(), smollm2_bf16()
    for context, parallel in ((512, 1), (512, 8), (2048, 1), (2048, 8), (8192, 1), (8192, 8)):
        for cache_type in ("f16", "q8_0"):
            yield Case("smollm2 GGUF", gguf, context, parallel, cache_type)
        yield Case("smollm2 safetensors", folder, context, parallel)
    for context, parallel in ((512, 1), (2048, 1), (2048, 8)):
        yield Case("smollm2 GGUF", gguf, context, parallel, "f32")
        yield Case("smollm2 safetensors", folder, context, parallel, "f32")
    plain = smollm2_onnx("plain")
    yield Case("smollm2 ONNX, cache that grows", plain, 512, 1, "graph's")
    yield Case("smollm2 ONNX, cache that grows", plain, 512, 8, "graph's")
    yield Case("smollm2 ONNX, cache that grows", plain, 2048, 1, "graph's")
    yield Case("smollm2 ONNX, cache that grows", plain, 2048, 1, "graph's", prepack=False)
    yield Case("smollm2 ONNX, cache that grows", plain, 2048, 4, "graph's")
    yield Case("smollm2 ONNX, cache that grows", plain, 8192, 1, "graph's")
    for name, shape, words in (("grouped heads", GROUPED, "2000"), ("large vocabulary", VOCABULARY, LARGE)):
        options = (*shape, "--vocabulary", words, "--context", "8192")
        stem = f"memory-{name.replace(' ', '-')}"
        gguf = written(f"{stem}.gguf", "--kind", "random", *options)
        folder = written(stem, "--kind", "random", "--type", "bf16", "--format", "huggingface", *options)
        graphs = [
            (form, written(f"{stem}-{form}", "--kind", "tiny", "--format", "onnx", "--form", form, *options))
            for form in ("shared", "grown")
        ]
        for context, parallel in ((512, 1), (2048, 8), (8192, 1)):
            yield Case(f"{name} GGUF", gguf, context, parallel)
            yield Case(f"{name} GGUF", gguf, context, parallel, "q8_0")
            yield Case(f"{name} safetensors", folder, context, parallel)
        for form, path in graphs:
            how = "one buffer" if form == "shared" else "cache that grows"
            for context, parallel in ((512, 1), (512, 8), (2048, 1), (2048, 4)):
                yield Case(f"{name} ONNX, {how}", path, context, parallel, "graph's")
    for context, parallel in ((512, 1), (2048, 8), (8192, 1)):
        yield Case("sliding windows safetensors", windowed(), context, parallel)
        for cache_type in ("f16", "q8_0"):
            yield Case("sliding windows GGUF", windowed_gguf(), context, parallel, cache_type)


def ratios(case: Case, measured: tuple[int, int]) -> tuple[list[float], str]:
    """Predicted over measured, private and total, and the row."""
    plan = trillm.plan(case.path, **case.params)
    cells, found = [case.name, str(case.context), str(case.parallel)], []
    cells.append(case.cache_type if case.prepack else f"{case.cache_type}, not prepacked")
    for predicted, seen in zip((plan.private, plan.total), measured, strict=True):
        ratio = predicted / seen
        found.append(ratio)
        mark = "" if LOW <= ratio <= HIGH else " ✗"
        cells += [f"{predicted / 2**20:.1f}", f"{seen / 2**20:.1f}", f"**{ratio:.3f}**{mark}"]
    return found, f"| {' | '.join(cells)} |"


def main() -> None:
    """Measures what was not measured yet, and compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose names contain this")
    parser.add_argument("--again", action="store_true", help="measure all anew")
    parser.add_argument("--known", action="store_true", help="only what was measured before")
    parser.add_argument("--record", action="store_true", help="append to RESULTS.md")
    arguments = parser.parse_args()
    described = machine()
    # Measuring takes minutes, and rules are changed in between.
    kept = MADE / "memory.json"
    known: dict[str, list[int]] = json.loads(kept.read_text()) if kept.exists() and not arguments.again else {}
    rows, outside, all_ratios = [], 0, []
    print(HEADER, flush=True)
    for case in cases():
        if arguments.only not in case.key or (arguments.known and case.key not in known):
            continue
        if case.key not in known:
            known[case.key] = list(measure(case))
            kept.write_text(json.dumps(known, indent=1))
        private, total = known[case.key]
        found, row = ratios(case, (private, total))
        all_ratios += found
        outside += any(not LOW <= ratio <= HIGH for ratio in found)
        rows.append(row)
        print(row, flush=True)
    said = (
        f"MiB beside what a process has that imported trillm; goal {LOW} to {HIGH}. {outside} of {len(rows)} rows "
        f"miss it; the ratios are from {min(all_ratios):.3f} to {max(all_ratios):.3f}."
    )
    print(said)
    table = "\n".join([said, "", HEADER, *rows])
    if arguments.record:
        record("memory plan", described, table, "memory.py")


if __name__ == "__main__":
    main()
