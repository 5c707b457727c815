"""What a model will take of memory, before it is loaded."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from trillm import _core
from trillm._reference import parse
from trillm.errors import DownloadError, MemoryRefused, ModelNotFound, TrillmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from typing_extensions import Unpack

    from trillm._core import Left, Reference, Store
    from trillm.hub import Options
    from trillm.hub._outline import Outline
    from trillm.types import LoadParams

__all__ = ["Alternative", "Plan", "Verdict", "check", "plan", "plan_beside", "plan_file"]

Verdict = Literal["fits", "tight", "refused", "unknown"]
"""`tight`: the process's own memory fits, and not all of the files beside it, which are read again and again then.
`unknown`: the system does not tell what there is."""


_QUANTIZATIONS = 8
"""How many of those that a source has are looked at: the header of each is fetched."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """What would fit."""

    change: dict[str, Any]
    """A parameter of `load` and its value; or `model`, the name of another; or `unload`, names of models."""
    private: int
    total: int
    verdict: Verdict
    files: int | None
    """Bytes of the files of another model, where one is proposed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a model takes at the most beside what its process has, in bytes, and whether that is there."""

    engine: str
    """The engine that is planned for; empty for a format of which no rules are known."""
    context: int
    parallel: int
    weights_mapped: int
    """Weights that stay in their files."""
    weights_private: int
    """Weights that are read, copied, or kept a second time in another layout."""
    cache: int | None
    """Keys and values; `None` for an architecture of which that is not known."""
    compute: int | None
    """What a step computes in; `None` where that is not known."""
    scores: int
    tokenizer: int
    runtime: int
    """What the engine keeps, whatever the model."""
    runtime_mapped: int
    """Its code."""
    loading: int
    """What only loading takes; before the cache is filled it is given back."""
    private: int
    """All that is no file's. At least so much, where a part is `None`."""
    total: int
    """That, and what is mapped."""
    limit: int | None
    """What this process can get now; or what a router's limits leave, if it is they that refuse it."""
    limit_source: str | None
    """Who says so."""
    verdict: Verdict
    notes: tuple[str, ...]
    """What is not counted."""
    alternatives: tuple[Alternative, ...]
    """What would fit, the least loss first; none if this does."""
    download: int = 0
    """Bytes that would have to be downloaded first; 0 for a model that is on this machine."""


def plan(
    reference: str | bytes | PathLike[str] | PathLike[bytes],
    *,
    smaller: Sequence[str] = (),
    idle: Mapping[str, int] | None = None,
    preferred: str | None = None,
    download: Options | Mapping[str, Any] | None = None,
    store: Store | None = None,
    **params: Unpack[LoadParams],
) -> Plan:
    """What `trillm.load` would take with the same parameters.

    Of a model that is not on this machine the headers of its files are fetched, some MB, and `download` says how much
    the rest is: the plan is the same as it will be once that is here. A graph that has its weights inside, and a
    PyTorch checkpoint, must be downloaded first, and so must what a server gives as a whole only.

    `smaller` are references of the same model in fewer bytes, the largest first; `idle` are models that could be
    unloaded, by name, and what that gives back. Both are proposed where they help. Where a model of a Hugging Face
    repository does not fit, its other quantizations are, too. `preferred` is the engine to plan for where the model is
    in formats for several.

    >>> trillm.plan("smollm2", context=8192).verdict  # doctest: +SKIP
    'fits'

    Raises as `load` does for options that the engine refuses, `Unsupported` for what must be downloaded first, too,
    `DownloadError`, `ModelNotFound`, `ModelFormatError`, `InvalidRequest`.
    """
    return plan_beside(
        reference,
        smaller=smaller,
        idle=idle,
        preferred=preferred,
        download=download,
        store=store,
        settled=lambda _: params,
    )


def plan_beside(
    reference: str | bytes | PathLike[str] | PathLike[bytes],
    *,
    settled: Callable[[Path], LoadParams],
    left: Left | None = None,
    smaller: Sequence[str] = (),
    idle: Mapping[str, int] | None = None,
    preferred: str | None = None,
    download: Options | Mapping[str, Any] | None = None,
    store: Store | None = None,
) -> Plan:
    """The same beside what a router has loaded, if it has `left` so much.

    `settled` says how the model is loaded, once it is known where it is, or an outline of it.
    """
    from contextlib import ExitStack

    from trillm._model import bring_tokenizer
    from trillm.hub import Options

    with ExitStack() as held:
        place = _Places(held, Options.of(download), store)
        path = place.of(reference)
        with place.named():
            params = settled(path)
        bring_tokenizer(params, place.of)
        others = [(name, str(place.of(name))) for name in smaller]
        beside = _Beside(tuple((idle or {}).items()), preferred, left)
        made = place.plan(path, others, beside, params)
        if made.verdict == "refused":
            found, said = place.smaller(reference)
            if found:
                made = place.plan(path, [*others, *found], beside, params)
            made = replace(made, notes=(*made.notes, *said))
        return replace(made, download=place.download(path))


@dataclass(frozen=True, slots=True)
class _Beside:
    """What a plan depends on beside the model and how it is loaded."""

    idle: tuple[tuple[str, int], ...] = ()
    preferred: str | None = None
    left: Left | None = None


class _Places:
    """Where models are, or their outlines, as long as a plan is made."""

    def __init__(self, held: ExitStack, options: Options, store: Store | None) -> None:
        self._held = held
        self._options = options
        self._store = store
        self._outlines: dict[Path, Outline] = {}

    def of(self, name: str | bytes | PathLike[str] | PathLike[bytes]) -> Path:
        """A path that says what the model is."""
        from trillm.hub import resolve

        try:
            # What other programs left on this machine needs no connection.
            found = resolve(name, store=self._store, options=self._options.without_network())
            return self._held.enter_context(found).path
        except DownloadError:
            if self._options.no_network:
                raise
        return self._outlined(parse(name, self._options.models_directory))

    def download(self, path: Path) -> int:
        """Bytes of the model there that are not here."""
        outline = self._outlines.get(path)
        return 0 if outline is None else outline.download

    @contextmanager
    def named(self) -> Iterator[None]:
        """Errors name references, and not where their outlines are."""
        from contextlib import ExitStack

        with ExitStack() as named:
            for outline in self._outlines.values():
                named.enter_context(outline.named())
            yield

    def plan(self, path: Path, smaller: Sequence[tuple[str, str]], beside: _Beside, params: LoadParams) -> Plan:
        """As `plan_file`."""
        with self.named():
            return _planned(path, smaller, beside, params)

    def smaller(self, name: str | bytes | PathLike[str] | PathLike[bytes]) -> tuple[list[tuple[str, str]], list[str]]:
        """The same model in fewer bytes, as its source has it, and what is to be said of that."""
        wanted = parse(name, self._options.models_directory)
        if wanted.source is None or self._options.no_network:
            return [], []
        from trillm.hub._outline import smaller

        found: list[tuple[str, str]] = []
        try:
            for reference, _ in smaller(wanted, self._stored(), self._options)[:_QUANTIZATIONS]:
                found.append((reference, str(self.of(reference))))
        except TrillmError as error:
            return found, [f"what else its source has is not known: {error}"]
        return found, []

    def _stored(self) -> Store:
        """The user's own store, unless another one was given: for a path there need be none."""
        from trillm._core import Store

        self._store = Store() if self._store is None else self._store
        return self._store

    def _outlined(self, wanted: Reference) -> Path:
        from trillm.hub._outline import outline

        if wanted.generation is not None:
            raise ModelNotFound(
                f"{wanted.name} is not on this machine: what its source has now may be another generation",
                "no_generation",
                "leave the generation out, or download it first",
            )
        made = self._held.enter_context(outline(wanted, self._stored(), self._options))
        self._outlines[made.path] = made
        return made.path


def plan_file(
    path: str | PathLike[str],
    *,
    smaller: Sequence[tuple[str, str]] = (),
    idle: Mapping[str, int] | None = None,
    preferred: str | None = None,
    **params: Unpack[LoadParams],
) -> Plan:
    """The same for a file or folder. What loading would refuse for want of a tokenizer is refused here."""
    return _planned(path, smaller, _Beside(tuple((idle or {}).items()), preferred), params)


def _planned(
    path: str | PathLike[str], smaller: Sequence[tuple[str, str]], beside: _Beside, params: LoadParams
) -> Plan:
    made = _made(_core.plan(path, list(smaller), list(beside.idle), beside.preferred, beside.left, **params))
    tokenizer = params.get("tokenizer")
    _core.Tokenizer(path if tokenizer is None else tokenizer)
    return made


def check(path: str | PathLike[str], *, force: bool = False, **params: Unpack[LoadParams]) -> Plan:
    """The plan for a file or folder that is about to be loaded.

    Raises `MemoryRefused`, with the plan, if it would not fit, unless it is to be tried all the same.
    """
    facts = _core.plan(path, **params)
    if facts["refusal"] is None or force:
        return _made(facts)
    raise refused(facts)


def refused(facts: dict[str, Any]) -> MemoryRefused:
    """The error for a plan as the native half describes it."""
    error = MemoryRefused(*facts["refusal"])
    error.plan = _made(facts)
    return error


def _made(facts: dict[str, Any]) -> Plan:
    alternatives = tuple(Alternative(**it) for it in facts["alternatives"])
    facts = {name: value for name, value in facts.items() if name != "refusal"}
    return Plan(**facts | {"notes": tuple(facts["notes"]), "alternatives": alternatives})
