"""Files that the hub gives by Xet alone, because plain HTTP does not carry so many bytes.

`hf_xet`, which comes with `huggingface_hub` for most systems, speaks it, over connections of its own: where they lead
is not judged as `client.py` does. What arrives has the announced digest all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from trillm.errors import DownloadError, MissingDependency, ModelNotFound, Unsupported
from trillm.hub._failure import may_pass
from trillm.hub._network.client import origin
from trillm.hub._network.crew import beside

if TYPE_CHECKING:
    from trillm.hub._network.crew import Running


@dataclass(frozen=True)
class Place:
    """Where a file is."""

    name: str
    """What Xet calls its content."""
    route: str
    """The hub's address for the token of Xet's server, and that server's."""


@dataclass(frozen=True)
class Part:
    """A range of a file."""

    name: str
    size: int
    """Bytes of all of it."""
    first: int
    end: int


def pieces(running: Running, place: Place | None, token: str | None, part: Part) -> Iterator[bytes]:
    """A part of a file that the hub says is there. Raises as requests do."""
    try:
        import hf_xet  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        raise MissingDependency(
            f"{part.name} has {part.size} bytes, and the hub gives so many to the package hf_xet alone",
            "missing_dependency",
            "install it: pip install hf_xet",
        ) from None
    if place is None:
        raise Unsupported(
            f"the hub names no way to fetch {part.name}, whose {part.size} bytes are too many for plain HTTP",
            "unsupported",
            "choose a model in several files",
        )
    host = urlsplit(place.route).netloc[:200]
    login = {} if token is None else {"Authorization": f"Bearer {token}"}

    def begin() -> Any:
        session = hf_xet.XetSession()
        group = session.new_download_stream_group(token_refresh_url=place.route, token_refresh_headers=login)
        return group.download_stream(hf_xet.XetFileInfo(place.name, part.size), part.first, part.end)

    try:
        stream = beside(running, begin)
        with running.on_cancel(partial(_end, stream)):
            # Which does not wake who waits for the next one.
            while (piece := beside(running, lambda: next(stream, None))) is not None:
                yield bytes(piece)
    except hf_xet.XetAuthenticationError:
        raise DownloadError(
            f"{host} does not let us read {part.name}", "access_denied", "check HUGGINGFACE_TOKEN"
        ) from None
    except hf_xet.XetObjectNotFoundError:
        raise ModelNotFound(f"{host} does not have {part.name}", "model_not_found", "check the name") from None
    except (OSError, RuntimeError, ValueError):
        running.check()
        # Its own words may hold addresses that are signed.
        raise may_pass(f"the connection to {host} failed in the middle of {part.name}", "try again later") from None


def _end(stream: Any) -> None:
    # To end it while another thread does is an error to it, and one end is enough.
    with suppress(RuntimeError):
        stream.cancel()


def place_of(found: Any, endpoint: str) -> Place | None:
    """What `huggingface_hub` read of the hub's answer, if it is for us to follow: the token is for the hub alone."""
    if found is None:
        return None
    if origin(found.refresh_route) != origin(endpoint):
        raise DownloadError(
            f"{urlsplit(endpoint).hostname} leads to {urlsplit(found.refresh_route).hostname} with its token",
            "redirect_refused",
            "the address of the hub (HF_ENDPOINT) or a proxy is wrong",
        )
    return Place(found.file_hash, found.refresh_route)
