"""Streams for asyncio.

The decode thread never attaches to Python, so it cannot call back into an event loop. It writes a byte to a socket
instead, once for however many pieces are ready; each loop watches one such socket for all of its streams.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from trillm import _core

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from types import TracebackType

    from typing_extensions import Self

    from trillm._core import Completion, Piece, Stream

__all__ = ["AsyncStream", "collect"]


class _Doorbell:
    """One loop's socket, and the futures of those that wait for it to ring.

    It does not hold the loop, or both would stay for ever: `_doorbells` holds it for as long as there is the loop.
    """

    __slots__ = ("__weakref__", "_bell", "_waiting")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._bell = _core.Doorbell()
        self._waiting: set[Future[None]] = set()
        loop.add_reader(self._bell.fileno(), self._rang)

    def _rang(self) -> None:
        self._bell.clear()
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def next(self, stream: Stream) -> Piece | None:
        """The stream's next piece, or `None` after the last."""
        from asyncio import get_running_loop

        while True:
            ready, piece = stream.poll(self._bell)
            if ready:
                return piece
            future = get_running_loop().create_future()
            self._waiting.add(future)
            try:
                await future
            finally:
                self._waiting.discard(future)


_doorbells: WeakKeyDictionary[AbstractEventLoop, _Doorbell] = WeakKeyDictionary()


def _doorbell() -> _Doorbell:
    from asyncio import get_running_loop

    loop = get_running_loop()
    bell = _doorbells.get(loop)
    if bell is None:
        bell = _doorbells[loop] = _Doorbell(loop)
    return bell


class AsyncStream:
    """Pieces of a running request, for `async for`. Closing it cancels the request; so does cancelling who waits."""

    __slots__ = ("_stream",)

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Piece:
        try:
            piece = await _doorbell().next(self._stream)
        except BaseException:
            self._stream.close()
            raise
        if piece is None:
            raise StopAsyncIteration
        return piece

    @property
    def completion(self) -> Completion | None:
        """The whole of it, once the stream has ended; `None` before."""
        return self._stream.completion

    async def aclose(self) -> None:
        """Cancels the request. Harmless after its end."""
        self._stream.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._stream.close()


async def collect(stream: Stream) -> Completion:
    """Reads a stream to its end. Wakes the loop a few times, not for each token."""
    stream.read_lazily()
    bell = _doorbell()
    try:
        while await bell.next(stream) is not None:
            pass
    finally:
        stream.close()
    completion = stream.completion
    assert completion is not None
    return completion
