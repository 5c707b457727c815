"""A server of one large file, in the way of the Hugging Face hub, as a process of its own.

`python worker_web.py FILE SHA256 DELAY`: prints its port. Each byte, either way, arrives DELAY seconds after it
was sent: a round trip takes twice that. Bandwidth is whatever the machine can do.
"""

from __future__ import annotations

import os
import queue
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"

_READ = 1 << 20

_FLIGHT = 256
"""Pieces on their way at most, each way."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    file: Path
    digest: str

    def do_HEAD(self) -> None:
        self._head()

    def do_GET(self) -> None:
        first, end = self._head()
        with self.file.open("rb") as content:
            while first < end:
                first += os.sendfile(self.connection.fileno(), content.fileno(), first, end - first)

    def _head(self) -> tuple[int, int]:
        size = self.file.stat().st_size
        first, end = 0, size
        wanted = self.headers.get("Range")
        if wanted:
            start, _, last = wanted.removeprefix("bytes=").partition("-")
            first, end = int(start), int(last) + 1 if last else size
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{size}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(end - first))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{self.digest}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        return first, end

    def log_message(self, *_: object) -> None:
        """Quiet."""


def _late(source: socket.socket, target: socket.socket, delay: float) -> None:
    """Passes bytes on after a while, without holding back those behind them."""
    flight: queue.Queue[tuple[float, bytes]] = queue.Queue(_FLIGHT)

    def deliver() -> None:
        while True:
            due, piece = flight.get()
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                if not piece:
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(piece)
            except OSError:
                return

    threading.Thread(target=deliver, daemon=True).start()
    while True:
        try:
            piece = source.recv(_READ)
        except OSError:
            piece = b""
        flight.put((time.monotonic() + delay, piece))
        if not piece:
            return


def _delayed(port: int, delay: float) -> int:
    """A port that leads to another one, slowly."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", port))
            for pair in ((client, server), (server, client)):
                threading.Thread(target=_late, args=(*pair, delay), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return int(listener.getsockname()[1])


def main() -> None:
    """Serves until its standard input is closed."""
    _Handler.file, _Handler.digest, delay = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    print(_delayed(port, delay) if delay else port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
