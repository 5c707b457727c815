"""Too much of anything is an error with the numbers, and the process lives on, whatever limit it runs under."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .program import run

PROGRAM = """
import json, resource, sys
import trillm
from trillm.errors import TrillmError

path, headroom, *cases = sys.argv[1:]
if int(headroom):
    import numpy
    # Once everything is loaded that a first model brings along.
    trillm.load(path, threads=2).close()
    size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + int(headroom), resource.RLIM_INFINITY))
for case in map(json.loads, cases):
    call = case.pop("call", None)
    arguments = case.pop("arguments", {})
    repeat = case.pop("repeat", 1)
    try:
        with trillm.load(path, **({"threads": 2} | case)) as model:
            if call == "embed":
                model.embed(["the man"] * repeat)
            elif call:
                prompt = [5] * repeat
                # JSON has texts alone for keys.
                if "logit_bias" in arguments:
                    arguments["logit_bias"] = dict(arguments["logit_bias"])
                if "stop" in arguments:
                    arguments["stop"] = ["x" * arguments["stop"]] * 16
                getattr(model, call)(prompt, **arguments)
        print("done", flush=True)
    except TrillmError as error:
        print(error.code, error, flush=True)
"""

TOO_MUCH: list[dict[str, object]] = [{"context": 2**30}, {"context": 2**30, "cache_type": "f32", "parallel": 256}]
"""More than any machine has."""

MUCH: list[dict[str, object]] = [
    {"parallel": 256},
    {"batch": 2**20, "ubatch": 2**20},
    {"batch": 2**20, "call": "generate", "repeat": 2**18},
    {"call": "generate", "arguments": {"max_tokens": 2**31 - 1}},
    {"call": "generate", "arguments": {"max_tokens": 20, "logprobs": 20, "top_k": 2**31 - 1, "typical_p": 0.5}},
    {"call": "generate", "arguments": {"max_tokens": 20, "repetition_penalty": 1.1, "repeat_last_n": 2**31 - 1}},
    {"call": "generate", "arguments": {"max_tokens": 20, "logit_bias": [[token, -1.0] for token in range(300)]}},
    {"call": "generate", "arguments": {"max_tokens": 20, "stop": 2**16}},
    {"call": "generate", "arguments": {"max_tokens": 20, "stop": 2**16 + 1}},
    {"context": 2**24, "call": "generate", "arguments": {"max_tokens": 4}},
    {"context": 2**16, "call": "generate", "repeat": 2**20},
    {"context": 2**12, "parallel": 64, "call": "embed", "repeat": 1000},
    {"threads": 512},
]
"""What some have and others do not."""

EXPECTED = {"done", "out_of_memory", "no_thread", "context_overflow", "invalid_parameter", "unsupported"}


def outcomes(path: Path, headroom: int, cases: list[dict[str, object]]) -> list[str]:
    """What each case came to, in one process that may have `headroom` bytes more than it has; 0 sets no limit."""
    done = run(PROGRAM, path, str(headroom), *map(json.dumps, cases), limit=110)
    assert done.code == 0, (done.code, done.out, done.err[-2000:])
    lines = done.out.splitlines()
    assert len(lines) == len(cases)
    return lines


@pytest.fixture(params=["gguf", "safetensors", "onnx"])
def model(request: pytest.FixtureRequest, tiny_model: Path, tiny_folder: Path, tiny_onnx: Callable[..., Path]) -> Path:
    return {"gguf": tiny_model, "safetensors": tiny_folder, "onnx": tiny_onnx("grown")}[request.param]


def test_more_than_there_is(model: Path) -> None:
    for line in outcomes(model, 0, TOO_MUCH):
        code, _, message = line.partition(" ")
        # A graph is not run beyond what it was made for.
        assert code == ("invalid_parameter" if model.is_dir() and (model / "model.onnx").exists() else "out_of_memory")
        if code == "out_of_memory":
            assert "no memory for" in message
            assert "bytes were asked for" in message


@pytest.mark.parametrize("megabytes", [256, 2048])
def test_any_limit_is_survived(model: Path, megabytes: int) -> None:
    for case, line in zip(MUCH, outcomes(model, megabytes << 20, MUCH), strict=True):
        assert line.partition(" ")[0] in EXPECTED, (case, line)


@pytest.mark.parametrize("megabytes", [1, 2, 4, 8, 16, 18, 20, 24, 32, 40])
def test_next_to_nothing_left_ends_no_process(model: Path, megabytes: int) -> None:
    """Not enough for a stack, a map of the weights or the tables of a tokenizer: whichever is asked for first."""
    cases: list[dict[str, object]] = [
        {},
        {"call": "generate", "arguments": {"max_tokens": 4}},
        {"copy": True},
        {"call": "embed", "repeat": 3},
    ]
    for case, line in zip(cases, outcomes(model, megabytes << 20, cases), strict=True):
        code = line.partition(" ")[0]
        assert code in EXPECTED | {"load_failed", "engine_failed"}, (case, line)
        # What the tables and maps of ours lack is told by its name.
        assert code != "load_failed" or "Cannot allocate memory" not in line, (case, line)


TEXTS = """
import asyncio, resource, sys
import numpy
import trillm
from trillm.errors import TrillmError

path, headroom = sys.argv[1:]
model = trillm.load(path, threads=1)
tokenizer = trillm.Tokenizer(path)
text = "hi " * 1_000_000
ids, short, stop = [70] * 3_000_000, ["hi"] * 20_000, text * 8
chat = [{"role": "user", "content": text}]
longer, wide = [{"role": "user", "content": text * 9}], [{"role": "user", "content": "né → " * 1_000_000}]
tool = {"type": "function", "function": {"name": "find", "description": text}}
calls = {
    "generate": lambda: model.generate(text),
    "ids": lambda: model.generate(ids),
    "list": lambda: model.generate([text, "hi"], max_tokens=1),
    "stop": lambda: model.generate("hi", stop=stop),
    "agenerate": lambda: asyncio.run(model.agenerate(text)),
    "chat": lambda: model.chat(chat),
    "render_chat": lambda: model.render_chat(chat),
    "longer": lambda: model.chat(longer),
    "wide": lambda: model.chat(wide),
    "template_args": lambda: model.render_chat(chat, template_args={"x": longer[0]["content"]}),
    "wide text": lambda: tokenizer.encode(wide[0]["content"]),
    "tools": lambda: model.render_chat([{"role": "user", "content": "hi"}], tools=[tool]),
    "embed": lambda: model.embed(text),
    "embed many": lambda: model.embed(short),
    "tokenize": lambda: model.tokenize(text),
    "detokenize": lambda: model.detokenize(ids),
    "encode": lambda: tokenizer.encode(text),
    "decode": lambda: tokenizer.decode(ids),
}
for call in (lambda: model.generate("hi", max_tokens=1), lambda: model.embed("hi"), lambda: tokenizer.encode("hi")):
    try:
        call()
    except TrillmError:
        pass
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + int(headroom), resource.RLIM_INFINITY))
for name, call in calls.items():
    try:
        call()
        print(name, "done", sep=":", flush=True)
    except TrillmError as error:
        print(name, error.code, sep=":", flush=True)
    except MemoryError as error:
        print(name, f"bare {type(error).__name__}", sep=":", flush=True)
"""


@pytest.mark.parametrize("megabytes", [1, 4, 16, 24, 40, 64, 100, 160, 400])
def test_long_texts_without_room_end_no_process(model: Path, megabytes: int) -> None:
    """Of each copy that is made of a text, and of what becomes of it."""
    done = run(TEXTS, model, str(megabytes << 20), limit=110)
    assert done.code == 0, done
    outcomes = dict(line.split(":") for line in done.out.splitlines())
    assert len(outcomes) == 18
    # Python's own error is told as ours: nothing else is caught by its class and says what lacked.
    refused = {"out_of_memory"}
    # What a stack lacked may be there again by the time it is asked for.
    others = {"done", "no_thread", "context_overflow", "invalid_parameter", "tools_not_shown", "unsupported"}
    assert set(outcomes.values()) <= refused | others, outcomes
    if megabytes == 1:
        assert {outcomes[name] for name in ("generate", "ids", "chat", "tokenize", "encode", "decode")} <= refused


CHATS = """
import resource, sys
import trillm

path, headroom = sys.argv[1:]
template = "{% for m in messages %}{{ m.content }}{% endfor %}"
with trillm.load(path, threads=1) as model:
    chat = lambda: model.render_chat([{"role": "user", "content": "Hi"}], template=template)
    chat()
    size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + int(headroom), resource.RLIM_INFINITY))
    for _ in range(20):
        try:
            print("done", chat(), flush=True)
        except trillm.errors.OutOfMemory as error:
            print(error.code, error, flush=True)
"""


@pytest.mark.parametrize(("megabytes", "expected"), [(100, "out_of_memory"), (700, "done")])
def test_chats_need_one_stack_at_a_time(tiny_model: Path, megabytes: int, expected: str) -> None:
    done = run(CHATS, tiny_model, str(megabytes << 20))
    assert done.code == 0, done.err
    assert [line.partition(" ")[0] for line in done.out.splitlines()] == [expected] * 20
    assert expected == "done" or "570425344 bytes were asked for" in done.out


FIRST_NUMPY = """
import resource, sys
import trillm

path, headroom = sys.argv[1:]
with trillm.load(path, threads=1) as model:
    size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + int(headroom), resource.RLIM_INFINITY))
    assert "numpy" not in sys.modules
    for call in (lambda: model.embed("the"), lambda: model.score([("a", "b")]), lambda: model.embed("the")):
        try:
            call()
            print("done", flush=True)
        except trillm.errors.TrillmError as error:
            print(error.code, flush=True)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(len(model.embed("the")), flush=True)
"""


@pytest.mark.parametrize("megabytes", [1, 16, 40, 48, 64, 80, 100, 120, 140, 400])
def test_numpy_that_has_no_room_is_no_numpy_that_is_missing(tiny_model: Path, megabytes: int) -> None:
    """OpenBLAS, which comes with it, ends the process where its buffers find no room. Later there may be."""
    done = run(FIRST_NUMPY, tiny_model, str(megabytes << 20), limit=110)
    assert done.code == 0, done
    *limited, free = done.out.splitlines()
    assert set(limited) <= {"done", "out_of_memory", "unsupported"}, done
    assert (limited[0], free) == (limited[2], "1")
    assert (megabytes > 1) or limited[0] == "out_of_memory"


FEW_FILES = """
import os, resource, sys
import numpy
import trillm

with trillm.load(sys.argv[1], threads=1) as model:
    highest = max(map(int, os.listdir("/proc/self/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    print(len(model.embed("the")))
"""


def test_memory_that_cannot_be_looked_up_is_not_missing(tiny_model: Path) -> None:
    """Where no more files can be opened, the system does not say how much there is."""
    done = run(FEW_FILES, tiny_model)
    assert (done.code, done.out) == (0, "1\n"), done


FIRST_LOAD = """
import sys
import trillm

path, module, kind = sys.argv[1:]


class Unsayable(MemoryError):
    # There is no memory for the text of it, either.
    def __str__(self):
        raise MemoryError


ERRORS = {
    "memory": MemoryError(),
    "unsayable": Unsayable(),
    "lost": SystemError("error return without exception set"),
    "tree": ValueError("field 'body' is required for Module"),
    "mapping": ImportError("lib.so: failed to map segment from shared object"),
}


class Full:
    # As the system is while a module is looked for.
    def find_spec(self, name, path=None, target=None):
        if name == module:
            raise ERRORS[kind]


sys.meta_path.insert(0, Full())
for call in (lambda: trillm.load(path, threads=1), lambda: trillm.HardwareProfile, lambda: trillm.types):
    try:
        call()
        print("done", flush=True)
    except trillm.errors.TrillmError as error:
        print(type(error).__name__, error.code, flush=True)
sys.meta_path.pop(0)
trillm.load(path, threads=1).close()
"""


@pytest.mark.parametrize("kind", ["memory", "unsayable", "lost", "tree", "mapping"])
@pytest.mark.parametrize(("module", "call"), [("trillm.hub._fetch", 0), ("trillm._hardware", 1), ("trillm.types", 2)])
def test_the_first_load_without_room_says_so(tiny_model: Path, module: str, call: int, kind: str) -> None:
    """Modules are imported by then that nothing else needs: an import ends in errors of several kinds.

    Not by a limit: where there is no memory at all, CPython 3.11 itself goes round in circles or ends the process.
    """
    done = run(FIRST_LOAD, tiny_model, module, kind)
    assert done.code == 0, done
    said = done.out.splitlines()
    assert said[call] == "OutOfMemory out_of_memory", done
    # One module may be needed by several.
    assert set(said[:call] + said[call + 1 :]) <= {"done", "OutOfMemory out_of_memory"}, done
