"""Type checkers know the API: they accept programs that work, and refuse ones that do not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import trillm

ROOT = Path(__file__).resolve().parents[2]

# A line that ends in `# error: code` is wrong in that way, and all others are right.
PROGRAM = """
import asyncio
from pathlib import Path

import numpy as np
import trillm
from numpy.typing import NDArray
from trillm.errors import ContextOverflow, TrillmError
from trillm.types import ChatParams, GenerateParams, LoadParams, Message

how: LoadParams = {"context": 4096, "parallel": 8, "device": "auto", "lora": ["a.gguf", ("b.gguf", 0.5)]}
llm: trillm.Model = trillm.load("smollm2", **how)
trillm.load(Path("model.gguf"), progress=lambda share: share < 0.5, threads=None)

one: trillm.Completion = llm.generate("Once", max_tokens=64, temperature=0, stop=["\\n"], logit_bias={1: -1.0})
many: list[trillm.Completion] = llm.generate(["a", "b"], seed=7)
ids: trillm.Completion = llm.generate([1, 2, 3], **GenerateParams(top_p=0.9))
lists: list[trillm.Completion] = llm.generate([[1, 2], [3]])
text: str = one.text
reason: str = one.finish_reason
count: int = one.usage.prompt_tokens + len(one.token_ids)
seconds: float = one.timings.prefill

stream: trillm.Stream = llm.stream("Once")
for piece in stream:
    text += piece.text
with llm.stream("Once") as closing:
    finished: trillm.Completion | None = closing.completion

messages: list[Message] = [{"role": "user", "content": "Hi"}]
chat: ChatParams = {"tools": [{"type": "function"}], "template_args": {"enable_thinking": True}}
answer: trillm.Completion = llm.chat(messages, **chat)
answer = llm.chat([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}])
vectors: NDArray[np.float32] = llm.embed(["a", "b"], pooling="mean")
tokens: list[int] = llm.tokenize("Once", add_special=False)
text = llm.detokenize(tokens)
text = trillm.Tokenizer("vocabulary.gguf").decode([1])
info: trillm.ModelInfo = llm.info
text = info.name

async def main() -> None:
    whole: trillm.Completion = await llm.agenerate("Once")
    pieces: trillm.AsyncStream = llm.astream("Once")
    async for piece in pieces:
        print(piece.text, whole.text)
    async with trillm.load("smollm2") as model:
        print(await model.achat(messages))

asyncio.run(main())
try:
    with trillm.load("smollm2") as model:
        print(model)
except ContextOverflow as error:
    text = error.code + (error.hint or "")
except TrillmError:
    raise

llm.generate("Once", max_token=1)  # error: call-overload
llm.generate("Once", temperature="hot")  # error: call-overload
llm.generate(5)  # error: call-overload
llm.stream(["a", "b"])  # error: list-item
llm.embed("a", pooling="sum")  # error: arg-type
llm.embed(5)  # error: arg-type
trillm.load("smollm2", contxt=1)  # error: call-arg
trillm.load("smollm2", device="abacus")  # error: arg-type
trillm.load(5)  # error: arg-type
one.text = "x"  # error: misc
one.words  # error: attr-defined
len(llm.generate("Once"))  # error: arg-type
"""


@pytest.mark.timeout(300)
def test_a_program(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    cache = ROOT / ".mypy_cache" / "tests"
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", cache, program],
        env={**os.environ, "MYPYPATH": str(ROOT / "python")},
        capture_output=True,
        text=True,
        check=False,
    )
    wrong = re.compile(r"# error: ([\w-]+)$")
    lines = enumerate(PROGRAM.split("\n"), 1)
    expected = {(number, match[1]) for number, line in lines if (match := wrong.search(line))}
    reported = re.findall(r"^[^:]*:(\d+): error: .*\[([\w-]+)\]$", done.stdout, re.MULTILINE)
    found = {(int(number), code) for number, code in reported}
    assert found == expected, done.stdout + done.stderr


def test_everything_public_is_there() -> None:
    assert set(trillm.__all__) <= set(dir(trillm))
    names: dict[str, object] = {}
    exec("from trillm import *", names)
    assert set(trillm.__all__) <= names.keys()


def test_the_marker_is_shipped() -> None:
    assert Path(trillm.__file__).with_name("py.typed").is_file()
    assert Path(trillm.__file__).with_name("_core.pyi").is_file()
