"""What models are on this machine, and what is known of each."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trillm._core import Reference, Store, inspect
from trillm._reference import at_home
from trillm.errors import TrillmError

if TYPE_CHECKING:
    from trillm import ModelInfo
    from trillm._core import Manifest

_MODEL_ENDINGS = (".gguf", ".onnx", ".safetensors")

_ENCODERS = ("bert", "mpnet")
"""What the names of architectures that only embed have in them."""


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
    return path.name.endswith(_MODEL_ENDINGS) or (path / "config.json").is_file()


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
        "capabilities": _capabilities(info) if info else [],
        "generation": None,
        "created": None,
        "files": [],
        "chat": advised(manifest),
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
            "files": [{"name": name, "sha256": sha256, "size": length} for name, sha256, length in manifest.files],
        }
    return found


def advised(manifest: Manifest | None) -> dict[str, Any]:
    """How a model of the store chats best, as far as its alias or its source says so."""
    if manifest is None:
        return {}
    try:
        return advice(Reference(manifest.reference), manifest)
    except TrillmError:
        # An alias of another version of trillm.
        return advice(None, manifest)


def advice(reference: Reference | None, manifest: Manifest | None) -> dict[str, Any]:
    """How a model chats best, as its alias says or else its source; empty where nobody says anything."""
    return {name: given["value"] for name, given in published(reference, manifest).items()}


def published(reference: Reference | None, manifest: Manifest | None) -> dict[str, dict[str, Any]]:
    """The same, each value with who gave it, as `ModelInfo.defaults` has it."""
    found: dict[str, dict[str, Any]] = {}
    theirs = {} if manifest is None else json.loads(manifest.model).get("chat") or {}
    ours = {}
    if reference is not None:
        ours = {"system": reference.system, "temperature": reference.temperature, "top_p": reference.top_p}
    for source, values in (("ollama", theirs), ("alias", ours)):
        for name, value in values.items():
            if value is not None:
                # Native numbers are in single precision: 0.2, not 0.20000000298023224.
                rounded = round(value, 6) if isinstance(value, float) else value
                found[name] = {"value": rounded, "source": source}
    return found


def _capabilities(info: ModelInfo) -> list[str]:
    if info.purpose != "text" or any(name in info.architecture.lower() for name in _ENCODERS):
        return ["score"] * bool(info.scoring) + ["embed"] * bool(info.pipeline)
    chat = ["chat"] if info.chat_templates else []
    # Vectors of a model that generates: llama.cpp's; the others' only if the file says how to pool.
    embed = ["embed"] if info.format == "gguf" or info.pooling else []
    return ["generate", *chat, *embed]
