"""What models are on this machine, and what is known of each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trillm._core import Store, inspect
from trillm._keywords import advising
from trillm._reference import at_home
from trillm.errors import TrillmError

if TYPE_CHECKING:
    from trillm import ModelInfo
    from trillm._core import Manifest

_MODEL_ENDINGS = (".gguf", ".onnx", ".safetensors")

_WEIGHT_ENDINGS = (".onnx", ".safetensors", "pytorch_model.bin")
"""Of files that make their folder a model."""


@advising
def available(store: Store | None = None, models_directory: Path | None = None) -> list[dict[str, Any]]:
    """All models on this machine: those of the store, then those of the user's own folder.

    Each is a dictionary: `reference` (what to load it by), `file`, `path`, `size` (bytes), `format`, `digest` (sha256
    of the generation, or `None` for files outside the store), `source`, `license`, `parameters`, `quantization`,
    `context` (tokens, as trained), `capabilities` (of `"generate"`, `"chat"`, `"embed"`, `"score"`), `generation`,
    `created` (seconds since 1970), `files`, `chat` (as its publisher advises) and `info` (all that the file says;
    `None` if it cannot be read).

    ``models_directory`` is `LOCAL_MODELS_DIR` unless given.
    """
    store = Store() if store is None else store
    manifests, _ = store.list()
    return [facts(manifest.path, manifest) for manifest in manifests] + own(models_directory)[0]


def own(models_directory: Path | None = None) -> tuple[list[dict[str, Any]], list[str]]:
    """The models of the user's own folder, as :func:`available` has them, and what there cannot be read, and why."""
    setting = os.environ.get("LOCAL_MODELS_DIR")
    folder = models_directory or (Path(at_home(setting)) if setting else None)
    if folder is None:
        return [], []
    models, problems = [], []
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        return [], [f"the folder of models {folder} cannot be read: {error.strerror}"]
    for path in paths:
        try:
            if _may_be_a_model(path):
                models.append(facts(path, None, inspect(path)) | {"reference": str(path)})
        except (TrillmError, OSError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or str(error)
            problems.append(reason if str(path) in reason else f"{path} cannot be read: {reason}")
    return models, problems


def _may_be_a_model(path: Path) -> bool:
    if path.name.endswith(_MODEL_ENDINGS) or (path / "config.json").is_file():
        return True
    # Weights without their configuration are worth a word.
    return path.is_dir() and any(file.name.endswith(_WEIGHT_ENDINGS) for file in path.iterdir())


def peek(path: Path) -> ModelInfo | None:
    """What the file says about itself, if it is one that we can read."""
    try:
        return inspect(path)
    except (TrillmError, OSError):
        return None


def facts(path: Path, manifest: Manifest | None, info: ModelInfo | None = None) -> dict[str, Any]:
    """One model, as :func:`available` has it."""
    if info is None and manifest is not None:
        info = peek(path)
    found: dict[str, Any] = {
        "reference": None,
        "file": path.name,
        "path": str(path),
        "size": info.bytes if info else None,
        "format": info.format if info else None,
        "digest": None,
        "source": None,
        "license": info.license if info else None,
        "parameters": info.parameters if info else None,
        "quantization": info.quantization if info else None,
        "context": info.context_trained if info else None,
        "capabilities": info.capabilities if info else [],
        "generation": None,
        "created": None,
        "files": [],
        "chat": {},
        "info": info.to_dict() if info else None,
    }
    if manifest is not None:
        largest, _, _ = max(manifest.files, key=lambda file: file[2])
        found |= {
            "reference": manifest.reference,
            "file": largest,
            "size": manifest.size,
            "digest": f"sha256:{manifest.id}",
            "source": manifest.source,
            "license": manifest.licence or found["license"],
            "generation": manifest.generation,
            "created": manifest.created,
            "chat": {name: given["value"] for name, given in manifest.published.items()},
            "files": [{"name": name, "sha256": sha256, "size": length} for name, sha256, length in manifest.files],
        }
    return found
