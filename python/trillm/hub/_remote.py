"""What a source has: files, and how to get at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from trillm.hub._network.crew import Running


@dataclass(frozen=True)
class Location:
    """Where a file's bytes are, this minute."""

    url: str
    """May be signed and expire; then the file is located again."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """To send with each request. Credentials are not among them: the client adds those, to the right host only."""


@dataclass(frozen=True)
class RemoteFile:
    """One file that a source has."""

    name: str
    """What it will be called inside the model."""
    origin: str | None
    """What the source calls it, where that is something else."""
    size: int | None
    """In bytes, where the source says so."""
    sha256: str | None
    """What its content must be, where the source says so: 64 hexadecimal digits."""
    git: str | None
    """Likewise as git's name for the content: 40 hexadecimal digits."""
    locate: Callable[[], Location]
    """Finds where it is now. Raises as requests do."""
    here: Path | None = None
    """Where it lies on this machine, for a file without a digest."""
    pieces: Callable[[Running, int, int], Iterator[bytes]] | None = None
    """Brings a range of it, where that is not by requests of ours. Raises as they do."""


@dataclass(frozen=True)
class Plan:
    """What will be fetched for a reference."""

    files: tuple[RemoteFile, ...]
    source: Mapping[str, Any]
    """As the store keeps it: `kind` and what belongs to it (crates/store/src/manifest.rs, `Source`)."""
    why: str | None = None
    """A sentence on what was chosen out of what."""
    open: str | None = None
    """Which file to open; none if it is the folder, or the only file."""
    licence: str | None = None
    chat: Mapping[str, Any] | None = None
    """`system`, `temperature` and `top_p`, as the publisher advises."""
    whole: int | None = None
    """Bytes that come at once, if the files do not come one by one."""
    notes: Sequence[str] = ()
    """What whoever uses the model should know of how it came."""
    beside: Callable[[str, str], RemoteFile] | None = None
    """Another file of the source, by the name that the source has for it, and the one inside the model: for what shows
    only when the files are there. Raises `ModelNotFound` or `DownloadError`."""
    smaller: Callable[[], Sequence[tuple[str, int]]] = tuple
    """The same model in fewer bytes, where the source has it: references, and bytes. The largest come first."""
