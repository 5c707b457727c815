"""The native half of trillm. `tests/python/test_stubs.py` compares this file with the module."""

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self, Unpack

from trillm.types import ChatParams, GenerateParams, LoadParams, Message, Prompt

__version__: str

def engines() -> list[str]:
    """Names of the engines that are compiled in."""

def doctor() -> dict[str, Any]:
    """What this build and this machine can do: version, engines, CPU features, devices, threads."""

def inspect(path: str | PathLike[str]) -> ModelInfo:
    """Reads and checks a model file's header. Raises `ModelFormatError`, `ModelNotFound`."""

def convert(
    source: str | PathLike[str],
    destination: str | PathLike[str],
    *,
    to: Literal["safetensors", "gguf"],
    dtype: Literal["bf16", "f16", "f32"],
    overwrite: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, Any]:
    """Converts a model; returns the bytes and tensors written, the seconds it took, and notes.

    `progress` is called with the bytes of weights written and those there will be; returning `False` cancels.
    """

def error_codes() -> dict[str, str]:
    """Every error code of the native half, and the name of the class in `trillm.errors` that it is raised as."""

def set_log_level(level: int) -> None:
    """Collects native log lines of at least this level, as `logging` numbers it."""

def take_logs() -> list[tuple[int, str, str]]:
    """Native log lines since the last call: level, logger, message."""

def close_all() -> None:
    """Closes every model: run at exit, since threads must not outlive the interpreter."""

@final
class ModelInfo:
    """What a model file says, and what was decided when it was loaded."""

    name: str
    path: str
    format: str
    architecture: str
    bytes: int
    parameters: int
    quantization: str
    context_trained: int
    width: int
    layers: int
    vocabulary: int
    chat_template: str | None
    system: str | None
    pooling: str | None
    license: str | None
    engine: str
    device: str
    weights: str
    notes: list[str]
    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""

@final
class Piece:
    """A generated token and the text it completed, which may be empty."""

    @property
    def text(self) -> str: ...
    @property
    def token_id(self) -> int | None: ...
    @property
    def logprob(self) -> float | None: ...
    @property
    def top_logprobs(self) -> list[tuple[int, float]] | None: ...

@final
class Usage:
    """Token counts."""

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    total_tokens: int
    def to_dict(self) -> dict[str, int]: ...

@final
class Timings:
    """Seconds."""

    queue: float
    prefill: float
    decode: float
    def to_dict(self) -> dict[str, float]: ...

@final
class Completion:
    """A finished request."""

    @property
    def text(self) -> str: ...
    @property
    def token_ids(self) -> list[int]: ...
    @property
    def finish_reason(self) -> Literal["stop", "length"]: ...
    @property
    def usage(self) -> Usage: ...
    @property
    def timings(self) -> Timings: ...
    @property
    def logprobs(self) -> list[tuple[float, list[tuple[int, float]]]] | None: ...
    def to_dict(self) -> dict[str, Any]: ...

@final
class Stream:
    """Pieces of a running request. Closing or dropping it cancels the request."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> Piece: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...
    @property
    def completion(self) -> Completion | None: ...
    def poll(self, doorbell: Doorbell) -> tuple[bool, Piece | None]: ...
    def read_lazily(self) -> None: ...
    def close(self) -> None: ...

@final
class Doorbell:
    """A socket that is readable when a stream that polled with it has something."""

    def __new__(cls) -> Self: ...
    def fileno(self) -> int: ...
    def clear(self) -> None: ...

@final
class Model:
    """A loaded model."""

    def __new__(cls, path: str, **params: Unpack[LoadParams]) -> Self: ...
    def generate(
        self, prompt: Prompt | Sequence[Prompt], **params: Unpack[GenerateParams]
    ) -> Completion | list[Completion]: ...
    def stream(self, prompt: Prompt, **params: Unpack[GenerateParams]) -> Stream: ...
    def chat(self, messages: Sequence[Message], **params: Unpack[ChatParams]) -> Completion: ...
    def chat_stream(self, messages: Sequence[Message], **params: Unpack[ChatParams]) -> Stream: ...
    def render_chat(self, messages: Sequence[Message], **params: Unpack[ChatParams]) -> str: ...
    def embed(
        self, texts: str | Sequence[str], *, pooling: str = "auto", normalize: bool = True
    ) -> NDArray[np.float32]: ...
    def tokenize(self, text: str, *, add_special: bool = True, parse_special: bool = False) -> list[int]: ...
    def detokenize(self, ids: Sequence[int]) -> str: ...
    @property
    def info(self) -> ModelInfo: ...
    @property
    def context(self) -> int: ...
    def stats(self) -> dict[str, int]: ...
    def close(self) -> None: ...

@final
class Tokenizer:
    """A model's tokenizer, without its weights."""

    def __new__(cls, path: str | PathLike[str]) -> Self: ...
    def encode(self, text: str, add_special: bool = True, parse_special: bool = False) -> list[int]:
        """Token ids of `text`.

        `add_special` adds BOS and its like where the model wants them; `parse_special` reads control tokens written
        out in the text as such.
        """

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids; incomplete characters become U+FFFD."""

    @property
    def vocabulary(self) -> int: ...
    @property
    def bos(self) -> int | None: ...
    @property
    def eos(self) -> int | None: ...

@final
class Store:
    def __new__(cls, root: str | PathLike[str] | None = None) -> Store: ...
    @property
    def root(self) -> Path: ...
    @property
    def staging(self) -> Path: ...
    def stage(self, name: str) -> Staging: ...
    def put(
        self,
        reference: str,
        *,
        package: str,
        version: str,
        archive: str,
        archive_sha256: str,
        files: Sequence[tuple[str, str, int]],
        licence: str | None = None,
    ) -> Manifest: ...
    def get(self, reference: str) -> Manifest: ...
    def list(self) -> tuple[list[Manifest], list[str]]: ...
    def remove(self, reference: str) -> int: ...
    def verify(self, reference: str) -> None: ...
    def try_lock(self, reference: str) -> Lock | None: ...

@final
class Staging:
    def write(self, data: bytes) -> None: ...
    def commit(self, expected: str | None = None) -> tuple[str, int]: ...
    def __enter__(self) -> Staging: ...
    def __exit__(self, *_error: object) -> None: ...

@final
class Lock:
    def __enter__(self) -> Lock: ...
    def __exit__(self, *_error: object) -> None: ...

@final
class Manifest:
    @property
    def reference(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def files(self) -> list[tuple[str, str, int]]: ...
    @property
    def size(self) -> int: ...
    @property
    def source(self) -> str: ...
    @property
    def licence(self) -> str | None: ...
    @property
    def created(self) -> int: ...

@final
class Reference:
    def __new__(cls, text: str) -> Reference: ...
    @property
    def kind(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def local(self) -> Path | None: ...
    @property
    def package(self) -> str | None: ...
    @property
    def version(self) -> str | None: ...
    @property
    def file(self) -> str | None: ...
    @property
    def pinned(self) -> list[tuple[str, str, int]]: ...
    @property
    def licence(self) -> str | None: ...
    @property
    def system(self) -> str | None: ...
    @property
    def temperature(self) -> float | None: ...
    @property
    def top_p(self) -> float | None: ...
