"""The native half of trillm. `tests/python/test_stubs.py` compares this file with the module."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Never, Self, Unpack

from trillm._logprobs import Logprob, Logprobs
from trillm._shelf import Shelf
from trillm.errors import TrillmError
from trillm.hub._flight import Seat
from trillm.hub._progress import Progress
from trillm.types import ChatParams, EmbedParams, GenerateParams, Link, LoadParams, Message, Prompt, TextParams

__version__: str
CHUNK: int
"""Bytes in a chunk of a `Partial`."""

def engines() -> list[str]:
    """Names of the engines that are compiled in."""

def doctor() -> dict[str, Any]:
    """What this build and this machine can do: version, engines, CPU features, devices, threads."""

def machine() -> dict[str, Any]:
    """What `trillm.HardwareProfile` has under `cpu` and `memory`, without what is measured; caches are tuples."""

def bandwidth(kept: str | PathLike[str] | None = None) -> float | None:
    """Bytes of memory that all cores read in a second: as the file keeps it, or measured now, and then kept there."""

def inspect(path: str | PathLike[str]) -> ModelInfo:
    """Reads and checks a model file's header. Raises `ModelFormatError`, `ModelNotFound`."""

def plan(
    path: str | PathLike[str],
    smaller: Sequence[tuple[str, str | PathLike[str]]] = ...,
    idle: Sequence[tuple[str, int]] = ...,
    preferred: str | None = None,
    left: Left | None = None,
    **params: Unpack[LoadParams],
) -> dict[str, Any]:
    """What `trillm.Plan` has, and under `refusal` message, code and hint of the error if it would be refused.

    Raises `ModelFormatError`, `ModelNotFound`, `InvalidRequest`, `Unsupported`.
    """

def explain(path: str | PathLike[str], preferred: str | None = None, **params: Unpack[LoadParams]) -> dict[str, Any]:
    """Which engine would run a model: what `trillm._explanation.Explanation` has.

    `preferred` is taken where there are several. Raises `ModelFormatError`, `ModelNotFound`, `InvalidRequest`,
    `Unsupported`.
    """

def keep_speeds(
    path: str | PathLike[str],
    how: str,
    rows: Sequence[tuple[str, float | None, str | None]],
    **params: Unpack[LoadParams],
) -> str | None:
    """Keeps how fast engines were with a model: of each its name, tokens a second, and the code of its error.

    `how` says what was measured: those with the same are compared. With parameters that not every engine takes nothing
    is kept. Returns why it could not be written, if so.
    """

def header_bytes(beginning: bytes, size: int) -> tuple[int, bool] | None:
    """How many bytes of a file's beginning its header takes, if that is known (`True`), or are to be looked at first.

    `beginning` is what is there of its `size` bytes; `None` for a file that is not read at its beginning alone. Raises
    `ModelFormatError`.
    """

def write_outline(path: str | PathLike[str], header: bytes, size: int) -> None:
    """Writes a file of `size` bytes that begins with `header`, and of which no more is there. Raises `OSError`."""

def optimize(
    usable: int,
    cores: int | None,
    available: int | None,
    gpus: Sequence[str],
) -> dict[str, tuple[Any, str]]:
    """The best settings known for a machine with so many processors, cores, bytes to be had, and these GPUs.

    For each of `threads`, `device`, `context`, `batch`, `quantization` and `engine` the value, and why it is that.
    """

def device_of(gpu: str) -> Literal["cuda", "mps", "auto"]:
    """What the option `device` calls a GPU that its backend calls so."""

def check_load_params(**params: Unpack[LoadParams]) -> None:
    """Raises `InvalidRequest` and `TypeError` for what no model could be loaded with."""

def named_files(path: str | PathLike[str], name: str) -> list[str]:
    """The files that a graph or an index names, below its folder: the file at ``path``, called ``name`` in its model.

    Raises `ModelFormatError`, `ModelNotFound`, `Unsupported`.
    """

def opened(
    path: str | PathLike[str],
) -> tuple[Path, Path, Path] | None:
    """What loading a path comes to; `None` if it leads to no model.

    That is the file that is opened, the folder with the small files, and the one that says how texts become vectors.
    Raises `ModelFormatError`, `ModelNotFound`, `Unsupported`.
    """

def purpose_of(path: str | PathLike[str]) -> Literal["text", "vectors", "labels"] | None:
    """What the model is for whose `config.json` lies there; `None` if it cannot be read."""

def convert(
    source: str | PathLike[str],
    destination: str | PathLike[str],
    *,
    to: Literal["safetensors", "gguf"],
    dtype: Literal["bf16", "f16", "f32"],
    overwrite: bool = False,
    published: Mapping[str, Mapping[str, Any]] | None = None,
    progress: Callable[[int, int], object] | None = None,
    store: Store | None = None,
) -> dict[str, Any]:
    """Converts a model; returns the bytes and tensors written, the seconds it took, and notes.

    `published` is what its publisher recommends beside its files, as `ModelInfo.defaults` has it; `progress` is called
    with the bytes of weights written and those there will be, and returning `False` cancels. `store` has it on record
    meanwhile, for `Store.collect`.
    """

def set_log_level(level: int) -> None:
    """Collects native log lines of at least this level, as `logging` numbers it."""

def take_logs() -> list[tuple[int, str, str]]:
    """Native log lines since the last call: level, logger, message."""

def is_batch(prompt: object) -> bool:
    """Whether this is a list of prompts rather than one."""

def is_list_of_chats(messages: object) -> bool:
    """Whether this is a list of chats rather than one."""

def lacks_threads(count: int) -> str | None:
    """Why the system does not give so many threads beside those there are; `None` if it does."""

def close_all() -> None:
    """Closes every model: run at exit, since threads must not outlive the interpreter."""

@final
class Journal:
    """The last errors, and counts of all: `trillm._journal` makes values of it."""

    def __new__(cls) -> Self: ...
    def record(self, error: BaseException, context: Mapping[str, object]) -> None:
        """Takes an exception down, with what it was about."""

    def recent(self, count: int) -> list[dict[str, Any]]:
        """The last errors as dictionaries; the newest comes last."""

    def counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """How many there were, by kind and by code."""

    @staticmethod
    def classify(error: BaseException) -> tuple[str, str, str | None]:
        """Kind, suggestion and recovery for an exception."""

@final
class ModelInfo:
    """What a model file says, and what was decided when it was loaded."""

    def __new__(cls, **fields: Any) -> Self: ...
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
    context_default: int
    cache_bytes: int | None
    vocabulary: int
    chat_template: str | None
    chat_templates: dict[str, str]
    defaults: dict[str, dict[str, Any]]
    system: str | None
    class_name: str
    purpose: Literal["text", "vectors", "labels"]
    capabilities: list[Literal["generate", "chat", "embed", "score"]]
    pooling: str | None
    pipeline: list[str]
    scoring: list[str]
    prompts: dict[str, str]
    default_prompt_name: str | None
    license: str | None
    engine: str
    device: str
    weights: str
    notes: list[str]
    warnings: list[str]
    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""

@final
class Piece:
    """A generated token and the text it completed, which may be empty."""

    def __new__(
        cls,
        text: str,
        token_id: int | None = None,
        logprob: float | None = None,
        top_logprobs: Sequence[tuple[int, float]] | None = None,
        logprobs: tuple[float, Sequence[tuple[int, float]]] | None = None,
    ) -> Self: ...
    @property
    def text(self) -> str: ...
    @property
    def token_id(self) -> int | None: ...
    @property
    def logprob(self) -> float | None: ...
    @property
    def logprobs(self) -> Logprobs | None: ...
    @property
    def top_logprobs(self) -> list[Logprob] | None: ...
    def to_dict(self) -> dict[str, Any]: ...

@final
class Usage:
    """Token counts."""

    def __new__(cls, prompt_tokens: int, cached_tokens: int, completion_tokens: int) -> Self: ...
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    total_tokens: int
    def to_dict(self) -> dict[str, int]: ...

@final
class Timings:
    """Seconds."""

    def __new__(cls, queue: float, prefill: float, decode: float) -> Self: ...
    queue: float
    prefill: float
    decode: float
    def to_dict(self) -> dict[str, float]: ...

@final
class Completion:
    """A finished request."""

    def __new__(
        cls,
        text: str,
        token_ids: Sequence[int],
        finish_reason: Literal["stop", "length"],
        usage: Usage,
        timings: Timings,
        logprobs: Sequence[tuple[float, Sequence[tuple[int, float]]]] | None = None,
        cached: bool = False,
    ) -> Self: ...
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
    def logprobs(self) -> list[Logprobs] | None: ...
    @property
    def cached(self) -> bool: ...
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
    def poll(self, ticket: Ticket) -> tuple[bool, Piece | None]: ...
    def read_lazily(self) -> None: ...
    def on_error(self, told: Callable[[BaseException], object]) -> None: ...
    def close(self) -> None: ...

@final
class Call:
    """A request for an event loop. Dropping it cancels the request."""

    def poll(self, ticket: Ticket) -> tuple[bool, None]:
        """Whether it is prepared; if not, the ticket is called when it is."""

    def start(self) -> Stream | None:
        """Its stream; `None` while there is no room in the queue, or it is not prepared."""

    @property
    def is_waiting(self) -> bool: ...
    @property
    def left(self) -> float | None: ...
    def close(self) -> None: ...

@final
class Embedding:
    """Vectors or scores that are being made, for an event loop. Dropping it ends that."""

    def poll(self, ticket: Ticket) -> tuple[bool, tuple[NDArray[np.float32], list[tuple[int, int]]] | None]: ...
    def close(self) -> None: ...

@final
class Ticket:
    """The place of one who waits for a doorbell: to poll with, again and again."""

    @property
    def called(self) -> bool: ...

@final
class Doorbell:
    """A socket that is readable when one who polled with a ticket of it has something."""

    def __new__(cls) -> Self: ...
    def ticket(self) -> Ticket: ...
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
    def chat(
        self, messages: Sequence[Message] | Sequence[Sequence[Message]], **params: Unpack[ChatParams]
    ) -> Completion | list[Completion]: ...
    def chat_stream(self, messages: Sequence[Message], **params: Unpack[ChatParams]) -> Stream: ...
    def render_chat(self, messages: Sequence[Message], **params: Unpack[ChatParams]) -> str: ...
    def embed(
        self, texts: str | Sequence[str], **params: Unpack[EmbedParams]
    ) -> tuple[NDArray[np.float32], list[tuple[int, int]]]: ...
    def score(
        self, pairs: Sequence[Sequence[str]], **params: Unpack[TextParams]
    ) -> tuple[NDArray[np.float32], list[tuple[int, int]]]: ...
    def call(
        self, prompt: Prompt, others_wait: bool, index: int | None, /, **params: Unpack[GenerateParams]
    ) -> Call: ...
    def chat_call(
        self, messages: Sequence[Message], others_wait: bool, index: int | None, /, **params: Unpack[ChatParams]
    ) -> Call: ...
    def embed_call(self, texts: str | Sequence[str], **params: Unpack[EmbedParams]) -> Embedding: ...
    def score_call(self, pairs: Sequence[Sequence[str]], **params: Unpack[TextParams]) -> Embedding: ...
    def tokenize(
        self, text: str, *, add_special: bool | None = None, parse_special: bool | None = None, **unknown: Never
    ) -> list[int]: ...
    def detokenize(self, ids: Sequence[int]) -> str: ...
    @property
    def info(self) -> ModelInfo: ...
    @property
    def context(self) -> int: ...
    def stats(self) -> dict[str, Any]: ...
    def keep(self, what: object) -> None: ...
    def close(self) -> None: ...

@final
class Router:
    """Models in memory, by name: one that is used never goes."""

    def __new__(
        cls,
        shelf: Shelf,
        *,
        models: int | None,
        size: int | None,
        idle: float,
        patience: float,
        pressure: bool,
        system: str | PathLike[str] = ...,
    ) -> Self:
        """Limits as in `set_limits`. What the system says of memory lies below `system` (`"/"`)."""

    def lease(self, name: str, keep_alive: float | None = None) -> Model:
        """A model to use as long as somebody has what is returned, or a stream or call of it; brings it if need be."""

    def lease_now(self, name: str, keep_alive: float | None = None) -> Model | None:
        """The same if it is here: nobody waits."""

    def leasing(self, name: str) -> Leasing:
        """The same for an event loop."""

    def unload(self, name: str, at_once: bool, wait: float | None = None) -> None:
        """Closes a model once nobody uses it, if that is within `wait` seconds (`None`: any number), or at once.

        Raises `ModelNotFound` (`not_loaded`), `Overloaded` (`busy`).
        """

    def pin(self, name: str, pinned: bool) -> None:
        """Keeps a model that is here from going, or lets it go. Raises `ModelNotFound` (`not_loaded`)."""

    def set_limits(self, *, models: int | None, size: int | None, idle: float, patience: float, pressure: bool) -> None:
        """At most so many models, of this size in bytes.

        `idle` is how many seconds one stays that nobody uses, `patience` how many somebody waits for others' room. With
        `pressure`, those that nobody uses go when memory is short.
        """

    def left_for(self, name: str) -> Left:
        """What is left for a model of this name, and which of the others could go for it."""

    def status(self) -> list[dict[str, Any]]:
        """What is in memory or on its way, by name; what can be used with its counters."""

    def idle(self) -> list[tuple[str, int]]:
        """Models that nobody uses and that may go, the one used least recently first, and what each gives back."""

    def close(self) -> None:
        """Ends what runs and closes all models."""

@final
class Server:
    """Models over HTTP: a server that runs until it is stopped, or dropped."""

    def __new__(
        cls,
        router: Router,
        store: Store,
        models_directory: Path | None,
        paths: list[str],
        settings: Mapping[str, Any],
    ) -> Self: ...
    @staticmethod
    def routes() -> list[tuple[str, str, str]]:
        """All routes: method, path, and what opens each: `open`, `use` or `admin`."""

    @property
    def address(self) -> tuple[str, int]:
        """The address and the port where it listens."""

    def log(self, first: int) -> tuple[list[str], int]:
        """Lines of the log from number `first` on, each JSON, and the number of the next one."""

    def wait(self) -> None:
        """Waits until it has stopped; signals are heard."""

    def stop(self) -> None:
        """Takes no more requests, lets those that run end, and stops."""

@final
class Left:
    """What a router has left for one more model, and which could go for it."""

@final
class Leasing:
    """A model that comes, for an event loop. Dropping it gives up on it."""

    def poll(self, ticket: Ticket) -> tuple[bool, Model | None]:
        """Whether it is here, and it; if not, the ticket is called when it is."""

    def close(self) -> None: ...

@final
class Wanted:
    """A function for progress: false once nobody waits any more."""

    def __call__(self, *_progress: object) -> bool: ...

@final
class Tokenizer:
    """A model's tokenizer, without its weights."""

    def __new__(cls, path: str | bytes | PathLike[str] | PathLike[bytes]) -> Self:
        """Reads the vocabulary of a GGUF file, of a `tokenizer.json`, or of the folder that one is in.

        `path` is a path, or what `trillm.load` takes and the store has: nothing is downloaded. Raises `ModelNotFound`,
        `ModelFormatError`.
        """

    def encode(
        self, text: str, add_special: bool | None = None, parse_special: bool | None = None, **unknown: Never
    ) -> list[int]:
        """Token ids of `text`.

        `add_special` (default true) adds BOS and its like where the model wants them; `parse_special` (default false)
        reads control tokens written out in the text as such. Raises `InvalidRequest`.
        """

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids as a whole one; incomplete characters become U+FFFD.

        What a `tokenizer.json` does at the ends of a text is done, and a space that `encode` put before it is taken
        away; a stream does neither.
        """

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
    def partial(self, key: str, size: int, *, sha256: str | None = None, git: str | None = None) -> Partial: ...
    def import_file(
        self, path: str | PathLike[str], link: Link = "auto", *, sha256: str | None = None, git: str | None = None
    ) -> tuple[str, int, Link | None]: ...
    def has(self, sha256: str, size: int) -> bool: ...
    def put(self, model: str, *, in_use: bool = True) -> Manifest: ...
    def get(self, reference: str, generation: str | None = None) -> Manifest: ...
    def hold(self, reference: str, generation: str | None = None) -> tuple[Manifest, Lease | None] | None: ...
    def present(
        self,
        wanted: Reference,
        board: Callable[[Callable[[Progress], bool]], Seat[str]] | None = None,
        progress: Callable[[Progress], object] | None = None,
    ) -> tuple[Manifest, Lease | None]: ...
    def history(self, reference: str) -> tuple[list[Manifest], str]: ...
    def rollback(self, reference: str, to: str | None = None) -> Manifest: ...
    def remove(self, reference: str) -> int: ...
    def collect(self, keep: int | None = None) -> Collected: ...
    def verify(self, reference: str) -> list[Damage]: ...
    def repair(self, damage: Damage) -> Partial: ...
    def lease(self, sha256: Sequence[str]) -> Lease: ...
    def claim(self, key: str) -> Claim | None: ...
    # Behind those whose types have a list in them: from here on that is a method.
    def list(self) -> tuple[list[Manifest], list[str]]: ...

@final
class Staging:
    def write(self, data: bytes) -> None: ...
    def commit(self, *, sha256: str | None = None, git: str | None = None) -> tuple[str, int]: ...
    def __enter__(self) -> Staging: ...
    def __exit__(self, *_error: object) -> None: ...

@final
class Partial:
    @property
    def size(self) -> int: ...
    def missing(self) -> list[tuple[int, int]]: ...
    def writer(self, at: int) -> SpanWriter: ...
    def commit(self) -> tuple[str, int]: ...
    def discard(self) -> None: ...

@final
class SpanWriter:
    @property
    def position(self) -> int: ...
    def write(self, data: bytes) -> None: ...

@final
class Claim:
    def keep(self) -> None: ...
    def __enter__(self) -> Claim: ...
    def __exit__(self, *_error: object) -> None: ...

@final
class Lease:
    def release(self) -> None: ...
    def __enter__(self) -> Lease: ...
    def __exit__(self, *_error: object) -> None: ...

@final
class Manifest:
    @property
    def reference(self) -> str: ...
    @property
    def generation(self) -> int: ...
    @property
    def id(self) -> str: ...
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
    @property
    def published(self) -> dict[str, dict[str, Any]]: ...
    @property
    def notes(self) -> list[str]: ...
    @property
    def model(self) -> str: ...

@final
class Damage:
    @property
    def file(self) -> str: ...
    @property
    def ranges(self) -> list[tuple[int, int]]: ...
    @property
    def reason(self) -> str: ...
    @property
    def sha256(self) -> str: ...

def catalogue(
    store: Store, models_directory: str | PathLike[str] | None = None
) -> tuple[list[dict[str, Any]], list[str]]:
    """All models on this machine, those of the store first, and a line about each that cannot be read."""

def known(path: str | PathLike[str], manifest: Manifest | None = None) -> tuple[dict[str, Any], TrillmError | None]:
    """What is known of one model, and why its files cannot be read, if so."""

@final
class Choice:
    @property
    def files(self) -> list[tuple[str, str]]: ...
    @property
    def open(self) -> str | None: ...
    @property
    def why(self) -> str: ...

@final
class ModuleList:
    """A list of modules, of sentence-transformers, that was read."""

    def __new__(cls, file: str | PathLike[str], path: str) -> Self:
        """Reads the list in `file`, which its repository has as `path`. One that cannot be read names nothing.

        Raises `ModelFormatError` for a part that would lie outside of the model.
        """

    @property
    def path(self) -> str: ...
    @property
    def folders(self) -> list[str]:
        """The folders of the parts, below that of the list."""

def choose(
    files: Sequence[tuple[str, int | None]],
    wanted: str | None,
    formats: Sequence[str],
    quantizations: Sequence[str],
    lists: Sequence[ModuleList] = ...,
    *,
    place: str = "the repository",
) -> Choice:
    """The files to fetch of a repository: their paths there, and their names inside the model. Raises `ModelNotFound`.

    `wanted` is a path, a folder (`/` at its end), a pattern (`*`, `?`, `[`) or a quantization; `None` leaves it to the
    preferences, the best first. A path of one part of a model is the whole model. A choice with a list of modules
    (`modules.json`) that is not among `lists` is to be made again once that was read. Errors call the repository
    `place`.
    """

def needed(paths: Sequence[str], lists: Sequence[ModuleList] = ...) -> list[str]:
    """The paths of what the models among these files cannot do without, there or not."""

def smaller(files: Sequence[tuple[str, int | None]], path: str) -> list[tuple[str, int]]:
    """The GGUF models among these that differ from that of ``path`` by their quantization alone, and have fewer bytes.

    The file to ask for of each, and its bytes; the largest come first.
    """

def file_name_fault(name: str) -> str | None:
    """Why the store does not take this as the name of a model's file; `None` if it does."""

def is_file_name(name: str) -> bool:
    """Whether it does."""

def is_model_name(name: str) -> bool:
    """Whether a name ends as those of models do."""

@final
class Collected:
    @property
    def generations(self) -> list[tuple[str, str]]: ...
    @property
    def blobs(self) -> int: ...
    @property
    def partials(self) -> int: ...
    @property
    def conversions(self) -> int: ...
    @property
    def freed(self) -> int: ...
    @property
    def leased(self) -> int: ...

@final
class Reference:
    def __new__(cls, text: str | PathLike[str], models_directory: str | PathLike[str] | None = None) -> Reference: ...
    @property
    def text(self) -> str: ...
    @property
    def name(self) -> str:
        """The same with the generation that is meant, if one is: what tells models apart."""

    @property
    def generation(self) -> str | None: ...
    @property
    def local(self) -> Path | None: ...
    @property
    def source(self) -> HuggingFace | Ollama | Pypi | Url | None: ...
    @property
    def pinned(self) -> list[tuple[str, str, int]]: ...
    @property
    def licence(self) -> str | None: ...
    @property
    def warning(self) -> str | None: ...

@final
class HuggingFace:
    @property
    def repo(self) -> str: ...
    @property
    def revision(self) -> str | None: ...
    @property
    def file(self) -> str | None: ...

@final
class Ollama:
    @property
    def host(self) -> str | None: ...
    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def tag(self) -> str: ...

@final
class Pypi:
    @property
    def package(self) -> str: ...
    @property
    def version(self) -> str | None: ...
    @property
    def file(self) -> str | None: ...

@final
class Url:
    @property
    def url(self) -> str: ...
    @property
    def file(self) -> str: ...
    @property
    def sha256(self) -> str | None: ...
