"""What a model in a registry consists of, read from its manifest.

Digests come from the network, so nothing is made of one, neither a path nor an address, before it is known to be one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from trillm.errors import Unsupported
from trillm.hub._failure import download_failed

LARGEST_MANIFEST = 4 << 20
"""Bytes; usual ones have a thousand."""

_MOST_LAYERS = 1024

_IMAGE = "application/vnd.ollama.image."

_IN_PIECES = {"tensor", "json"}
"""Layers of models whose weights come a tensor at a time, which only Ollama can put together."""

_DIGEST = re.compile(r"sha256:([0-9a-fA-F]{64})")


@dataclass(frozen=True)
class Layer:
    """One file of a model."""

    kind: str
    """The end of its media type."""
    sha256: str
    size: int
    """In bytes."""


def read(name: str, manifest: bytes) -> list[Layer]:
    """The layers of a manifest. Raises `DownloadError` if it is none, `Unsupported` if we can make no model of it."""
    try:
        if len(manifest) > LARGEST_MANIFEST:
            raise ValueError(f"it has more than {LARGEST_MANIFEST} bytes")
        answer: Any = json.loads(manifest)
        if answer["schemaVersion"] != 2:
            raise ValueError(f"its schemaVersion is {str(answer['schemaVersion'])[:20]}, expected 2")
        listed = answer["layers"]
        if not isinstance(listed, list) or not 1 <= len(listed) <= _MOST_LAYERS:
            raise ValueError(f"it has no list of 1 to {_MOST_LAYERS} layers")
        layers = [_layer(layer) for layer in listed]
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        said = f"it has no {error}" if isinstance(error, KeyError) else str(error)[:200]
        raise download_failed(
            f"the manifest of {name} cannot be used: {said}", "ask whoever runs the registry, or choose another tag"
        ) from None
    if any(layer.kind in _IN_PIECES for layer in layers):
        raise Unsupported(
            f"{name} has its weights in pieces that only Ollama can put together",
            "unsupported",
            "choose a tag that is in GGUF",
        )
    return layers


def _layer(layer: Any) -> Layer:
    digest, size, media = layer["digest"], layer["size"], layer["mediaType"]
    found = _DIGEST.fullmatch(digest)
    if found is None:
        raise ValueError(f"the digest {digest[:100]!r} is not sha256: and 64 hexadecimal digits")
    if type(size) is not int or not 0 <= size < 1 << 63:
        raise ValueError("a layer has no size")
    return Layer(media.removeprefix(_IMAGE), found[1].lower(), size)
