"""Everything trillm raises on purpose.

Every error has a `code`, a stable name for programs to match on, and may have a `hint`, a sentence on what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trillm._plan import Plan

__all__ = [
    "Cancelled",
    "ChatTemplateError",
    "Closed",
    "ContextOverflow",
    "DeadlineExceeded",
    "DigestMismatch",
    "DownloadError",
    "EngineError",
    "ForkError",
    "InvalidRequest",
    "LoadError",
    "MemoryRefused",
    "MissingDependency",
    "ModelFormatError",
    "ModelNotFound",
    "OutOfMemory",
    "Overloaded",
    "StoreError",
    "TrillmError",
    "Unsupported",
]


class TrillmError(Exception):
    """The base of all errors below."""

    code: str
    hint: str | None

    def __init__(self, message: str, code: str = "error", hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Keeps `code` and `hint` when the error crosses a process border."""
        return (type(self), (self.args[0], self.code, self.hint))


class ModelNotFound(TrillmError):
    """No model by this name or at this path."""


class ModelFormatError(TrillmError):
    """The file is not a model in a known format, or is damaged."""


class LoadError(TrillmError):
    """The engine could not load the model, or loading was cancelled."""


class ContextOverflow(TrillmError):
    """The prompt, or the prompt and the tokens asked for, do not fit the context. Nothing is cut off unasked."""


class InvalidRequest(TrillmError, ValueError):
    """A parameter is outside its range."""


class ChatTemplateError(TrillmError):
    """The model has no chat template, or its template refused the messages."""


class Overloaded(TrillmError):
    """The queue is full."""


class DeadlineExceeded(TrillmError, TimeoutError):
    """The deadline passed."""


class Cancelled(TrillmError):
    """The request was cancelled."""


class Closed(TrillmError):
    """The model was closed."""


class EngineError(TrillmError):
    """An engine failed while running, or the system gives it no threads or files."""


class OutOfMemory(TrillmError, MemoryError):
    """The system gives no more memory; the message says how much was asked for, and for what."""


class MemoryRefused(TrillmError, MemoryError):
    """What there is of memory would not suffice, by a plan that was made beforehand: nothing was loaded."""

    plan: Plan | None = None
    """What is needed, what there is, and what would fit."""

    def __reduce__(self) -> tuple[object, ...]:
        """Keeps the plan, too."""
        return (*super().__reduce__(), {"plan": self.plan})


class Unsupported(TrillmError):
    """The engine or the model cannot do this."""


class MissingDependency(TrillmError, ImportError):
    """A library that this call needs cannot be imported."""


class ForkError(TrillmError):
    """A model loaded before `fork` was used in the child, where its threads do not exist."""


class StoreError(TrillmError):
    """The folder of models, or another place on the disk, could not be read or written."""


class DigestMismatch(StoreError):
    """A file's sha256 is not the expected one."""


class DownloadError(TrillmError):
    """A download failed."""
