"""Loading smollm2 in bf16, in fresh processes with the file in the page cache.

To ready, against what cannot be saved: reading and checking the headers, mapping the file, making the tokenizer.
To the first token, against transformers with the type of numbers that it loads faster, without imports and with them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from models import smollm2_bf16, weights_file
from peers import THREADS
from peers_python import peers_python
from protocol import Comparison, compare

READY = """
import sys, time
import trillm
start = time.perf_counter()
trillm.Model(sys.argv[1], threads=int(sys.argv[2]))
print(time.perf_counter() - start)
"""

BARE = """
import mmap, sys, time
import trillm
from trillm import _core
start = time.perf_counter()
_core.inspect(sys.argv[1])
with open(sys.argv[2], "rb") as file:
    mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
trillm.Tokenizer(sys.argv[1])
print(time.perf_counter() - start)
"""

PROMPT = "The capital of France is"

OURS = """
import sys, time
begin = time.perf_counter()
import trillm
start = time.perf_counter()
path, threads, prompt = sys.argv[1:4]
llm = trillm.Model(path, threads=int(threads))
first = next(llm.stream(prompt, max_tokens=1, temperature=0, ignore_eos=True))
end = time.perf_counter()
print(end - start, end - begin)
"""

# transformers imports most of itself when it is first used: what this model needs is imported beforehand.
TRANSFORMERS = """
import sys, time
begin = time.perf_counter()
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast
start = time.perf_counter()
path, threads, prompt, dtype = sys.argv[1:5]
torch.set_num_threads(int(threads))
tokenizer = AutoTokenizer.from_pretrained(path)
model = AutoModelForCausalLM.from_pretrained(path, dtype=getattr(torch, dtype)).eval()
with torch.inference_mode():
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    first = int(model(ids, logits_to_keep=1).logits[0, -1].argmax())
end = time.perf_counter()
print(end - start, end - begin)
"""


def times(python: Path, program: str, *arguments: object) -> list[float]:
    """What a fresh process prints."""
    command = [str(python), "-c", program, *map(str, arguments)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return [float(word) for word in answer.stdout.split()]


def run(blocks: int) -> Iterator[Comparison]:
    """A row for loading, and two for the first token."""
    model, python = smollm2_bf16(), Path(sys.executable)
    yield compare(
        "load to ready, against headers, mapping and tokenizer",
        "s",
        lambda: times(python, READY, model, THREADS)[0],
        lambda: times(python, BARE, model, weights_file(model))[0],
        goal="≤ 1.1",
        blocks=blocks,
    )
    ours = partial(times, python, OURS, model, THREADS, PROMPT)

    def transformers(dtype: str) -> list[float]:
        return times(peers_python(), TRANSFORMERS, model, THREADS, PROMPT, dtype)

    best = min(("bfloat16", "float32"), key=lambda dtype: transformers(dtype)[0])
    what = f"load to first token, against transformers ({best})"
    yield compare(
        f"{what}, imports apart", "s", lambda: ours()[0], lambda: transformers(best)[0], goal="≤ 0.1", blocks=blocks
    )
    few = max(1, blocks // 2)
    yield compare(
        f"{what}, imports included", "s", lambda: ours()[1], lambda: transformers(best)[1], goal="none", blocks=few
    )
