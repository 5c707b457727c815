"""Where a process may open no more files there is one error that says so, whoever would have opened one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .program import output

FILL = """
import asyncio, json, os, resource, sys, warnings
import trillm
from trillm.errors import TrillmError

warnings.simplefilter("ignore")
path = sys.argv[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
held = []

def fill(left):
    try:
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        for _ in range(left):
            os.close(held.pop())

def empty():
    while held:
        os.close(held.pop())
"""

EACH = (
    FILL
    + """
loop = asyncio.new_event_loop()
greedy = dict(max_tokens=3, temperature=0, ignore_eos=True)

def use():
    said, models = [], []
    def attempt(call):
        try:
            said.append(call())
        except TrillmError as error:
            said.append(error.code)
            assert error.code != "too_many_files" or "ulimit -n" in error.hint
    attempt(lambda: models.append(trillm.load(path, threads=1)))
    attempt(lambda: trillm.Tokenizer(path).encode("the"))
    for model in models:
        with model:
            attempt(lambda: model.generate("the", **greedy).token_ids)
            attempt(lambda: loop.run_until_complete(model.agenerate("the", **greedy)).token_ids)
            if "embed" in model.info.capabilities:
                attempt(lambda: model.embed("the").tolist())
    return said

expected, rounds = use(), []
for left in range(16):
    fill(left)
    said = use()
    empty()
    rounds.append([answer for answer in said if answer not in expected])
assert use() == expected
print(json.dumps(rounds))
"""
)


@pytest.mark.parametrize("kind", ["gguf", "safetensors", "shared", "grown"])
def test_every_call_says_that_no_file_can_be_opened(
    kind: str, tiny_model: Path, tiny_folder: Path, tiny_onnx: Callable[..., Path]
) -> None:
    path = {"gguf": tiny_model, "safetensors": tiny_folder}.get(kind) or tiny_onnx(kind)
    rounds: list[list[str]] = json.loads(output(EACH, path))
    assert {code for said in rounds for code in said} == {"too_many_files"}
    assert rounds[-1] == []


def test_numpy_is_not_half_imported(tiny_model: Path) -> None:
    program = (
        FILL
        + """
with trillm.load(path, threads=1) as model:
    fill(3)
    try:
        model.embed("a")
    except trillm.errors.EngineError as error:
        print(error.code, "ulimit -n" in error.hint)
    empty()
    print(model.embed("a").ndim)
"""
    )
    assert output(program, tiny_model).splitlines() == ["too_many_files True", "2"]
