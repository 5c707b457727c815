"""What a command line asks: files, then standard input, then PROMPT.

`ollama run` and `llm` put standard input before the prompt, too: what is asked about comes first, and the question is
what a model has read last.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trillm.cli.given import INPUT, argument_text, attached_text, input_text, is_text, joined, named, typed_text
from trillm.cli.output import UsageError, say

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Asked"]


@dataclass(frozen=True)
class Asked:
    """What is asked."""

    attached: list[str]
    """The texts of files, each with its name."""
    question: str | None
    """What else is given; `None` if there is someone to talk to."""

    @classmethod
    def by(cls, words: Sequence[str], files: Sequence[str], *, raw: bool) -> Asked:
        """Reads what the arguments name. Errors that need no model are found here, before one is loaded."""
        texts = [attached_text(path) for path in files]
        attached = [text if raw else named(path, text) for path, text in texts]
        words = [argument_text(word, "PROMPT") for word in words]
        alone = sys.stdin is not None and sys.stdin.isatty()
        if not words and alone:
            return cls(attached, None)
        if list(words) == ["-"]:
            piped, words = (typed_text() if alone else input_text()), []
        else:
            piped = input_text()
        for word in words:
            _check(word)
        asked = cls(attached, joined([piped, " ".join(words)]))
        # What is continued may well be blank lines, or the beginning of a text; nobody answers to them.
        if not (words or asked.text if raw else asked.text.strip()):
            state = "closed" if sys.stdin is None else "blank" if piped else "empty"
            raise UsageError(f"{'PROMPT is blank' if words else 'no PROMPT'}, and {INPUT} is {state}")
        return asked

    @property
    def text(self) -> str:
        """All of it."""
        return joined([*self.attached, self.question or ""])


def _check(word: str) -> None:
    # A question that happens to be a file's name is rare enough that a note about it is no nuisance.
    if len(word) < 256 and _is_file(word):
        advice = f"--file {word} attaches it" if is_text(word) else "it is no text, which is all that models here read"
        say(f"note: {word} is a file, and its name is all that is sent: {advice}")


def _is_file(word: str) -> bool:
    try:
        return Path(word).is_file()
    except (OSError, ValueError):
        return False
