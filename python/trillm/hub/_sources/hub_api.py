"""Asks the hub what a repository has.

Through the session of ``huggingface_hub``, which knows the user's proxies and certificates. Its answer is not read by
that library, which would take one of any length and any shape.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from trillm.errors import DownloadError, MissingDependency, ModelNotFound
from trillm.hub._failure import UnknownModel, download_failed, may_pass
from trillm.hub._network.client import certificates
from trillm.hub._network.crew import beside
from trillm.hub._network.meaning import of_exception, of_status
from trillm.hub._network.proxies import SOCKS, Proxy
from trillm.hub._sources.listing import Listing, read
from trillm.hub._sources.xet import Place, place_of

if TYPE_CHECKING:
    import httpx2

    from trillm._core import HuggingFace
    from trillm.hub._job import Job
    from trillm.hub._network.crew import Running

_LARGEST_LISTING = 16 << 20
"""Bytes. A file takes some 300 of them, so this is a repository of fifty thousand."""

_LISTING_TIME = 60.0
"""Seconds that a listing may take in all, however slowly it drips."""


def ask(job: Job, wanted: HuggingFace, endpoint: str, token: str | None) -> Listing:
    """What the hub at ``endpoint`` says about a repository to whoever has ``token``.

    Raises `ModelNotFound`, `DownloadError`, `TransientError`.
    """
    return beside(job, lambda: _ask(job, wanted, endpoint, token))


def xet(running: Running, wanted: HuggingFace, url: str, endpoint: str, token: str | None) -> Place | None:
    """How the hub gives a file by Xet, if it does. Raises as :func:`ask`."""
    return beside(running, lambda: _xet(wanted, url, endpoint, token))


def _xet(wanted: HuggingFace, url: str, endpoint: str, token: str | None) -> Place | None:
    import httpx2
    from huggingface_hub import get_hf_file_metadata

    try:
        found = get_hf_file_metadata(url, token=token or False, timeout=_timeout(), endpoint=endpoint).xet_file_data
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise _failure(error, wanted, endpoint, token) from None
    return place_of(found, endpoint)


def _ask(job: Job, wanted: HuggingFace, endpoint: str, token: str | None) -> Listing:
    import httpx2
    from huggingface_hub.errors import OfflineModeIsEnabled, RevisionNotFoundError

    url = f"{endpoint}/api/models/{quote(wanted.repo)}/revision/{quote(wanted.revision or 'main', safe='')}"
    # Identity, or a short answer could unpack to a long one before we can count.
    headers = {"User-Agent": "trillm", "Accept-Encoding": "identity"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    try:
        with (
            _session(url) as session,
            session.stream(
                "GET", url, params={"blobs": "true"}, headers=headers, timeout=_timeout(), follow_redirects=True
            ) as answer,
        ):
            body = _body(job, answer)
    except OfflineModeIsEnabled:
        raise download_failed(
            f"{wanted.repo} was not looked up: huggingface_hub is in offline mode",
            "unset HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE before Python starts",
        ) from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        failed = _failure(error, wanted, endpoint, token)
        if isinstance(failed, ModelNotFound) and not isinstance(error, RevisionNotFoundError):
            raise UnknownModel(str(failed), failed.code, failed.hint) from None
        raise failed from None
    listing = read(body, wanted.repo)
    if listing.gated and token is None:
        raise _gated(wanted, endpoint, token)
    return listing


@contextmanager
def _session(url: str) -> Iterator[httpx2.Client]:
    """The library's session; where it cannot be made, one that leads to this host alone.

    The library's leads through every proxy that is set, and fails for one that this host has nothing to do with.
    """
    import httpx2
    from huggingface_hub import get_session

    proxy = Proxy.to(url)
    if proxy is not None:
        proxy.check()
    try:
        shared = get_session()
    except (ImportError, ValueError, httpx2.InvalidURL) as error:
        if not any(word in str(error) for word in ("socksio", "proxy", "port")):
            raise
    else:
        yield shared
        return
    if proxy is not None:
        _check_socks(proxy)
    way = None if proxy is None else proxy.address.geturl()
    with httpx2.Client(proxy=way, trust_env=False, verify=certificates()) as session:
        yield session


def _check_socks(proxy: Proxy) -> None:
    """Raises `MissingDependency` if the library lacks what it needs for such a proxy."""
    if proxy.address.scheme in SOCKS and find_spec("socksio") is None:
        raise MissingDependency(
            f"huggingface_hub needs the package socksio for a SOCKS proxy ({proxy.variable})",
            "missing_dependency",
            "install it: pip install socksio",
        )


def _timeout() -> float:
    """Seconds without a byte: as `huggingface_hub` has it, but read now."""
    try:
        seconds = float(os.environ.get("HF_HUB_ETAG_TIMEOUT", ""))
    except ValueError:
        seconds = 0.0
    return seconds if 0 < seconds < threading.TIMEOUT_MAX else 10.0


def _body(job: Job, answer: httpx2.Response) -> bytes:
    import httpx2
    from huggingface_hub import hf_raise_for_status

    steps = [*answer.history, answer]
    if steps[0].url.scheme == "https" and any(step.url.scheme != "https" for step in steps):
        raise DownloadError(
            f"{steps[0].url.host} led to {answer.url.host} without encryption",
            "redirect_refused",
            "the address of the hub (HF_ENDPOINT) or a proxy is wrong",
        )
    if answer.is_error:
        # The library says what a failure means, from its headers; it would read a body of any length.
        told = {
            name: value
            for name, value in answer.headers.items()
            if name.startswith("x-error-") or name == "retry-after"
        }
        hf_raise_for_status(httpx2.Response(answer.status_code, headers=told, request=answer.request))
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise download_failed(f"{answer.url.host} packed a listing that was asked for plain", "check the proxy")
    body = bytearray()
    end = time.monotonic() + _LISTING_TIME
    for chunk in answer.iter_bytes():
        job.check()
        body += chunk
        if len(body) > _LARGEST_LISTING:
            raise download_failed(
                f"{answer.url.host} sent a listing of more than {_LARGEST_LISTING >> 20} MiB",
                "check the address of the hub (HF_ENDPOINT)",
            )
        if time.monotonic() > end:
            raise may_pass(f"{answer.url.host} was slower than {_LISTING_TIME:g} s", "try again")
    return bytes(body)


def _failure(error: Exception, wanted: HuggingFace, endpoint: str, token: str | None) -> Exception:
    """What an error of the session means. Its own words are left out: they hold addresses and what the server said."""
    import httpx2
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    host = urlsplit(endpoint).netloc.rpartition("@")[2]
    if isinstance(error, GatedRepoError):
        return _gated(wanted, endpoint, token)
    if isinstance(error, RevisionNotFoundError):
        return ModelNotFound(
            f"{wanted.repo} has no branch, tag or commit {wanted.revision or 'main'}",
            "model_not_found",
            f"see {_page(wanted, endpoint)}/tree/main for what it has",
        )
    if isinstance(error, RepositoryNotFoundError):
        return ModelNotFound(
            f"{host} has no repository {wanted.repo}" + ("" if token else ", or it is private"),
            "model_not_found",
            "check the name; if it is private, this token may not read it"
            if token
            else "check the name; for a private one set HUGGINGFACE_TOKEN",
        )
    if isinstance(error, HfHubHTTPError):
        return of_status(error.response.status_code, error.response.headers, host, wanted.repo)
    slow = isinstance(error, httpx2.TimeoutException)
    new = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError)
    reason = f"nothing came for {_timeout():g} s" if slow else None
    return of_exception(error, host, reason, proxy=Proxy.to(endpoint), new=new)


def _page(wanted: HuggingFace, endpoint: str) -> str:
    """Where people look at the repository. The endpoint may hold a password, which nobody should read."""
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}/{wanted.repo}"


def _gated(wanted: HuggingFace, endpoint: str, token: str | None) -> DownloadError:
    return DownloadError(
        f"{wanted.repo} is given only to those who accepted its conditions"
        + ("" if token else ", and no token says who asks"),
        "access_denied",
        f"accept them on {_page(wanted, endpoint)}, and set HUGGINGFACE_TOKEN to a token of that account",
    )
