"""A model on this machine, kept there while it is used."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

    from trillm._core import Lease, Manifest, Reference


@dataclass(frozen=True)
class Resolved:
    """What a reference stands for here. Until released, nothing collects its files."""

    reference: Reference
    path: Path
    """Where it can be opened: a file, or a folder."""
    manifest: Manifest | None
    """What the store knows of it; `None` for a path."""
    _lease: Lease | None

    @property
    def published(self) -> dict[str, dict[str, Any]]:
        """What its alias or its source recommends, beside what its files say: each value with who gave it."""
        return {} if self.manifest is None else self.manifest.published

    @property
    def notes(self) -> list[str]:
        """What whoever uses it should know of how it came to the store."""
        return [] if self.manifest is None else self.manifest.notes

    @property
    def adapters(self) -> list[Path]:
        """LoRA adapters that are a part of it, as Ollama's registry has them."""
        from trillm._core import Ollama

        if self.manifest is None or not isinstance(self.reference.source, Ollama):
            return []
        folder = self.path if self.path.is_dir() else self.path.parent
        names = [name for name, *_ in self.manifest.files]
        return [folder / name for name in names if re.fullmatch(r"adapter(-\d+)?\.gguf", name)]

    def release(self) -> None:
        """Lets go of its files. Harmless when called again."""
        if self._lease is not None:
            self._lease.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
