"""What was said: the messages that a model is given again at each turn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trillm.cli.given import joined

if TYPE_CHECKING:
    from trillm.types import Message

__all__ = ["Conversation", "Turn"]


@dataclass(frozen=True)
class Turn:
    """A question and its answer."""

    question: str
    answer: str
    files: int = 0
    """How many files are in the question, as far as that is known: one that was loaded does not say."""


@dataclass
class Conversation:
    """A system message, and questions with their answers."""

    system: str | None = None
    """`None` leaves it to the model's publisher; an empty one replaces what a template would put in."""
    turns: list[Turn] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)
    """Texts of files that go with the next question."""

    def asking(self, question: str) -> list[Message]:
        """The messages to answer."""
        return [*self.messages(), {"role": "user", "content": question}]

    def with_attached(self, question: str) -> str:
        """A question and the files that go with it."""
        return joined([*self.attached, question])

    def messages(self) -> list[dict[str, Any]]:
        """All that was said."""
        said = [] if self.system is None else [{"role": "system", "content": self.system}]
        for turn in self.turns:
            said += [{"role": "user", "content": turn.question}, {"role": "assistant", "content": turn.answer}]
        return said

    def clear(self) -> None:
        """Forgets what was said; the system message stays."""
        self.turns.clear()
        self.attached.clear()
