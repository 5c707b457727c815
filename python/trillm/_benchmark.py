"""Engines side by side on one model: how long each takes to load it and to write, and the memory it takes for that.

Each engine has a process of its own (`_benchmarked.py`), one after the other: so its memory is its own, what an earlier
one left behind does not help it, and one that ends its process is an error of that engine and not of the caller. All
generate the same number of tokens, always the most probable one, past the model's own end, and without what its
publisher recommends: an engine that says less would seem faster.

What was measured is kept, for the choice among formats and engines that a model may have: see `_explanation.py`.

Files are as the system has them. Nothing is dropped from its cache, so that the first to read a model may load slower.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import index
from os import PathLike, fsdecode
from typing import TYPE_CHECKING, Any

from trillm import _core
from trillm._later import Later
from trillm._plan import plan_file
from trillm.errors import EngineError, InvalidRequest, Unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Unpack

    from trillm.hub import Options
    from trillm.types import LoadParams

__all__ = ["MOST_RUNS", "PROMPT", "EngineResult", "Report", "benchmark", "benchmark_file"]

PROMPT = "Write a short story about a robot."
"""What engines continue unless told otherwise."""

MOST_RUNS = 1000
_MOST_TOKENS = (1 << 32) - 1

_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from trillm._benchmarked import main; main()"
"""Not by `-m`: that looks into the current folder first, where other modules may lie. So it has this process's path."""

_PURPOSES = {"vectors": "turns texts into vectors", "labels": "scores texts"}

_SHOWN = 80
"""Characters of a prompt that are kept beside what was measured with it."""

_LAST_WORDS = 200
"""Characters of what a process said before it ended."""


@dataclass(frozen=True, slots=True)
class EngineResult:
    """What an engine made of a model. An error leaves all measures out; of several runs, times are the median."""

    engine: str
    success: bool
    error: str | None = None
    """Why it could not, if it could not."""
    code: str | None = None
    """The error's stable name."""
    hint: str | None = None
    """What to do about it."""
    load_time: float | None = None
    """Seconds until it could take a request."""
    first_token_time: float | None = None
    """Seconds from the request to its first token."""
    generation_time: float | None = None
    """Seconds from the request to its last token."""
    tokens: int | None = None
    """Tokens that were generated."""
    tokens_per_second: float | None = None
    """All of them by all of `generation_time`, in which the prompt is read, too."""
    decode_tokens_per_second: float | None = None
    """Those behind the first by the time since then; `None` for a single token."""
    peak_private_bytes: int | None = None
    """Anonymous memory of its process, at the most, beside what that had before loading: what no file backs.

    Linux tells it (`RssAnon`), and is asked each 10 ms: shorter peaks may be missed. `None` on other systems. Memory of
    a GPU is not in it.
    """


Report = Callable[[str, EngineResult | None], object]
"""What is told of progress: an engine's name and `None` before it is measured, and its result afterwards."""


def benchmark(
    reference: str | bytes | PathLike[str] | PathLike[bytes],
    *,
    engines: Sequence[str] | None = None,
    prompt: str = PROMPT,
    max_tokens: int = 100,
    runs: int = 1,
    force: bool = False,
    report: Report | None = None,
    download: Options | Mapping[str, Any] | None = None,
    **params: Unpack[LoadParams],
) -> dict[str, EngineResult]:
    """What each engine makes of a model, by the engine's name: those of `engines`, or all that there are.

    The model is downloaded first if need be, as `download` says, and loaded with `params` as by `trillm.load`, in a new
    process for each of `runs`. Of a folder with several formats each engine runs its own. An engine that does not run
    its format, lacks memory by the plan (unless `force` is true) or fails otherwise has a result that says so. What was
    measured is kept, and decides from then on which engine runs a model that several could run.

    Raises `ModelNotFound`, `ModelFormatError`, `DownloadError`, `DigestMismatch`, `InvalidRequest` for an unknown
    engine or a wrong value, `Unsupported` for a model that writes no text, and `EngineError` where no process can be
    started.
    """
    with Later("trillm.hub"):
        from trillm._model import bring_tokenizer
        from trillm.hub import fetch, resolve

    bring_tokenizer(params, lambda tokenizer: fetch(tokenizer, options=download))
    with resolve(reference, options=download) as found:
        return benchmark_file(
            found.path,
            engines=engines,
            prompt=prompt,
            max_tokens=max_tokens,
            runs=runs,
            force=force,
            report=report,
            **params,
        )


def benchmark_file(
    path: str | PathLike[str],
    *,
    engines: Sequence[str] | None = None,
    prompt: str = PROMPT,
    max_tokens: int = 100,
    runs: int = 1,
    force: bool = False,
    report: Report | None = None,
    **params: Unpack[LoadParams],
) -> dict[str, EngineResult]:
    """The same for a file or folder."""
    with Later("pickle"):
        from pickle import dumps

    if not isinstance(prompt, str):
        raise _wrong("prompt", prompt, "text")
    max_tokens, runs = _count("max_tokens", max_tokens, _MOST_TOKENS), _count("runs", runs, MOST_RUNS)
    for name, instead in (("engine", "engines"), ("progress", "report")):
        if name in params:
            raise InvalidRequest(f"a benchmark has no {name}, expected {instead}", "invalid_parameter")
    path = fsdecode(path)
    info = _core.inspect(path)
    if info.purpose != "text":
        message = f"{info.name} {_PURPOSES[info.purpose]}: there is no text whose speed could be measured"
        raise Unsupported(message, "unsupported", "name a model that generates")
    # A publisher's stop strings would end some earlier than others.
    load = {"defaults": "neutral", **params}
    generate = {"prompt": prompt, "max_tokens": max_tokens, "temperature": 0, "ignore_eos": True}
    results: dict[str, EngineResult] = {}
    for name in _names(path, engines, params):
        if report is not None:
            report(name, None)
        job = dumps({"path": path, "force": force, "load": {**load, "engine": name}, "generate": generate})
        results[name] = _measured(name, job, runs)
        if report is not None:
            report(name, results[name])
    _keep(path, prompt, max_tokens, results, params)
    return results


def _keep(path: str, prompt: str, max_tokens: int, results: Mapping[str, EngineResult], params: LoadParams) -> None:
    """Keeps it for whoever chooses an engine. That it cannot be kept is no error of a measurement."""
    with Later("json"):
        import json

    # An engine that runs another format has not been measured.
    rows = [(it.engine, it.tokens_per_second, it.code) for it in results.values() if it.code != "wrong_engine"]
    if not rows:
        return
    shown = prompt if len(prompt) <= _SHOWN else f"{prompt[:_SHOWN]}… ({len(prompt)} characters)"
    settings = {name: value for name, value in params.items() if value is not None}
    how = {"max_tokens": max_tokens, "prompt": shown, "settings": settings}
    text = json.dumps(how, ensure_ascii=False, sort_keys=True, default=str)
    if problem := _core.keep_speeds(path, text, rows, **params):
        import logging

        logging.getLogger("trillm").warning("what was measured could not be kept: %s", problem)


def _names(path: str, given: Sequence[str] | None, params: LoadParams) -> list[str]:
    """The engines to measure, once each. What is wrong whatever the engine is found here, before any is."""
    if isinstance(given, str) or (given is not None and not given):
        raise _wrong("engines", given, "a list of names")
    names: dict[str, None] = {}
    for name in _core.engines() if given is None else given:
        wanted: LoadParams = {**params, "engine": name}
        try:
            # Knows which one `auto` is.
            names[plan_file(path, **wanted).engine or name] = None
        except Unsupported:
            # By this engine alone: its result says so.
            names[name] = None
    return list(names)


def _measured(name: str, job: bytes, runs: int) -> EngineResult:
    """All runs of an engine, up to the first that fails."""
    with Later("statistics"):
        from statistics import median

    answers = []
    for _ in range(runs):
        answer = _run(job)
        if "error" in answer:
            return EngineResult(name, success=False, **answer)
        answers.append(answer)
    load, first, generation = (median(it[key] for it in answers) for key in ("load", "first_token", "generation"))
    tokens = answers[0]["tokens"]
    peaks = [it["peak"] for it in answers]
    return EngineResult(
        name,
        success=True,
        load_time=load,
        first_token_time=first,
        generation_time=generation,
        tokens=tokens,
        tokens_per_second=tokens / generation,
        decode_tokens_per_second=(tokens - 1) / (generation - first) if tokens > 1 else None,
        peak_private_bytes=None if None in peaks else max(peaks),
    )


def _run(job: bytes) -> dict[str, Any]:
    """What a fresh process measured, or its error. It does not outlive this call, whatever ends it."""
    with Later("subprocess"):
        import json
        import subprocess
        import sys

    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen([sys.executable, "-c", _PROGRAM, *sys.path], stdin=pipe, stdout=pipe, stderr=pipe)
    except OSError as error:
        raise EngineError(
            f"no process can be started to measure an engine in: {error.strerror}",
            "no_process",
            "close programs and files that are not needed, or allow more (ulimit -u, ulimit -n)",
        ) from error
    with process:
        try:
            out, err = process.communicate(job)
        finally:
            process.kill()
    if process.returncode != 0:
        return _ended(process.returncode, err.decode(errors="replace"))
    answer: dict[str, Any] = json.loads(out)
    return answer


def _ended(code: int, said: str) -> dict[str, Any]:
    """The error of a process that did not come to its end."""
    from signal import Signals

    how = f"with exit code {code}"
    if code < 0:
        how = f"by {Signals(-code).name}" if -code in set(Signals) else f"by signal {-code}"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    words = f": {lines[-1][:_LAST_WORDS]}" if lines else ""
    hint = "where nobody killed it, the system did so for want of memory" if how == "by SIGKILL" else None
    return {"error": f"its process ended {how}{words}", "code": "process_ended", "hint": hint}


def _count(name: str, value: Any, most: int) -> int:
    try:
        # The whole numbers of numpy are some, too; `True` is none.
        count = None if isinstance(value, bool) else index(value)
    except TypeError:
        count = None
    if count is None or not 1 <= count <= most:
        raise _wrong(name, value, f"a whole number, 1 to {most}")
    return count


def _wrong(name: str, value: object, expected: str) -> InvalidRequest:
    try:
        found = f"{value!r:.60}"
    except ValueError:
        found = "a number of thousands of digits"
    return InvalidRequest(f"{name} is {found}, expected {expected}", "invalid_parameter")
