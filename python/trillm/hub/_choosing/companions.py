"""The small files that a model needs beside its weights."""

from __future__ import annotations

import posixpath
from collections.abc import Collection

_NAMES = (
    # What our readers look at: crates/formats/src/huggingface, crates/formats/src/onnx/facts.rs, crates/tokenizer.
    "config.json",
    "generation_config.json",
    "genai_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "1_Pooling/config.json",
    "sentence_bert_config.json",
    # Tokenizers that we do not read, so that the error can say which it is.
    "tokenizer.model",
    "spiece.model",
    "vocab.json",
    "vocab.txt",
    # What others need who open the model where we keep it.
    "added_tokens.json",
    "merges.txt",
    "chat_template.json",
    "modules.json",
    "config_sentence_transformers.json",
)

_TEMPLATES = "additional_chat_templates"
"""The folder of chat templates with a name."""


def companions(folder: str, paths: Collection[str]) -> dict[str, str]:
    """The small files for weights in ``folder``: their paths in the repository by their names beside the weights.

    Each is the one in the nearest folder upwards; `""` is the repository itself.
    """
    folders = [folder]
    while folders[-1]:
        folders.append(posixpath.dirname(folders[-1]))
    found: dict[str, str] = {}
    for name in _NAMES:
        at = (posixpath.join(above, name) for above in folders)
        nearest = next((path for path in at if path in paths), None)
        if nearest is not None:
            found[name] = nearest
    for above in folders:
        templates = posixpath.join(above, _TEMPLATES) + "/"
        named = [path for path in sorted(paths) if path.startswith(templates) and path.endswith(".jinja")]
        if named:
            found |= {
                f"{_TEMPLATES}/{posixpath.basename(path)}": path for path in named if "/" not in path[len(templates) :]
            }
            break
    return found
