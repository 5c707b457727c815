"""Streams that end in their middle."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import trillm
from trillm.errors import ModelNotFound

from .asking import Answer


def broken_off(router: trillm.LLMRouter, model: Path, ask: Callable[[], Answer], last: Callable[[str], bool]) -> Answer:
    """An answer that ended with an error, told by the last line that says something: its model was closed under it.

    What is asked may be over before, or not begun: then it is asked again.
    """
    found: list[Answer] = []

    def read() -> None:
        while not found:
            answer = ask()
            lines = [line for line in answer.text.splitlines() if line]
            if answer.status == 200 and last(lines[-1]):
                found.append(answer)

    thread = threading.Thread(target=read)
    thread.start()
    while thread.is_alive():
        with suppress(ModelNotFound):
            router.unload_model(model, at_once=True)
        thread.join(0.02)
    return found[0]
