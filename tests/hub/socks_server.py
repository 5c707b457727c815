"""A SOCKS5 proxy on this machine, which leads every name to one place."""

from __future__ import annotations

import socket
import socketserver
import threading
from types import TracebackType

from typing_extensions import Self


class SocksServer(socketserver.ThreadingTCPServer):
    """Leads to `target`, whatever is asked for; with a `login` it asks for that."""

    daemon_threads = True

    def __init__(self, target: int, login: tuple[bytes, bytes] | None = None, reply: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Guest)
        self.target = target
        self.login = login
        self.reply = reply
        """What it answers: 0 if it connects."""
        self.asked: list[tuple[int, bytes, int]] = []
        """Kind of address, address, port."""

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.shutdown()
        self.server_close()


class _Guest(socketserver.StreamRequestHandler):
    server: SocksServer

    def handle(self) -> None:
        _, count = self.rfile.read(2)
        offered = self.rfile.read(count)
        way = 0 if self.server.login is None else 2
        if way not in offered:
            self.wfile.write(b"\x05\xff")
            return
        self.wfile.write(bytes([5, way]))
        if self.server.login is not None:
            self.rfile.read(1)
            given = tuple(self.rfile.read(self.rfile.read(1)[0]) for _ in range(2))
            self.wfile.write(bytes([1, 0 if given == self.server.login else 1]))
            if given != self.server.login:
                return
        _, _, _, kind = self.rfile.read(4)
        address = self.rfile.read({1: 4, 4: 16}.get(kind) or self.rfile.read(1)[0])
        self.server.asked.append((kind, address, int.from_bytes(self.rfile.read(2), "big")))
        # Where it went out, as a name.
        self.wfile.write(bytes([5, self.server.reply, 0, 3, 4]) + b"here" + b"\0\1")
        if self.server.reply:
            return
        with socket.create_connection(("127.0.0.1", self.server.target)) as there:
            threading.Thread(target=_copy, args=(there, self.connection), daemon=True).start()
            _copy(self.connection, there)


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while part := source.recv(1 << 16):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
