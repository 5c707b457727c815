"""Where a file's bytes are, and answers that hold some of them: each is checked to be what was asked for."""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trillm.hub._failure import TransientError, download_failed, may_pass
from trillm.hub._network.client import origin

if TYPE_CHECKING:
    from trillm.hub._network.client import Client
    from trillm.hub._network.response import Response
    from trillm.hub._remote import Location, RemoteFile

_DENIED = {401, 403, 404, 410}
"""How storage says that a signed address has expired."""

_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_OUTSIDE = re.compile(r"bytes \*/(\d{1,18})")


class ChangedError(Exception):
    """The file is another one now than that whose bytes we have."""


@dataclass(frozen=True)
class Answer:
    """Bytes of a file, about to come."""

    response: Response
    first: int
    """Which byte of the file is the first to come."""
    end: int | None
    """Where they end, if the server says so."""
    part: bool
    """Whether the server sends parts. Otherwise this is all of it, from its beginning."""


class Place:
    """A file at its source. Any thread may open it."""

    def __init__(self, file: RemoteFile) -> None:
        self.file = file
        self.size = file.size
        """In bytes: as announced, or once an answer told."""
        self.validator: str | None = None
        """What tells one version from another, where that is not the digest: the ETag, or when it was changed."""
        self._location: Location | None = None
        self._url = ""
        self._worked = False
        self._again = False
        """Whether it was located anew and has not worked since."""
        self._sends_parts = False
        self._lock = threading.Lock()

    @property
    def digest(self) -> str | None:
        """What its content is called before it is there."""
        return self.file.sha256 or (f"git:{self.file.git}" if self.file.git else None)

    @property
    def key(self) -> str | None:
        """What names the content, so that a later attempt can go on with it; nothing may."""
        if self.digest is not None:
            return self.digest
        # A date has a resolution of a second, and by a weak ETag two versions are alike, not equal.
        if self.validator is None or not self.validator.startswith('"') or self._location is None:
            return None
        # Hashed, for the address may be signed.
        address = hashlib.sha256(self._location.url.encode()).hexdigest()
        return f"{address} {self.validator} {self.size}"

    def forget(self) -> None:
        """It changed: what an answer told of it does not hold any more."""
        self.size, self.validator = self.file.size, None

    def open(self, client: Client, first: int | None, end: int | None = None) -> Answer:
        """Asks for a part of it, or with neither `first` nor `end` for all.

        Raises as requests do, and `ChangedError`.
        """
        response = self._request(client, first, end)
        try:
            answer = self._read(response, first, end)
        except BaseException:
            response.close()
            raise
        if answer is None:
            response.close()
            return self.open(client, None)
        return answer

    def _request(self, client: Client, first: int | None, end: int | None) -> Response:
        """Goes to where the last answer came from: asking the source each time would cost a round trip more."""
        while True:
            with self._lock:
                location = self._location
                if location is None:
                    location = self._location = self.file.locate()
                    self._url = location.url
                url = self._url
            response = client.get(
                url,
                headers=location.headers,
                first=first,
                end=end,
                if_range=None if self.digest else self.validator,
                accept={*_DENIED, 416},
                what=self.file.name,
            )
            denied = response.status in _DENIED
            if denied:
                response.close()
            with self._lock:
                # Otherwise another thread has seen that it expired, and located it again.
                if self._location is location:
                    if denied:
                        # It expired since it worked, or on the way to the second host; else the source means it.
                        elsewhere = origin(response.url) != origin(location.url)
                        if not (self._worked or (elsewhere and not self._again)):
                            raise response.failure()
                        self._location, self._worked, self._again = None, False, True
                    else:
                        self._url, self._worked, self._again = response.url, True, False
            if not denied:
                return response

    def _read(self, response: Response, first: int | None, end: int | None) -> Answer | None:
        """What an answer holds; none if it is of no use, and the file must be asked for as a whole."""
        length = _length(response)
        if response.status == 416:
            self._outside(response)
            return None
        self._compare(response)
        if response.status != 206 or first is None:
            if self._sends_parts and first is not None:
                raise self._unfit(response, "sent all of it instead of a part")
            self._measure(response, length)
            return Answer(response, 0, length, part=False)
        found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if found is None:
            raise self._unfit(response, "does not say which part it sent")
        start, stop = int(found[1]), int(found[2]) + 1
        if start != first or stop <= start or (end is not None and stop > end):
            raise self._unfit(response, f"sent bytes {start} to {stop} instead of {first} to {end or 'the end'}")
        if found[3] != "*" and stop > int(found[3]):
            raise self._unfit(response, f"sent bytes {start} to {stop} of {found[3]}")
        if length not in {None, stop - start}:
            raise self._unfit(response, f"announced {length} bytes for a part of {stop - start}")
        if found[3] == "*":
            if self.size is None:
                return None
        else:
            self._measure(response, int(found[3]))
        self._sends_parts = True
        return Answer(response, start, stop, part=True)

    def _outside(self, response: Response) -> None:
        """Raises why there is no such part, unless the file is empty for all we know."""
        found = _OUTSIDE.fullmatch(response.headers.get("Content-Range", ""))
        if self.size is None:
            return
        if found is not None:
            self._measure(response, int(found[1]))
        if self.digest is None:
            raise ChangedError
        raise self._unfit(response, "does not have a part of it")

    def _compare(self, response: Response) -> None:
        """Whether it is the version that the first answer was of."""
        if self.digest is not None:
            return
        etag = response.headers.get("ETag", "")
        strong = etag and not etag.startswith("W/")
        validator = etag if strong else response.headers.get("Last-Modified") or None
        if self.validator is not None and validator != self.validator:
            raise ChangedError
        self.validator = validator

    def _measure(self, response: Response, size: int | None) -> None:
        """Whether it is as large as it should be; the first answer may tell."""
        if size is None or size == self.size:
            return
        if self.size is None:
            self.size = size
            return
        if self.file.size is None:
            raise ChangedError
        raise download_failed(
            f"{response.host} has {self.file.name} with {size} bytes, expected {self.file.size}",
            "the source may have changed it just now; try again later",
        )

    def _unfit(self, response: Response, what: str) -> TransientError:
        return may_pass(
            f"{response.host}, asked for {self.file.name}, {what}", "a proxy may be in the way; try again later"
        )


def _length(response: Response) -> int | None:
    value = response.headers.get("Content-Length", "")
    chunked = "Transfer-Encoding" in response.headers
    return int(value) if not chunked and value.isascii() and value.isdecimal() and len(value) < 19 else None
