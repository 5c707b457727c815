"""The parameters of loading and of generating, as typed dictionaries. Unknown names are an error at run time too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, TypedDict

__all__ = [
    "ChatParams",
    "EmbedParams",
    "EncodeParams",
    "GenerateParams",
    "Link",
    "LoadParams",
    "Message",
    "Prompt",
    "TextParams",
]

Prompt = str | Sequence[int]
"""A text, or token ids."""

Message = Mapping[str, Any]
"""A chat message: `{"role": "user", "content": "…"}`, and what else the model's template reads."""


Link = Literal["auto", "reflink", "hardlink", "reference", "copy"]
"""How a file of this machine comes into the store: see `trillm.hub.import_model`."""


class LoadParams(TypedDict, total=False):
    """How a model is loaded and run."""

    engine: str
    """An engine's name, or `"auto"` (default): by the file's format. Of a folder with several formats an engine runs
    its own; `"auto"` is the one that was measured fastest on this machine, else the first of weights, graph, GGUF file.
    """
    context: int | None
    """Tokens in the cache: the longest sequence, and what all parallel ones share.

    Default: as trained, at most 4096.
    """
    parallel: int
    """Sequences that may run at once. Default 8."""
    replicas: int
    """Sessions of the model, 1 to 64. Default 1.

    Each has a cache of `context` tokens for `parallel` sequences, and `threads` of its own; a request goes to the one
    that has the fewest. They have the weights in common (ONNX Runtime copies them for each), and are one model to all
    who load, count or unload it. With `threads=1` each computes on a core of its own; the requests of one session run
    as one batch, which reads the weights once for all of them.
    """
    threads: int | None
    """Compute threads. Default: one for each physical core."""
    device: Literal["auto", "cpu"]
    """`"auto"` uses a GPU if one was compiled in and is present."""
    gpu_layers: int | None
    """Layers to put on the GPU; `None` (default) puts all there."""
    mmap: bool
    """Map the file rather than read it. Default true."""
    copy: bool
    """Read the file rather than map it: the opposite of `mmap`, for files that others may write to meanwhile.

    Saying both raises `InvalidRequest` if they contradict each other; so does `gpu_layers` with `device="cpu"`.
    """
    quantize: Literal["q8_0", "q4_k"] | None
    """Quantize the weights while loading, into memory of this process (candle). Default: as the file has them."""
    mlock: bool
    """Keep the weights from being paged out. Default false."""
    batch: int
    """The most tokens in one step. Default 512."""
    ubatch: int
    """The most tokens computed together within a step. Default 512."""
    cache_type: Literal["f32", "f16", "q8_0", "q4_0"]
    """Element type of the key-value cache. Default `"f16"`. candle has `"f32"` and `"f16"`."""
    flash_attention: bool | None
    """`None` (default) lets the engine choose."""
    lora: Sequence[str | PathLike[str] | tuple[str | PathLike[str], float]]
    """LoRA adapter files, each alone or with a scale."""
    tokenizer: str | PathLike[str] | None
    """For a graph (ONNX) without one: a folder with `tokenizer.json`, a GGUF file, or for `load` a reference."""
    providers: Sequence[str] | None
    """Execution providers of ONNX Runtime, the preferred one first; one that is absent raises `Unsupported`.

    Default: the processor.
    """
    execution_mode: Literal["sequential", "parallel"]
    """`"parallel"` runs nodes of an ONNX graph that do not need each other at the same time. Default `"sequential"`."""
    inter_threads: int | None
    """Threads that run nodes if `execution_mode` is `"parallel"`, else unused. Default 2."""
    graph_optimization_level: Literal["disabled", "basic", "extended", "all"]
    """How much ONNX Runtime may rewrite the graph. Default `"all"`."""
    prepack: bool
    """Let ONNX Runtime rearrange weights for speed, which takes some more memory. Default true.

    With 4-bit weights the scores are a little different then: another kernel computes them.
    """
    runtime_library: str | PathLike[str] | None
    """ONNX Runtime's shared library, 1.26 or newer; a process has one, which its first ONNX model loads.

    For other models it raises `Unsupported`.
    Default: what `ORT_DYLIB_PATH` says, else the one in the installed package `onnxruntime`.
    """
    queue: int
    """Requests that may wait; one more raises `Overloaded`, unless its caller can wait: asyncio, lists. Default 512."""
    prompt_chunk: int
    """Prompt tokens in a step in which others generate: bounds the pause a long prompt makes for them. Default 64."""
    system: str | None
    """The system message of chats that have none. Default: the publisher's, else the template's own."""
    defaults: Literal["publisher", "neutral"]
    """What requests begin from: what the model's publisher recommends (default; `info.defaults` shows it), or nothing.

    The recommendation of an alias goes before that of an Ollama registry, and both before the model's own files.
    """
    published: Mapping[str, Mapping[str, Any]]
    """What its publisher recommends beside its files, as `info.defaults` has it; `load` says it."""
    progress: Callable[[float], object] | None
    """Called with the share loaded, 0 to 1. Returning `False` cancels the load."""


class _RequestParams(TypedDict, total=False):
    """How text is generated. What is left out is as the model's publisher recommends, else as given here."""

    max_tokens: int | Literal["fit"] | None
    """The most tokens to generate; `"fit"`, as many as the context has room for behind the prompt.

    Default: until the model ends its text or the context is full.
    """
    temperature: float
    """Divides the scores; 0 always takes the most probable token. 0 to 100, default 1."""
    top_k: int
    """Keep the k most probable tokens; 0 (default) keeps all."""
    top_p: float
    """Keep the most probable tokens that add up to this probability. Default 1."""
    min_p: float
    """Drop tokens less probable than this share of the most probable. Default 0."""
    typical_p: float
    """Locally typical sampling: probability mass to keep. Default 1."""
    repetition_penalty: float
    """Divides positive and multiplies negative scores of recent tokens. Default 1."""
    presence_penalty: float
    """Subtracted once from the score of tokens generated before. -2 to 2, default 0."""
    frequency_penalty: float
    """Subtracted for each time a token was generated before. -2 to 2, default 0."""
    repeat_last_n: int
    """Tokens the repetition penalty looks back at. Default 64."""
    logit_bias: Mapping[int, float]
    """Added to the scores of tokens; `-inf` forbids one."""
    seed: int | None
    """Makes the choice of tokens repeatable. Default: a fresh one for each request."""
    logprobs: int | None
    """Report log-probabilities: of the chosen token (0) and of this many most probable ones (at most 20)."""
    stop: str | Sequence[str]
    """End before any of these texts. At most 16."""
    ignore_eos: bool
    """Go on past the model's own end."""
    priority: int
    """Higher runs first. Default 0."""
    timeout: float | None
    """Seconds until `DeadlineExceeded`: more than 0, less than 2**64. Default: no limit."""
    cache_salt: int
    """Prompts with different salts never share cached prefixes. Default 0."""


class GenerateParams(_RequestParams, total=False):
    """How a prompt is continued. What is left out is as the model's publisher recommends, else as given here."""

    add_special: bool
    """Put the model's BOS before a text prompt. Default true."""
    parse_special: bool
    """Read control tokens written out in a text prompt as such. Default false: never do it with a user's text."""


class TextParams(TypedDict, total=False):
    """How texts to embed or to score are read."""

    prompt_name: str | None
    """Put the model's prompt of this name before each text. Default: the one that the model's files name, if any."""
    prompt: str | None
    """Put this before each text, instead; `""` puts nothing there."""
    truncate: bool
    """Cut a text that is too long, and warn (`TruncationWarning`). Default false: it raises `ContextOverflow`."""


class EmbedParams(TextParams, total=False):
    """How texts become vectors."""

    pooling: Literal["auto", "mean", "cls", "last", "max", "mean_sqrt_len", "weightedmean"]
    """`"auto"` (default) does all that the model's files say; another one pools token vectors so, and does no more."""
    normalize: bool
    """Make each vector's length 1. Default true; false gives what the last step of the model gave."""


class EncodeParams(TypedDict, total=False):
    """How a text becomes tokens."""

    add_special: bool
    """Put BOS and its like where the model wants them. Default true."""
    parse_special: bool
    """Read control tokens written out in the text as such. Default false: never do it with a user's text."""


class ChatParams(_RequestParams, total=False):
    """How a chat is rendered and continued."""

    tools: Sequence[Mapping[str, Any]]
    """Tool descriptions for the model's template. One that does not show them all raises `ChatTemplateError`."""
    polyfill_tools: bool
    """Put tools that the template does not show into the system message, as a list of JSON. Default false."""
    add_generation_prompt: bool
    """Begin the assistant's turn. Default true."""
    template: str
    """A Jinja template to use instead of the model's own."""
    template_name: str
    """Which of the model's own templates to use.

    Default: `"tool_use"` if there are tools and it has one, else its default.
    """
    template_args: Mapping[str, Any]
    """More variables for the template, such as `enable_thinking`."""
