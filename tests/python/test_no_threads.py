"""Where the system gives no more threads there is an error that says so, whichever thread it is; never the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .program import compiled, output, run
from .sentences import CASES, write

ROOT = Path(__file__).resolve().parents[2]

C = ROOT / "tests" / "hub" / "threadless.c"

BREAKER = f"import sys; sys.path.insert(0, {str(ROOT / 'tools' / 'breaker')!r})\n"
"""Lets a program import what its actors are held to limits by."""

USE = """
import json, os, sys, warnings
import trillm
from trillm.errors import TrillmError

# A machine may have fewer processors than these threads.
warnings.simplefilter("ignore", RuntimeWarning)
path, options = sys.argv[1], json.loads(sys.argv[2])
messages = [{"role": "user", "content": "hi"}]
greedy = dict(max_tokens=3, temperature=0, ignore_eos=True)

def calls(model):
    if model.info.pipeline:
        yield lambda: model.embed(["the", "man"]).tolist()
    if model.info.chat_templates:
        yield lambda: model.generate("the", **greedy).token_ids
        yield lambda: model.chat(messages, **greedy).token_ids
        yield lambda: model.render_chat(messages)

def use():
    # What each call gives, or the code of its error.
    said = []
    def attempt(call):
        try:
            said.append(call())
        except TrillmError as error:
            said.append(error.code)
            return False
        return True
    models = []
    if attempt(lambda: models.append(trillm.load(path, threads=3, **options))):
        with models[0] as model:
            for call in calls(model):
                attempt(call)
    return said

def threads():
    return len(os.listdir("/proc/self/task"))
"""

EACH = (
    USE
    + """
import ctypes, time

starts = ctypes.CDLL(None)
stays, forgets = int(sys.argv[3]), int(sys.argv[4])
expected, before = use(), threads()
rounds = []
while True:
    starts.threadless_arm(ctypes.c_long(len(rounds)), stays)
    said = use()
    rounds.append([answer if answer == "no_thread" else "other" for answer in said if answer not in expected])
    if starts.threadless_disarm() <= len(rounds) - 1:
        break
assert use() == expected
end = time.monotonic() + 10
while threads() > before + forgets:
    assert time.monotonic() < end, (threads(), before)
print(json.dumps(rounds))
"""
)

LIMITED = (
    USE
    + """
import resource
from privileges import mind_limits

def tasks():
    if alone:
        return len(os.listdir("/proc/self/task"))
    count = 0
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{name}").st_uid == os.getuid():
                count += len(os.listdir(f"/proc/{name}/task"))
        except OSError:
            pass
    return count

expected = use()
alone = mind_limits()
rounds = []
before = resource.getrlimit(resource.RLIMIT_NPROC)
for more in range(10):
    resource.setrlimit(resource.RLIMIT_NPROC, (tasks() + more, before[1]))
    rounds.append([answer for answer in use() if answer not in expected])
resource.setrlimit(resource.RLIMIT_NPROC, before)
assert use() == expected
print(json.dumps([alone, rounds]))
"""
)

MODELS: dict[str, dict[str, object]] = {
    "gguf": {},
    "safetensors": {},
    "bert": {},
    "quantized": {"quantize": "q8_0"},
    "grown": {},
    "parallel": {"execution_mode": "parallel", "inter_threads": 3},
    "encoder": {},
}


@pytest.fixture(params=list(MODELS))
def model(
    request: pytest.FixtureRequest,
    tiny_model: Path,
    tiny_folder: Path,
    tiny_onnx: Callable[..., Path],
    tmp_path: Path,
) -> tuple[Path, str]:
    """A model of each engine, and how it is loaded."""
    if request.param == "bert":
        write(CASES[0], tmp_path / "bert")
    paths = {
        "gguf": lambda: tiny_model,
        "safetensors": lambda: tiny_folder,
        "quantized": lambda: tiny_folder,
        "bert": lambda: tmp_path / "bert",
        "grown": lambda: tiny_onnx("grown"),
        "parallel": lambda: tiny_onnx("grown"),
        "encoder": lambda: tiny_onnx("encoder"),
    }
    return paths[request.param](), json.dumps(MODELS[request.param])


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(C.read_text(), tmp_path_factory.mktemp("threadless"))


@pytest.mark.skipif(sys.platform != "linux", reason="what fails is preloaded as on Linux")
@pytest.mark.parametrize("stays", [True, False], ids=["for ever", "once"])
def test_any_thread_may_fail_to_start(model: tuple[Path, str], library: Path, stays: bool) -> None:
    # ggml asserts that it gets its threads. They are tried beforehand; if one fails for all that, those before it stay:
    # one of the two that generate, and one of those that embed.
    forgets = 2 if model[0].suffix == ".gguf" else 0
    said = output(EACH, *model, str(int(stays)), str(forgets), limit=100, LD_PRELOAD=str(library))
    *rounds, last = json.loads(said)
    assert last == []
    # The decode thread, the compute threads, that of the template or the one that embeds.
    assert len(rounds) >= 3
    assert {code for said in rounds for code in said} == {"no_thread"}
    assert all(rounds), rounds


@pytest.mark.skipif(sys.platform != "linux", reason="where threads are counted for each user, and shown")
def test_a_limit_on_threads_is_survived(model: tuple[Path, str]) -> None:
    done = run(BREAKER + LIMITED, *model, limit=100)
    assert (done.code, done.err) == (0, ""), done
    alone, rounds = json.loads(done.out)
    assert {code for said in rounds for code in said} == {"no_thread"}
    assert rounds[0], "no thread was to be had"
    if alone:
        assert rounds[-1] == [], "ten more were enough"


FIRST_NUMPY = """
import asyncio, ctypes, os, sys
import trillm

starts = ctypes.CDLL(None)
with trillm.load(sys.argv[1], threads=1) as model:
    assert "numpy" not in sys.modules
    # Whatever the machine has: OpenBLAS reads its own variables, and no more threads than processors.
    os.sched_getaffinity = lambda _: {0, 1}
    starts.threadless_arm(ctypes.c_long(0), 1)
    calls = [
        lambda: model.embed("the"),
        lambda: model.score([("a", "b")]),
        lambda: asyncio.run(model.aembed("the")),
        lambda: asyncio.run(model.ascore([("a", "b")])),
    ]
    for call in calls:
        try:
            call()
        except trillm.errors.EngineError as error:
            print(error.code, "OPENBLAS_NUM_THREADS=1" in error.hint, "numpy" in sys.modules)
    starts.threadless_disarm()
    print(model.embed("the").shape)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what fails is preloaded as on Linux")
def test_numpy_without_threads_is_no_interrupt(tiny_model: Path, library: Path) -> None:
    """OpenBLAS, which comes with it, sends the signal of Ctrl-C where it gets no threads."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST_NUMPY, tiny_model],
        env=os.environ | {"LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["no_thread True False"] * 4 + ["(1, 64)"]
