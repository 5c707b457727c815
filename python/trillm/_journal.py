"""What went wrong lately, how often, and what may help. An error's kind follows from its class, not from its words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from operator import index
from typing import Any, Literal

from trillm import _core
from trillm.errors import InvalidRequest

__all__ = ["Advice", "ErrorJournal", "Kind", "RecordedError", "Recovery"]

Kind = Literal["MEMORY_ERROR", "MODEL_LOAD_ERROR", "GENERATION_ERROR", "UNKNOWN_ERROR"]

Recovery = Literal["unload_models", "download_model", "reload_model"]

_ALL = (1 << 63) - 1
"""More than are kept."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What can be said of an error without knowing more than its class."""

    kind: Kind
    suggestion: str
    """What a person may try; the error's own `hint` says more, where there is one."""
    recovery: Recovery | None
    """What a program may do before it tries once more; `None` where trying again would only fail again."""


@dataclass(frozen=True, slots=True)
class RecordedError:
    """An error that happened."""

    kind: Kind
    code: str
    """The error's `code`; `"foreign"` for exceptions that are not ours."""
    message: str
    hint: str | None
    context: dict[str, str]
    """What it was about: `model`, `call` and the like."""
    time: str
    """When: ISO 8601, UTC, to the millisecond."""
    suggestion: str
    recovery: Recovery | None

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return asdict(self)


class ErrorJournal:
    """The last hundred errors, and counts of all; any number of threads may use it.

    Errors themselves are not kept, for they hold on to models: what they say is, cut where it is longer than a journal
    should be.
    """

    __slots__ = ("_core",)

    def __init__(self) -> None:
        self._core = _core.Journal()

    def record(self, error: BaseException, **context: object) -> Advice:
        """Takes an error down, with what it was about as texts: `model=…`, `call="generate"`. Returns what may help."""
        self._core.record(error, context)
        return self.classify(error)

    @staticmethod
    def classify(error: BaseException) -> Advice:
        """What an error is and what may help, by its class: ours, Python's `MemoryError`, or unknown."""
        kind, suggestion, recovery = _core.Journal.classify(error)
        return Advice(kind, suggestion, recovery)  # type: ignore[arg-type]

    def recent(self, count: int = 10) -> list[RecordedError]:
        """The last errors, the newest last; fewer where there were, and never more than a hundred.

        Raises `InvalidRequest` for a count below zero, or one that is no whole number.
        """
        try:
            wanted = -1 if isinstance(count, bool) else index(count)
        except TypeError:
            wanted = -1
        if wanted < 0:
            raise InvalidRequest(f"count is {count!r:.60}, expected a whole number, 0 or more", "invalid_parameter")
        return [RecordedError(**entry) for entry in self._core.recent(min(wanted, _ALL))]

    @property
    def counts(self) -> dict[Kind, int]:
        """How many errors there were of each kind, since the journal was made."""
        return self._core.counts()[0]  # type: ignore[return-value]

    @property
    def codes(self) -> dict[str, int]:
        """How many errors there were of each code, since the journal was made."""
        return self._core.counts()[1]

    def stats(self) -> dict[str, Any]:
        """Counts by kind and by code, and the last ten errors, for JSON."""
        kinds, codes = self._core.counts()
        return {"counts": kinds, "codes": codes, "recent": [entry.to_dict() for entry in self.recent(10)]}

    def __repr__(self) -> str:
        return f"<trillm.ErrorJournal of {sum(self.counts.values())} errors>"
