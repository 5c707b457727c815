"""A registry on this machine that speaks Ollama's protocol, with a second host for blobs."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from web import Reply, Request, Web

IMAGE = "application/vnd.ollama.image."


class Registry(Web):
    """The registry. With ``challenge`` it wants a token, which it gives to whoever asks."""

    token = "registry_canary"
    challenge = False

    def __init__(self) -> None:
        super().__init__()
        self.storage = Web()
        self.manifests: dict[str, bytes] = {}
        self.realm = f"{self.url}/token"
        self.too_old = False
        self.announced: str | None = None
        """The digest of every manifest, where it is not the right one."""

    def close(self) -> None:
        self.storage.close()
        super().close()

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    def add(self, name: str, layers: list[tuple[str, bytes]], changed: dict[str, Any] | None = None) -> bytes:
        """A model of ``namespace/name:tag`` with these layers, by kind; ``changed`` are other fields."""
        config = b'{"model_format": "gguf"}'
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": self.layer("application/vnd.docker.container.image.v1+json", config),
            "layers": [self.layer(IMAGE + kind, content) for kind, content in layers],
        }
        path, _, tag = name.partition(":")
        text = json.dumps(manifest | (changed or {})).encode()
        self.manifests[f"/v2/{path}/manifests/{tag}"] = text
        return text

    def layer(self, media_type: str, content: bytes) -> dict[str, Any]:
        """A layer of a manifest, whose blob is there."""
        digest = hashlib.sha256(content).hexdigest()
        self.storage.put(f"/{digest}", content, etag=f'"{digest[:32]}"')
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    def answer(self, request: Request) -> Reply:
        parts = urlsplit(request.path)
        if parts.path == "/token":
            asked = parse_qs(parts.query)
            if asked.get("service") != ["registry"] or asked.get("scope") != ["repository:pull"]:
                return Reply(400)
            return Reply(200, {}, json.dumps({"token": self.token, "expires_in": 300}).encode())
        if self.challenge and request.headers.get("Authorization") != f"Bearer {self.token}":
            wanted = f'Bearer realm="{self.realm}",service="registry",scope="repository:pull"'
            return Reply(401, {"WWW-Authenticate": wanted})
        if self.too_old:
            return Reply(412)
        if parts.path in self.manifests:
            text = self.manifests[parts.path]
            digest = self.announced or f"sha256:{hashlib.sha256(text).hexdigest()}"
            return Reply(200, {"Docker-Content-Digest": digest}, text)
        _, _, digest = parts.path.rpartition("/blobs/sha256:")
        if f"/{digest}" in self.storage.files:
            return Reply(307, {"Location": f"{self.storage.url}/{digest}"})
        return Reply(404)
