"""The interpreter lock is free while trillm waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trillm
from trillm import _core

from .helpers import ENDLESS, GREEDY, another_counts_beside, endless

SECONDS = 0.3


def pace(work: Callable[[], object]) -> float:
    """How often in a second another Python thread can count while `work` runs here."""
    counted = 0
    ended = False
    counting = threading.Event()

    def count() -> None:
        nonlocal counted
        counting.set()
        while not ended:
            counted += 1

    thread = threading.Thread(target=count)
    thread.start()
    counting.wait()
    before, began = counted, time.monotonic()
    work()
    after, took = counted, time.monotonic() - began
    ended = True
    thread.join()
    return (after - before) / took


def test_a_thread_counts_on_while_another_generates(tiny_model: Path) -> None:
    with endless(tiny_model) as model:

        def generate() -> None:
            with pytest.raises(trillm.errors.DeadlineExceeded):
                model.generate("the", timeout=SECONDS, **ENDLESS)

        # The best of some, since other programs run on this machine too. A benchmark asks for more than this share.
        shares = [pace(generate) / pace(lambda: time.sleep(SECONDS)) for _ in range(5)]
    assert max(shares) > 0.3, shares


@pytest.mark.parametrize("call", ["load", "load a folder", "embed", "tokenize", "convert"])
def test_no_call_keeps_the_lock(tiny_model: Path, tiny_folder: Path, tmp_path: Path, call: str) -> None:
    """With threads switched only when the lock is let go, an event set by another proves that it was."""
    text = "there was nothing " * 20
    with trillm.load(tiny_model, threads=1) as model:
        calls: dict[str, Callable[[], object]] = {
            "load": lambda: trillm.load(tiny_model, threads=1).close(),
            "load a folder": lambda: trillm.load(tiny_folder, threads=1).close(),
            "embed": lambda: model.embed([text] * 8),
            "tokenize": lambda: model.tokenize(text),
            "convert": lambda: _core.convert(
                tiny_model, tmp_path / "made", to="safetensors", dtype="f32", overwrite=True
            ),
        }
        model.generate("the", max_tokens=1, **GREEDY)
        assert another_counts_beside(calls[call])


@pytest.mark.parametrize("argument", ["messages", "template_args", "tools"])
def test_reading_one_large_value_lets_others_have_the_lock(tiny_model: Path, argument: str) -> None:
    """Every so many values, however deep they lie, and for long enough that who waits for it wakes up.

    All are read before the last one is found to be wrong.
    """
    values = [{"number": number, "share": number / 7} for number in range(20_000)]
    message = {"role": "user", "content": "hi"}
    calls: dict[str, dict[str, Any]] = {
        "messages": {"messages": [{**message, "more": values}, 5]},
        "template_args": {"messages": [message], "template_args": {"values": values, "messages": 1}},
        "tools": {"messages": [message], "tools": [{"values": values}, 5]},
    }
    with trillm.load(tiny_model, threads=1) as model:

        def read() -> None:
            with pytest.raises(trillm.errors.InvalidRequest):
                model.render_chat(**calls[argument])

        # It lets go some fifteen times; who is given time counts more than once in each.
        assert another_counts_beside(read, turns=30)


def test_dropping_a_model_in_the_middle_of_a_step_keeps_no_lock(tiny_model: Path) -> None:
    """Its threads are waited for, and a prompt of six thousand tokens is a step that takes a while."""
    models = [trillm.load(tiny_model, context=8192, batch=8192, threads=1) for _ in range(3)]
    for model in models:
        model.stream([1] * 6_000, max_tokens=1)
    del model
    assert another_counts_beside(models.pop)
