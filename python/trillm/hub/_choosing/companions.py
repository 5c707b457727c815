"""The small files that a model needs beside its weights."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection

_NAMES = (
    # What our readers look at: crates/formats/src/huggingface, crates/formats/src/sentence,
    # crates/formats/src/onnx/facts.rs, crates/tokenizer.
    "config.json",
    "generation_config.json",
    "genai_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "modules.json",
    "1_Pooling/config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    # Tokenizers that we do not read, so that the error can say which it is.
    "tokenizer.model",
    "spiece.model",
    "vocab.json",
    "vocab.txt",
    # What others need who open the model where we keep it.
    "added_tokens.json",
    "merges.txt",
    "chat_template.json",
)

_TEMPLATES = "additional_chat_templates"
"""The folder of chat templates with a name."""

MODULE = re.compile(r"[0-9]+_[A-Z][A-Za-z]*")
"""Folders in which sentence-transformers keeps what comes after the model: `2_Dense`."""

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""A module's weights: the first that is there counts."""


def templates_of(paths: Collection[str]) -> list[str]:
    """The chat templates with a name, wherever they lie, in order."""
    return sorted(
        path for path in paths if path.endswith(".jinja") and posixpath.basename(posixpath.dirname(path)) == _TEMPLATES
    )


def companions(folder: str, paths: Collection[str], templates: Collection[str]) -> dict[str, str]:
    """The small files for weights in ``folder``: their paths in the repository by their names beside the weights.

    Each is the one in the nearest folder upwards; `""` is the repository itself. ``templates`` are `templates_of` the
    paths: a repository may have ten thousand files and as many models.
    """
    nearby = {name: nearest(name, folder, paths) for name in _NAMES}
    found = {name: path for name, path in nearby.items() if path is not None}
    for above in _upwards(folder):
        place = posixpath.join(above, _TEMPLATES)
        named = [path for path in templates if posixpath.dirname(path) == place]
        if named:
            found |= {f"{_TEMPLATES}/{posixpath.basename(path)}": path for path in named}
            break
    # Only where they are listed, for the same reason.
    return found | _modules(posixpath.dirname(found["modules.json"]), paths) if "modules.json" in found else found


def nearest(name: str, folder: str, paths: Collection[str]) -> str | None:
    """The path of a small file for weights in ``folder``: there, or in the nearest folder upwards that has it."""
    at = (posixpath.join(above, name) for above in _upwards(folder))
    return next((path for path in at if path in paths), None)


def _upwards(folder: str) -> list[str]:
    """A folder and those that it lies in."""
    folders = [folder]
    while folders[-1]:
        folders.append(posixpath.dirname(folders[-1]))
    return folders


def _modules(folder: str, paths: Collection[str]) -> dict[str, str]:
    """What comes after the model of sentence-transformers in ``folder``, weights included."""
    start = posixpath.join(folder, "")
    inside = (path.removeprefix(start) for path in paths if path.startswith(start))
    found: dict[str, str] = {}
    for module in sorted({name.partition("/")[0] for name in inside if "/" in name}):
        if MODULE.fullmatch(module):
            weights = [name for name in (f"{module}/{weights}" for weights in _WEIGHTS) if start + name in paths]
            config = [name for name in (f"{module}/config.json",) if start + name in paths]
            found |= {name: start + name for name in [*config, *weights[:1]]}
    return found
