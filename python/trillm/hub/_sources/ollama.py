"""Models in Ollama's registry, or another one that speaks its protocol.

A manifest lists layers by digest and by what they are: weights, prompt template, system message, parameters, licence.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from trillm._core import Ollama
from trillm.errors import DigestMismatch, ModelFormatError
from trillm.hub._failure import TransientError
from trillm.hub._network.client import origin
from trillm.hub._network.retries import retrying
from trillm.hub._remote import Location, Plan, RemoteFile
from trillm.hub._sources.layers import LARGEST_MANIFEST, Layer
from trillm.hub._sources.layers import read as layers_of
from trillm.hub._sources.registry import Registry

if TYPE_CHECKING:
    from trillm.hub._job import Job
    from trillm.hub._network.client import Client
    from trillm.hub._options import Options

_log = logging.getLogger("trillm.hub")

HOST = "registry.ollama.ai"
"""Where a model is whose reference names no host."""

_LARGEST_ADVICE = 1 << 20
"""Bytes of a system message or a list of parameters that is still read."""

_NUMBERS = {
    "temperature": ("temperature", 0, 100),
    "top_p": ("top_p", 0, 1),
    "min_p": ("min_p", 0, 1),
    "typical_p": ("typical_p", 0, 1),
    "repeat_penalty": ("repetition_penalty", 0.01, 100),
    "presence_penalty": ("presence_penalty", -2, 2),
    "frequency_penalty": ("frequency_penalty", -2, 2),
}
"""Parameters that are numbers: Ollama's names; our names, and the least and the most that we take."""

_COUNTS = {"top_k": 0, "repeat_last_n": (1 << 32) - 1}
"""Parameters that are whole numbers, and what they are below zero: all tokens, the whole context."""

_NAMES = {
    "model": "model.gguf",
    "adapter": "adapter.gguf",
    "projector": "projector.gguf",
    "template": "template",
    "system": "system.txt",
    "params": "params.json",
    "messages": "messages.json",
    "license": "LICENSE",
}
"""What layers are called inside the model."""

_LICENCES = (
    ("Apache License", "Apache-2.0"),
    ("MIT License", "MIT"),
    ("The MIT License", "MIT"),
    ("BSD 3-Clause License", "BSD-3-Clause"),
    ("BSD 2-Clause License", "BSD-2-Clause"),
)
"""How the text of a licence begins that has an SPDX name."""


def credentials(options: Options) -> Mapping[str, str]:
    """The token that was set, for the registry's own address only."""
    token = options.source("ollama").token
    return {} if token is None or options.no_network else {origin(_base(options, None)): token}


def plan(job: Job, client: Client) -> Plan:
    """Reads the model's manifest. Offline, what Ollama has on this machine counts.

    Raises `ModelNotFound`, `DownloadError`, `DigestMismatch`, `ModelFormatError`, `Unsupported`, `TransientError`.
    """
    if job.options.no_network:
        from trillm.hub._sources.offline import plan_offline

        return plan_offline(job)
    wanted = job.wanted.source
    assert isinstance(wanted, Ollama)
    registry, folder = _registry(job, client, wanted)
    text = retrying(job, lambda: registry.manifest(f"{folder}/manifests/{quote(wanted.tag)}", LARGEST_MANIFEST))

    def small(digest: str) -> bytes:
        return retrying(job, lambda: registry.blob(f"{folder}/blobs/sha256:{digest}", _LARGEST_ADVICE))

    def locate(digest: str) -> Location:
        registry.renew()
        return Location(f"{folder}/blobs/sha256:{digest}")

    return arrange(job, urlsplit(folder).netloc, text, small, locate)


def remote(job: Job, client: Client, source: Mapping[str, Any], file: Mapping[str, Any]) -> RemoteFile:
    """A layer of a model that the store has, where its source has it."""
    del source
    wanted = job.wanted.source
    assert isinstance(wanted, Ollama)
    registry, folder = _registry(job, client, wanted)
    url = f"{folder}/blobs/sha256:{file['sha256']}"
    # One that wants a token says so now.
    retrying(job, lambda: registry.blob(url, 0))

    def locate() -> Location:
        registry.renew()
        return Location(url)

    return RemoteFile(file["name"], file["origin"], file["size"], file["sha256"], None, locate)


def _registry(job: Job, client: Client, wanted: Ollama) -> tuple[Registry, str]:
    """The registry of a model, and the address that all of the model is below."""
    base = _base(job.options, wanted.host)
    registry = Registry(client, base, f"{wanted.namespace}/{wanted.name}:{wanted.tag}")
    return registry, f"{base}/v2/{quote(wanted.namespace)}/{quote(wanted.name)}"


def arrange(
    job: Job,
    host: str,
    manifest: bytes,
    read: Callable[[str], bytes | None],
    locate: Callable[[str], Location],
) -> Plan:
    """What to fetch of a model. ``read`` gets a small layer by its sha256, ``locate`` finds where any one is."""
    wanted = job.wanted.source
    assert isinstance(wanted, Ollama)
    layers = layers_of(job.wanted.text, manifest)
    files: list[RemoteFile] = []
    used: dict[str, int] = {}
    for layer in layers:
        if layer.kind not in _NAMES:
            _log.warning("%s has a layer %r, which is left out", job.wanted.text, layer.kind[:100])
            continue
        used[layer.kind] = used.get(layer.kind, 0) + 1
        files.append(
            RemoteFile(
                name=_numbered(_NAMES[layer.kind], used[layer.kind]),
                origin=f"sha256:{layer.sha256}",
                size=layer.size,
                sha256=layer.sha256,
                git=None,
                locate=lambda sha256=layer.sha256: locate(sha256),  # type: ignore[misc]
            )
        )
    if used.get("model", 0) != 1:
        raise ModelFormatError(
            f"{job.wanted.text} has {used.get('model', 0)} layers with a model, expected 1",
            "malformed",
            "it may be one that runs on a server of its publisher only; choose another tag",
        )
    small = {layer.kind: layer for layer in reversed(layers) if layer.kind in {"system", "params", "license"}}
    texts = {kind: _text(job.wanted.text, layer, read) for kind, layer in small.items()}
    return Plan(
        files=tuple(files),
        source={
            "kind": "ollama",
            "host": host,
            "name": f"{wanted.namespace}/{wanted.name}",
            "tag": wanted.tag,
            "manifest": hashlib.sha256(manifest).hexdigest(),
        },
        open=_NAMES["model"],
        licence=_licence(texts.get("license")),
        chat=_chat(job.wanted.text, texts.get("system"), texts.get("params")),
    )


def _base(options: Options, host: str | None) -> str:
    if host is None:
        return (options.source("ollama").base_url or f"https://{HOST}").rstrip("/")
    return f"{'http' if _is_loopback(urlsplit(f'//{host}').hostname or '') else 'https'}://{host}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _numbered(name: str, number: int) -> str:
    stem, dot, ending = name.partition(".")
    return name if number == 1 else f"{stem}-{number}{dot}{ending}"


def _text(name: str, layer: Layer, read: Callable[[str], bytes | None]) -> str | None:
    """What a small layer says."""
    if layer.size > _LARGEST_ADVICE:
        _log.warning("%s has a layer %s of %d bytes, which is not read", name, layer.kind, layer.size)
        return None
    content = read(layer.sha256)
    if content is None:
        # Offline, and not on this machine: fetching the file will say so.
        return None
    if hashlib.sha256(content).hexdigest() != layer.sha256:
        raise TransientError(
            DigestMismatch(
                f"checksum mismatch for the layer {layer.kind} of {name}",
                "digest_mismatch",
                "try again, then ask whoever runs the registry",
            )
        )
    return content.decode(errors="replace")


def _chat(name: str, system: str | None, params: str | None) -> Mapping[str, Any] | None:
    chat: dict[str, Any] = {} if system is None else {"system": system}
    if params is not None:
        try:
            advice = dict(json.loads(params))
        except (TypeError, ValueError, RecursionError):
            _log.warning("%s has parameters that cannot be read; they are kept, and not used", name)
            advice = {}
        chat |= _sampling(advice)
    return chat or None


def _sampling(advice: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters by our names; what makes no sense is left out."""
    found: dict[str, Any] = {}
    for theirs, (ours, least, most) in _NUMBERS.items():
        value = advice.get(theirs)
        if isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most:
            found[ours] = float(value)
    for name, below_zero in _COUNTS.items():
        value = advice.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value < 1 << 32:
            found[name] = value if value >= 0 else below_zero
    stop = advice.get("stop")
    texts = [stop] if isinstance(stop, str) else stop
    if isinstance(texts, list) and texts and all(isinstance(text, str) and text for text in texts):
        found["stop"] = texts
    return found


def _licence(text: str | None) -> str | None:
    """The SPDX name where the text is a usual one, else its title where it has one."""
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    if not lines:
        return None
    for start, name in _LICENCES:
        if lines[0].startswith(start):
            return name
    title = lines[0]
    return title if len(title) < 60 and title.isprintable() and "licen" in title.lower() else None
