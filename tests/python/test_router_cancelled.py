"""Tasks that are cancelled while a router's model comes: it comes for the others, or not at all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trillm
from trillm.errors import InvalidRequest, ModelNotFound

from .helpers import GREEDY, until


class Slow:
    """A load that goes on when it is told to; what a router is told of it."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.goes_on = threading.Event()
        self.events: list[str] = []

    def progress(self, _share: float) -> None:
        """What the load waits for."""
        self.begun.set()
        assert self.goes_on.wait(60)

    def again(self) -> None:
        self.begun.clear()
        self.goes_on.clear()
        self.events.clear()


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def router(tmp_path: Path, slow: Slow) -> Iterator[trillm.LLMRouter]:
    with trillm.LLMRouter(
        cache_directory=tmp_path / "store", threads=1, on_event=lambda it: slow.events.append(it["event"])
    ) as router:
        yield router
        slow.goes_on.set()


@pytest.fixture(params=["llama", "candle", "onnx"])
def path(request: pytest.FixtureRequest, tiny_model: Path, tiny_folder: Path, tiny_onnx: Callable[..., Path]) -> str:
    return str({"llama": tiny_model, "candle": tiny_folder, "onnx": tiny_onnx("grown")}[request.param])


async def begun(slow: Slow) -> None:
    assert await asyncio.to_thread(slow.begun.wait, 60)


def test_a_load_that_nobody_waits_for_ends(router: trillm.LLMRouter, slow: Slow, path: str) -> None:
    settings: dict[str, Any] = {"progress": slow.progress}

    async def main() -> None:
        task = asyncio.create_task(router.aload_model(path, settings=settings))
        await begun(slow)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        slow.goes_on.set()
        assert await asyncio.to_thread(until, lambda: slow.events == ["loading", "failed"])
        assert await asyncio.to_thread(until, lambda: router.stats()["models"] == {})
        assert (router.loaded(), router.errors.counts) == ([], dict.fromkeys(router.errors.counts, 0))
        # It is as if it had never been asked for.
        slow.events.clear()
        model = await router.aload_model(path, pinned=True)
        assert (slow.events, model.is_loaded) == (["loading", "loaded"], True)
        assert (await model.agenerate("the", max_tokens=2, **GREEDY)).usage.completion_tokens == 2
        assert router.stats()["models"][path]["pinned"]

    asyncio.run(main())


def test_for_others_a_load_goes_on(router: trillm.LLMRouter, slow: Slow, path: str) -> None:
    settings: dict[str, Any] = {"progress": slow.progress}
    answers: list[str] = []

    async def main() -> None:
        # Of tasks of one loop.
        first = asyncio.create_task(router.aload_model(path, settings=settings))
        await begun(slow)
        second = asyncio.create_task(router.aload_model(path))
        while not any(len(waiting) == 2 for _, waiting in arrivals().values()):
            await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        slow.goes_on.set()
        assert (await second).is_loaded
        assert slow.events == ["loading", "loaded"]
        # And of a thread that waits beside them.
        await router.aunload_model(path)
        slow.again()
        only = asyncio.create_task(router.aload_model(path))
        await begun(slow)
        thread = threading.Thread(target=lambda: answers.append(router.generate(path, "the", max_tokens=2).text))
        thread.start()
        assert await asyncio.to_thread(until, lambda: router.stats()["models"][path]["awaited"] == 1)
        only.cancel()
        with pytest.raises(asyncio.CancelledError):
            await only
        slow.goes_on.set()
        await asyncio.to_thread(thread.join)
        assert len(answers) == 1
        assert slow.events == ["loading", "loaded"]

    asyncio.run(main())


def arrivals() -> dict[Any, Any]:
    """Those that tasks of this loop wait for."""
    from trillm._routed import _arrivals

    return _arrivals.get()._coming


def test_what_is_wrong_is_an_error_of_the_task(router: trillm.LLMRouter, path: str) -> None:
    async def main() -> None:
        with pytest.raises(InvalidRequest):
            await router.aload_model({"fil": path})
        with pytest.raises(InvalidRequest):
            await router.aload_model(path, context=-1)
        with pytest.raises(ModelNotFound):
            await router.aload_model(path + "-missing")
        assert [it.context["call"] for it in router.errors.recent()] == ["aload_model"] * 3
        # Other settings load it anew.
        assert (await router.aload_model(path, context=64)).context == 64
        assert (await router.aload_model({"file": path, "settings": {"context": 32}})).context == 32

    asyncio.run(main())
