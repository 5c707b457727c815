"""An answer, read by and by: one that is cut, or that comes too slowly, is a failure that may pass."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import HTTPError

from trillm.hub._failure import download_failed, may_pass
from trillm.hub._network.meaning import BUSY, host_of, of_exception, of_status
from trillm.hub._network.retries import limits

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

    from trillm.hub._network.crew import Running


class Response:
    """An answer whose body is read by and by."""

    def __init__(self, raw: BaseHTTPResponse, url: str, running: Running, stack: ExitStack, what: str) -> None:
        self.status = raw.status
        self.headers: Mapping[str, str] = raw.headers
        """By name, in any case."""
        self.url = url
        """Where it came from, after redirects."""
        self.host = host_of(url)
        self._raw = raw
        self._running = running
        self._stack = stack
        self._what = what
        self._waited = 0.0
        self._came = 0

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives the connection back if all was read, else closes it."""
        # One that was refused is closed too: connections may be what the server has too many of.
        if self._raw.length_remaining == 0 and self.status not in BUSY:
            self._raw.release_conn()
        self._raw.close()
        self._stack.close()

    def read(self, most: int) -> bytes:
        """What is there, at most so many bytes; waits if there is nothing, and is empty at the end.

        A body that ends before its length, or that stands still, is a `TransientError`.
        """
        self._running.check()
        before = time.monotonic()
        try:
            data = self._raw.read1(most, decode_content=False) or b""
        except (HTTPError, OSError) as error:
            self._running.check()
            raise of_exception(error, self.host) from None
        if not data:
            # To wake us, whoever cancels ends the connection, and without a length that looks like the end of the body.
            self._running.check()
        self._waited += time.monotonic() - before
        self._came += len(data)
        if self._waited > limits.stall:
            if self._came < limits.slowest * self._waited:
                raise may_pass(f"{self.host} sent {self._came} bytes in {self._waited:.0f} s", "try again later")
            self._waited, self._came = 0.0, 0
        return data

    def json(self, limit: int) -> Any:
        """The whole body as JSON, of at most so many bytes."""
        body = bytearray()
        while data := self.read(min(limit + 1 - len(body), 1 << 16)):
            body += data
            if len(body) > limit:
                raise download_failed(f"{self.host} sent more than {limit} bytes of JSON", "check the address")
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise download_failed(f"{self.host} sent something else than JSON", "check the address") from None

    @property
    def ends(self) -> bool:
        """Whether the end of its body is marked, so that one that is cut does not look whole."""
        return "Content-Length" in self.headers or "chunked" in self.headers.get("Transfer-Encoding", "").lower()

    def failure(self) -> Exception:
        """What its status means, if that is a failure."""
        return of_status(self.status, self.headers, self.host, self._what)
