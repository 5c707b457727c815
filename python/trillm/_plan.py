"""What a model will take of memory, before it is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from trillm import _core
from trillm.errors import MemoryRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Unpack

    from trillm._core import Store
    from trillm.hub import Options
    from trillm.types import LoadParams

__all__ = ["Alternative", "Plan", "Verdict", "check", "plan", "plan_file"]

Verdict = Literal["fits", "tight", "refused", "unknown"]
"""`tight`: the process's own memory fits, and not all of the files beside it, which are read again and again then.
`unknown`: the system does not tell what there is."""


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
    """What this process can get now."""
    limit_source: str | None
    """Who says so."""
    verdict: Verdict
    notes: tuple[str, ...]
    """What is not counted."""
    alternatives: tuple[Alternative, ...]
    """What would fit, the least loss first; none if this does."""


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
    """What `trillm.load` would take with the same parameters, for a model that is on this machine.

    `smaller` are references of the same model in fewer bytes, the largest first; `idle` are models that could be
    unloaded, by name, and what that gives back. Both are proposed where they help. `preferred` is the engine to plan
    for where the model is in formats for several.

    >>> trillm.plan("smollm2", context=8192).verdict  # doctest: +SKIP
    'fits'

    Raises `DownloadError` for a model that would have to be downloaded, `ModelNotFound`, `ModelFormatError`,
    `InvalidRequest`.
    """
    from contextlib import ExitStack

    from trillm.hub import Options, resolve

    # Nothing is fetched to say what it would need.
    options = Options.of(download).without_network()
    with ExitStack() as held:

        def path(name: str | bytes | PathLike[str] | PathLike[bytes]) -> str:
            return str(held.enter_context(resolve(name, store=store, options=options)).path)

        others = [(name, path(name)) for name in smaller]
        return plan_file(path(reference), smaller=others, idle=idle, preferred=preferred, **params)


def plan_file(
    path: str | PathLike[str],
    *,
    smaller: Sequence[tuple[str, str]] = (),
    idle: Mapping[str, int] | None = None,
    preferred: str | None = None,
    **params: Unpack[LoadParams],
) -> Plan:
    """The same for a file or folder. What loading would refuse for want of a tokenizer is refused here."""
    made = _made(_core.plan(path, list(smaller), list((idle or {}).items()), preferred, **params))
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
