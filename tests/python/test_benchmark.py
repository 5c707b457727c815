"""Engines side by side: what is measured agrees with itself and with arithmetic, and no failure is anyone else's."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trillm
from trillm import _benchmark, _core
from trillm._benchmark import EngineResult, benchmark
from trillm.errors import EngineError, InvalidRequest, ModelFormatError, ModelNotFound, Unsupported

from .helpers import change, failing, refused, until
from .sentences import CASES, SCORERS, write, write_scorer

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="what Linux says of processes")

SMALL: dict[str, Any] = {"threads": 1, "parallel": 1, "max_tokens": 16}

LONG: dict[str, Any] = {"threads": 1, "parallel": 1, "context": 1 << 16, "max_tokens": 60_000}
"""What takes longer than any test waits."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is measured here is not what the user measured."""
    monkeypatch.setenv("LOCAL_CACHE_DIR", str(tmp_path / "home"))


@pytest.fixture
def formats(tiny_model: Path, tiny_folder: Path, tiny_onnx: Callable[..., Path]) -> dict[str, Path]:
    """The same model for each engine."""
    return {"llama": tiny_model, "candle": tiny_folder, "onnx": tiny_onnx("grown")}


def children(parent: int) -> list[int]:
    """The processes that this one's first thread started."""
    try:
        return list(map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split()))
    except OSError:
        return []


def generates(process: int) -> bool:
    """Whether it is so far."""
    try:
        return any(it.read_text() == "trillm-decode\n" for it in Path(f"/proc/{process}/task").glob("*/comm"))
    except OSError:
        return False


def gone(process: int) -> bool:
    """Whether there is no such process, but for its exit code that nobody asked for."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@contextmanager
def ending(number: signal.Signals) -> Iterator[None]:
    """Has the next process that generates ended by a signal."""
    parent = os.getpid()

    def end() -> None:
        assert until(lambda: any(map(generates, children(parent))))
        os.kill(next(filter(generates, children(parent))), number)

    thread = threading.Thread(target=end)
    thread.start()
    try:
        yield
    finally:
        thread.join()


# What is measured.


@pytest.mark.parametrize("engine", ["llama", "candle", "onnx"])
def test_one_engine_runs_a_format_and_the_others_say_why_not(formats: dict[str, Path], engine: str) -> None:
    results = benchmark(formats[engine], **SMALL)
    assert list(results) == [it.engine for it in results.values()] == _core.engines()
    for name, result in results.items():
        if name != engine:
            assert result == EngineResult(
                name,
                success=False,
                error=f"the {name} engine does not run {trillm._core.inspect(formats[engine]).format} files",
                code="wrong_engine",
                hint="leave the engine out to have it chosen",
            )
    measured = results[engine]
    assert (measured.success, measured.error, measured.code, measured.hint) == (True, None, None, None)
    assert measured.load_time is not None
    assert measured.first_token_time is not None
    assert measured.generation_time is not None
    assert measured.load_time > 0
    assert 0 < measured.first_token_time < measured.generation_time
    assert measured.tokens == 16
    assert measured.tokens_per_second == 16 / measured.generation_time
    rest = measured.generation_time - measured.first_token_time
    assert measured.decode_tokens_per_second == pytest.approx(15 / rest)


def test_a_single_token_has_no_pace_behind_it(tiny_model: Path) -> None:
    measured = benchmark(tiny_model, engines=["llama"], **SMALL | {"max_tokens": np.int64(1)})["llama"]
    assert (measured.success, measured.tokens, measured.decode_tokens_per_second) == (True, 1, None)


@LINUX
def test_memory_is_what_the_engine_takes(tiny_model: Path) -> None:
    """llama.cpp writes to its whole cache at once: twice the context is that much more."""
    short, long = 1 << 17, 1 << 18
    info = _core.inspect(tiny_model)
    assert info.cache_bytes is not None
    # Beside keys and values it keeps 48 bytes on each.
    token = info.cache_bytes // info.context_default + 48
    peaks = [
        benchmark(tiny_model, engines=["llama"], context=context, **SMALL)["llama"].peak_private_bytes
        for context in (short, long)
    ]
    assert peaks[0] is not None
    assert peaks[1] is not None
    assert (peaks[1] - peaks[0]) / ((long - short) * token) == pytest.approx(1, abs=0.1)
    # Not what Python takes, some 10 MB.
    assert short * token <= peaks[0] <= short * token + (6 << 20)


def test_a_publishers_stop_strings_end_nothing(tiny_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    change(folder / "generation_config.json", stop_strings=[*"aeiou tnsr"], repetition_penalty=1.5)
    with trillm.load(folder, threads=1) as model:
        answer = model.generate(_benchmark.PROMPT, max_tokens=64, temperature=0, ignore_eos=True)
    assert answer.usage.completion_tokens < 64
    assert benchmark(folder, engines=["candle"], **SMALL | {"max_tokens": 64})["candle"].tokens == 64


COUNTING = """
import os, sys
with open(os.environ["STARTS"], "a") as starts:
    starts.write(" ".join(sys.argv[:1]) + "\\n")
"""


def test_each_run_is_a_process(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text(COUNTING)
    monkeypatch.setenv("STARTS", str(tmp_path / "starts"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    told: list[tuple[str, EngineResult | None]] = []
    results = benchmark(tiny_model, engines=["llama", "onnx"], runs=3, report=lambda *said: told.append(said), **SMALL)
    assert (results["llama"].success, results["llama"].tokens) == (True, 16)
    # One that fails is not tried again.
    assert len((tmp_path / "starts").read_text().splitlines()) == 3 + 1
    assert told == [("llama", None), ("llama", results["llama"]), ("onnx", None), ("onnx", results["onnx"])]


def test_engines_are_measured_once_and_by_their_names(tiny_folder: Path) -> None:
    assert list(benchmark(tiny_folder, engines=["auto", "candle", "auto"], **SMALL)) == ["candle"]


def test_a_graph_takes_its_words_from_elsewhere(
    tiny_onnx: Callable[..., Path], tiny_model: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_onnx("grown"), tmp_path / "graph")
    (folder / "tokenizer.json").unlink()
    results = benchmark(folder, engines=["onnx"], tokenizer=tiny_model, **SMALL)
    assert results["onnx"].success, results


# What goes wrong, and whose fault that is.


@LINUX
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_process_that_is_killed_is_an_error_of_its_engine(formats: dict[str, Path], number: signal.Signals) -> None:
    with ending(number):
        results = benchmark(formats["candle"], engines=["candle", "llama"], **LONG)
    killed = results["candle"]
    assert (killed.success, killed.code, killed.load_time) == (False, "process_ended", None)
    assert killed.error is not None
    assert killed.error.startswith(f"its process ended by {number.name}")
    assert ("memory" in (killed.hint or "")) == (number == signal.SIGKILL)
    assert results["llama"].code == "wrong_engine"
    assert children(os.getpid()) == []


def test_a_process_that_cannot_begin_says_so(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    result = benchmark(tiny_model, engines=["llama"], **SMALL)["llama"]
    assert (result.success, result.code) == (False, "process_ended")
    assert result.error is not None
    assert result.error.startswith("its process ended with exit code 1: ")


def test_no_process_is_an_error_of_the_caller(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with failing(EngineError, "no_process", "No such file"):
        benchmark(tiny_model, **SMALL)


def test_the_current_folder_is_no_place_for_modules(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json", "trillm", "pickle"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken from here')")
    monkeypatch.chdir(tmp_path)
    assert benchmark(tiny_model, engines=["llama"], **SMALL)["llama"].success


def test_what_does_not_fit_is_not_loaded_unless_it_is_forced(tiny_model: Path) -> None:
    much = {"engines": ["llama"], "context": 1 << 30, **SMALL}
    refusal = benchmark(tiny_model, **much)["llama"]
    assert (refusal.success, refusal.code) == (False, "memory_refused")
    assert "`context=" in (refusal.hint or "")
    # Then the engine says no.
    assert benchmark(tiny_model, force=True, **much)["llama"].code == "out_of_memory"


def test_an_answer_longer_than_the_context_is_an_error_of_the_engine(tiny_model: Path) -> None:
    result = benchmark(tiny_model, engines=["llama"], **SMALL | {"max_tokens": 10_000})["llama"]
    assert (result.success, result.code) == (False, "context_overflow")


def test_models_that_write_nothing_are_not_measured(tmp_path: Path) -> None:
    write(CASES[0], tmp_path / "vectors")
    write_scorer(SCORERS[0], tmp_path / "labels")
    with failing(Unsupported, "unsupported", "turns texts into vectors"):
        benchmark(tmp_path / "vectors")
    with failing(Unsupported, "unsupported", "scores texts"):
        benchmark(tmp_path / "labels")


def test_what_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "letter.gguf").write_text("dear reader")
    with failing(ModelFormatError, "unknown_format"):
        benchmark(tmp_path / "letter.gguf")
    with failing(ModelNotFound, "model_not_found"):
        benchmark(tmp_path / "nowhere.gguf")


def test_wrong_values_are_found_before_anything_runs(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing could.
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with failing(InvalidRequest, "unknown_engine", "nope"):
        benchmark(tiny_model, engines=["llama", "nope"])
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("runs is 0, expected a whole number, 1 to 1000", {"runs": 0}),
        ("runs is True, expected", {"runs": True}),
        ("runs is a number of thousands of digits, expected", {"runs": 10**5000}),
        ("max_tokens is 'fit', expected a whole number", {"max_tokens": "fit"}),
        ("prompt is 3, expected text", {"prompt": 3}),
        ("engines is 'llama', expected a list of names", {"engines": "llama"}),
        (r"engines is \[\], expected a list of names", {"engines": []}),
        ("has no engine, expected engines", {"engine": "llama"}),
        ("has no progress, expected report", {"progress": print}),
        ("context is 'x', expected a whole number", {"context": "x"}),
    ]
    for match, given in wrong:
        (error,) = refused(InvalidRequest, match, lambda given=given: benchmark(tiny_model, **given))  # type: ignore[misc]
        assert error.code == "invalid_parameter"
    refused(TypeError, "did you mean 'context'", lambda: benchmark(tiny_model, n_ctx=3))  # type: ignore[call-arg]


MEASURING = """
import sys
from trillm._benchmark import benchmark
try:
    benchmark(sys.argv[1], engines=["candle"], threads=1, parallel=1, context=1 << 16, max_tokens=60000)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.stdin.read()
"""


@LINUX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_runs_on_when_whoever_asked_does_not_wait(tiny_folder: Path, number: signal.Signals) -> None:
    """Because it was interrupted, and goes on with something else, or because it is gone."""
    command = [sys.executable, "-c", MEASURING, str(tiny_folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as caller:
        assert caller.stdout is not None
        assert until(lambda: any(map(generates, children(caller.pid))))
        (child,) = children(caller.pid)
        caller.send_signal(number)
        assert caller.stdout.readline() == (b"interrupted\n" if number == signal.SIGINT else b"")
        assert until(lambda: gone(child))
        assert caller.poll() is None or number == signal.SIGKILL
