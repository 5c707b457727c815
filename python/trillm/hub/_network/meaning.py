"""What failures of requests mean: which may pass, and what to tell the user.

No message holds more of an address than the host, because the rest may be signed.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Mapping
from datetime import timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from urllib3.exceptions import NewConnectionError, ProxyError, ReadTimeoutError

from trillm.errors import DownloadError, ModelNotFound
from trillm.hub._failure import TransientError, download_failed
from trillm.hub._network.proxies import Proxy
from trillm.hub._network.retries import limits

_PASSING = {408, 425, 429, 500, 502, 503, 504}

BUSY = {429, 503}
"""How a server says that it has too much to do."""


class BusyError(TransientError):
    """The server does not take this connection now; those that it has may be all that it gives us."""


def host_of(url: str) -> str:
    """What messages call an address: its host, without a user's name."""
    return urlsplit(url).netloc.rpartition("@")[2][:200]


def of_status(status: int, headers: Mapping[str, str], host: str, what: str) -> Exception:
    """What an answer means that is none."""
    asked = f" when asked for {what}" if what else ""
    name = f" ({HTTPStatus(status).phrase})" if status in HTTPStatus.__members__.values() else ""
    if status in _PASSING:
        kind = BusyError if status in BUSY else TransientError
        failed = download_failed(f"{host} answered {status}{name}{asked}", "try again later")
        return kind(failed, _retry_after(headers.get("Retry-After")))
    if status in {401, 403}:
        return DownloadError(
            f"{host} does not let us read {what or 'this'} ({status})",
            "access_denied",
            "it may need a token (HUGGINGFACE_TOKEN or HF_TOKEN for Hugging Face), or a licence to be accepted on its "
            "site",
        )
    if status in {404, 410}:
        return ModelNotFound(
            f"{host} does not have {what or 'what was asked for'} ({status})", "model_not_found", "check the name"
        )
    return download_failed(f"{host} answered {status}{name}{asked}", "check the address, and the proxy if there is one")


def of_exception(
    error: Exception, host: str, reason: str | None = None, *, proxy: Proxy | None = None, new: bool = False
) -> Exception:
    """What it means that a request ended without an answer, or in the middle of one.

    ``proxy`` is the one it went through. It did not even begin if urllib3 says so, or another library (``new``).
    """
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return download_failed(
                f"the certificate of {host} is not trusted: {cause.verify_message}",
                "if your network has certificates of its own, set SSL_CERT_FILE to a file with them",
            )
    if reason is None:
        if any(isinstance(cause, ReadTimeoutError) for cause in causes):
            reason = f"nothing came for {limits.stall:g} s"
        else:
            said = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
            reason = said[-1] if said else "it was closed before the end of an answer, or what came is no answer"
    new = new or any(isinstance(cause, NewConnectionError | ProxyError) for cause in causes)
    if not new:
        failed, hint = f"the connection to {host} failed", "check the network"
    elif proxy is None:
        failed, hint = f"{host} could not be reached", "check the network"
    else:
        failed = f"{host} could not be reached through the proxy {proxy.place} ({proxy.variable})"
        hint = f"check the network and {proxy.variable}, or list {host} in NO_PROXY if no proxy is needed for it"
    told = download_failed(f"{failed}: {reason}", f"{hint}; what arrived is kept, so trying again goes on from there")
    return BusyError(told) if new else TransientError(told)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what it came from, by whatever means."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = [argument for argument in error.args if isinstance(argument, BaseException)]
        error = (inner[0] if inner else None) or error.__cause__ or error.__context__


def _retry_after(value: str | None) -> float | None:
    """Seconds, whichever way they are said."""
    if not value:
        return None
    if value.isascii() and value.isdecimal():
        return min(float(value[:9]), limits.longest_wait)
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    seconds = when.replace(tzinfo=when.tzinfo or timezone.utc).timestamp() - time.time()
    return min(max(seconds, 0.0), limits.longest_wait)
