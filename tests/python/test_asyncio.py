"""asyncio: many tasks, tasks that are cancelled, loops that come and go."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trillm
from trillm.errors import (
    ChatTemplateError,
    Closed,
    ContextOverflow,
    DeadlineExceeded,
    InvalidRequest,
    TrillmError,
    Unsupported,
)

from .helpers import ENDLESS, GREEDY, SAMPLED, endless, idle

MESSAGES = [{"role": "user", "content": "hi"}]


async def running(model: trillm.Model, count: int = 1) -> None:
    """Lets other tasks run until so many requests hold a slot."""
    while model.stats()["running"] < count:
        await asyncio.sleep(0)


@asynccontextmanager
async def heart() -> AsyncIterator[list[int]]:
    """Counts how often the loop gets round while the block runs."""
    beats = [0]

    async def beat() -> None:
        while True:
            beats[0] += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(beat())
    yield beats
    task.cancel()


def test_the_same_as_without_asyncio(llm: trillm.Model) -> None:
    async def main() -> None:
        said = await llm.agenerate("the man", max_tokens=40, **GREEDY)
        assert said.token_ids == llm.generate("the man", max_tokens=40, **GREEDY).token_ids
        answered = await llm.achat(MESSAGES, max_tokens=20, **GREEDY)
        assert answered.token_ids == llm.chat(MESSAGES, max_tokens=20, **GREEDY).token_ids
        pieces = [piece async for piece in llm.astream("the man", max_tokens=40, **GREEDY)]
        assert [piece.token_id for piece in pieces] == said.token_ids
        assert "".join(piece.text for piece in pieces) == said.text
        pieces = [piece async for piece in llm.achat_stream(MESSAGES, max_tokens=20, **GREEDY)]
        assert "".join(piece.text for piece in pieces) == answered.text

    asyncio.run(main())


def test_the_completion_is_there_at_the_end(llm: trillm.Model) -> None:
    async def main() -> None:
        stream = llm.astream("the man", max_tokens=5, **GREEDY)
        await anext(stream)
        assert stream.completion is None
        assert len([piece async for piece in stream]) == 4
        assert stream.completion is not None
        assert stream.completion.usage.completion_tokens == 5
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    asyncio.run(main())


def test_many_tasks(llm: trillm.Model) -> None:
    async def stream(number: int) -> list[int | None]:
        return [piece.token_id async for piece in llm.astream(f"w{number} the", max_tokens=10, seed=number, **SAMPLED)]

    async def main() -> list[list[int | None]]:
        return await asyncio.gather(*map(stream, range(100)))

    expected = [llm.generate(f"w{n} the", max_tokens=10, seed=n, **SAMPLED).token_ids for n in range(100)]
    assert asyncio.run(main()) == expected


def test_errors_come_with_the_call(llm: trillm.Model) -> None:
    async def main() -> None:
        with pytest.raises(ContextOverflow):
            await llm.agenerate("the", max_tokens=10**6)
        with pytest.raises(InvalidRequest):
            llm.astream("the", temperature=-1)
        with pytest.raises(TypeError):
            await llm.achat(MESSAGES, maxtokens=1)  # type: ignore[call-overload]

    asyncio.run(main())


@pytest.mark.parametrize("call", ["agenerate", "astream", "achat"])
def test_cancelling_a_task_frees_its_slot(tiny_model: Path, call: str) -> None:
    async def use(model: trillm.Model) -> None:
        if call == "agenerate":
            await model.agenerate("the", **ENDLESS)
        elif call == "achat":
            await model.achat(MESSAGES, **ENDLESS)
        else:
            async for _ in model.astream("the", **ENDLESS):
                pass

    async def main(model: trillm.Model) -> None:
        task = asyncio.create_task(use(model))
        await running(model)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # There is only one slot.
        assert (await model.agenerate("and", max_tokens=3, **GREEDY)).finish_reason == "length"

    with endless(tiny_model, parallel=1) as model:
        asyncio.run(main(model))
        assert idle(model)
        assert model.stats()["cancelled"] == 1


def test_cancelling_one_task_does_not_change_the_others(tiny_model: Path) -> None:
    async def main(model: trillm.Model) -> list[list[int]]:
        kept = [asyncio.create_task(model.agenerate("the man", max_tokens=100, seed=n, **SAMPLED)) for n in range(4)]
        doomed = [asyncio.create_task(model.agenerate("the", **ENDLESS)) for _ in range(4)]
        await running(model, 8)
        for task in doomed:
            task.cancel()
        return [(await task).token_ids for task in kept]

    with endless(tiny_model) as model:
        alone = [model.generate("the man", max_tokens=100, seed=n, **SAMPLED).token_ids for n in range(4)]
        assert asyncio.run(main(model)) == alone
        assert idle(model)


def test_a_timeout_frees_the_slot(tiny_model: Path) -> None:
    async def main(model: trillm.Model) -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(model.agenerate("the", **ENDLESS), 0.2)

    with endless(tiny_model) as model:
        asyncio.run(main(model))
        assert idle(model)


def test_closing_a_stream_frees_the_slot(tiny_model: Path) -> None:
    async def main(model: trillm.Model) -> None:
        stream = model.astream("the", **ENDLESS)
        await anext(stream)
        await stream.aclose()
        await stream.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        assert stream.completion is None

    with endless(tiny_model) as model:
        asyncio.run(main(model))
        assert idle(model)


def test_an_error_in_the_body_frees_the_slot(tiny_model: Path) -> None:
    async def main(model: trillm.Model) -> None:
        async with model.astream("the", **ENDLESS) as stream:
            async for _ in stream:
                raise ZeroDivisionError

    async def without_a_block(model: trillm.Model) -> None:
        # It is not even needed: dropping a stream cancels it.
        async for _ in model.astream("the", **ENDLESS):
            raise ZeroDivisionError

    with endless(tiny_model) as model:
        with pytest.raises(ZeroDivisionError):
            asyncio.run(main(model))
        assert idle(model)
        with pytest.raises(ZeroDivisionError):
            asyncio.run(without_a_block(model))
        gc.collect()
        assert idle(model)


def test_the_loop_goes_round_meanwhile(tiny_model: Path) -> None:
    async def main(model: trillm.Model) -> None:
        async with heart() as beats:
            await model.agenerate("the", max_tokens=200, **GREEDY)
            assert beats[0] > 10
            before = beats[0]
            assert len([piece async for piece in model.astream("the", max_tokens=200, **GREEDY)]) == 200
            assert beats[0] > before + 10

    with endless(tiny_model) as model:
        asyncio.run(main(model))


def test_two_loops_in_two_threads(llm: trillm.Model) -> None:
    async def ask(number: int) -> list[list[int]]:
        tasks = [llm.agenerate("the man", max_tokens=20, seed=number + n, **SAMPLED) for n in range(5)]
        return [completion.token_ids for completion in await asyncio.gather(*tasks)]

    expected = [asyncio.run(ask(number)) for number in (0, 100)]
    got: dict[int, list[list[int]]] = {}
    threads = [threading.Thread(target=lambda n=n: got.update({n: asyncio.run(ask(n))})) for n in (0, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [got[0], got[100]] == expected


def test_one_loop_after_another(llm: trillm.Model) -> None:
    async def ask() -> list[int]:
        said: trillm.Completion = await llm.agenerate("the man", max_tokens=9, **GREEDY)
        return said.token_ids

    assert asyncio.run(ask()) == asyncio.run(ask()) == asyncio.run(ask(), debug=True)


def test_loops_leave_nothing_behind(llm: trillm.Model) -> None:
    """Neither sockets nor themselves."""

    async def ask() -> None:
        await llm.agenerate("the man", max_tokens=3, **GREEDY)

    def descriptors() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - faster, and opens no more than one.

    asyncio.run(ask())
    before = descriptors()
    for _ in range(20):
        asyncio.run(ask())
    assert descriptors() <= before


@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
def test_a_loop_that_is_closed_too_early_leaves_nothing_behind(tiny_model: Path) -> None:
    """Neither those who were served in it, nor those who waited for room."""

    def leave(model: trillm.Model) -> None:
        loop = asyncio.new_event_loop()
        # A task that ends before it is done says so by the loop's handler.
        loop.set_exception_handler(lambda *_: None)
        tasks = [loop.create_task(model.agenerate("the", **ENDLESS)) for _ in range(4)]
        loop.run_until_complete(running(model, 1))
        loop.close()
        del tasks

    with endless(tiny_model, parallel=1, queue=1) as model:
        counts = []
        for _ in range(5):
            leave(model)
            gc.collect()
            assert idle(model)
            counts.append(len(os.listdir("/proc/self/fd")))  # noqa: PTH208 - as above.
        assert counts == counts[:1] * 5


def test_a_stream_outlives_its_loop(tiny_model: Path) -> None:
    """It can be read on in another one, or closed."""

    async def begin(model: trillm.Model) -> tuple[trillm.AsyncStream, int | None]:
        stream = model.astream("the", max_tokens=600, **GREEDY)
        return stream, (await anext(stream)).token_id

    async def end(stream: trillm.AsyncStream) -> list[int | None]:
        return [piece.token_id async for piece in stream]

    with endless(tiny_model) as model:
        stream, first = asyncio.run(begin(model))
        expected = model.generate("the", max_tokens=600, **GREEDY).token_ids
        assert [first, *asyncio.run(end(stream))] == expected


def test_closing_the_model_ends_what_waits(tiny_model: Path) -> None:
    async def main() -> None:
        async with trillm.load(tiny_model, context=65536, threads=1) as model:
            tasks = [asyncio.create_task(model.agenerate("the", **ENDLESS)) for _ in range(10)]
            await running(model, 8)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {Closed}

    asyncio.run(main())


def test_two_tasks_share_a_stream(llm: trillm.Model) -> None:
    """As with a queue: each piece goes to one of them, and both end."""

    async def read(stream: trillm.AsyncStream) -> list[int | None]:
        return [piece.token_id async for piece in stream]

    async def main() -> list[int | None]:
        stream = llm.astream("the man", max_tokens=50, **GREEDY)
        first, second = await asyncio.wait_for(asyncio.gather(read(stream), read(stream)), 30)
        return first + second

    expected: list[int | None] = list(llm.generate("the man", max_tokens=50, **GREEDY).token_ids)
    assert sorted(map(str, asyncio.run(main()))) == sorted(map(str, expected))


def test_a_list_runs_as_without_asyncio(llm: trillm.Model) -> None:
    async def main() -> None:
        prompts = [f"w{n} the" for n in range(30)]
        said = await llm.agenerate(prompts, max_tokens=6, **GREEDY)
        assert [one.token_ids for one in said] == [
            one.token_ids for one in llm.generate(prompts, max_tokens=6, **GREEDY)
        ]
        ids = [llm.tokenize(prompt) for prompt in prompts[:3]]
        assert [one.text for one in await llm.agenerate(ids, max_tokens=6, **GREEDY)] == [one.text for one in said[:3]]
        chats = [[{"role": "user", "content": f"w{n}"}] for n in range(5)]
        answers = await llm.achat(chats, max_tokens=6, **GREEDY)
        assert [one.text for one in answers] == [llm.chat(chat, max_tokens=6, **GREEDY).text for chat in chats]
        assert [one.text for one in llm.chat(chats, max_tokens=6, **GREEDY)] == [one.text for one in answers]

    asyncio.run(main())


def test_what_gathers_more_than_the_queue_holds_waits_for_room(tiny_model: Path) -> None:
    async def main(model: trillm.Model) -> list[str]:
        alone = (model.agenerate(f"w{n} the", max_tokens=3, **GREEDY) for n in range(300))
        chats = (model.achat(MESSAGES, max_tokens=3, **GREEDY) for _ in range(20))
        *said, answered = await asyncio.gather(*alone, *chats, model.agenerate(["the"] * 50, max_tokens=3, **GREEDY))
        assert len(answered) == 50
        return [one.text for one in said[:300]]

    with endless(tiny_model, parallel=2, queue=4) as model:
        said = asyncio.run(main(model))
        assert said == [one.text for one in model.generate([f"w{n} the" for n in range(300)], max_tokens=3, **GREEDY)]
        assert idle(model)


def test_those_who_wait_for_room_come_in_their_order(tiny_model: Path) -> None:
    async def main(model: trillm.Model) -> None:
        ended: list[int] = []

        async def ask(number: int) -> None:
            await model.agenerate("the", max_tokens=2, **GREEDY)
            ended.append(number)

        first = asyncio.create_task(model.agenerate("the", **ENDLESS))
        await running(model)
        tasks = [asyncio.create_task(ask(number)) for number in range(12)]
        await asyncio.sleep(0.1)
        assert model.stats()["waiting"] == 1
        first.cancel()
        await asyncio.gather(*tasks)
        assert ended == sorted(ended)

    with endless(tiny_model, parallel=1, queue=1) as model:
        asyncio.run(main(model))


def test_who_gives_up_waiting_for_room_leaves_nothing_behind(tiny_model: Path) -> None:
    async def main(model: trillm.Model) -> None:
        first = asyncio.create_task(model.agenerate("the", **ENDLESS))
        await running(model)
        filling = model.astream("the", max_tokens=2, **GREEDY)
        tasks = [asyncio.create_task(model.agenerate("the", **ENDLESS)) for _ in range(3)]
        tasks.append(asyncio.create_task(model.agenerate(["the"] * 3, **ENDLESS)))
        waiting = model.astream("the", **ENDLESS)
        piece = asyncio.ensure_future(anext(waiting))
        await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        await waiting.aclose()
        with pytest.raises(StopAsyncIteration):
            await piece
        assert {type(one) for one in await asyncio.gather(*tasks, return_exceptions=True)} == {asyncio.CancelledError}
        with pytest.raises(DeadlineExceeded):
            await model.agenerate("the", timeout=0.1, **ENDLESS)
        assert model.stats()["waiting"] == 1
        first.cancel()
        assert len([piece async for piece in filling]) == 2

    with endless(tiny_model, parallel=1, queue=1) as model:
        asyncio.run(main(model))
        assert idle(model)


def test_closing_the_model_ends_what_waits_for_room(tiny_model: Path) -> None:
    async def main() -> None:
        async with trillm.load(tiny_model, context=65536, threads=1, parallel=1, queue=1) as model:
            tasks = [asyncio.create_task(model.agenerate("the", **ENDLESS)) for _ in range(10)]
            await running(model)
            await asyncio.sleep(0.05)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {Closed}

    asyncio.run(main())


def test_one_of_a_list_that_fails_ends_the_others(tiny_model: Path) -> None:
    async def main(model: trillm.Model) -> None:
        with pytest.raises(ContextOverflow):
            await model.agenerate(["the", "the " * 100_000, "the"], **ENDLESS)
        with pytest.raises(InvalidRequest, match=r"prompt\[1\] is "):
            await model.agenerate(["the", None], **ENDLESS)  # type: ignore[list-item]

    with endless(tiny_model) as model:
        asyncio.run(main(model))
        assert idle(model)


def test_a_long_text_does_not_stop_the_loop(tiny_model: Path) -> None:
    """Megabytes become tokens, and a chat is rendered, while other tasks run."""
    text = "there was nothing " * 500_000

    async def main(model: trillm.Model) -> None:
        for call in (
            lambda: model.agenerate(text),
            lambda: model.achat([{"role": "user", "content": text}]),
            lambda: model.agenerate(["the", text]),
            lambda: model.aembed(text),
            lambda: anext(model.astream(text)),
        ):
            async with heart() as beats:
                with pytest.raises((ContextOverflow, ChatTemplateError)):
                    await call()
                assert beats[0] > 100

    with trillm.load(tiny_model, threads=1) as model:
        asyncio.run(main(model))


async def longest_pause(work: Awaitable[object]) -> float:
    """Seconds for which the loop did not go round while it was awaited."""
    longest, last = 0.0, time.monotonic()

    async def tick() -> None:
        nonlocal longest, last
        while True:
            await asyncio.sleep(0)
            now = time.monotonic()
            longest, last = max(longest, now - last), now

    ticker = asyncio.create_task(tick())
    await asyncio.sleep(0)
    try:
        await work
    finally:
        ticker.cancel()
    return max(longest, time.monotonic() - last)


@pytest.mark.parametrize("call", ["agenerate", "achat"])
def test_a_long_list_does_not_stop_the_loop(tiny_model: Path, call: str) -> None:
    """Its calls are made as room comes: all of these at once take some ten seconds, and cancelling waited for that."""
    given: list[Any] = ["the"] * 100_000 if call == "agenerate" else [MESSAGES] * 100_000

    async def main(model: trillm.Model) -> None:
        began = time.monotonic()
        work = asyncio.wait_for(getattr(model, call)(given, max_tokens=1), 0.5)
        with pytest.raises(asyncio.TimeoutError):
            assert await longest_pause(work) < 0
        assert time.monotonic() - began < 3

    with endless(tiny_model) as model:
        asyncio.run(main(model))
        assert idle(model)


def test_a_list_begins_no_more_calls_than_it_has_to(tiny_model: Path) -> None:
    """The first error ends it, as in the call without asyncio."""
    taken = 0

    class Counted(list[Any]):
        def __iter__(self) -> Iterator[Any]:
            nonlocal taken
            for each in super().__iter__():
                taken += 1
                yield each

    async def main(model: trillm.Model) -> None:
        nonlocal taken
        with pytest.raises(InvalidRequest, match=r"prompt\[3\] is "):
            await model.agenerate(Counted(["the", "the", "the", None, *["the"] * 5000]), **ENDLESS)
        assert taken < 100
        taken = 0
        task = asyncio.create_task(model.agenerate(Counted(["the"] * 5000), **ENDLESS))
        await running(model, 8)
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert 8 <= taken < 1000

    with endless(tiny_model) as model:
        asyncio.run(main(model))
        assert idle(model)


def test_a_list_longer_than_what_is_under_way_keeps_its_order(llm: trillm.Model) -> None:
    prompts = [f"w{n} the" for n in range(600)]
    said = asyncio.run(llm.agenerate(prompts, max_tokens=2, **GREEDY))
    expected = llm.generate(prompts, max_tokens=2, **GREEDY)
    assert [one.token_ids for one in said] == [one.token_ids for one in expected]


class Number:
    """A token id that notes who reads it."""

    def __init__(self, readers: set[int]) -> None:
        self._readers = readers

    def __index__(self) -> int:
        self._readers.add(threading.get_ident())
        return 70


class Said(Mapping[str, str]):
    """A message that notes who reads it."""

    def __init__(self, readers: set[int]) -> None:
        self._readers = readers

    def __getitem__(self, name: str) -> str:
        self._readers.add(threading.get_ident())
        return MESSAGES[0][name]

    def __iter__(self) -> Iterator[str]:
        return iter(MESSAGES[0])

    def __len__(self) -> int:
        return len(MESSAGES[0])


class Written(str):
    """A text that notes who reads it."""

    readers: set[int]

    @property
    def shape(self) -> None:
        self.readers.add(threading.get_ident())
        raise AttributeError


def test_what_takes_long_to_read_is_read_beside_the_loop(llm: trillm.Model) -> None:
    """With the interpreter's lock, which others have in between; what is short is read where it is."""
    readers: set[int] = set()
    written = Written("the")
    written.readers = readers

    def calls(count: int) -> list[Callable[[], Awaitable[object]]]:
        ids, messages = [70] * count, [*MESSAGES * count, Said(readers)]
        return [
            lambda: llm.agenerate([*ids, Number(readers)], max_tokens=1),  # type: ignore[list-item]
            lambda: anext(llm.astream((*ids, Number(readers)), max_tokens=1)),  # type: ignore[arg-type]
            lambda: llm.achat(messages, max_tokens=1),
            lambda: llm.achat([MESSAGES, messages], max_tokens=1),
            lambda: anext(llm.achat_stream(messages, max_tokens=1)),
            lambda: llm.achat(MESSAGES, template_args={"a": [0] * count, "b": Said(readers)}, max_tokens=1),
            lambda: llm.achat(MESSAGES, tools=[{"a": [0] * count}, Said(readers)], max_tokens=1),
            lambda: llm.achat([{**MESSAGES[0], "a": [0] * count, "b": Said(readers)}], max_tokens=1),
            lambda: llm.aembed([*["a"] * count, written, 5]),  # type: ignore[list-item]
            lambda: llm.ascore([*[("a", "b")] * count, (written, "b"), 5]),  # type: ignore[list-item]
        ]

    async def main() -> None:
        for count, beside in ((5, False), (100_000, True)):
            for call in calls(count):
                readers.clear()
                with suppress(TrillmError):
                    await call()
                assert len(readers) == 1
                assert (readers != {threading.get_ident()}) == beside

    asyncio.run(main())


def test_what_is_read_beside_the_loop_is_what_was_given(llm: trillm.Model) -> None:
    """A list that is changed meanwhile was copied, and an error says where it is."""

    async def main() -> None:
        ids = llm.tokenize("the man") * 100_000
        task = asyncio.create_task(llm.agenerate(ids, max_tokens=1))
        await asyncio.sleep(0)
        ids.clear()
        with pytest.raises(ContextOverflow):
            await task
        ids = [70] * 100_000
        ids[77_777] = -1
        with pytest.raises(InvalidRequest, match=r"^prompt is -1 at index 77777, expected token ids"):
            await llm.agenerate(ids)
        with pytest.raises(InvalidRequest, match=r"^prompt\[1\] is -1 at index 77777, expected token ids"):
            await llm.agenerate([[70], ids], max_tokens=1)
        with pytest.raises(InvalidRequest, match=r"^messages\[50000\]"):
            await llm.achat([*MESSAGES * 50_000, 5, *MESSAGES])  # type: ignore[list-item]
        with pytest.raises(InvalidRequest, match=r"^texts\[50000\] is 5, expected a text"):
            await llm.aembed([*["a"] * 50_000, 5])  # type: ignore[list-item]
        with pytest.raises(InvalidRequest, match=r"^tools\[1\] is 5, expected a mapping"):
            await llm.achat(MESSAGES, tools=[{"a": [0] * 50_000}, 5])  # type: ignore[list-item]
        variables: dict[str, Any] = {"a": [0] * 50_000}
        task = asyncio.create_task(
            llm.achat(MESSAGES, template="{{ a | length }}{{ b }}", template_args=variables, max_tokens=1)
        )
        await asyncio.sleep(0)
        variables["messages"] = "which is refused"
        assert (await task).usage.prompt_tokens > 0
        with pytest.raises(InvalidRequest, match="template_args is a mapping with"):
            await llm.achat(MESSAGES, template_args=variables, max_tokens=1)

    asyncio.run(main())


def test_vectors_are_those_without_asyncio(llm: trillm.Model) -> None:
    async def main() -> None:
        texts = [f"w{n} the" for n in range(20)]
        first, *others = await asyncio.gather(llm.aembed(texts), *map(llm.aembed, texts))
        assert np.allclose(first, llm.embed(texts), atol=1e-5)
        assert np.allclose(first, np.concatenate(others), atol=1e-5)
        with pytest.raises(InvalidRequest, match=r"texts\[1\] is 5, expected a text"):
            await llm.aembed(["the", 5])  # type: ignore[list-item]
        with pytest.raises(Unsupported):
            await llm.ascore([("a", "b")])
        task = asyncio.create_task(llm.aembed(["a" * 500] * 50_000))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await llm.aembed("the")).shape == (1, 64)

    asyncio.run(main())
