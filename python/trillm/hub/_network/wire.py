"""The sockets below urllib3: requests that another thread can end, and peers that must be out in the world.

urllib3 calls these from inside a request and knows nothing of ours, so a request's :class:`Wire` is found by its
thread.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import BadStatusLine, HTTPResponse
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.wait import wait_for_write

from trillm.errors import DownloadError
from trillm.hub._network.socks import Socks

_TICK = 0.1
"""Seconds after which a thread that connects looks whether it is still wanted: shutting a socket down ends its
connecting on some systems only."""

_current = threading.local()


class Wire:
    """The connection that one request uses."""

    def __init__(self, check: Callable[[], None]) -> None:
        self.check = check
        """Raises if the request is not wanted any more."""
        self.public_only = False
        """Whether the peer must be a public address."""
        self.public: bool | None = None
        """Whether the peer is one; unknown behind a proxy."""
        self._socket: socket.socket | None = None
        self._is_cut = False
        self._lock = threading.Lock()

    def cut(self) -> None:
        """Ends the request, from any thread: whoever waits for bytes is woken."""
        with self._lock:
            self._is_cut = True
            self._shut()

    def hold(self, sock: socket.socket) -> None:
        """What it uses now."""
        with self._lock:
            self._socket = sock
            if self._is_cut:
                self._shut()

    def judge(self, sock: socket.socket) -> None:
        """Looks where a direct connection leads."""
        self.public = is_public(sock.getpeername()[0])
        if self.public_only and not self.public:
            raise not_public()

    @contextmanager
    def used(self) -> Iterator[None]:
        """While inside, requests of this thread use this."""
        _current.wire = self
        try:
            yield
        finally:
            del _current.wire

    def _shut(self) -> None:
        if self._socket is not None:
            # The method of TLS sockets would take away what the reading thread uses.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def is_public(host: str) -> bool:
    """Whether this is not an address of this machine or its network. A name is nobody's address."""
    host = host.partition("%")[0].strip("[]").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            # What only the system's own parser takes for an address: 127.1, 0x7f000001.
            address = ipaddress.ip_address(socket.inet_aton(host))
        except (OSError, UnicodeError):
            return True
    return (getattr(address, "ipv4_mapped", None) or address).is_global


def not_public() -> DownloadError:
    """The error of a redirect from the world into this machine's network."""
    return DownloadError(
        "a public host led to an address of this machine or its network",
        "redirect_refused",
        "nothing was asked there; ask whoever runs that host, or use another source",
    )


def _connect(connection: _Plain | _Secure) -> socket.socket:
    """Tries each address of its host."""
    wire: Wire = _current.wire
    through = connection.through
    host, port = (through.host, through.port) if through else (connection.host, connection.port)
    error: Exception = NewConnectionError(connection, "its name has no address")
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as failed:
        reason = failed if isinstance(failed, socket.gaierror) else socket.gaierror(socket.EAI_NONAME, str(failed))
        raise NameResolutionError(host, connection, reason) from failed
    timeout = connection.timeout if isinstance(connection.timeout, int | float) else None
    for family, kind, protocol, _, address in found:
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError as failed:
            error = failed
            continue
        try:
            for option in connection.socket_options or ():
                sock.setsockopt(*option)
            _reach(sock, address, timeout, wire.check)
            sock.settimeout(timeout)
            if through:
                wire.hold(sock)
                through.lead(sock, connection.host, connection.port)
            elif connection.proxy is None:
                wire.judge(sock)
            return sock
        except OSError as failed:
            sock.close()
            error = failed
        except BaseException:
            sock.close()
            raise
    if isinstance(error, TimeoutError):
        raise ConnectTimeoutError(connection, "it did not answer") from error
    raise NewConnectionError(connection, str(error)) from error


def _reach(sock: socket.socket, address: Any, timeout: float | None, check: Callable[[], None]) -> None:
    end = None if timeout is None else time.monotonic() + timeout
    sock.setblocking(False)
    code = sock.connect_ex(address)
    if code not in {0, errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", 0)}:
        raise OSError(code, os.strerror(code))
    while not wait_for_write(sock, _TICK):
        check()
        if end is not None and time.monotonic() > end:
            raise TimeoutError(f"no answer in {timeout:g} s")
    if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(code, os.strerror(code))


class _Whole(HTTPResponse):
    """An answer whose headers end as they should.

    One that is cut within them would look as if it had no more of them: no length, another version.
    """

    def begin(self) -> None:
        stream: Any = self.fp
        read, last = stream.readline, b""

        def noting(limit: int) -> Any:
            nonlocal last
            last = read(limit)
            return last

        stream.readline = noting
        try:
            super().begin()
        finally:
            del stream.readline
        if last not in {b"\r\n", b"\n"}:
            raise BadStatusLine("it ends within its headers")


class _Plain(HTTPConnection):
    response_class = _Whole
    through: Socks | None = None

    def _new_conn(self) -> socket.socket:
        sock = _connect(self)
        _current.wire.hold(sock)
        return sock

    def request(self, *arguments: Any, **named: Any) -> None:
        _reuse(self)
        super().request(*arguments, **named)


class _Secure(HTTPSConnection):
    response_class = _Whole
    through: Socks | None = None
    _twin: socket.socket | None = None

    def connect(self) -> None:
        try:
            super().connect()
        finally:
            if self._twin is not None:
                self._twin.close()
                self._twin = None

    def _new_conn(self) -> socket.socket:
        sock = _connect(self)
        # TLS takes the socket over and gives nothing back before it has shaken hands; a twin can be shut meanwhile.
        self._twin = sock.dup()
        _current.wire.hold(self._twin)
        return sock

    def request(self, *arguments: Any, **named: Any) -> None:
        _reuse(self)
        super().request(*arguments, **named)


def _reuse(connection: _Plain | _Secure) -> None:
    """A connection that is open already serves this request."""
    wire: Wire = _current.wire
    if connection.sock is not None:
        wire.hold(connection.sock)
        if connection.proxy is None and connection.through is None:
            wire.judge(connection.sock)


def pools(through: Socks | None) -> dict[str, type[urllib3.HTTPConnectionPool]]:
    """What a pool manager makes pools of, whose connections lead through a proxy if there is one."""

    class Plain(_Plain):
        pass

    class Secure(_Secure):
        pass

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    Plain.through = Secure.through = through
    return {"http": PlainPool, "https": SecurePool}
