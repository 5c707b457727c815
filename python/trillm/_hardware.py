"""The machine as this process may use it, as a value to look at, to compare and to keep."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from trillm import _core
from trillm.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Cache", "Device", "HardwareProfile", "MainMemory", "Processors"]


@dataclass(frozen=True, slots=True)
class Cache:
    """A cache that data goes through on its way from memory."""

    level: int
    """1 is next to the processor."""
    bytes: int
    shared: int
    """Processors that share it."""


@dataclass(frozen=True, slots=True)
class Processors:
    """The processors, and what this process may have of them."""

    model: str | None
    architecture: str
    """As Python's `platform.machine` names it."""
    usable: int
    """How many this process may use, by affinity and by quota."""
    cores: int | None
    """On how many physical cores those are."""
    waiting: float | None
    """The share, 0 to 1, of the last ten seconds in which some program waited for a processor."""
    flags: tuple[str, ...] | None
    """What they can do, in Linux' names: `avx2`, `asimd`."""
    caches: tuple[Cache, ...]
    """Of the first processor, from the innermost; none where the system does not say."""


@dataclass(frozen=True, slots=True)
class MainMemory:
    """Memory, and what this process may have of it."""

    total: int | None
    """Bytes of the machine."""
    available: int | None
    """Bytes that this process can get now: of the machine, of its control groups, of its own limits."""
    limit: int | None
    """The tightest limit in bytes, if there is one that is tighter than the machine itself."""
    limit_source: str | None
    """Who says so: a control group, or the name of a `ulimit`."""
    bandwidth: float | None
    """Bytes a second that all cores together read. `None` if there was too little memory to measure it."""


@dataclass(frozen=True, slots=True)
class Device:
    """What can compute beside the processors, by a backend that this build has."""

    name: str
    description: str
    kind: str
    """`"gpu"` or `"accelerator"`."""
    memory_total: int
    memory_free: int


@dataclass(frozen=True, slots=True)
class HardwareProfile:
    """The machine. What a system does not tell is `None`, never a guess."""

    cpu: Processors
    memory: MainMemory
    devices: tuple[Device, ...]

    @classmethod
    def detect(cls) -> HardwareProfile:
        """The machine as it is now, but for `memory.bandwidth`.

        That is measured the first time, for up to about a second, and kept in the store for as long as processors and
        version stay what they are.
        """
        return profile(_core.doctor().get("llama", {}).get("devices", ()))

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return asdict(self)


def profile(devices: Iterable[Mapping[str, Any]]) -> HardwareProfile:
    """The machine, with these devices, as `_core.doctor` lists them."""
    found = _core.machine()
    caches = tuple(Cache(*cache) for cache in found["cpu"].pop("caches"))
    flags = found["cpu"].pop("flags")
    return HardwareProfile(
        Processors(
            **found["cpu"],
            architecture=platform.machine(),
            flags=None if flags is None else tuple(flags),
            caches=caches,
        ),
        MainMemory(**found["memory"], bandwidth=_bandwidth()),
        tuple(Device(**device) for device in devices if device["kind"] != "cpu"),
    )


def _bandwidth() -> float | None:
    """By the file in the store; without a store it is measured each time."""
    try:
        kept = _core.Store().root / "bandwidth"
    except StoreError:
        kept = None
    return _core.bandwidth(kept)
