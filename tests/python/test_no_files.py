"""Where a process may open no more files there is one error that says so, whoever would have opened one."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .program import compiled, output
from .sentences import CASES, write

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


@pytest.mark.parametrize("kind", ["gguf", "safetensors", "dense", "shared", "grown"])
def test_every_call_says_that_no_file_can_be_opened(
    kind: str, tiny_model: Path, tiny_folder: Path, tiny_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    if kind == "dense":
        write(next(case for case in CASES if case.name == "dense-two"), tmp_path)
    known = {"gguf": tiny_model, "safetensors": tiny_folder, "dense": tmp_path}
    path = known.get(kind) or tiny_onnx(kind)
    rounds: list[list[str]] = json.loads(output(EACH, path))
    assert {code for said in rounds for code in said} == {"too_many_files"}
    assert rounds[-1] == []


def test_numpy_is_not_half_imported(tiny_model: Path) -> None:
    program = """
with trillm.load(path, threads=1) as model:
    fill(3)
    try:
        model.embed("a")
    except trillm.errors.EngineError as error:
        print(error.code, "ulimit -n" in error.hint)
    empty()
    print(model.embed("a").ndim)
"""
    assert output(FILL + program, tiny_model).splitlines() == ["too_many_files True", "2"]


def test_a_model_that_cannot_be_opened_is_not_damaged(tiny_model: Path, tmp_path: Path) -> None:
    program = (
        FILL
        + """
from pathlib import Path
from trillm.hub import import_model

store = trillm._core.Store(sys.argv[2])
manifest, _ = import_model(path, link="copy", store=store)
[(_, sha256, size)] = manifest.files
[blob] = Path(sys.argv[2]).glob(f"blobs/*/{sha256}")

def touched():
    # It is read again, since it may have been written to.
    os.utime(blob, (1, 1))
    return store.has(sha256, size)

for call in (touched, lambda: store.verify(manifest.reference) == []):
    for left in range(8):
        fill(left)
        try:
            print(call())
        except trillm.errors.EngineError as error:
            print(error.code)
        empty()
    assert call()
"""
    )
    assert set(output(program, tiny_model, tmp_path / "store").split()) == {"too_many_files", "True"}


SOCKETLESS = """
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

int socketpair(int domain, int type, int protocol, int pair[2]) {
    errno = atoi(getenv("SOCKETLESS"));
    return -1;
}
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what fails is preloaded as on Linux")
def test_a_socket_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    program = """
import errno, os
from trillm import _core
from trillm.errors import TrillmError
for number in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES):
    os.environ["SOCKETLESS"] = str(number)
    try:
        _core.Doorbell()
    except TrillmError as error:
        print(error.code)
"""
    said = output(program, LD_PRELOAD=str(compiled(SOCKETLESS, tmp_path))).splitlines()
    assert said == ["too_many_files", "too_many_files", "out_of_memory", "engine_failed"]


LATE = """
import asyncio, os, resource, sys
import trillm
from trillm.errors import TrillmError

path, which = sys.argv[1:]
chat, template = [{"role": "user", "content": "hi"}], "{{ messages[0].content }}"
model = trillm.load(path, threads=1)
loop = asyncio.new_event_loop()
calls = {
    "chat": lambda: model.chat(chat, template=template, max_tokens=1),
    "content": lambda: model.chat([{"role": "user", "content": 1.5}], template=template, max_tokens=1),
    "chat_stream": lambda: model.chat_stream(chat, template=template, max_tokens=1),
    "achat": lambda: loop.run_until_complete(model.achat(chat, template=template, max_tokens=1)),
    "render_chat": lambda: model.render_chat(chat, template=template, template_args={"x": 1.5}),
    "misspelt": lambda: model.generate("the", temprature=1),
    "nothing": lambda: model.generate("the", temperature=None, max_tokens=1),
    "profile": lambda: trillm.HardwareProfile.detect(),
    "available": lambda: trillm.hub.available(),
    "import_model": lambda: trillm.hub.import_model(path),
    "update": lambda: trillm.hub.update("local:x"),
    "types": lambda: trillm.types,
    "router": lambda: trillm.LLMRouter(colour=1),
    "logprobs": lambda: model.generate("the", logprobs=1, max_tokens=1).logprobs,
}
resource.setrlimit(resource.RLIMIT_NOFILE, (0, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
try:
    calls[which]()
    print("done")
except TrillmError as error:
    assert error.code != "too_many_files" or "ulimit -n" in error.hint
    print(error.code)
except TypeError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
try:
    calls[which]()
except (TrillmError, TypeError) as error:
    assert getattr(error, "code", "") != "too_many_files", error
"""

LATER = [
    ("chat", {"done"}),
    ("content", {"invalid_message", "too_many_files"}),
    ("chat_stream", {"done"}),
    ("achat", {"done", "too_many_files"}),
    ("render_chat", {"done", "too_many_files"}),
    ("misspelt", {"too_many_files"}),
    ("nothing", {"too_many_files"}),
    ("profile", {"too_many_files"}),
    ("available", {"too_many_files"}),
    ("import_model", {"too_many_files"}),
    ("update", {"too_many_files"}),
    ("types", {"too_many_files"}),
    ("router", {"too_many_files"}),
    ("logprobs", {"done"}),
]


@pytest.mark.parametrize(("call", "expected"), LATER, ids=[call for call, _ in LATER])
def test_what_is_imported_late_says_so(call: str, expected: set[str], tiny_model: Path, tmp_path: Path) -> None:
    """A module that is first needed when no file can be opened, and is there the next time."""
    said = output(LATE, tiny_model, call, LOCAL_CACHE_DIR=str(tmp_path / "store")).strip()
    assert said in expected
