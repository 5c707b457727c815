"""Models that are to go while they are used: who waits for whom, for how long, and what a router leaves behind."""

from __future__ import annotations

import asyncio
import gc
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trillm
from trillm import LLMRouter
from trillm.errors import Closed, InvalidRequest, Overloaded

from .helpers import ENDLESS, failing, until

LONG: dict[str, Any] = {"context": 65536, "threads": 1}
"""So long a context that a request does not end by itself."""


@pytest.fixture
def router(tmp_path: Path) -> Iterator[LLMRouter]:
    with LLMRouter(cache_directory=tmp_path / "store", room_timeout=60) as router:
        yield router


def test_other_settings_wait_no_longer_than_they_are_told(router: LLMRouter, tiny_model: Path) -> None:
    path = str(tiny_model)
    router.load_model(path, **LONG)
    with router.stream(path, "the", **ENDLESS) as one, router.stream(path, "the", **ENDLESS) as two:
        for wait in (0, 0.1):
            with failing(Overloaded, "busy", f"is in use by 2, and was for {wait} s"):
                router.load_model(path, context=512, threads=1, wait=wait)
        # It is as it was, also for those who come now, and those who had it go on.
        assert router.generate(path, "the", max_tokens=1).usage.completion_tokens == 1
        assert router.model(path).info.context_trained > 0
        assert router.load_model(path).is_loaded
        assert (next(one).text, next(two).text) != ("", "")
        two.close()
        one.close()
        router.load_model(path, context=512, threads=1, wait=math.inf)
    assert router.plan(path).context == 512
    assert router.errors.codes["busy"] == 2


def test_a_router_says_how_long_by_default(tiny_model: Path, tmp_path: Path) -> None:
    path = str(tiny_model)
    with LLMRouter(cache_directory=tmp_path, room_timeout=0.1) as router:
        router.load_model(path, **LONG)
        with router.stream(path, "the", **ENDLESS):
            for call in (
                lambda: router.load_model(path, context=512),
                lambda: asyncio.run(router.aload_model(path, context=512)),
                lambda: router.generate({"file": path, "settings": {"context": 512}}, "the"),
            ):
                with failing(Overloaded, "busy", "in use by 1"):
                    call()
        assert router.plan(path).context == 65536


def test_who_waits_gets_it_once_it_is_free(router: LLMRouter, tiny_model: Path) -> None:
    path = str(tiny_model)
    router.load_model(path, **LONG)
    stream = router.stream(path, "the", **ENDLESS)
    load = threading.Thread(target=router.load_model, args=(path,), kwargs={"context": 512, "wait": 60})
    load.start()
    # It gets no new leases as long as somebody waits for its end.
    assert until(lambda: router._core.lease_now(path) is None)
    stream.close()
    load.join()
    assert (router.loaded(), router.plan(path).context) == ([path], 512)


def test_unloading_waits_as_long_as_it_is_told(router: LLMRouter, tiny_model: Path) -> None:
    path = str(tiny_model)
    router.load_model(path, **LONG)
    with router.stream(path, "the", **ENDLESS) as stream:
        with failing(Overloaded, "busy", "in use by 1"):
            router.unload_model(path, wait=0)
        with failing(Overloaded, "busy", "in use by 1"):
            asyncio.run(router.aunload_model(path, wait=0.05))
        assert next(stream).text
        router.unload_model(path, at_once=True, wait=0)
        with failing(Closed, "closed"):
            list(stream)
    assert router.loaded() == []


@pytest.mark.parametrize("wait", [-1, math.nan])
def test_no_time_is_less_than_none(router: LLMRouter, tiny_model: Path, wait: float) -> None:
    for call in (router.load_model, router.unload_model):
        with failing(InvalidRequest, "invalid_parameter", "seconds, 0 or more"):
            call(str(tiny_model), wait=wait)


def test_a_stream_goes_on_when_its_router_is_dropped(tiny_model: Path, tmp_path: Path) -> None:
    """As one of a model does; then the model goes."""
    path, events = str(tiny_model), []
    router = LLMRouter(cache_directory=tmp_path, on_event=lambda it: events.append(it["event"]))
    router.load_model(path, pinned=True, keep_alive=600, **LONG)
    stream = router.stream(path, "the", **ENDLESS)
    del router
    gc.collect()
    for _ in range(20):
        assert next(stream)
    assert events == ["loading", "loaded"]
    stream.close()
    assert until(lambda: events == ["loading", "loaded", "unloaded"])


def test_a_router_that_is_closed_ends_its_streams(tiny_model: Path, tmp_path: Path) -> None:
    router = LLMRouter(cache_directory=tmp_path)
    router.load_model(str(tiny_model), **LONG)
    stream = router.stream(str(tiny_model), "the", **ENDLESS)
    router.close()
    with failing(Closed, "closed"):
        list(stream)
    model = trillm.load(tiny_model, **LONG)
    stream = model.stream("the", **ENDLESS)
    del model
    gc.collect()
    assert next(stream)
    stream.close()
