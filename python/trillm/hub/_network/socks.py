"""The way through a SOCKS5 proxy (RFC 1928, and RFC 1929 for who asks).

Written here, because what urllib3 has for it replaces the very sockets that we look after, and needs a library that
few have installed.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote

_VERSION, _CONNECT = 5, 1
_NO_PASSWORD, _PASSWORD = 0, 2

_REFUSALS = {
    1: "it failed",
    2: "its rules forbid it",
    3: "the network cannot be reached",
    4: "the host cannot be reached",
    5: "the connection was refused",
    6: "it took too long",
    8: "it knows no such addresses",
}


@dataclass(frozen=True)
class Socks:
    """A proxy. With `socks5h` it looks names up itself, with `socks5` we do, as curl has it."""

    host: str
    port: int
    names: bool
    """Whether it is given names."""
    user: bytes = field(default=b"", repr=False)
    password: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, address: SplitResult) -> Socks:
        """What an address says."""
        return cls(
            address.hostname or "",
            address.port or 1080,
            address.scheme == "socks5h",
            unquote(address.username or "").encode()[:255],
            unquote(address.password or "").encode()[:255],
        )

    def lead(self, sock: socket.socket, host: str, port: int) -> None:
        """Has a socket that is connected to it lead to a host. Raises `OSError`."""
        way = _NO_PASSWORD if not self.user else _PASSWORD
        sock.sendall(bytes([_VERSION, 1, way]))
        if _read(sock, 2) != bytes([_VERSION, way]):
            raise _refused("the proxy wants another login" if self.user else "the proxy wants a login")
        if self.user:
            sock.sendall(
                bytes([1, len(self.user)]) + self.user + bytes([len(self.password)]) + self.password,
            )
            if _read(sock, 2)[1] != 0:
                raise _refused("the proxy does not take this login")
        sock.sendall(bytes([_VERSION, _CONNECT, 0]) + self._address(host, port) + port.to_bytes(2, "big"))
        _, reply, _, kind = _read(sock, 4)
        if reply != 0:
            raise _refused(f"the proxy did not connect: {_REFUSALS.get(reply, f'it answered {reply}')}")
        # Where it went out, which nobody asks for.
        _read(sock, {1: 4, 4: 16}.get(kind) or _read(sock, 1)[0])
        _read(sock, 2)

    def _address(self, host: str, port: int) -> bytes:
        host = host.strip("[]")
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            if self.names:
                name = host.encode("idna")
                return bytes([3, len(name)]) + name
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            # Many proxies know the older addresses alone.
            found.sort(key=lambda entry: entry[0] != socket.AF_INET)
            address = ipaddress.ip_address(found[0][4][0])
        return bytes([1 if address.version == 4 else 4]) + address.packed


def _refused(why: str) -> OSError:
    return OSError(errno.EPROTO, why)


def _read(sock: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        part = sock.recv(count - len(got))
        if not part:
            raise _refused("the proxy closed the connection")
        got += part
    return got
