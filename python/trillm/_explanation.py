"""Which engine runs a model, and why: what a router and `trillm show` say of it. The rule itself is native."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from os import PathLike, fsdecode
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from trillm import _core

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from trillm.types import LoadParams

__all__ = ["By", "Explanation", "MeasuredSpeed", "explain_file"]

By = Literal["asked", "only", "preferred", "measured", "order"]
"""What decided: the engine was asked for; no other one runs the model; it is preferred; it was measured fastest here;
or it is the first, where nothing else decides."""


@dataclass(frozen=True, slots=True)
class MeasuredSpeed:
    """How fast an engine was with a model, as it was measured on this machine."""

    engine: str
    tokens_per_second: float | None
    """The reading of the prompt included; `None` if it failed."""
    error: str | None
    """The stable name of the error, if it failed."""
    how: str
    """What was measured, and with which settings: only engines that were measured alike are compared."""
    time: str
    """When: ISO 8601, UTC."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Which engine runs a model, by which file, and why."""

    engine: str
    format: str
    """The format that it runs: `"safetensors"`, `"pytorch"`, `"onnx"` or `"gguf"`."""
    file: Path
    """The file that is opened; the first, if the model has several."""
    by: By
    reason: str
    """The same for people, in a sentence."""
    measured: tuple[MeasuredSpeed, ...] = ()
    """What `trillm bench` and `benchmark_engines` measured of the model as it is now, the newest first."""
    notes: tuple[str, ...] = ()
    """What of that cannot be read."""

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        from dataclasses import asdict

        return asdict(self) | {"file": str(self.file)}


def explain_file(
    path: str | PathLike[str], *, preferred: str | None = None, **params: Unpack[LoadParams]
) -> Explanation:
    """Which engine would load the file or folder with these parameters; `preferred` is taken where there are several.

    Raises `ModelNotFound`, `ModelFormatError`, `InvalidRequest`, `Unsupported`.
    """
    facts = _core.explain(path, preferred, **params)
    del facts["trained"]
    facts["file"] = Path(fsdecode(facts["file"]))
    facts["measured"] = tuple(MeasuredSpeed(**row | {"time": _when(row["time"])}) for row in facts["measured"])
    return Explanation(**facts | {"notes": tuple(facts["notes"])})


def _when(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
