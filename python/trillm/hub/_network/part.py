"""Parts of a file at its source, and a file that is read by parts: for those who need little of it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from trillm.hub._failure import may_pass

if TYPE_CHECKING:
    from collections.abc import Callable

    from trillm.hub._network.client import Client
    from trillm.hub._network.place import Place

__all__ = ["SMALL", "ByParts", "part"]

SMALL = 1 << 20
"""Bytes of a file that may come as a whole where a part of it was asked for."""

_BLOCK = 1 << 18
"""Bytes that are read at least: an answer takes as long as some hundred kilobytes do."""


def part(client: Client, place: Place, first: int, end: int, needed: Callable[[str], Exception]) -> bytes:
    """Bytes of a file, fewer where it ends.

    Raises what `needed` makes of a reason where the server has only the whole, as requests do, and `ChangedError`.
    """
    if place.size is not None:
        end = min(end, place.size)
    if place.file.pieces is not None:
        return b"".join(place.file.pieces(client.running, first, end))
    answer = place.open(client, first, end)
    with answer.response as response:
        if place.size is None or (not answer.part and place.size > SMALL):
            raise needed(f"{response.host} gives {place.file.name} as a whole only, and no part of it")
        found = bytearray()
        last = place.size if answer.end is None else answer.end
        while answer.first + len(found) < last:
            data = response.read(last - answer.first - len(found))
            if not data:
                raise may_pass(f"{response.host} stopped sending {place.file.name}", "try again later")
            found += data
    return bytes(found[first - answer.first : end - answer.first])


class ByParts(io.RawIOBase):
    """A file of `size` bytes whose parts are brought when they are read, and kept: it is read little of, and again."""

    def __init__(self, size: int, bring: Callable[[int, int], bytes]) -> None:
        super().__init__()
        self._size = size
        self._bring = bring
        self._blocks: dict[int, bytes] = {}
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("a position before the file begins")
        self._at = start + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        """All that was asked for, fewer bytes only where it ends."""
        end = self._size if size is None or size < 0 else min(self._at + size, self._size)
        if end <= self._at:
            return b""
        blocks = range(self._at // _BLOCK, -(-end // _BLOCK))
        missing = [block for block in blocks if block not in self._blocks]
        if missing:
            # In one go: what lies between is mostly missing, too.
            first, last = missing[0] * _BLOCK, min((missing[-1] + 1) * _BLOCK, self._size)
            data = self._bring(first, last)
            for block in range(missing[0], missing[-1] + 1):
                self._blocks[block] = data[block * _BLOCK - first : (block + 1) * _BLOCK - first]
        found = b"".join(self._blocks[block] for block in blocks)
        skipped = self._at - blocks[0] * _BLOCK
        found = found[skipped : skipped + end - self._at]
        self._at += len(found)
        return found
