"""Language models on your own machine.

>>> import trillm
>>> llm = trillm.load("smollm2")  # doctest: +SKIP
>>> llm.chat([{"role": "user", "content": "What is the capital of France?"}], temperature=0).text  # doctest: +SKIP
'The capital of France is Paris.'
"""

from trillm import errors
from trillm._core import Completion, ModelInfo, Piece, Stream, Timings, Tokenizer, Usage, __version__
from trillm._model import Model, load
from trillm._router import LLMRouter
from trillm._streaming import AsyncStream

__all__ = [
    "AsyncStream",
    "Completion",
    "LLMRouter",
    "Model",
    "ModelInfo",
    "Piece",
    "Stream",
    "Timings",
    "Tokenizer",
    "Usage",
    "__version__",
    "errors",
    "load",
]
