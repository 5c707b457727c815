"""Requests to a registry, and the token that it may want: the challenge of Docker's registries."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from trillm.errors import DigestMismatch, DownloadError, ModelNotFound, Unsupported
from trillm.hub._failure import TransientError, UnknownModel
from trillm.hub._network.client import origin

if TYPE_CHECKING:
    from trillm.hub._network.client import Client, Response

_ACCEPT = "application/vnd.docker.distribution.manifest.v2+json"

_PARAMETER = re.compile(r'([a-z]+)="([^"]{0,2000})"')

_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")

_LARGEST_TOKEN = 64 << 10
"""Bytes of the answer that holds it."""

_USUAL_LIFE = 60.0
"""Seconds that a token holds which does not say so: Docker's rule."""

_OLLAMA = {"registry.ollama.ai": "ollama.com"}
"""Who else may give a registry's tokens."""


class Registry:
    """One registry, for one download of one model. Any thread may ask."""

    def __init__(self, client: Client, base: str, model: str) -> None:
        self._client = client
        self._base = base
        self._host = urlsplit(base).hostname or ""
        self._model = model
        self._origin = origin(base)
        self._own = client.credentials.get(self._origin)
        self._realm: str | None = None
        self._until = 0.0
        self._lock = threading.Lock()

    def manifest(self, url: str, limit: int) -> bytes:
        """A manifest, or if it is larger the first ``limit + 1`` bytes of it."""
        with self._get(url, {"Accept": _ACCEPT}) as answer:
            content = _read(answer, limit + 1)
            told = answer.headers.get("Docker-Content-Digest", "")
        if len(content) <= limit and told.startswith("sha256:") and told[7:].lower() != _sha256(content):
            raise TransientError(
                DigestMismatch(
                    f"the manifest of {self._model} from {self._host} is not the one that it announced",
                    "digest_mismatch",
                    "try again, then ask whoever runs the registry",
                )
            )
        return content

    def blob(self, url: str, limit: int) -> bytes:
        """A small blob, or if it is larger the first ``limit + 1`` bytes of it."""
        with self._get(url, {}) as answer:
            return _read(answer, limit + 1)

    def renew(self) -> None:
        """To be called before a request that somebody else makes: gets a new token where the last one is old."""
        with self._lock:
            if self._realm is not None and time.monotonic() > self._until:
                self._authorise(self._realm)

    def _get(self, url: str, headers: dict[str, str]) -> Response:
        try:
            return self._authorised(url, headers)
        except ModelNotFound:
            raise UnknownModel(
                f"{self._host} has no model {self._model}", "model_not_found", "check the name and the tag"
            ) from None

    def _authorised(self, url: str, headers: dict[str, str]) -> Response:
        answer = self._client.get(url, headers=headers, accept={401, 412})
        if answer.status == 401:
            with answer:
                challenge = answer.headers.get("WWW-Authenticate", "")
            with self._lock:
                self._realm = self._address(challenge)
                self._authorise(self._realm)
            answer = self._client.get(url, headers=headers, accept={412})
        if answer.status == 412:
            answer.close()
            raise Unsupported(
                f"{self._host} gives {self._model} only to a newer client",
                "unsupported",
                "look for a newer version of trillm, or choose another tag",
            )
        return answer

    def _address(self, challenge: str) -> str:
        """Where to get a token: the registry's word for it, if it stays at home."""
        scheme, _, rest = challenge.partition(" ")
        found: dict[str, str] = dict(_PARAMETER.findall(rest))
        realm = found.get("realm", "")
        if scheme.lower() != "bearer" or not realm:
            raise self._denied("and does not say where to get a token")
        try:
            parts = urlsplit(realm)
            elsewhere = origin(realm) != self._origin
        except (ValueError, DownloadError):
            raise self._denied("and sends us to no address for a token") from None
        host, home = parts.hostname or "", self._host
        known = host in {home, _OLLAMA.get(home)} or host.endswith(f".{home}")
        if elsewhere and not (parts.scheme == "https" and known):
            raise DownloadError(
                f"{home} sends us to {host[:200]!r} for a token, which is not its own",
                "redirect_refused",
                "set a token for it in the configuration",
            )
        asked = urlencode([(name, found[name]) for name in ("service", "scope") if name in found])
        return realm + ("&" if parts.query else "?") + asked if asked else realm

    def _authorise(self, realm: str) -> None:
        credentials = self._client.credentials
        credentials.pop(self._origin, None)
        if self._own is not None:
            credentials[self._origin] = self._own
        with self._client.get(realm) as answer:
            found = answer.json(_LARGEST_TOKEN)
        token = found.get("token") or found.get("access_token") if isinstance(found, dict) else None
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise self._denied("and gives no token")
        life = found.get("expires_in")
        self._until = time.monotonic() + 0.8 * (life if isinstance(life, int) and life > 0 else _USUAL_LIFE)
        credentials[self._origin] = token

    def _denied(self, why: str) -> DownloadError:
        return DownloadError(
            f"{self._host} does not let us read {self._model}, {why}",
            "access_denied",
            'check the name; for a private model set a token for the source "ollama" in the configuration',
        )


def _read(answer: Response, limit: int) -> bytes:
    content = bytearray()
    while len(content) < limit and (part := answer.read(limit - len(content))):
        content += part
    return bytes(content)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
