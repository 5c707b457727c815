"""Answers that a router keeps, for requests that are equal to earlier ones and can only be answered in the same way.

A request is kept by all that was given for it: the model as it is loaded, what is asked, and every parameter. It must
say itself that it is repeatable, by `temperature=0` or a `seed`: what a publisher recommends does not count. An answer
lives as long as the load of the model that gave it. Then it is what that model in memory would say, and nothing has to
be compared with files: a model that is unloaded, for whatever reason, takes its answers along.

Streams are neither kept nor answered from here. Whoever reads one wants to see how it comes, and may stop anywhere.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from trillm._core import Completion, Timings
from trillm._params import plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from trillm._model import Model

    Answer: TypeAlias = Completion | list[Completion]
    Place = tuple[str, int]

__all__ = ["ResponseCache", "tells_time"]

_LONGEST = 1 << 20
"""Characters of a request that is kept: to look for a longer one takes milliseconds, whether or not it is there."""

_BESIDE = 512
"""Bytes that are counted for each answer beside its text and tokens: its key, its numbers, Python's objects."""

_TOKEN = 4
_LOGPROB = 64


class ResponseCache:
    """At most so many bytes of answers; what was used least recently goes first. Any number of threads may use it."""

    __slots__ = ("_answers", "_bytes", "_hits", "_lock", "_misses", "_size")

    def __init__(self, size: int) -> None:
        """Of `size` bytes; 0 keeps nothing."""
        self._size = size
        self._lock = threading.Lock()
        self._answers: OrderedDict[tuple[Place, bytes], tuple[Answer, int]] = OrderedDict()
        self._bytes = self._hits = self._misses = 0

    def key(self, call: str, given: Any, params: Mapping[str, Any]) -> bytes | None:
        """What stands for a request; `None` for one that is not kept."""
        if not self._size or not _is_repeatable(params) or (isinstance(given, str) and len(given) > _LONGEST):
            return None
        from hashlib import sha256
        from json import JSONEncoder

        # What is inside stays in its order: a template may show it, of messages and tools.
        parts = [call, given, *(it for name in sorted(params) for it in (name, params[name]))]
        try:
            text = JSONEncoder(default=plain, ensure_ascii=False).encode(parts)
        except (TypeError, ValueError, RecursionError):
            # Whatever is wrong with it, whoever answers it says it.
            return None
        return None if len(text) > _LONGEST else sha256(text.encode("utf-8", "surrogatepass")).digest()

    def find(self, place: Place, key: bytes) -> Answer | None:
        """The answer of a model as it was loaded, if it was kept."""
        with self._lock:
            found = self._answers.get((place, key))
            if found is None:
                self._misses += 1
                return None
            self._hits += 1
            self._answers.move_to_end((place, key))
        answer = found[0]
        return list(answer) if isinstance(answer, list) else answer

    def keep(self, place: Place, key: bytes, answer: Answer) -> None:
        """Keeps an answer, and says of it that it was kept."""
        kept = [_kept(it) for it in answer] if isinstance(answer, list) else _kept(answer)
        size = sum(map(_size, answer)) if isinstance(answer, list) else _size(answer)
        with self._lock:
            if size > self._size:
                return
            self._take((place, key))
            self._answers[place, key] = kept, size
            self._bytes += size
            self._shrink()

    def drop(self, name: str) -> None:
        """Forgets the answers of a model that is not in memory any more."""
        with self._lock:
            for key in [key for key in self._answers if key[0][0] == name]:
                self._take(key)

    def resize(self, size: int) -> None:
        """Keeps so many bytes from now on."""
        with self._lock:
            self._size = size
            self._shrink()

    def stats(self) -> dict[str, int]:
        """`size`, `bytes`, `entries`, and how many requests that could be kept were found (`hits`) or not."""
        with self._lock:
            return {
                "size": self._size,
                "bytes": self._bytes,
                "entries": len(self._answers),
                "hits": self._hits,
                "misses": self._misses,
            }

    def _take(self, key: tuple[Place, bytes]) -> None:
        _, size = self._answers.pop(key, (None, 0))
        self._bytes -= size

    def _shrink(self) -> None:
        while self._bytes > self._size:
            self._bytes -= self._answers.popitem(last=False)[1][1]


def tells_time(call: str, model: Model, params: Mapping[str, Any]) -> bool:
    """Whether a chat's template asks what time it is: equal requests are other prompts then."""
    if call != "chat":
        return False
    own = params.get("template")
    templates = model.info.chat_templates.values() if own is None else [own]
    return any("strftime_now" in template for template in templates)


def _is_repeatable(params: Mapping[str, Any]) -> bool:
    temperature = params.get("temperature")
    is_greedy = isinstance(temperature, int | float) and not isinstance(temperature, bool) and temperature == 0
    return is_greedy or params.get("seed") is not None


def _kept(it: Completion) -> Completion:
    """The same, which cost nothing this time."""
    return Completion(it.text, it.token_ids, it.finish_reason, it.usage, Timings(0, 0, 0), it.logprobs, cached=True)


def _size(it: Completion) -> int:
    logprobs = sum(1 + len(each.top) for each in it.logprobs or ())
    return _BESIDE + len(it.text.encode()) + _TOKEN * it.usage.completion_tokens + _LOGPROB * logprobs
