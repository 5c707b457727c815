"""The proxies of the environment: which one leads to a host, and what is said of one that cannot be used.

Libraries prepare a way through every proxy that is set, before they know the host: what they refuse may be one that
does not matter. And what they say of it names no variable, so that nobody knows where to look.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from trillm.errors import DownloadError
from trillm.hub._failure import download_failed

__all__ = ["SCHEMES", "SOCKS", "Proxy", "those_set", "unusable"]

SOCKS = ("socks5", "socks5h")

SCHEMES = ("http", "https", *SOCKS)
"""Ways to talk to a proxy: ours, and those of the library that asks the hub."""

_KINDS = ("http", "https", "all")
"""What a variable is for: its name goes on with `_proxy`."""


@dataclass(frozen=True)
class Proxy:
    """One that is set."""

    variable: str
    """Where."""
    text: str = field(repr=False)
    """What it is set to, which may hold a password."""

    @classmethod
    def to(cls, url: str, proxies: Mapping[str, str] | None = None) -> Proxy | None:
        """The one that leads there, of these or of the environment's; `None` if the way is direct."""
        parts = urlsplit(url)
        if proxy_bypass(parts.netloc):
            return None
        proxies = getproxies() if proxies is None else proxies
        kind = next((kind for kind in (parts.scheme, "all") if proxies.get(kind)), None)
        return None if kind is None else cls(_variable(kind, proxies[kind]), proxies[kind])

    @property
    def address(self) -> SplitResult:
        """What it says. Without a scheme it is one of HTTP."""
        return urlsplit(self.text if "://" in self.text else f"http://{self.text}")

    @property
    def place(self) -> str:
        """Its host and port, without a login: for messages."""
        return self.address.netloc.rpartition("@")[2]

    def check(self, schemes: Collection[str] = SCHEMES) -> None:
        """Raises `DownloadError` if it is none that can be used by one of these schemes."""
        try:
            parts = self.address
            right = parts.scheme in schemes and parts.hostname and parts.port != 0
        except ValueError:
            right = False
        if not right:
            raise self._error(schemes)

    def _error(self, schemes: Collection[str]) -> DownloadError:
        scheme, between, place = self.text.rpartition("@")[2], "", ""
        if "://" in self.text:
            scheme, between, place = self.text.partition("://")
        # Without the login.
        shown = f"{scheme}{between}{place.rpartition('@')[2]}"
        hint = f"set {self.variable} to HOST:PORT with http://, https:// or socks5:// before it, or unset it"
        if scheme.startswith("socks"):
            hint = f"if that proxy speaks version 5, set {self.variable} to socks5://{place.rpartition('@')[2]}"
        *others, last = (f"{scheme}://" for scheme in schemes)
        return download_failed(
            f"{self.variable} is {shown}, which is no proxy that can be used, expected {', '.join(others)} or {last}",
            hint,
        )


def unusable(schemes: Collection[str] = SCHEMES) -> DownloadError | None:
    """What is wrong with the first proxy of the environment that cannot be used, if there is any."""
    for proxy in those_set():
        try:
            proxy.check(schemes)
        except DownloadError as error:
            return error
    return None


def those_set() -> list[Proxy]:
    """All proxies of the environment."""
    return [Proxy(_variable(kind, text), text) for kind, text in getproxies().items() if kind in _KINDS]


def _variable(kind: str, text: str) -> str:
    """Which variable says so; of two spellings the one in small letters counts."""
    names = [name for name, value in os.environ.items() if name.lower() == f"{kind}_proxy" and value == text]
    return max(names, default="the proxy in the settings of the system")
