"""Requests, on urllib3: which credentials go where, which redirects are followed, and what failures mean.

We follow redirects ourselves, because each step is judged: a token goes to the origin it is for and nowhere else, what
was encrypted stays encrypted, and the world does not lead us into this machine's network.
"""

from __future__ import annotations

import copy
import ssl
import threading
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urljoin, urlsplit
from urllib.request import getproxies

import urllib3
from urllib3.exceptions import HTTPError, LocationValueError

from trillm._core import __version__
from trillm.errors import DownloadError
from trillm.hub._failure import download_failed
from trillm.hub._network.meaning import host_of, of_exception
from trillm.hub._network.proxies import SOCKS, Proxy
from trillm.hub._network.response import Response
from trillm.hub._network.retries import limits
from trillm.hub._network.socks import Socks
from trillm.hub._network.wire import Wire, is_public, not_public, pools
from trillm.hub._threads import start

if TYPE_CHECKING:
    from trillm.hub._network.crew import Running

__all__ = ["Client", "Response", "certificates", "origin"]

_REDIRECTS = {301, 302, 303, 307, 308}

_PORTS = {"http": 80, "https": 443}

_DRAINED = 64 << 10
"""Bytes of a redirect's body that are read to keep the connection."""


def origin(url: str) -> str:
    """Scheme, host and port, in one spelling: what credentials are for. The usual port is left out."""
    parts = _split(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if parts.port in {None, _PORTS[parts.scheme]} else f":{parts.port}")


class Client:
    """The requests of one download. Any thread may make them; connections are kept and shared."""

    def __init__(self, running: Running, credentials: Mapping[str, str], *, offline: bool = False) -> None:
        self.running = running
        """What its requests are for: they end when that is cancelled."""
        self.credentials = dict(credentials)
        """Bearer tokens by the :func:`origin` that they are for."""
        self._offline = offline
        self._proxies = getproxies()
        self._managers: dict[tuple[str, Proxy | None], urllib3.PoolManager] = {}
        self._public: set[str] = set()
        self._lock = threading.Lock()

    def within(self, running: Running) -> Client:
        """The same client, for a part of its job that may be cancelled by itself."""
        part = copy.copy(self)
        part.running = running
        return part

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        first: int | None = None,
        end: int | None = None,
        if_range: str | None = None,
        method: str = "GET",
        accept: Collection[int] = (),
        what: str = "",
    ) -> Response:
        """Sends a request and waits for the headers of its answer; redirects are followed.

        `first` and `end` ask for a part (up to the end, if only `first` is given), unless the content is not that of
        `if_range` any more. An answer of 400 or more is raised, unless it is among `accept`. `what` is what messages
        call the thing asked for.

        Raises `TransientError`, `ModelNotFound` and `DownloadError`, and whatever the job says when it is cancelled.
        """
        ours = {"User-Agent": f"trillm/{__version__}", "Accept-Encoding": "identity", **(headers or {})}
        if first is not None:
            ours["Range"] = f"bytes={first}-{'' if end is None else end - 1}"
            if if_range is not None:
                ours["If-Range"] = if_range
        if self._offline:
            raise download_failed(
                f"offline mode forbids asking {host_of(url)}",
                "do it while online, or unset HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE",
            )
        wire = Wire(self.running.check)
        with ExitStack() as stack:
            stack.enter_context(self.running.on_cancel(wire.cut))
            raw, url = self._follow(method, url, ours, wire)
            response = Response(raw, url, self.running, stack.pop_all(), what)
        if response.status >= 300 and response.status not in accept:
            response.close()
            raise response.failure()
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            response.close()
            raise download_failed(
                f"{response.host} sent what was asked for plain as {response.headers['Content-Encoding']!r}",
                "a proxy may have changed it; what is packed cannot be checked or gone on with",
            )
        return response

    def _follow(
        self, method: str, url: str, headers: Mapping[str, str], wire: Wire
    ) -> tuple[urllib3.BaseHTTPResponse, str]:
        for _ in range(limits.redirects + 1):
            wire.public_only = wire.public_only or origin(url) in self._public
            raw = self._send(method, url, headers, wire)
            location = raw.headers.get("Location")
            if raw.status not in _REDIRECTS or location is None:
                return raw, url
            with raw:
                _drain(raw)
            url = self._next(url, location, wire)
        raise _refused(f"{host_of(url)} leads on and on ({limits.redirects} redirects were followed)")

    def _send(self, method: str, url: str, headers: Mapping[str, str], wire: Wire) -> urllib3.BaseHTTPResponse:
        token = self.credentials.get(origin(url))
        if token is not None:
            headers = {**headers, "Authorization": f"Bearer {token}"}
        alarm = threading.Timer(limits.answer, wire.cut)
        alarm.daemon = True
        start(alarm)
        try:
            with wire.used():
                return self._manager(url).request(
                    method,
                    url,
                    headers=headers,
                    redirect=False,
                    retries=False,
                    preload_content=False,
                    decode_content=False,
                    timeout=urllib3.Timeout(connect=limits.connect, read=limits.stall),
                )
        except (LocationValueError, UnicodeError):
            raise download_failed(f"the address at {host_of(url)} cannot be used", "check how it is written") from None
        except (HTTPError, OSError) as error:
            self.running.check()
            late = alarm.finished.is_set()
            reason = f"no answer in {limits.answer:g} s" if late else None
            proxy = Proxy.to(url, self._proxies)
            raise of_exception(error, host_of(url), reason, proxy=proxy) from None
        finally:
            alarm.cancel()

    def _next(self, url: str, location: str, wire: Wire) -> str:
        """Where a redirect leads, if we go there."""
        host = host_of(url)
        if wire.public is None:
            # Behind a proxy, which alone knows the address.
            wire.public = is_public(urlsplit(url).hostname or "")
        wire.public_only = wire.public_only or wire.public
        try:
            target = urljoin(url, location)
            parts = _split(target)
        except (ValueError, DownloadError):
            raise _refused(f"{host} leads to an address that cannot be used") from None
        if urlsplit(url).scheme == "https" and parts.scheme != "https":
            raise _refused(f"{host} leads from an encrypted connection to one that is not")
        if wire.public_only:
            if not is_public(parts.hostname or ""):
                raise not_public()
            with self._lock:
                self._public.add(origin(target))
        wire.public = None
        return target

    def _manager(self, url: str) -> urllib3.PoolManager:
        scheme = urlsplit(url).scheme
        proxy = Proxy.to(url, self._proxies)
        with self._lock:
            key = (scheme, proxy)
            if key not in self._managers:
                self._managers[key] = _pool_manager(*key)
            return self._managers[key]


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        known = parts.scheme in _PORTS and parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        known = None
    if not known:
        raise download_failed("an address is not one of http:// or https:// with a host", "check how it is written")
    if "@" in parts.netloc:
        raise download_failed(
            f"the address at {host_of(url)} has a user name or password in it", "set a token for the source instead"
        )
    return parts


def _refused(message: str) -> DownloadError:
    return DownloadError(message, "redirect_refused", "ask whoever runs that host, or use another source")


def _drain(raw: urllib3.BaseHTTPResponse) -> None:
    left = raw.length_remaining
    if left is not None and left <= _DRAINED:
        try:
            raw.drain_conn()
        except (HTTPError, OSError):
            raw.close()


def _pool_manager(scheme: str, proxy: Proxy | None) -> urllib3.PoolManager:
    options: dict[str, Any] = {"num_pools": 16, "maxsize": 64}
    if scheme == "https":
        options["ssl_context"] = certificates()
    through = None
    if proxy is None:
        manager = urllib3.PoolManager(**options)
    else:
        proxy.check()
        address = proxy.address
        user, _, place = address.netloc.rpartition("@")
        if address.scheme in SOCKS:
            through = Socks.of(address)
            manager = urllib3.PoolManager(**options)
        else:
            named = urllib3.make_headers(proxy_basic_auth=unquote(user)) if user else None
            manager = urllib3.ProxyManager(f"{address.scheme}://{place}", proxy_headers=named, **options)
    manager.pool_classes_by_scheme = pools(through)
    return manager


def certificates() -> ssl.SSLContext:
    """The system's, or those that `SSL_CERT_FILE` says, and Mozilla's: some systems have none of their own."""
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
