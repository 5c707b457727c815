"""What models are on this machine, and what is known of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trillm import _core
from trillm._keywords import advising

if TYPE_CHECKING:
    from pathlib import Path


@advising
def available(store: _core.Store | None = None, models_directory: Path | None = None) -> list[dict[str, Any]]:
    """All models on this machine: those of the store, then those of the user's own folder.

    Each is a dictionary: `reference` (what to load it by), `file`, `path`, `size` (bytes), `format`, `digest` (sha256
    of the generation, or `None` for files outside the store), `source`, `license`, `parameters`, `quantization`,
    `context` (tokens, as trained), `capabilities` (of `"generate"`, `"chat"`, `"embed"`, `"score"`), `generation`,
    `created` (seconds since 1970), `files`, `chat` (as its publisher advises) and `info` (all that the file says;
    `None` if it cannot be read).

    ``models_directory`` is `LOCAL_MODELS_DIR` unless given.
    """
    return _core.catalogue(_core.Store() if store is None else store, models_directory)[0]
