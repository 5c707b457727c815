"""HTTP by the byte, for clients that send it slowly, in part, or more of it than anybody reads."""

from __future__ import annotations

import socket
from types import TracebackType


class Raw:
    """One connection to a server of this machine."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._rest = b""

    def send(self, data: bytes) -> None:
        """Sends these bytes."""
        self._socket.sendall(data)

    def head(self, path: str, size: int, *more: str, method: str = "POST") -> None:
        """Sends the headers of a request with a body of so many bytes."""
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {size}", *more]
        self.send("".join(f"{line}\r\n" for line in [*lines, ""]).encode())

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer: its status, headers, and body."""
        self._until(b"\r\n\r\n")
        head, self._rest = self._rest.split(b"\r\n\r\n", 1)
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        size = int(headers.get("content-length", 0))
        while len(self._rest) < size:
            self._more()
        body, self._rest = self._rest[:size], self._rest[size:]
        return int(first.split(" ")[1]), headers, body

    def rest(self) -> bytes:
        """All that comes until the server ends the connection."""
        try:
            while part := self._socket.recv(1 << 16):
                self._rest += part
        except ConnectionResetError:
            # It ended while there was something in it that the server had not read.
            pass
        rest, self._rest = self._rest, b""
        return rest

    def _until(self, end: bytes) -> None:
        while end not in self._rest:
            self._more()

    def _more(self) -> None:
        part = self._socket.recv(1 << 16)
        assert part, f"the connection ended after {self._rest[-200:]!r}"
        self._rest += part

    def close(self) -> None:
        """Ends it."""
        self._socket.close()

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
