"""Language models on your own machine.

>>> import trillm
>>> llm = trillm.load("smollm2")  # doctest: +SKIP
>>> llm.chat([{"role": "user", "content": "What is the capital of France?"}], temperature=0).text  # doctest: +SKIP
'The capital of France is Paris.'
"""

from typing import TYPE_CHECKING

from trillm import _interpreter, errors
from trillm._core import Completion, ModelInfo, Piece, Stream, Timings, Tokenizer, Usage, __version__
from trillm._logprobs import Logprob, Logprobs
from trillm._model import Model, load
from trillm._router import LLMRouter
from trillm._streaming import AsyncStream
from trillm._vectors import TruncationWarning

# Only its being imported matters.
del _interpreter

__all__ = [
    "AsyncStream",
    "Completion",
    "LLMRouter",
    "Logprob",
    "Logprobs",
    "Model",
    "ModelInfo",
    "Piece",
    "Stream",
    "Timings",
    "Tokenizer",
    "TruncationWarning",
    "Usage",
    "__version__",
    "errors",
    "load",
]

if TYPE_CHECKING:
    from types import ModuleType

    from trillm import hub, types  # noqa: F401


def __getattr__(name: str) -> "ModuleType":
    """`trillm.hub` and `trillm.types`, when they are first asked for: they cost time that most programs can save."""
    if name in ("hub", "types"):
        from importlib import import_module

        return import_module(f"trillm.{name}")
    raise AttributeError(f"module 'trillm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), "hub", "types"})
