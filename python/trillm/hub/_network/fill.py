"""What is missing of a file, brought by one connection or several.

Each takes the next span in order, so that what is there grows from the front, and the store can hash while it is still
in memory. A span is large enough that its request does not count, and small enough that connections end together.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trillm._core import CHUNK
from trillm.hub._failure import TransientError, download_failed, may_pass
from trillm.hub._network.crew import Crew
from trillm.hub._network.meaning import BusyError
from trillm.hub._network.place import ChangedError
from trillm.hub._network.retries import Retries, limits

if TYPE_CHECKING:
    from trillm._core import Partial, SpanWriter
    from trillm.hub._job import Job
    from trillm.hub._network.client import Client
    from trillm.hub._network.place import Answer, Place
    from trillm.hub._network.response import Response

READ = 1 << 20
"""Bytes read at a time: what memory a connection costs."""

_LARGEST_SPAN = 256 << 20


@dataclass
class Span:
    """What one connection brings, or what is left of that."""

    first: int
    end: int
    writer: SpanWriter | None = None
    """Where it is being written: kept when the connection fails, for the chunk that is not whole yet."""

    @property
    def position(self) -> int:
        """Which byte is next."""
        return self.first if self.writer is None else self.writer.position


class Filling:
    """One file, until nothing of it is missing. To be left when it is over, however it ends."""

    def __init__(self, job: Job, client: Client, place: Place, file: Partial) -> None:
        self._job = job
        self._client = client
        self._place = place
        self._partial = file
        self._spans: deque[Span] = deque()
        """Those that nobody has begun with."""
        self._begun: list[Span] = []
        self._active = 0
        """Connections that take spans."""
        self._lock = threading.Lock()

    def __enter__(self) -> Filling:
        return self

    def __exit__(self, *_error: object) -> None:
        """Lets go of the file, so that the next attempt can go on with it.

        An error that is kept somewhere, or not yet collected, holds the frames it came through, and those hold us.
        """
        del self._partial
        self._drop()

    def run(self, answer: Answer | None) -> tuple[str, int]:
        """Goes on until all is there and makes it a blob; gives its sha256 and size.

        An answer that has come already is used, if it begins where bytes are missing. Raises as requests do, and
        `ChangedError`; then what is there is of no use, and gone.
        """
        with self._job.meter("downloading", self._place.file.name, self._partial.size) as self._meter:
            try:
                self._bring(answer)
            except ChangedError:
                self._partial.discard()
                raise
            return self._partial.commit()

    def _bring(self, answer: Answer | None) -> None:
        retries = Retries(self._client.running)
        before = self._partial.size + 1
        while missing := self._partial.missing():
            left = sum(end - first for first, end in missing)
            self._meter.start(self._partial.size - left)
            if left < before:
                retries.progress()
            before = left
            try:
                self._go_on(missing, answer)
            except TransientError as failed:
                self._drop()
                retries.failed(failed)
            answer = None
        if answer is not None:
            answer.response.close()

    def _drop(self) -> None:
        for span in self._begun:
            span.writer = None
        self._begun.clear()

    def _go_on(self, missing: list[tuple[int, int]], answer: Answer | None) -> None:
        if self._place.file.pieces is not None:
            for first, end in missing:
                span, running = Span(first, end), self._client.running
                for data in self._place.file.pieces(running, first, end):
                    running.check()
                    self._write(span, data)
                # Cancelling ends it early, too.
                running.check()
                if span.position < end:
                    raise may_pass(f"{self._place.file.name} ended after {span.position} bytes", "try again later")
            return
        if answer is not None and answer.part and answer.first != missing[0][0]:
            answer.response.close()
            answer = None
        spans = self._cut(missing, answer)
        if answer is None:
            answer = self._place.open(self._client, spans[0].first, spans[0].end)
        if answer.part:
            self._take(spans, answer)
        else:
            self._pour(spans, answer)

    def _cut(self, missing: list[tuple[int, int]], answer: Answer | None) -> deque[Span]:
        """What is missing, in spans; the first is as long as the answer that is there already."""
        left = sum(end - first for first, end in missing)
        step = self._partial.size
        if left > limits.small:
            step = -(-left // (4 * self._job.options.connections * CHUNK)) * CHUNK
            step = min(max(step, CHUNK), _LARGEST_SPAN)
        spans: deque[Span] = deque()
        if answer is not None and answer.end is not None and answer.end % CHUNK == 0:
            first, end = missing[0]
            if first < answer.end < end:
                spans.append(Span(first, answer.end))
                missing = [(answer.end, end), *missing[1:]]
        spans.extend(Span(at, min(at + step, end)) for first, end in missing for at in range(first, end, step))
        return spans

    def _take(self, spans: deque[Span], answer: Answer) -> None:
        """Brings the spans, over as many connections as are worth it."""
        large = sum(span.end - span.first for span in spans) > limits.small
        self._active = min(self._job.options.connections, len(spans)) if large else 1
        first = spans.popleft()
        self._spans = spans
        if self._active == 1:
            self._work(self._client, first, answer)
            return
        crew = Crew(self._client.running)
        part = self._client.within(crew)
        others = [lambda: self._work(part)] * (self._active - 1)
        crew.run([lambda: self._work(part, first, answer), *others])

    def _work(self, client: Client, span: Span | None = None, answer: Answer | None = None) -> None:
        """One connection: a span after the other."""
        retries = Retries(client.running)
        while True:
            if span is None:
                with self._lock:
                    if not self._spans:
                        self._active -= 1
                        return
                    span = self._spans.popleft()
            before = span.position
            try:
                answer = answer or self._place.open(client, before, span.end)
                self._copy(span, answer)
            except TransientError as failed:
                if span.position - before >= limits.slowest * limits.stall:
                    retries.progress()
                elif isinstance(failed, BusyError) and self._leave(span):
                    return
                retries.failed(failed)
            else:
                retries.progress()
            answer = None
            if span.position == span.end:
                span = None

    def _copy(self, span: Span, answer: Answer) -> None:
        """As much of the span as the answer has."""
        with answer.response as response:
            end = span.end if answer.end is None else min(span.end, answer.end)
            while span.position < end:
                data = response.read(min(READ, end - span.position))
                if not data:
                    raise self._short(response, span.position)
                self._write(span, data)

    def _write(self, span: Span, data: bytes) -> None:
        if span.writer is None:
            span.writer = self._partial.writer(span.first)
            self._begun.append(span)
        span.writer.write(data)
        self._meter.add(len(data))

    def _leave(self, span: Span) -> bool:
        """Whether the other connections can do without this one: the server may not want so many."""
        with self._lock:
            if self._active == 1:
                return False
            self._active -= 1
            self._spans.appendleft(span)
            return True

    def _pour(self, spans: deque[Span], answer: Answer) -> None:
        """Reads all of the file from its beginning, and keeps what is missing."""
        with answer.response as response:
            position = 0
            while spans:
                data = response.read(READ)
                if not data:
                    raise self._short(response, position)
                start, position = position, position + len(data)
                while spans and spans[0].first < position:
                    span = spans[0]
                    self._write(span, data[max(span.position - start, 0) : span.end - start])
                    if span.position < span.end:
                        break
                    spans.popleft()
            if position > self._partial.size or (position == self._partial.size and response.read(1)):
                raise download_failed(
                    f"{response.host} sent more of {self._place.file.name} than its {self._partial.size} bytes",
                    "the source may have changed it just now; try again later",
                )

    def _short(self, response: Response, position: int) -> TransientError:
        return may_pass(
            f"{response.host} stopped sending {self._place.file.name} after {position} bytes", "try again later"
        )
