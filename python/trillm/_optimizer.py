"""Settings that suit this machine, each with its reason. They are chosen in the native half; here they get names."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol

from trillm import _core
from trillm._hardware import HardwareProfile
from trillm.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OptimalSettings", "PerformanceOptimizer"]


@dataclass(frozen=True, slots=True)
class OptimalSettings:
    """Settings for a machine. `reasons` says of each why it is that."""

    threads: int
    """Compute threads: the router's option `threads`, and that of `trillm.load`."""
    device: str
    """`"cpu"`, `"cuda"`, `"mps"`, or `"auto"` for a GPU of another kind: the option `device`."""
    context: int
    """Tokens in the cache of a model: the router's option `context_length`, `context` of `trillm.load`."""
    batch: int
    """Requests of one model that run at once: the router's option `batch_size`, `parallel` of `trillm.load`.

    It is not `batch` of `trillm.load`, which is the most tokens in one step.
    """
    quantization: str
    """Which to take of a model that comes in several, as GGUF files call it: the first of the router's option
    `quantization_preference`."""
    engine: str
    """Which engine to prefer: the router's option `default_engine`."""
    reasons: Mapping[str, str]
    """Why, by the names above."""

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {each.name: getattr(self, each.name) for each in fields(self)} | {"reasons": dict(self.reasons)}


class _Configurable(Protocol):
    def update_config(self, **options: Any) -> object: ...


class PerformanceOptimizer:
    """Chooses settings by what the machine is, and says why.

    >>> import trillm
    >>> settings = trillm.PerformanceOptimizer().optimal_settings()
    >>> 1 <= settings.threads <= 8
    True
    """

    __slots__ = ("_profile",)

    def __init__(self, profile: HardwareProfile | None = None) -> None:
        """For the machine of this profile; for this one, as it is when it is asked for, if there is none."""
        if not isinstance(profile, HardwareProfile | None):
            found = f"profile is of type {type(profile).__name__}"
            raise InvalidRequest(f"{found}, expected a trillm.HardwareProfile or None", "invalid_parameter")
        self._profile = profile

    def analyze(self) -> HardwareProfile:
        """The machine that settings are chosen for: the profile that was given, else this machine as it is now."""
        return HardwareProfile.detect() if self._profile is None else self._profile

    def optimal_settings(self) -> OptimalSettings:
        """The best settings known for the machine."""
        profile = self.analyze()
        gpus = [device.name for device in profile.devices if device.kind == "gpu"]
        chosen = _core.optimize(profile.cpu.usable, profile.cpu.cores, profile.memory.available, gpus)
        values = {name: value for name, (value, _) in chosen.items()}
        return OptimalSettings(**values, reasons={name: reason for name, (_, reason) in chosen.items()})

    def explain(self) -> str:
        """The settings as text: a line for each, with its value and the reason."""
        settings = self.optimal_settings()
        return "\n".join(f"{name} = {getattr(settings, name)}: {reason}" for name, reason in settings.reasons.items())

    def apply(self, router: _Configurable) -> OptimalSettings:
        """Sets them for models that a router loads from now on, and returns them.

        `quantization` is for whoever chooses a model: it is not set, so that a preference of one's own stays.
        """
        settings = self.optimal_settings()
        router.update_config(
            default_engine=settings.engine,
            device=settings.device,
            threads=settings.threads,
            context_length=settings.context,
            batch_size=settings.batch,
        )
        return settings
