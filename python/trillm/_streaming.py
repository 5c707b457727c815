"""Streams for asyncio.

The decode thread never attaches to Python, so it cannot call back into an event loop. It writes a byte to a socket
instead, once for however many pieces are ready; each loop watches one such socket for all of its streams. Threads that
make prompts of texts, and vectors, ring the same way.

Who uses asyncio can wait, so a full queue is no error here: requests stand in line until it has room.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Protocol, TypeVar
from weakref import WeakKeyDictionary, ref

from trillm import _core
from trillm.errors import Cancelled, TrillmError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future, TimerHandle
    from collections.abc import Callable, Sequence
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import Self

    from trillm._core import Call, Completion, Embedding, Piece, Stream
    from trillm._model import Model

    Given = tuple[NDArray[np.float32], list[tuple[int, int]]]

__all__ = ["AsyncStream", "ByLoop", "Lines", "collect", "collect_all", "made", "when"]

T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


class _Polled(Protocol[R_co]):
    """What may be waited for."""

    def poll(self, ticket: _core.Ticket, /) -> tuple[bool, R_co]:
        """Whether it is ready, and what there is then; if not, the ticket is called when it is."""


class ByLoop(Generic[T]):
    """One thing for each event loop, which nothing here holds: its loop does, as long as it needs it."""

    __slots__ = ("_known", "_make")

    def __init__(self, make: Callable[[AbstractEventLoop], T]) -> None:
        self._make = make
        self._known: WeakKeyDictionary[AbstractEventLoop, ref[T]] = WeakKeyDictionary()

    def get(self) -> T:
        """That of the loop that runs."""
        from asyncio import get_running_loop

        loop = get_running_loop()
        known = self._known.get(loop)
        found = None if known is None else known()
        if found is None:
            found = self._make(loop)
            self._known[loop] = ref(found)
        return found

    def all(self) -> list[T]:
        """Those that there are."""
        return [found for known in list(self._known.values()) if (found := known()) is not None]


class _Doorbell:
    """One loop's socket, and the futures of those that wait for it to ring.

    Futures hold their loop, so nothing but the loop may hold this: it does, as who reads the socket, until it is
    closed. Then all goes together, and requests that nobody can be told of are cancelled.
    """

    __slots__ = ("__weakref__", "_bell", "_waiting")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._bell = _core.Doorbell()
        self._waiting: dict[object, tuple[_core.Ticket, list[Future[None]]]] = {}
        loop.add_reader(self._bell.fileno(), self._rang)

    def _rang(self) -> None:
        self._bell.clear()
        for ticket, futures in self._waiting.values():
            if ticket.called:
                _wake(futures)

    async def when(self, what: _Polled[T]) -> T:
        """What there is, when it is ready. Tasks that wait for the same thing have one ticket."""
        from asyncio import get_running_loop

        ticket = self._bell.ticket()
        while True:
            if others := self._waiting.get(what):
                ticket = others[0]
            ready, found = what.poll(ticket)
            if ready:
                # The ticket counts as not called now, and others may have been called by it.
                if others:
                    _wake(others[1])
                return found
            future = get_running_loop().create_future()
            futures = self._waiting.setdefault(what, (ticket, []))[1]
            futures.append(future)
            try:
                await future
            finally:
                futures.remove(future)
                if not futures:
                    self._waiting.pop(what, None)


def _wake(futures: list[Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


_doorbells = ByLoop(_Doorbell)


class _Line:
    """Those of one loop who wait for room in a model's queue, in the order in which they came.

    As with a doorbell, the loop alone holds it: by the timer, as long as anybody waits.
    """

    __slots__ = ("__weakref__", "_timer", "_waiting")

    def __init__(self) -> None:
        self._timer: TimerHandle | None = None
        # Taking the first of a plain dictionary takes the longer the more were taken before.
        self._waiting: OrderedDict[Call, Future[Stream]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    async def wait(self, call: Call) -> Stream:
        """The call's stream, when it is its turn and there is room."""
        from asyncio import get_running_loop

        loop = get_running_loop()
        future: Future[Stream] = loop.create_future()
        if self._timer is None:
            self._timer = loop.call_later(_LOOK, self._look, loop)
        self._waiting[call] = future
        left = call.left
        # A little later: by the clock of the loop it may be over before it is.
        late = None if left is None else loop.call_later(left + 0.001, self._begin, call)
        try:
            return await future
        finally:
            self._waiting.pop(call, None)
            if late is not None:
                late.cancel()

    def _begin(self, call: Call) -> bool:
        """Lets one in if there is room for it, and tells one who waited for too long; says whether it waits no more."""
        future = self._waiting.get(call)
        if future is not None and not future.done():
            try:
                stream = call.start()
            except TrillmError as error:
                future.set_exception(error)
            else:
                if stream is None:
                    return False
                future.set_result(stream)
        return True

    def _look(self, loop: AbstractEventLoop) -> None:
        """Lets in as many as there is room for."""
        while self._waiting and self._begin(next(iter(self._waiting))):
            self._waiting.popitem(last=False)
        self._timer = loop.call_later(_LOOK, self._look, loop) if self._waiting else None


_LOOK = 0.01
"""Seconds between two looks at a full queue. Meanwhile it does not run empty, unless it is short, and requests are."""


class Lines:
    """Who waits for room in one model's queue: a line for each loop."""

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        self._lines = ByLoop(lambda _: _Line())

    def others_wait(self) -> bool:
        """Whether anybody waits, so that a new request has to."""
        return any(map(len, self._lines.all()))

    async def enter(self, call: Call) -> Stream:
        """The call's stream, as soon as it is prepared and there is room."""
        await _doorbells.get().when(call)
        line = self._lines.get()
        stream = None if len(line) and call.is_waiting else call.start()
        return await line.wait(call) if stream is None else stream


class AsyncStream:
    """Pieces of a request, for `async for`. Closing it cancels the request; so does cancelling who waits."""

    __slots__ = ("_again", "_begin", "_call", "_mend", "_model", "_stream", "_told")

    def __init__(self, model: Model, begin: Callable[[_core.Model], Call]) -> None:
        """`begin` is called at once if the model is here, else with the first piece that somebody waits for."""
        here = model._use_now()
        self._model: Model | None = model
        self._begin = begin if here is None else None
        try:
            self._call: Call | None = None if here is None else begin(here)
        finally:
            # An error keeps this frame for as long as somebody keeps it.
            del here
        self._again = begin
        self._stream: Stream | None = None
        self._mend: Callable[[BaseException], bool] | None = None
        self._told: Callable[[BaseException], object] | None = None

    def watched(self, told: Callable[[BaseException], object], mend: Callable[[BaseException], bool]) -> Self:
        """Has somebody told of errors.

        `told` is called, beside the reader, with the one that ends the request. `mend` is called, on a thread, with the
        one for which it does not begin; if that says that something was done about it, it is begun once more. Nothing
        was given by then, so nothing is given twice.
        """
        self._told, self._mend = told, mend
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Piece:
        try:
            piece = await self._next()
        except Cancelled:
            # Closed by another task while this one waited for its turn.
            if self._model is not None:
                raise
            piece = None
        except BaseException:
            self._close()
            raise
        if piece is None:
            self._close()
            raise StopAsyncIteration
        return piece

    async def _next(self) -> Piece | None:
        if self._stream is None:
            begun = await self._begun()
            if begun is None:
                return None
            if self._told is not None:
                begun.on_error(self._told)
            self._stream = begun
        return await _doorbells.get().when(self._stream)

    async def _begun(self) -> Stream | None:
        """Its stream; `None` if it was closed."""
        try:
            return await self._beginning()
        except (TrillmError, MemoryError) as error:
            mend, self._mend = self._mend, None
            # Who closed it wants nothing mended.
            if mend is None or self._model is None:
                raise
            from asyncio import to_thread

            # It must not keep the model that may have to go.
            if self._call is not None:
                self._call.close()
                self._call = None
            if not await to_thread(mend, error):
                raise
        # Closed meanwhile, it stays so.
        if self._model is not None:
            self._begin = self._again
        return await self._beginning()

    async def _beginning(self) -> Stream | None:
        if self._begin is not None and self._model is not None:
            here = await self._model._ause()
            try:
                # Another task may have begun or closed it meanwhile.
                if self._begin is not None and self._model is not None:
                    self._call, self._begin = self._begin(here), None
            finally:
                # An error keeps this frame for as long as somebody keeps it.
                del here
        if self._call is None or self._model is None:
            return None
        return await self._model._lines.enter(self._call)

    def _close(self) -> None:
        self._model = None
        call, self._call = self._call, None
        if call is not None:
            call.close()

    @property
    def completion(self) -> Completion | None:
        """The whole of it, once the stream has ended; `None` before."""
        return None if self._stream is None else self._stream.completion

    def __reduce__(self) -> NoReturn:
        """What `copy` and `pickle` ask for, and there is not: two objects would close one request."""
        raise TypeError("cannot pickle or copy a trillm.AsyncStream: its request runs once")

    async def aclose(self) -> None:
        """Cancels the request. Harmless after its end."""
        self._close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._close()


async def collect(call: Call, lines: Lines) -> Completion:
    """Waits for room, and reads to the end. Wakes the loop a few times, not for each token."""
    try:
        stream = await lines.enter(call)
        stream.read_lazily()
        bell = _doorbells.get()
        while await bell.when(stream) is not None:
            pass
    finally:
        call.close()
    completion = stream.completion
    assert completion is not None
    return completion


async def collect_all(given: Sequence[Any], call: Callable[[Any, int], Call], lines: Lines) -> list[Completion]:
    """As `collect`, of each of a list. Where one fails, or who waits is cancelled, the others are cancelled.

    A call is made when one before it has ended, beyond the first few: a hundred thousand at once would be seconds in
    which nothing else runs.
    """
    from asyncio import create_task, gather, sleep

    said: dict[int, Completion] = {}
    each = enumerate(given)

    async def ask() -> None:
        for index, one in each:
            said[index] = await collect(call(one, index), lines)

    tasks = []
    try:
        for _ in range(_AHEAD):
            tasks.append(create_task(ask()))
            await sleep(0)
            # One failed, or found nothing left.
            if any(task.done() for task in tasks):
                break
        await gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
    return [said[index] for index in range(len(said))]


_AHEAD = 256
"""Calls of one list that are under way: more than run at once, so that the queue does not run empty."""


async def when(what: _Polled[T]) -> T:
    """What there is, when it is ready."""
    return await _doorbells.get().when(what)


async def made(embedding: Embedding) -> Given:
    """The vectors or scores, when they are there."""
    try:
        given = await when(embedding)
    finally:
        embedding.close()
    assert given is not None
    return given
