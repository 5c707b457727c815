"""What the actors of one program have in common: the model, what they found, and which errors may be."""

from __future__ import annotations

import json
import os
import random
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trillm
from answers import Answers, exact
from specimens import Specimen
from trillm.errors import TrillmError

__all__ = ["Plan", "Stage"]


@dataclass(frozen=True)
class Plan:
    """A program, as drawn from its seed."""

    seed: int
    specimen: Specimen
    trouble: str
    options: dict[str, Any]
    actors: int
    steps: int
    closes: bool
    """The model is closed and loaded again meanwhile."""
    leaves: bool
    """The interpreter exits in the middle of it."""


OWN_FAULTS = {"internal_error"}
"""Never allowed, whatever else goes wrong."""


@dataclass
class Stage:
    """One program on its way."""

    plan: Plan
    specimens: Path
    path: Path
    """The model: a copy of the specimen, which may be changed."""
    scratch: Path
    answers: Answers
    model: trillm.Model
    allowed: set[str]
    """Codes of errors that may be."""
    changing: bool = False
    """The file changes meanwhile: any error may be but a bug of ours."""
    requests: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    spoiled: bool = False
    """The file was changed in a way that may end the model, but must not change what it says."""
    interruptible: bool = False
    """The main thread acts: a signal's handler may raise."""
    over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def exact(self) -> bool:
        """Whether answers are compared, or only counted."""
        return exact(self.plan.options)

    def allows(self, error: TrillmError) -> bool:
        """Whether an error is one that may be."""
        return error.code in self.allowed or (self.changing and error.code not in OWN_FAULTS)

    def open(self) -> trillm.Model:
        """Loads the model."""
        return trillm.load(self.path, engine=self.plan.specimen.engine, **self.plan.options)

    def beat(self, outcome: str) -> None:
        """Something came to an end: whoever watches sees that this process lives."""
        with self._lock:
            self.outcomes[outcome] += 1
        os.write(1, b".\n")

    def fault(self, what: str) -> None:
        """Notes what must not be."""
        with self._lock:
            self.faults.append(f"{threading.current_thread().name}: {what}")
        os.write(1, b".\n")

    def answered(self, prompt: int, style: int, tokens: list[int], *, whole: bool = True) -> None:
        """Compares an answer, or the beginning of one, with what the request alone is answered."""
        with self._lock:
            self.requests += 1
        expected = self.answers.tokens[prompt][style]
        expected = expected if whole else expected[: len(tokens)]
        if self.exact and tokens != expected:
            self.fault(f"prompt {prompt} in style {style} is answered {tokens}, expected {expected}")
        self.beat("answered" if whole else "begun")

    def act(self, name: str, action: Callable[[Stage, random.Random], None], chance: random.Random) -> None:
        """Does something; what it may raise is counted, and what it may not is a fault."""
        try:
            action(self, chance)
        except TrillmError as error:
            if not self.allows(error):
                self.fault(f"{name} raises {type(error).__name__} ({error.code}): {error}\n{traceback.format_exc()}")
            self.beat(error.code)
        except (KeyboardInterrupt, MemoryError, OSError, RuntimeError) as error:
            # Python's own: the interpreter has them from the same limits.
            if not self._is_pythons(error):
                self.fault(f"{name} raises {error!r}\n{traceback.format_exc()}")
            self.beat(type(error).__name__)
        except BaseException as error:
            self.fault(f"{name} raises {error!r}\n{traceback.format_exc()}")

    def _is_pythons(self, error: BaseException) -> bool:
        expected: dict[str, tuple[type[BaseException], ...]] = {
            "interrupts": (KeyboardInterrupt,),
            "memory": (MemoryError, OSError),
            "processes": (OSError,),
            "descriptors": (OSError,),
        }
        if isinstance(error, RuntimeError):
            return self.plan.trouble in ("memory", "processes") and "new thread" in str(error)
        return isinstance(error, expected.get(self.plan.trouble, ()))

    def report(self) -> None:
        """Tells whoever watches what came of it."""
        said = {"requests": self.requests, "outcomes": self.outcomes, "faults": self.faults}
        os.write(1, (json.dumps(said) + "\n").encode())
