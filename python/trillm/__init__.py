"""Language models on your own machine.

>>> import trillm
>>> llm = trillm.load("smollm2")  # doctest: +SKIP
>>> llm.chat([{"role": "user", "content": "What is the capital of France?"}], temperature=0).text  # doctest: +SKIP
'The capital of France is Paris.'
"""

# Before all else: from here on, Ctrl-C ends the command line quietly.
from trillm import _program

# isort: split
from typing import TYPE_CHECKING

from trillm import _interpreter, _later, errors
from trillm._core import Completion, ModelInfo, Piece, Stream, Timings, Tokenizer, Usage, __version__
from trillm._logprobs import Logprob, Logprobs
from trillm._model import Model, load
from trillm._router import LLMRouter
from trillm._streaming import AsyncStream
from trillm._vectors import TruncationWarning

# Only their being imported matters.
del _interpreter, _program

__all__ = [
    "Alternative",
    "AsyncStream",
    "Completion",
    "ErrorJournal",
    "HardwareProfile",
    "LLMRouter",
    "Logprob",
    "Logprobs",
    "Model",
    "ModelInfo",
    "PerformanceOptimizer",
    "Piece",
    "Plan",
    "RoutedModel",
    "RouterOptions",
    "Server",
    "Stream",
    "Timings",
    "Tokenizer",
    "TruncationWarning",
    "Usage",
    "__version__",
    "errors",
    "load",
    "plan",
    "serve",
]

if TYPE_CHECKING:
    from trillm import hub, types  # noqa: F401
    from trillm._hardware import HardwareProfile
    from trillm._journal import ErrorJournal
    from trillm._optimizer import PerformanceOptimizer
    from trillm._options import RouterOptions
    from trillm._plan import Alternative, Plan, plan
    from trillm._routed import RoutedModel
    from trillm._serve import Server, serve


_LATER = {
    "hub": "hub",
    "types": "types",
    "ErrorJournal": "_journal",
    "HardwareProfile": "_hardware",
    "PerformanceOptimizer": "_optimizer",
    "Alternative": "_plan",
    "Plan": "_plan",
    "RoutedModel": "_routed",
    "RouterOptions": "_options",
    "Server": "_serve",
    "plan": "_plan",
    "serve": "_serve",
}
"""What costs time that most programs can save, and the modules that it is in."""


def __getattr__(name: str) -> object:
    """`trillm.hub` and the like, when they are first asked for."""
    if name in _LATER:
        module = _later.bring(f"trillm.{_LATER[name]}")
        return getattr(module, name, module)
    raise AttributeError(f"module 'trillm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
