"""`/save` and `/load`: a conversation in a file, as JSON: messages as everybody writes them, and what was set."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trillm.cli.chat.conversation import Conversation, Turn
from trillm.cli.given import file_text, shown
from trillm.cli.numbers import whole_number
from trillm.errors import InvalidRequest

__all__ = ["Saved"]


@dataclass(frozen=True)
class Saved:
    """What such a file has."""

    model: str
    conversation: Conversation
    settings: dict[str, Any]

    @classmethod
    def read(cls, path: str) -> Saved:
        """Reads one. Raises `InvalidRequest`, `OSError`."""
        text = file_text(path)
        try:
            document = json.loads(text, parse_int=whole_number)
        except (ValueError, RecursionError):
            raise _wrong(path, "it is no JSON") from None
        messages = document.get("messages") if isinstance(document, dict) else None
        if not isinstance(messages, list):
            raise _wrong(path, 'it has no list of "messages"')
        said = [_message(path, number, message) for number, message in enumerate(messages)]
        system = said.pop(0)[1] if said and said[0][0] == "system" else None
        if [role for role, _ in said] != ["user", "assistant"] * (len(said) // 2):
            raise _wrong(
                path, "user and assistant do not take turns in it, beginning with user and ending with assistant"
            )
        texts = [content for _, content in said]
        settings = document.get("settings", {})
        if not isinstance(settings, dict):
            raise _wrong(path, 'its "settings" are no mapping')
        model = document.get("model", "")
        if not (isinstance(model, str) and _is_unicode(model)):
            raise _wrong(path, 'its "model" is no text')
        turns = [Turn(question, answer) for question, answer in zip(texts[::2], texts[1::2], strict=True)]
        return cls(model, Conversation(system, turns), settings)

    def write(self, path: Path, *, replacing: bool) -> None:
        """Writes it, whole or not at all. Raises `FileExistsError` for a file that is not to be replaced."""
        document = {"model": self.model, "settings": self.settings, "messages": self.conversation.messages()}
        content = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        if not replacing:
            # Unlike a look beforehand, this sees what another program makes meanwhile.
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            # What was said to a model is nobody else's.
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                file.write(content)
            fresh.replace(path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            if not replacing:
                path.unlink(missing_ok=True)
            raise


def _message(path: str, number: int, message: Any) -> tuple[str, str]:
    role, content = (message.get("role"), message.get("content")) if isinstance(message, dict) else (None, None)
    if role not in ("system", "user", "assistant") or not isinstance(content, str):
        raise _wrong(path, f"message {number} has no role that is known, or no text")
    if not _is_unicode(content):
        raise _wrong(path, f"message {number} has half of a surrogate pair, expected Unicode")
    return role, content


def _is_unicode(text: str) -> bool:
    """JSON may have half of a surrogate pair, which is no character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _wrong(path: str, reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"{shown(path)} is no saved conversation: {reason}", "invalid_conversation", "/save FILE writes one"
    )
