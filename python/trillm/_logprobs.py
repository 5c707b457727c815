"""Log-probabilities of tokens, with what the tokens say.

They are pairs, so that `for token, logprob in top`, `dict(top)` and `chosen, top = entry` work; what does not fit into
a pair are attributes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Logprob", "Logprobs"]

_Bytes = bytes
"""Within the classes that is the name of what a token adds."""


class Logprob(tuple[int, float]):
    """A token and its log-probability."""

    text: str
    """The token's text alone: U+FFFD for parts of characters; of a control token, how it is spelled."""
    bytes: _Bytes
    """What the token adds to a text, which may be part of a character; nothing for a control token."""

    # No slots: tuples have none.
    def __new__(cls, token_id: int, logprob: float, text: str = "", bytes: _Bytes = b"") -> Logprob:  # noqa: A002
        made = super().__new__(cls, (token_id, logprob))
        made.text = text
        made.bytes = bytes
        return made

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (*self, self.text, self.bytes))

    @property
    def token_id(self) -> int:
        """The token."""
        return self[0]

    @property
    def logprob(self) -> float:
        """Its log-probability."""
        return self[1]

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON, which has no bytes: they are numbers there."""
        return {"token_id": self[0], "logprob": self[1], "text": self.text, "bytes": list(self.bytes)}

    def __repr__(self) -> str:
        return f"<trillm.Logprob {self[0]} {self.text!r} {self[1]:.4f}>"


class Logprobs(tuple[float, list[Logprob]]):
    """The log-probability of a token that was chosen, and the most probable tokens there, if asked for."""

    chosen: Logprob
    """The token that was chosen."""

    def __new__(cls, chosen: Logprob, top: Sequence[Logprob] = ()) -> Logprobs:
        made = super().__new__(cls, (chosen.logprob, list(top)))
        made.chosen = chosen
        return made

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.chosen, self[1]))

    @property
    def token_id(self) -> int:
        """The token that was chosen."""
        return self.chosen.token_id

    @property
    def logprob(self) -> float:
        """Its log-probability."""
        return self[0]

    @property
    def text(self) -> str:
        """Its text alone."""
        return self.chosen.text

    @property
    def bytes(self) -> bytes:
        """What it adds to a text."""
        return self.chosen.bytes

    @property
    def top(self) -> list[Logprob]:
        """The most probable tokens, in order."""
        return self[1]

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {**self.chosen.to_dict(), "top": [other.to_dict() for other in self.top]}

    def __repr__(self) -> str:
        return f"<trillm.Logprobs {self.token_id} {self.text!r} {self.logprob:.4f}, {len(self.top)} top>"
