"""Models by name, for a program that uses several."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from os import PathLike
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from trillm import _core
from trillm._core import Store
from trillm._keywords import advising
from trillm._later import Later
from trillm.errors import InvalidRequest, ModelNotFound, TrillmError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import Self, Unpack

    from trillm._benchmark import EngineResult
    from trillm._benchmark import Report as BenchmarkReport
    from trillm._core import Completion, Stream
    from trillm._explanation import Explanation
    from trillm._journal import ErrorJournal
    from trillm._model import Model
    from trillm._options import RouterOptions
    from trillm._plan import Plan
    from trillm._responses import Answer
    from trillm._routed import RoutedModel
    from trillm._serve import Server
    from trillm._shelf import Wish
    from trillm._streaming import AsyncStream
    from trillm.hub import Report, Source
    from trillm.types import ChatParams, EmbedParams, GenerateParams, LoadParams, Message, Prompt, TextParams

    Reference = str | bytes | PathLike[str] | PathLike[bytes]
    Wanted = Reference | Mapping[str, Any]

__all__ = ["LLMRouter"]

T = TypeVar("T")

_deciding = Lock()
"""Held for moments, while it is decided which model a name means and how that is loaded: of two that say it at once one
is the last. Nothing is read, loaded or waited for meanwhile."""


def _seconds(wait: float | None) -> float | None:
    """How long to wait for those who use a model. Raises `InvalidRequest`."""
    if wait is not None and not wait >= 0:
        raise InvalidRequest(f"wait is {wait}, expected seconds, 0 or more", "invalid_parameter")
    return wait


def _in_child() -> None:
    """A thread that had it is not in a child."""
    global _deciding  # noqa: PLW0603
    _deciding = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


class LLMRouter:
    """Models by name: finds, downloads, loads and lists them, and keeps the machine within its means.

    A model is loaded when it is first asked for, once for all who ask, and stays until it was idle for long enough or
    another one needs its room; one that is used never goes.

    >>> router = trillm.LLMRouter(max_models_loaded=2)  # doctest: +SKIP
    >>> router.generate(model="smollm2", prompt="Once upon a time", max_tokens=8).text  # doctest: +SKIP
    ' there was a little girl named Lily'
    """

    @advising
    def __init__(
        self,
        *,
        config: str | PathLike[str] | Mapping[str, Any] | None = None,
        models_directory: str | PathLike[str] | None = None,
        cache_directory: str | PathLike[str] | None = None,
        download_on_demand: bool | None = None,
        download_sources: Mapping[str, Source | Mapping[str, str | None]] | None = None,
        preferred_formats: Sequence[str] | None = None,
        quantization_preference: Sequence[str] | None = None,
        download_timeout: float | None = None,
        retry_attempts: int | None = None,
        parallel_downloads: int | None = None,
        default_engine: str | None = None,
        device: str | None = None,
        threads: int | str | None = None,
        cache_size: int | str | None = None,
        max_models_loaded: int | None = None,
        unload_idle_time: float | None = None,
        unload_under_pressure: bool | None = None,
        room_timeout: float | None = None,
        response_cache: int | str | None = None,
        batch_size: int | None = None,
        context_length: int | None = None,
        engines: Mapping[str, Mapping[str, Any]] | None = None,
        recover: bool = False,
        on_event: Callable[[dict[str, Any]], object] | None = None,
    ) -> None:
        """Sets where models are, how they are fetched and run, and how many may be in memory.

        What is left out is as the file `config` (TOML or JSON; `TRILLM_CONFIG`) says, else the environment, else as
        `trillm.RouterOptions` describes each.
        With `recover`, what an error suggests is done before it is tried once more: other models are unloaded, what is
        damaged is fetched again, a model that failed is loaded anew.
        `on_event` is called with a dictionary whenever a model is `loading`, `loaded`, `failed`, `evicted` or
        `unloaded` (`event`, `model`, and details such as `why`), on whichever thread that happens. What is `evicted`
        went for another model (`why` is `"room"`, `makes_room_for` its name) or because memory is short (`"pressure"`,
        with a `reason` and its numbers: `memory_free` and `memory_limit` in bytes, or `memory_stalled`, the share of
        the last ten seconds in which something waited for memory).

        Raises `InvalidRequest`, `StoreError`.
        """
        with Later("trillm.hub"):
            from trillm._journal import ErrorJournal
            from trillm._options import RouterOptions
            from trillm._shelf import Shelf

        given = {name: value for name, value in locals().items() if name in RouterOptions.__dataclass_fields__}
        options = RouterOptions.of(given, config)
        self._shelf = Shelf(options, Store(options.cache_directory), on_event)
        self._core = _core.Router(self._shelf, **options.limits())
        self._models: dict[str, RoutedModel] = {}
        self._recover = recover
        self.errors: ErrorJournal = ErrorJournal()
        """What went wrong lately, and how often."""

    @property
    def options(self) -> RouterOptions:
        """What was decided of keyword arguments, file, environment and defaults."""
        return self._shelf.options

    def load_model(
        self,
        model: Wanted,
        *,
        settings: Mapping[str, Any] | None = None,
        force: bool = False,
        pinned: bool = False,
        keep_alive: float | None = None,
        wait: float | None = None,
        **params: Unpack[LoadParams],
    ) -> RoutedModel:
        """Loads a model, downloading it first if need be, and returns it; harmless if it is loaded already.

        `model` is what `trillm.load` takes, or a mapping with `file`, and maybe `engine` and `settings`.
        `settings` are those of `trillm.types.LoadParams`, which may be given as keyword arguments, too, or the names of
        the engines' own (`context_size`, `use_mmap`); if it is loaded with others it is loaded anew, once nobody uses
        it. For that it waits for `wait` seconds (default: `room_timeout`; `inf` for as long as it takes), and nobody
        new gets the model meanwhile. If it is in use for longer, it stays as it was. `force` loads it though memory
        would not suffice by its plan. `pinned` keeps it until it is unloaded; `keep_alive` for so many seconds after
        this.

        Raises as `trillm.load` does, `MemoryRefused`, and `Overloaded` if those that are loaded are all in use
        (`all_busy`), or this one is, and is to be loaded otherwise (`busy`).
        """
        given = None if settings is None and not params else {**(settings or {}), **params}

        def load(known: RoutedModel) -> RoutedModel:
            self._know(model, given, force=force, wait=wait)
            with known.leased():
                if pinned:
                    self._core.pin(known.name, pinned=True)
            return self._models[known.name]

        return self._do("load_model", model, keep_alive, load)

    def unload_model(self, model: Wanted, *, at_once: bool = False, wait: float | None = None) -> None:
        """Closes a model once nobody uses it, or `at_once`: then what runs ends with `Closed`.

        With `wait` it stays if it is in use for so many seconds; meanwhile nobody new gets it. By default it is waited
        for as long as it takes.

        Raises `ModelNotFound` (`not_loaded`), `Overloaded` (`busy`).
        """
        self._core.unload(self._model(model).name, at_once, _seconds(wait))

    def pin(self, model: Wanted, pinned: bool = True) -> None:
        """Keeps a loaded model from going for others or for idleness, or lets it go again."""
        self._core.pin(self._model(model).name, pinned)

    def model(self, model: Wanted) -> RoutedModel:
        """A model by name, which is loaded when it is used: all that a `trillm.Model` does."""
        return self._model(model)

    @overload
    def generate(  # type: ignore[overload-overlap]
        self, model: Wanted, prompt: Prompt, *, keep_alive: float | None = ..., **params: Unpack[GenerateParams]
    ) -> Completion: ...
    @overload
    def generate(
        self,
        model: Wanted,
        prompt: Sequence[Prompt],
        *,
        keep_alive: float | None = ...,
        **params: Unpack[GenerateParams],
    ) -> list[Completion]: ...
    def generate(
        self,
        model: Wanted,
        prompt: Prompt | Sequence[Prompt],
        *,
        keep_alive: float | None = None,
        **params: Unpack[GenerateParams],
    ) -> Completion | list[Completion]:
        """Continues a prompt, or a list of prompts, as `trillm.Model.generate` does, by a model that is loaded first.

        The model stays for `keep_alive` seconds after it, if nobody else uses it (`inf`: until its room is needed).
        """
        given = cast("Any", prompt)
        return self._do(
            "generate",
            model,
            keep_alive,
            lambda model: self._answer("generate", model, given, params, lambda model: model.generate(given, **params)),
        )

    def stream(
        self, model: Wanted, prompt: Prompt, *, keep_alive: float | None = None, **params: Unpack[GenerateParams]
    ) -> Stream:
        """As `generate`, piece by piece; the model is in use until its end, or until it is closed.

        An error that ends it is in `errors`, too; what was begun is not begun again.
        """
        return self._watched("stream", model, keep_alive, lambda model: model.stream(prompt, **params))

    @overload
    def chat(
        self,
        model: Wanted,
        messages: Sequence[Message],
        *,
        keep_alive: float | None = ...,
        **params: Unpack[ChatParams],
    ) -> Completion: ...
    @overload
    def chat(
        self,
        model: Wanted,
        messages: Sequence[Sequence[Message]],
        *,
        keep_alive: float | None = ...,
        **params: Unpack[ChatParams],
    ) -> list[Completion]: ...
    def chat(
        self,
        model: Wanted,
        messages: Sequence[Message] | Sequence[Sequence[Message]],
        *,
        keep_alive: float | None = None,
        **params: Unpack[ChatParams],
    ) -> Completion | list[Completion]:
        """Answers a conversation, or a list of them, as `trillm.Model.chat` does."""
        given = cast("Any", messages)
        return self._do(
            "chat",
            model,
            keep_alive,
            lambda model: self._answer("chat", model, given, params, lambda model: model.chat(given, **params)),
        )

    def chat_stream(
        self,
        model: Wanted,
        messages: Sequence[Message],
        *,
        keep_alive: float | None = None,
        **params: Unpack[ChatParams],
    ) -> Stream:
        """As `chat`, piece by piece."""
        return self._watched("chat_stream", model, keep_alive, lambda model: model.chat_stream(messages, **params))

    def embed(
        self,
        model: Wanted,
        texts: str | Sequence[str],
        *,
        keep_alive: float | None = None,
        **params: Unpack[EmbedParams],
    ) -> NDArray[np.float32]:
        """One vector for each text, as `trillm.Model.embed` makes them."""
        return self._do("embed", model, keep_alive, lambda model: model.embed(texts, **params))

    def score(
        self,
        model: Wanted,
        pairs: Sequence[Sequence[str]],
        *,
        keep_alive: float | None = None,
        **params: Unpack[TextParams],
    ) -> NDArray[np.float32]:
        """How well the two texts of each pair go together, as `trillm.Model.score` has it."""
        return self._do("score", model, keep_alive, lambda model: model.score(pairs, **params))

    async def aload_model(
        self,
        model: Wanted,
        *,
        settings: Mapping[str, Any] | None = None,
        force: bool = False,
        pinned: bool = False,
        keep_alive: float | None = None,
        wait: float | None = None,
        **params: Unpack[LoadParams],
    ) -> RoutedModel:
        """As `load_model`, for asyncio.

        Cancelling the task ends the download or the load, unless others wait for the same model: for them it goes on.
        What was downloaded by then is kept for the next time.
        """
        from asyncio import to_thread

        given = None if settings is None and not params else {**(settings or {}), **params}
        try:
            # A model that is loaded with other settings goes first, which may take as long as is waited for it.
            name = (await to_thread(self._know, model, given, force=force, wait=wait)).name
        except (TrillmError, MemoryError) as error:
            self._mended(error, "aload_model", model)
            raise

        async def load(known: RoutedModel) -> RoutedModel:
            async with known.ahere():
                if pinned:
                    self._core.pin(known.name, pinned=True)
            return self._models[known.name]

        return await self._ado("aload_model", name, keep_alive, load)

    async def aunload_model(self, model: Wanted, *, at_once: bool = False, wait: float | None = None) -> None:
        """As `unload_model`, for asyncio."""
        from asyncio import to_thread

        await to_thread(self.unload_model, model, at_once=at_once, wait=wait)

    @overload
    async def agenerate(  # type: ignore[overload-overlap]
        self, model: Wanted, prompt: Prompt, *, keep_alive: float | None = ..., **params: Unpack[GenerateParams]
    ) -> Completion: ...
    @overload
    async def agenerate(
        self,
        model: Wanted,
        prompt: Sequence[Prompt],
        *,
        keep_alive: float | None = ...,
        **params: Unpack[GenerateParams],
    ) -> list[Completion]: ...
    async def agenerate(
        self,
        model: Wanted,
        prompt: Prompt | Sequence[Prompt],
        *,
        keep_alive: float | None = None,
        **params: Unpack[GenerateParams],
    ) -> Completion | list[Completion]:
        """As `generate`, for asyncio; nothing else waits while the model is downloaded and loaded."""
        given = cast("Any", prompt)
        return await self._ado(
            "agenerate",
            model,
            keep_alive,
            lambda model: self._aanswer(
                "generate", model, given, params, lambda model: model.agenerate(given, **params)
            ),
        )

    def astream(
        self, model: Wanted, prompt: Prompt, *, keep_alive: float | None = None, **params: Unpack[GenerateParams]
    ) -> AsyncStream:
        """As `stream`, for `async for`. A model that is not here comes with the first piece that is waited for."""
        return self._awatched("astream", model, keep_alive, lambda model: model.astream(prompt, **params))

    @overload
    async def achat(
        self,
        model: Wanted,
        messages: Sequence[Message],
        *,
        keep_alive: float | None = ...,
        **params: Unpack[ChatParams],
    ) -> Completion: ...
    @overload
    async def achat(
        self,
        model: Wanted,
        messages: Sequence[Sequence[Message]],
        *,
        keep_alive: float | None = ...,
        **params: Unpack[ChatParams],
    ) -> list[Completion]: ...
    async def achat(
        self,
        model: Wanted,
        messages: Sequence[Message] | Sequence[Sequence[Message]],
        *,
        keep_alive: float | None = None,
        **params: Unpack[ChatParams],
    ) -> Completion | list[Completion]:
        """As `chat`, for asyncio."""
        given = cast("Any", messages)
        return await self._ado(
            "achat",
            model,
            keep_alive,
            lambda model: self._aanswer("chat", model, given, params, lambda model: model.achat(given, **params)),
        )

    def achat_stream(
        self,
        model: Wanted,
        messages: Sequence[Message],
        *,
        keep_alive: float | None = None,
        **params: Unpack[ChatParams],
    ) -> AsyncStream:
        """As `chat_stream`, for `async for`."""
        return self._awatched("achat_stream", model, keep_alive, lambda model: model.achat_stream(messages, **params))

    async def aembed(
        self,
        model: Wanted,
        texts: str | Sequence[str],
        *,
        keep_alive: float | None = None,
        **params: Unpack[EmbedParams],
    ) -> NDArray[np.float32]:
        """As `embed`, for asyncio."""
        return await self._ado("aembed", model, keep_alive, lambda model: model.aembed(texts, **params))

    async def ascore(
        self,
        model: Wanted,
        pairs: Sequence[Sequence[str]],
        *,
        keep_alive: float | None = None,
        **params: Unpack[TextParams],
    ) -> NDArray[np.float32]:
        """As `score`, for asyncio."""
        return await self._ado("ascore", model, keep_alive, lambda model: model.ascore(pairs, **params))

    def plan(self, model: Wanted, **params: Unpack[LoadParams]) -> Plan:
        """What loading a model takes, and what could be unloaded for it; see `trillm.plan`.

        It is `refused`, too, for what `cache_size` and `max_models_loaded` do not leave: `limit_source` names the one,
        and unloading what nobody uses is among the alternatives if that would be enough. Loading does so by itself.
        """
        with Later("trillm._plan"):
            from trillm._plan import plan_beside

        wish, options = self._asked(model), self.options
        settings = {**wish.settings, **params}

        def settled(path: Path) -> LoadParams:
            facts = _core.explain(path, options.preferred, **options.asked(settings))
            return options.load_params(settings, engine=facts["engine"], trained=facts["trained"] or None)

        return plan_beside(
            wish.reference,
            left=self._core.left_for(self._called(wish.reference)),
            settled=settled,
            preferred=options.preferred,
            store=self._shelf.store,
            download=options.hub(),
        )

    def explain(self, model: Wanted) -> Explanation:
        """Which engine runs a model, by which of its files, and why; nothing is downloaded or loaded for that.

        Where a folder has a model in formats for several engines, this counts, in this order: the `engine` that is
        asked for, `default_engine`, the one that was measured fastest on this machine (`benchmark_engines`,
        `trillm bench`), and else the first of weights, graph and GGUF file.

        Raises `DownloadError` for a model that is not here, and as `trillm.load` does for its files and settings.
        """
        with Later("trillm._explanation"):
            from trillm._explanation import explain_file
            from trillm.hub import resolve

        wish = self._asked(model)
        options = self.options
        here = options.hub().without_network()
        with resolve(wish.reference, store=self._shelf.store, options=here) as found:
            return explain_file(found.path, preferred=options.preferred, **options.asked(wish.settings))

    def benchmark_engines(
        self,
        model: Wanted,
        prompt: str = "Write a short story about a robot.",
        max_tokens: int = 100,
        *,
        engines: Sequence[str] | None = None,
        runs: int = 1,
        report: BenchmarkReport | None = None,
    ) -> dict[str, EngineResult]:
        """How fast each engine is with a model, each in a process of its own; one that cannot run it says why.

        A result has `load_time`, `first_token_time` and `generation_time` in seconds, `tokens_per_second`,
        `peak_private_bytes`, `success`, and the `error`. Of several `runs` times are the median. `report` is called
        with an engine's name and `None` before it begins, and with its result after. What was measured is kept: a model
        that is here in formats for several engines is run by the fastest from the next load on, as `explain` says.

        Raises `Unsupported` for a model that generates no text, `InvalidRequest`, and as `fetch` does.
        """
        with Later("trillm._benchmark"):
            from trillm._benchmark import benchmark_file
            from trillm._model import bring_tokenizer
            from trillm._settings import engine_named

        wish = self._asked(model)
        named = None if engines is None else [engine_named("engines", name) for name in engines]
        params = self.options.load_params({name: it for name, it in wish.settings.items() if name != "engine"})
        bring_tokenizer(params, self._shelf.fetch)
        with self._shelf.resolve(wish.reference) as found:
            return benchmark_file(
                found.path, engines=named, prompt=prompt, max_tokens=max_tokens, runs=runs, report=report, **params
            )

    def loaded(self) -> list[str]:
        """The names of the models that are in memory."""
        return [status["name"] for status in self._core.status() if status["phase"] == "loaded"]

    def available(self) -> list[dict[str, Any]]:
        """All models on this machine, each a dictionary as `trillm.hub.available` describes it."""
        with Later("trillm.hub"):
            from trillm.hub import available

        return available(self._shelf.store, self.options.hub().models_directory)

    def stats(self) -> dict[str, Any]:
        """What is in memory, and what it has done.

        `models` has for each model by name its `phase` (`loading`, `loaded`, `unloading`), `bytes` as planned,
        `leases` (who uses it now), `awaited` (who waits for it to be here), `requests`, `pinned`, `load_time` and
        `time_since_last_use` in seconds (`None` while it is used), `unloads_in` (seconds, `None` if it stays),
        `last_used` (seconds since 1970), and of one that is loaded what `trillm.Model.stats` has: counters, and
        percentiles of `latency` and `first_token_time`. `bytes` is the sum, `limits` what may be in memory.
        `response_cache` has the `size` and the `bytes` of the answers that are kept, how many `entries` they are, and
        how many requests that could be kept were found there (`hits`) or not (`misses`).
        """
        import time

        models: dict[str, Any] = {}
        for status in self._core.status():
            name = status.pop("name")
            idle = status["time_since_last_use"]
            status["last_used"] = time.time() - (idle or 0) if status["phase"] == "loaded" else None
            models[name] = status
        return {
            "models": models,
            "bytes": sum(model["bytes"] for model in models.values()),
            "limits": self.options.limits(),
            "response_cache": self._shelf.responses.stats(),
        }

    def update_config(self, **changes: Any) -> dict[str, list[str]]:
        """Changes options of a router that runs.

        Limits and what has to do with downloads count at once; how models are run, for those that are loaded from now
        on. Returns the names of those that are `loaded_before`, and go on as they were.

        Raises `InvalidRequest` for an option that cannot change, and `TypeError` for one that there is not.
        """
        with Later("trillm.hub"):
            from trillm._options import APPLIES

        options = self.options.changed(**changes)
        self._shelf.options = options
        self._shelf.responses.resize(options.response_cache)
        self._core.set_limits(**options.limits())
        is_late = any(APPLIES[name] == "to the next load" for name, value in changes.items() if value is not None)
        return {"loaded_before": self.loaded() if is_late else []}

    def load(self, reference: Reference, **params: Unpack[LoadParams]) -> Model:
        """A model of one's own, which the router does not count: as `trillm.load`, from where the router has its own.

        Raises as `trillm.load` does.
        """
        from trillm._model import bring_tokenizer, load_resolved

        bring_tokenizer(params, self._shelf.fetch)
        return load_resolved(self._shelf.resolve(reference), params)

    def fetch(self, reference: Reference, *, progress: Report | None = None) -> Path:
        """Where a model can be opened; downloads it if need be. Raises as `trillm.hub.fetch` does."""
        return self._shelf.fetch(reference, progress)

    def serve(self, **settings: Any) -> Server:
        """Serves its models over HTTP: as `trillm.serve`, which describes the settings."""
        from trillm._serve import serve

        return serve(self, **settings)

    def _serve(self, paths: list[str], settings: dict[str, Any]) -> _core.Server:
        """The native half of `trillm.serve`."""
        return _core.Server(self._core, self._shelf.store, self.options.hub().models_directory, paths, settings)

    def close(self) -> None:
        """Ends what runs with `Closed`, and closes all models. Harmless when called again."""
        self._core.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        from asyncio import to_thread

        await to_thread(self.close)

    def __repr__(self) -> str:
        return f"<trillm.LLMRouter {', '.join(self.loaded()) or 'without models'}>"

    def _do(self, call: str, model: Wanted, keep_alive: float | None, work: Callable[[RoutedModel], T]) -> T:
        """Does that with a model. An error is taken down; where it can be mended it is, and it is tried once more."""
        try:
            return work(self._model(model, keep_alive))
        except (TrillmError, MemoryError) as error:
            if not self._mended(error, call, model):
                raise
        return work(self._model(model, keep_alive))

    async def _ado(
        self, call: str, model: Wanted, keep_alive: float | None, work: Callable[[RoutedModel], Awaitable[T]]
    ) -> T:
        try:
            return await work(self._model(model, keep_alive))
        except (TrillmError, MemoryError) as error:
            from asyncio import to_thread

            if not await to_thread(self._mended, error, call, model):
                raise
        return await work(self._model(model, keep_alive))

    def _answer(
        self, call: str, known: RoutedModel, given: Any, params: Mapping[str, Any], work: Callable[[Model], Answer]
    ) -> Answer:
        """What a model says, or said to an equal request since it was loaded, if that was kept."""
        from trillm._responses import tells_time

        responses = self._shelf.responses
        key = responses.key(call, given, params)
        if key is None:
            return work(known)
        with known.here() as model:
            place = self._shelf.place(known.name)
            if tells_time(call, model, params):
                return work(model)
            answer = responses.find(place, key)
            if answer is None:
                answer = work(model)
                # What was asked may have been changed before it was read.
                if responses.key(call, given, params) == key:
                    responses.keep(place, key, answer)
        return answer

    async def _aanswer(
        self,
        call: str,
        known: RoutedModel,
        given: Any,
        params: Mapping[str, Any],
        work: Callable[[Model], Awaitable[Answer]],
    ) -> Answer:
        from trillm._responses import tells_time

        responses = self._shelf.responses
        key = responses.key(call, given, params)
        if key is None:
            return await work(known)
        async with known.ahere() as model:
            place = self._shelf.place(known.name)
            if tells_time(call, model, params):
                return await work(model)
            answer = responses.find(place, key)
            if answer is None:
                answer = await work(model)
                # What was asked may have been changed before it was read.
                if responses.key(call, given, params) == key:
                    responses.keep(place, key, answer)
        return answer

    def _watched(
        self, call: str, model: Wanted, keep_alive: float | None, work: Callable[[RoutedModel], Stream]
    ) -> Stream:
        """A stream whose errors are taken down, also those that end it later."""

        def begin(known: RoutedModel) -> Stream:
            stream = work(known)
            stream.on_error(self._taken_down(call, known))
            return stream

        return self._do(call, model, keep_alive, begin)

    def _awatched(
        self, call: str, model: Wanted, keep_alive: float | None, work: Callable[[RoutedModel], AsyncStream]
    ) -> AsyncStream:
        def begin(known: RoutedModel) -> AsyncStream:
            return work(known).watched(
                self._taken_down(call, known), lambda error: self._mended(error, call, known.name)
            )

        return self._do(call, model, keep_alive, begin)

    def _taken_down(self, call: str, known: RoutedModel) -> Callable[[BaseException], object]:
        # Without this router: a stream must not keep it.
        errors, name = self.errors, known.name
        return lambda error: errors.record(error, model=name, call=call)

    def _mended(self, error: BaseException, call: str, wanted: Wanted) -> bool:
        """Takes an error down, and does what it suggests if that is wanted; whether that was done."""
        known = self._models.get(wanted) if isinstance(wanted, str) else None
        advice = self.errors.record(error, model=wanted if known is None else known.name, call=call)
        if not self._recover or advice.recovery is None or known is None:
            return False
        from trillm._recovery import recover

        return recover(advice.recovery, known.name, self._core, self._shelf)

    def _model(self, wanted: Wanted, keep_alive: float | None = None) -> RoutedModel:
        known = self._models.get(wanted) if isinstance(wanted, str) else None
        if known is None:
            known = self._know(wanted)
        return known if keep_alive is None else known.kept(keep_alive)

    def _asked(self, wanted: Wanted) -> Wish:
        """How a model would be loaded; asking decides nothing."""
        from trillm._shelf import Wish

        wish = Wish.of(wanted)
        return wish if wish.said else self._shelf.wishes.get(self._called(wish.reference), wish)

    def _called(self, reference: str) -> str:
        """What the pool calls a model, or would."""
        if known := self._models.get(reference):
            return known.name
        meant, name = self._meant(reference)
        known = self._models.get(meant)
        return name if known is None else known.name

    def _meant(self, reference: str) -> tuple[str, str]:
        """What tells a model apart, and its name: a path is one, however it is written."""
        with Later("trillm.hub"):
            from trillm._reference import parse

        meant = parse(reference, self.options.hub().models_directory)
        return (meant.name if meant.local is None else os.path.abspath(meant.local)), meant.name  # noqa: PTH100

    def _know(
        self,
        wanted: Wanted,
        settings: Mapping[str, Any] | None = None,
        *,
        force: bool = False,
        wait: float | None = None,
    ) -> RoutedModel:
        """The model that is meant; how it is to be loaded counts from now on, if that is said.

        Whoever says it last decides: what is loaded otherwise by then is unloaded once nobody uses it. If it is used
        for longer than `wait` seconds, it stays, and what was said counts no more.
        """
        within = _seconds(wait)
        with Later("trillm.hub"):
            from trillm._routed import RoutedModel
            from trillm._shelf import Wish

        wish = Wish.of(wanted, settings, force=force)
        # What means nothing is said before what is loaded goes for it.
        self.options.load_params(wish.settings)
        # One model may have several names.
        meant = name = wish.reference
        if meant not in self._models:
            meant, name = self._meant(meant)
        with _deciding:
            model = self._models.get(meant) or RoutedModel(self._core, name)
            self._models[wish.reference] = self._models[meant] = self._models[model.name] = model
            before = self._shelf.wish(model.name, wish)
        if before is not None:
            # Whatever was loaded until now may be as it was wanted before, and what is loaded from now on is not.
            try:
                # Another one may need its room just now.
                with suppress(ModelNotFound):
                    self._core.unload(model.name, False, self.options.room_timeout if within is None else within)
            except BaseException:
                with _deciding:
                    self._shelf.unwish(model.name, wish, before)
                raise
        return model
