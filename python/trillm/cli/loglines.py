"""Lines of a server's log, for people, and as they come."""

from __future__ import annotations

import json
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from trillm.cli.output import say

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from trillm import Server

__all__ = ["LogLines", "readable_line"]

_EVERY = 0.25
"""Seconds between two looks."""


def readable_line(line: dict[str, Any]) -> str:
    """A line as people read it: when, what, how it went, by which model, how long, how many tokens, and its id."""
    status = "left" if line["status"] is None else str(line["status"])
    parts = [line["time"][11:19], line["method"], line["route"] or "-", status, f"{line['seconds']:.3f} s"]
    if line["model"] is not None:
        # What a client calls it may have more than one line, and the next would look like another request.
        parts.append(json.dumps(line["model"], ensure_ascii=False)[1:-1])
    if line["completion_tokens"]:
        parts.append(f"{line['prompt_tokens']}+{line['completion_tokens']} tokens")
    if line["error"] is not None:
        parts.append(line["error"])
    return " ".join([*parts, line["id"]])


class LogLines:
    """Says the lines of a server's log on standard error, as they come, while it is open."""

    def __init__(self, server: Server, *, as_json: bool) -> None:
        self._server = server
        self._as_json = as_json
        self._next = 0
        self._lock = Lock()
        self._ended = Event()
        self._thread = Thread(target=self._watch, name="trillm-log", daemon=True)

    def say(self) -> None:
        """Those that have not been said yet."""
        with self._lock:
            lines, self._next = self._server.log(self._next)
            for line in lines:
                say(line if self._as_json else readable_line(json.loads(line)))

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY):
            self.say()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        self.say()
