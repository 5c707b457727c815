"""A package index on this machine that can be told to misbehave."""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
import stat
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from trillm.hub._network.retries import limits

WEIGHTS = random.Random(0).randbytes(2_000_000)
"""Like weights, these do not compress."""


def wheel(
    files: dict[str, bytes],
    *,
    links: dict[str, str] | None = None,
    package: str = "tiny",
    version: str = "1.0",
    compression: int = zipfile.ZIP_DEFLATED,
) -> bytes:
    """A wheel with these members, as hostile as their names are."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        for name, target in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, target)
        metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\nLicense: MIT\n"
        archive.writestr(f"{package}-{version}.dist-info/METADATA", metadata)
        tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{package}-{version}.dist-info/WHEEL", tags)
    return content.getvalue()


class Index(ThreadingHTTPServer):
    """Speaks the JSON form of the simple index (PEP 691)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.archives: dict[str, bytes] = {}
        self.announced: dict[str, str] = {}
        self.cuts = 0
        """How many of the next downloads break off halfway."""
        self.pace = 0.0
        """Seconds each download takes."""
        self.sent: Counter[str] = Counter()
        """How often each was sent as a whole."""
        self.ranges = True
        """Whether it sends parts of files."""
        self.part_bytes = 0
        """Of all parts that it sent."""
        self.password: str | None = None
        self.go_on = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/simple"

    def add(self, name: str, archive: bytes) -> None:
        self.archives[name] = archive
        self.announced[name] = hashlib.sha256(archive).hexdigest()

    def handle_error(self, request: object, client_address: object) -> None:
        """Cancelled downloads are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        name = self.path.rstrip("/").rsplit("/", 1)[-1]
        if self.server.password and self.server.password not in self.headers.get("Authorization", ""):
            self.send_error(401)
        elif self.path.startswith("/simple/"):
            self._project(name)
        elif name in self.server.archives:
            self._archive(name)
        else:
            self.send_error(404)

    def _project(self, project: str) -> None:
        files = [
            {"filename": name, "url": f"/files/{name}", "hashes": {"sha256": digest} if digest else {}}
            for name, digest in self.server.announced.items()
            if name.replace("_", "-").startswith(f"{project}-")
        ]
        if not files:
            self.send_error(404)
            return
        body = json.dumps({"meta": {"api-version": "1.0"}, "name": project, "files": files}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _archive(self, name: str) -> None:
        body = self.server.archives[name]
        part = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if part and self.server.ranges:
            first, end = int(part[1]), min(int(part[2]) + 1, len(body))
            self.server.part_bytes += end - first
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(body)}")
            self.send_header("Content-Length", str(end - first))
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.end_headers()
            self.wfile.write(body[first:end])
            return
        self.server.sent[name] += 1
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        half = len(body) // 2
        self.wfile.write(body[:half])
        self.wfile.flush()
        self.server.go_on.wait(self.server.pace)
        if self.server.cuts > 0:
            self.server.cuts -= 1
            self.close_connection = True
        else:
            self.wfile.write(body[half:])

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """An index that pip is configured to use, and nothing else."""
    server = Index()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", server.url)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(limits, "backoff", 0.01)
    yield server
    server.go_on.set()
    server.shutdown()
    server.server_close()
