"""Streams of a router: what goes wrong while they are read is taken down, and nothing is given twice."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trillm
from trillm.errors import Closed, ContextOverflow, ModelNotFound

from .helpers import ENDLESS, GREEDY, MESSAGES

STREAMS: list[tuple[str, Any]] = [("stream", "the man"), ("chat_stream", MESSAGES)]


@pytest.mark.parametrize("recovers", [False, True])
@pytest.mark.parametrize(("call", "given"), STREAMS)
def test_an_error_that_ends_a_stream_is_taken_down(tiny_model: Path, call: str, given: Any, recovers: bool) -> None:
    path = str(tiny_model)
    events: list[str] = []
    settings = {"context": 65536}
    with trillm.LLMRouter(threads=1, recover=recovers, on_event=lambda it: events.append(it["event"])) as router:
        router.load_model(path, settings=settings)
        stream = getattr(router, call)(path, given, **ENDLESS)
        next(stream)
        router.unload_model(path, at_once=True)
        with pytest.raises(Closed):
            list(stream)
        assert router.errors.codes == {"closed": 1}
        assert router.errors.recent(1)[0].context == {"call": call, "model": path}
        # Text was given: it is not begun again, whatever is recovered.
        assert events == ["loading", "loaded", "unloaded"]
        assert list(stream) == []
        # One that is closed or read to its end has no error.
        with getattr(router, call)(path, given, **ENDLESS) as closed:
            next(closed)
        list(getattr(router, call)(path, given, max_tokens=2, **GREEDY))
        assert sum(router.errors.codes.values()) == 1


@pytest.mark.parametrize("recovers", [False, True])
@pytest.mark.parametrize(("call", "given"), STREAMS)
def test_an_error_that_ends_an_asynchronous_stream_is_taken_down(
    tiny_model: Path, call: str, given: Any, recovers: bool
) -> None:
    path = str(tiny_model)
    events: list[str] = []

    async def main() -> None:
        with trillm.LLMRouter(threads=1, recover=recovers, on_event=lambda it: events.append(it["event"])) as router:
            await router.aload_model(path, settings={"context": 65536})
            stream = getattr(router, f"a{call}")(path, given, **ENDLESS)
            await anext(stream)
            await router.aunload_model(path, at_once=True)
            with pytest.raises(Closed):
                [_ async for _ in stream]
            assert router.errors.codes == {"closed": 1}
            assert router.errors.recent(1)[0].context == {"call": f"a{call}", "model": path}
            assert events == ["loading", "loaded", "unloaded"]
            async with getattr(router, f"a{call}")(path, given, **ENDLESS) as closed:
                await anext(closed)
            assert sum(router.errors.codes.values()) == 1

    asyncio.run(main())


def test_what_does_not_begin_is_taken_down_too(tiny_model: Path) -> None:
    path = str(tiny_model)

    async def main() -> None:
        with trillm.LLMRouter(threads=1) as router:
            # Its model comes with the first piece.
            with pytest.raises(ModelNotFound):
                await anext(router.astream(path + "-missing", "the", max_tokens=1))
            with pytest.raises(ContextOverflow):
                await anext(router.astream(path, "the " * 600, max_tokens=1))
            assert router.errors.codes == {"model_not_found": 1, "context_overflow": 1}
            assert [it.context["call"] for it in router.errors.recent(2)] == ["astream"] * 2

    asyncio.run(main())


def test_what_does_not_begin_is_mended_once(tiny_model: Path) -> None:
    path = str(tiny_model)
    events: list[str] = []

    def ended_at_once(times: int) -> Callable[[dict[str, Any]], None]:
        """Ends a model as soon as it is here, so often."""

        def event(it: dict[str, Any]) -> None:
            events.append(it["event"])
            if it["event"] == "loaded" and events.count("loaded") <= times:
                router._core.lease(path).close()

        return event

    async def main() -> str:
        return "".join([piece.text async for piece in router.astream(path, "the man", max_tokens=8, **GREEDY)])

    with trillm.load(path, threads=1) as alone:
        expected = alone.generate("the man", max_tokens=8, **GREEDY).text
    with trillm.LLMRouter(threads=1, recover=True, on_event=ended_at_once(1)) as router:
        assert asyncio.run(main()) == expected
        assert router.errors.codes == {"closed": 1}
        assert events == ["loading", "loaded", "unloaded", "loading", "loaded"]
    events.clear()
    with trillm.LLMRouter(threads=1, recover=True, on_event=ended_at_once(2)) as router:
        with pytest.raises(Closed):
            asyncio.run(main())
        assert events.count("loaded") == 2, "it is tried once more, and then it is an error"
    events.clear()
    with trillm.LLMRouter(threads=1, recover=True, on_event=ended_at_once(0)) as router:
        router.load_model(path)
        router._core.lease(path).close()
        assert asyncio.run(main()) == expected
        assert router.errors.codes == {"closed": 1}


def test_a_stream_keeps_no_router(tiny_model: Path) -> None:
    router = trillm.LLMRouter(threads=1)
    stream = router.stream(tiny_model, "the", max_tokens=2, **GREEDY)
    gone = weakref.ref(router)
    del router
    gc.collect()
    assert gone() is None
    stream.close()
