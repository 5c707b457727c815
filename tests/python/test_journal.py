"""The journal of errors: what an error is follows from its class, and what may help from that."""

from __future__ import annotations

import gc
import json
import weakref
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import trillm
from trillm import errors
from trillm._journal import ErrorJournal
from trillm.errors import InvalidRequest, TrillmError

EXPECTED: dict[str, dict[str, str | None]] = {
    "MEMORY_ERROR": {"OutOfMemory": "unload_models", "MemoryRefused": "unload_models"},
    "MODEL_LOAD_ERROR": {
        "ModelNotFound": "download_model",
        "ModelFormatError": "download_model",
        "DigestMismatch": "download_model",
        "LoadError": None,
        "StoreError": None,
        "DownloadError": None,
    },
    "GENERATION_ERROR": {
        "EngineError": "reload_model",
        "Closed": "reload_model",
        "ContextOverflow": None,
        "ChatTemplateError": None,
        "Overloaded": None,
        "DeadlineExceeded": None,
        "Cancelled": None,
    },
    "UNKNOWN_ERROR": {
        "InvalidRequest": None,
        "Unsupported": None,
        "ForkError": None,
        "MissingDependency": None,
        "TrillmError": None,
    },
}
"""Every class of errors by its kind, and what a program may do about it."""


def test_every_class_has_its_kind_and_what_may_help() -> None:
    found: dict[str, dict[str, str | None]] = {}
    for name in errors.__all__:
        # Words decide nothing: these would be three kinds.
        advice = ErrorJournal.classify(getattr(errors, name)("out of memory: failed to load, generation failed"))
        found.setdefault(advice.kind, {})[name] = advice.recovery
    assert found == EXPECTED


def test_the_suggestion_is_that_of_the_kind() -> None:
    said = {
        kind: {ErrorJournal.classify(getattr(errors, name)("x")).suggestion for name in names}
        for kind, names in EXPECTED.items()
    }
    assert all(len(suggestions) == 1 for suggestions in said.values())
    assert "smaller model" in said["MEMORY_ERROR"].pop()
    assert "exists and is valid" in said["MODEL_LOAD_ERROR"].pop()


class Wordless(Exception):
    """What some libraries raise."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class OurOwn(errors.ModelNotFound):
    """A class that a program derives from one of ours."""


@pytest.mark.parametrize(
    ("error", "kind", "code", "message"),
    [
        (MemoryError("no room"), "MEMORY_ERROR", "out_of_memory", "MemoryError: no room"),
        (ValueError("out of memory"), "UNKNOWN_ERROR", "foreign", "ValueError: out of memory"),
        (FileNotFoundError(2, "No such file"), "UNKNOWN_ERROR", "foreign", "FileNotFoundError: [Errno 2] No such file"),
        (KeyboardInterrupt(), "UNKNOWN_ERROR", "foreign", "KeyboardInterrupt: "),
        (Wordless(), "UNKNOWN_ERROR", "foreign", "Wordless: (cannot be shown)"),
        (ValueError("a\ud800"), "UNKNOWN_ERROR", "foreign", "ValueError: a"),
        (OurOwn("gone", "its_code", "look"), "MODEL_LOAD_ERROR", "its_code", "gone"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_any_exception_can_be_recorded(error: BaseException, kind: str, code: str, message: str) -> None:
    journal = ErrorJournal()
    assert journal.record(error).kind == kind
    (entry,) = journal.recent()
    # What is no Unicode is marked.
    assert (entry.kind, entry.code, entry.message.rstrip("\N{REPLACEMENT CHARACTER}")) == (kind, code, message)


def test_what_really_fails_is_recorded_with_what_it_was_about(llm: trillm.Model) -> None:
    journal = ErrorJournal()
    before = datetime.now(timezone.utc)
    with pytest.raises(TrillmError) as caught:
        llm.generate("the", max_tokens=10**6)
    advice = journal.record(caught.value, model="tiny", call="generate", tokens=10**6)
    with pytest.raises(TrillmError) as missing:
        trillm.load("/nowhere.gguf")
    journal.record(missing.value, model="/nowhere.gguf", call="load")
    first, second = journal.recent(10)
    assert (first.kind, first.code, first.message) == ("GENERATION_ERROR", "context_overflow", str(caught.value))
    assert first.hint == caught.value.hint is not None
    assert first.context == {"model": "tiny", "call": "generate", "tokens": "1000000"}
    assert (first.suggestion, first.recovery) == (advice.suggestion, advice.recovery)
    assert (second.kind, second.recovery) == ("MODEL_LOAD_ERROR", "download_model")
    assert first.time.endswith("Z")
    # A millisecond is the last digit.
    told = datetime.fromisoformat(first.time.replace("Z", "+00:00"))
    assert before - timedelta(milliseconds=1) <= told <= datetime.now(timezone.utc)
    assert journal.recent(1) == [second]


def test_a_hundred_are_kept_and_all_are_counted() -> None:
    journal = ErrorJournal()
    for number in range(250):
        journal.record(errors.EngineError(str(number), "failed") if number % 5 else MemoryError(str(number)))
    assert [entry.message for entry in journal.recent(3)] == ["247", "248", "249"]
    assert len(journal.recent()) == 10
    assert len(journal.recent(10**30)) == 100
    assert journal.recent(0) == []
    assert journal.counts == {
        "MEMORY_ERROR": 50,
        "MODEL_LOAD_ERROR": 0,
        "GENERATION_ERROR": 200,
        "UNKNOWN_ERROR": 0,
    }
    assert journal.codes == {"failed": 200, "out_of_memory": 50}
    stats = journal.stats()
    assert stats == {"counts": journal.counts, "codes": journal.codes, "recent": stats["recent"]}
    assert [entry["message"] for entry in stats["recent"]][-1] == "249"
    assert json.loads(json.dumps(stats)) == stats


def test_an_error_itself_is_not_kept() -> None:
    journal = ErrorJournal()
    error = errors.EngineError("x" * 10**6, "failed")
    reference = weakref.ref(error)
    journal.record(error, prompt="p" * 10**6)
    del error
    gc.collect()
    assert reference() is None
    (entry,) = journal.recent()
    assert len(entry.message) < 3000
    assert len(entry.context["prompt"]) < 3000


def test_threads_lose_none() -> None:
    journal = ErrorJournal()

    def record(_: int) -> None:
        for _ in range(200):
            journal.record(errors.Overloaded("full", "queue_full"), call="generate")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(record, range(8)))
    assert journal.codes == {"queue_full": 1600}


@pytest.mark.parametrize("count", [-1, True, "3", 1.5, None])
def test_a_count_that_is_none_is_refused(count: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"count is .*, expected a whole number, 0 or more"):
        ErrorJournal().recent(count)
