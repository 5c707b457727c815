"""Anonymous memory of smollm2 as fp32 ONNX, with rearranged weights and without, against onnxruntime-genai.

When it is loaded, and when it has answered a request, with room for that one alone on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from models import smollm2_onnx
from peers import THREADS
from peers_python import worker
from processes import Process, anonymous
from protocol import Comparison, compare

PROMPT, TOKENS = 256, 32

OURS = """
import sys, trillm
path, threads, prepack, prompt, tokens = sys.argv[1], *map(int, sys.argv[2:6])
llm = trillm.Model(path, threads=threads, context=prompt + tokens, prepack=bool(prepack))
if sys.argv[6] == "answered":
    llm.generate([1, *range(400, 399 + prompt)], max_tokens=tokens, temperature=0, ignore_eos=True)
print(flush=True)
sys.stdin.readline()
"""


def ours(path: Path, prepack: bool, when: str) -> float:
    """MiB of a fresh process."""
    with Process(OURS, path, THREADS, int(prepack), PROMPT, TOKENS, when) as process:
        return anonymous(process.pid)


def peer(path: Path, when: str) -> float:
    """The same of the peer."""
    with worker("worker_genai.py", path, THREADS, when, PROMPT, TOKENS) as measure:
        return measure()


def run(blocks: int) -> Iterator[Comparison]:
    """Four rows."""
    path = smollm2_onnx("fp32")
    for when in ("loaded", "answered"):
        for prepack, how in ((True, "prepack"), (False, "no prepack")):
            what = f"RssAnon ONNX fp32, {when}, {how}, against onnxruntime-genai"
            mine, theirs = partial(ours, path, prepack, when), partial(peer, path, when)
            yield compare(what, "MiB", mine, theirs, goal="≤ 1.0", blocks=blocks)
