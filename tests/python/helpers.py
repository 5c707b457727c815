"""What several tests of the API need."""

from __future__ import annotations

import json
import math
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trillm
from trillm.errors import TrillmError

LETTERS: dict[int, float] = dict.fromkeys(range(261), -math.inf)
"""Forbids the tiny model everything but letters and words: no control tokens, no bytes that are no text."""

GREEDY: dict[str, Any] = {"temperature": 0, "ignore_eos": True, "logit_bias": LETTERS}
"""Makes the tiny model's answer readable, and the same each time."""

SAMPLED: dict[str, Any] = {"temperature": 1, "ignore_eos": True, "logit_bias": LETTERS}
"""As `GREEDY`, but by chance."""

ENDLESS: dict[str, Any] = GREEDY
"""For a model from `endless`: generates for longer than any test takes."""

TEXTS = ["the man", "and so", "he said\n\n  on a", "Größe 😀", "there was nothing in the end", "a<|im_end|>", ""]
"""What models of all engines are asked."""

MESSAGES = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "the man"}]

SMALL_FILES = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"]
"""What lies beside the weights in a folder of Hugging Face."""


def change(path: Path, **keys: Any) -> None:
    """Sets keys of a file of JSON, which need not be there."""
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(known | keys))


@contextmanager
def endless(path: Path, parallel: int = 8, queue: int = 512) -> Iterator[trillm.Model]:
    """The tiny model with a context so long that a request without `max_tokens` does not end by itself."""
    with trillm.load(
        path,
        context=65536,
        parallel=parallel,
        queue=queue,
        threads=1,
        cache_type="f32",
        flash_attention=False,
    ) as model:
        yield model


@contextmanager
def occupied(model: trillm.Model) -> Iterator[trillm.Stream]:
    """A model from `endless` with one slot, and somebody who keeps it: a stream that is read all the time.

    One that nobody reads gives its slot to those who wait once it holds as much as a stream may.
    """
    stream = model.stream("the", **ENDLESS)
    reader = threading.Thread(target=lambda: list(stream))
    reader.start()
    try:
        assert until(lambda: model.stats()["running"] == 1)
        yield stream
    finally:
        stream.close()
        reader.join()


def until(condition: Callable[[], bool], limit: float = 30) -> bool:
    """Waits for what only counters tell; whether it came true."""
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.001)
    return True


def idle(model: trillm.Model) -> bool:
    """Whether all slots become free, and nobody wants one."""
    return until(lambda: not any(model.stats()[state] for state in ("running", "waiting", "paused")))


@contextmanager
def failing(error: type[TrillmError], code: str, match: str = "") -> Iterator[Any]:
    """Asserts that an error is raised, with this code; what pytest says of it."""
    with pytest.raises(error, match=match or None) as caught:
        yield caught
    assert caught.value.code == code


def refused(
    error: type[Exception] | tuple[type[Exception], ...], match: str, *calls: Callable[[], object]
) -> list[Any]:
    """Asserts that each call is, with such a message; the errors."""
    errors = []
    for call in calls:
        with pytest.raises(error, match=match) as caught:
            call()
        errors.append(caught.value)
    return errors


def pickled(value: Any) -> list[Any]:
    """The value there and back, by each of pickle's protocols."""
    return [pickle.loads(pickle.dumps(value, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]


def another_counts_beside(call: Callable[[], object], turns: int = 1) -> bool:
    """Calls until another thread counted so far in one.

    With threads switched only when the lock is let go, that proves that it was, and for long enough to be taken. A
    call that keeps it is called for ever, and the test's time limit ends it.
    """
    counted = had = 0
    ended = False

    def count() -> None:
        nonlocal counted
        while not ended:
            counted += 1
            time.sleep(0)

    interval = sys.getswitchinterval()
    thread = threading.Thread(target=count)
    thread.start()
    try:
        sys.setswitchinterval(60)
        while had < turns:
            before = counted
            call()
            had = counted - before
    finally:
        sys.setswitchinterval(interval)
        ended = True
        thread.join()
    return had >= turns
