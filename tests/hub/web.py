"""A web server on this machine, with everything that goes wrong on the way.

It speaks HTTP/1.1 with kept connections and single ranges. What it answers is `answer`, which servers of a protocol
override; what goes wrong with an answer is a :class:`Fault`. A second instance is a second host: ports differ.
"""

from __future__ import annotations

import contextlib
import copy
import gzip
import os
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.message import Message
from email.utils import formatdate
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar, TypeVar
from urllib.parse import urlsplit

W = TypeVar("W", bound="Web")

_PIECE = 1 << 20
"""Bytes sent at a time."""


@dataclass
class Request:
    """What came, and what became of it."""

    method: str
    path: str
    """With the query. Of a request to a proxy, the whole address."""
    headers: Message
    """Names in any case."""
    client: int
    """The client's port: the same for all requests of one connection."""
    status: int = 0
    """As answered; 0 if there was no answer."""
    sent: int = 0
    """Bytes of the body that were sent so far."""


@dataclass(frozen=True)
class Reply:
    """What to answer. The length is added; a body that is a part of a file is sent without a copy."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Part = b""


@dataclass(frozen=True)
class Part:
    """Bytes of a file."""

    path: Path
    first: int
    end: int

    def __len__(self) -> int:
        return self.end - self.first


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one answer. Places are bytes of its body; one that has fewer gets it at its end."""

    status: int | None = None
    """Instead of the answer, without a body."""
    headers: Mapping[str, str | None] = field(default_factory=dict)
    """Changed, or with `None` left out."""
    cut: int | None = None
    """Where the connection ends; -1: before the answer."""
    cut_headers: int | None = None
    """After how many bytes of its headers the connection ends."""
    reset: bool = False
    """It ends with a reset (RST) instead of an end (FIN)."""
    stall: int | None = None
    """Where nothing comes any more, though the connection stays; -1: before the answer."""
    flip: int | None = None
    """Which byte is wrong."""
    longer: int = 0
    """The length announced is so many bytes more than the truth; less, if negative."""
    whole: bool = False
    """The whole file as 200, whatever part was asked for."""
    chunked: bool = False
    """No length is announced."""
    packed: bool = False
    """Compressed, though nobody asked for that."""
    drip: float | None = None
    """Seconds after each byte, headers excluded."""
    drip_headers: float | None = None
    """Seconds after each byte of the headers."""


@dataclass(frozen=True)
class _File:
    content: bytes | Path
    headers: Mapping[str, str]

    def size(self) -> int:
        return self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)

    def part(self, first: int, end: int) -> bytes | Part:
        return Part(self.content, first, end) if isinstance(self.content, Path) else self.content[first:end]


class Web:
    """The server. It runs until closed.

    `faults` is asked for each request: a function, or faults for the next requests, one each (`None`: none).
    """

    def __init__(self) -> None:
        self.files: dict[str, _File] = {}
        self.requests: list[Request] = []
        """All so far, in order of their arrival."""
        self.faults: Callable[[Request], Fault | None] | deque[Fault | None] = deque()
        self.most = 0
        """The most bodies that were under way at the same time."""
        self._redirects: dict[str, tuple[str, int]] = {}
        self._lock = threading.Lock()
        self._under_way = 0
        self._closing = threading.Event()
        self._connections: set[socket.socket] = set()
        self._listen(0)
        self._port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self: W) -> W:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def put(
        self,
        path: str,
        content: bytes | Path,
        *,
        etag: str | None = None,
        sha256_etag: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Serves a file from now on. Without an `etag` (quotes included) it has only a date."""
        if sha256_etag:
            assert isinstance(content, bytes)
            etag = f'"{sha256(content).hexdigest()}"'
        validator = {"Last-Modified": formatdate(0, usegmt=True)} if etag is None else {"ETag": etag}
        self.files[path] = _File(content, {**validator, **(headers or {})})

    def redirect(self, path: str, to: str, status: int = 302) -> None:
        """Leads from a path (without query) elsewhere."""
        self._redirects[path] = (to, status)

    def answer(self, request: Request) -> Reply:
        """What is put here, whole or the range that is asked for; override it for more."""
        path = urlsplit(request.path).path
        if path in self._redirects:
            to, status = self._redirects[path]
            return Reply(status, {"Location": to})
        if path not in self.files:
            return Reply(404)
        file = self.files[path]
        size = file.size()
        headers = {"Accept-Ranges": "bytes", **file.headers}
        asked = request.headers.get("Range")
        condition = request.headers.get("If-Range")
        if asked is None or (condition is not None and condition not in file.headers.values()):
            return Reply(200, headers, file.part(0, size))
        first, end = _range(asked, size)
        if first >= end:
            return Reply(416, {"Content-Range": f"bytes */{size}"})
        return Reply(206, headers | {"Content-Range": f"bytes {first}-{end - 1}/{size}"}, file.part(first, end))

    def break_next(self, *faults: Fault | None) -> None:
        """The next requests have these faults; those after them none."""
        self.faults = deque(faults)

    def asked(self, method: str = "GET") -> list[Request]:
        """The requests of this method."""
        return [request for request in self.requests if request.method == method]

    @property
    def sent(self) -> int:
        """Bytes of bodies sent so far."""
        return sum(request.sent for request in self.requests)

    @property
    def under_way(self) -> int:
        """Answers that are being sent, or stall."""
        with self._lock:
            return self._under_way

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """While inside, nobody listens and all connections are gone."""
        self._stop()
        try:
            yield
        finally:
            self._listen(self._port)

    def close(self) -> None:
        """Ends it and all its connections."""
        self._closing.set()
        self._stop()

    def _listen(self, port: int) -> None:
        handler = type("_Bound", (_Handler,), {"web": self})
        self._server = _Server(("127.0.0.1", port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def _stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _fault(self, request: Request) -> Fault:
        with self._lock:
            self.requests.append(request)
            faults = self.faults
            if not callable(faults):
                return (faults.popleft() if faults else None) or Fault()
        # It may wait for other requests.
        return faults(request) or Fault()

    @contextmanager
    def _sending(self) -> Iterator[None]:
        with self._lock:
            self._under_way += 1
            self.most = max(self.most, self._under_way)
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Clients that leave are no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    web: ClassVar[Web]

    def setup(self) -> None:
        super().setup()
        with self.web._lock:
            self.web._connections.add(self.connection)

    def finish(self) -> None:
        with self.web._lock:
            self.web._connections.discard(self.connection)
        super().finish()

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def _serve(self) -> None:
        request = Request(self.command, self.path, self.headers, self.client_address[1])
        fault = self.web._fault(request)
        if fault.cut == -1:
            return self._end(fault)
        if fault.stall == -1:
            return self._stall()
        asked = request
        if fault.whole:
            asked = replace(request, headers=copy.copy(request.headers))
            del asked.headers["Range"]
        reply = Reply(fault.status) if fault.status else self.web.answer(asked)
        body, headers = reply.body, dict(reply.headers)
        if fault.packed:
            body = gzip.compress(_bytes(body))
            headers["Content-Encoding"] = "gzip"
        if fault.flip is not None and body:
            wrong = bytearray(_bytes(body))
            wrong[min(fault.flip, len(wrong) - 1)] ^= 1
            body = bytes(wrong)
        if fault.chunked:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(max(0, len(body) + fault.longer))
        for name, value in fault.headers.items():
            headers.pop(name, None)
            if value is not None:
                headers[name] = value
        request.status = reply.status
        self._head(reply.status, headers, fault)
        if self.command != "HEAD":
            with self.web._sending():
                self._body(request, body, fault)
        if fault.longer:
            # Whoever reads as much as was announced must not read the next answer.
            self.close_connection = True
        return None

    def _head(self, status: int, headers: Mapping[str, str], fault: Fault) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        lines = b"".join(self._headers_buffer)
        if fault.cut_headers is not None:
            self.wfile.write(lines[: fault.cut_headers])
            self._end(fault)
            raise ConnectionError
        if fault.drip_headers is not None:
            self._headers_buffer: list[bytes] = []
            for at in range(len(lines)):
                self.wfile.write(lines[at : at + 1])
                if self.web._closing.wait(fault.drip_headers):
                    return
        self.end_headers()

    def _body(self, request: Request, body: bytes | Part, fault: Fault) -> None:
        stops = [place for place in (fault.cut, fault.stall) if place is not None]
        end = min([len(body), *stops])
        while request.sent < end:
            step = 1 if fault.drip is not None else min(end - request.sent, _PIECE)
            self._piece(body, request.sent, step, chunked=fault.chunked)
            request.sent += step
            if fault.drip is not None and self.web._closing.wait(fault.drip):
                return
        if fault.cut is not None:
            self._end(fault)
        elif fault.stall is not None:
            self._stall()
        elif fault.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _piece(self, body: bytes | Part, first: int, size: int, *, chunked: bool) -> None:
        if chunked:
            self.wfile.write(b"%x\r\n%s\r\n" % (size, _bytes(body)[first : first + size]))
        elif isinstance(body, Part):
            with body.path.open("rb") as file:
                while size:
                    sent = os.sendfile(self.connection.fileno(), file.fileno(), body.first + first, size)
                    first, size = first + sent, size - sent
        else:
            self.wfile.write(body[first : first + size])

    def _end(self, fault: Fault) -> None:
        self.close_connection = True
        if fault.reset:
            # To close with nothing to wait for sends a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)

    def _stall(self) -> None:
        """Until the client leaves."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            while not self.web._closing.is_set() and self.connection.recv(4096):
                time.sleep(0)


def _bytes(body: bytes | Part) -> bytes:
    if isinstance(body, bytes):
        return body
    with body.path.open("rb") as file:
        file.seek(body.first)
        return file.read(len(body))


def _range(asked: str, size: int) -> tuple[int, int]:
    """A single range, as first byte and end; none if it is outside."""
    start, _, last = asked.removeprefix("bytes=").partition("-")
    if not start:
        return max(0, size - int(last)), size
    return int(start), min(size, int(last) + 1) if last else size
