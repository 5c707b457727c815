"""Several models by name: which of them are loaded, for whom, and for how long."""

from __future__ import annotations

import asyncio
import gc
import inspect
import math
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trillm
from trillm.errors import Closed, InvalidRequest, ModelNotFound, Overloaded

from .helpers import ENDLESS, GREEDY, MESSAGES, until
from .program import output

EXACT: dict[str, Any] = {"cache_type": "f32", "threads": 1}


@pytest.fixture
def paths(tiny_model: Path, tiny_folder: Path, tiny_onnx: Callable[..., Path]) -> dict[str, str]:
    """The tiny model for each engine."""
    return {"llama": str(tiny_model), "candle": str(tiny_folder), "onnx": str(tiny_onnx("grown"))}


@pytest.fixture
def router(tmp_path: Path) -> Iterator[trillm.LLMRouter]:
    with trillm.LLMRouter(cache_directory=tmp_path / "store", threads=1) as router:
        yield router


def test_a_model_is_loaded_when_it_is_asked_for(router: trillm.LLMRouter, paths: dict[str, str]) -> None:
    for engine, path in paths.items():
        with trillm.load(path, **EXACT) as alone:
            expected = alone.generate("the man", max_tokens=8, **GREEDY).text
            answer = alone.chat(MESSAGES, max_tokens=8, **GREEDY).text
        router.load_model({"file": path, "engine": engine, "settings": EXACT})
        assert router.generate(model=path, prompt="the man", max_tokens=8, **GREEDY).text == expected
        assert router.chat(path, MESSAGES, max_tokens=8, **GREEDY).text == answer
        with router.stream(path, "the man", max_tokens=8, **GREEDY) as stream:
            assert "".join(piece.text for piece in stream) == expected
        texts = router.generate(path, ["the man", "the man"], max_tokens=8, **GREEDY)
        assert [it.text for it in texts] == [expected] * 2
    assert router.loaded() == sorted(paths.values())
    stats = router.stats()["models"]
    assert {name: (it["leases"], it["requests"]) for name, it in stats.items()} == dict.fromkeys(paths.values(), (0, 5))
    assert all(it["generated_tokens"] >= 40 and it["load_time"] > 0 and it["bytes"] > 0 for it in stats.values())
    assert all(it["time_since_last_use"] >= 0 and it["last_used"] > 1.7e9 for it in stats.values())
    # Three answers, and two of a list.
    for it in stats.values():
        first, whole = it["first_token_time"], it["latency"]
        assert (first["count"], whole["count"]) == (5, 5)
        assert 0 < first["p50"] <= first["p95"] <= first["p99"] <= whole["p99"]
        assert whole["p50"] <= whole["p95"] <= whole["p99"]
    router.unload_model(paths["onnx"])
    assert paths["onnx"] not in router.loaded()
    with pytest.raises(ModelNotFound) as raised:
        router.unload_model(paths["onnx"])
    assert raised.value.code == "not_loaded"


def test_what_was_used_least_recently_goes(paths: dict[str, str]) -> None:
    events: list[dict[str, Any]] = []
    one, two, three = paths.values()
    with trillm.LLMRouter(max_models_loaded=2, threads=1, on_event=events.append) as router:
        router.load_model(one)
        router.load_model(two)
        router.generate(one, "the", max_tokens=1)
        router.load_model(three)
        assert router.loaded() == sorted([one, three])
        assert [(it["event"], it["model"]) for it in events] == [
            ("loading", one),
            ("loaded", one),
            ("loading", two),
            ("loaded", two),
            ("loading", three),
            ("evicted", two),
            ("loaded", three),
        ]
        evicted = next(it for it in events if it["event"] == "evicted")
        assert (evicted["why"], evicted["makes_room_for"]) == ("room", three)
        # What is pinned stays, and what is used.
        router.pin(one)
        with router.stream(three, "the", **ENDLESS) as stream:
            next(stream)
            router.update_config(room_timeout=0.05)
            with pytest.raises(Overloaded) as raised:
                router.generate(two, "the", max_tokens=1)
            assert (raised.value.code, raised.value.hint is not None) == ("all_busy", True)
        assert router.generate(two, "the", max_tokens=1).usage.completion_tokens == 1
        assert router.loaded() == sorted([one, two])
        router.pin(two)
        with pytest.raises(Overloaded) as raised:
            router.load_model(three)
        assert raised.value.code == "all_pinned"
        assert router.errors.codes == {"all_busy": 1, "all_pinned": 1}
        assert router.errors.recent(1)[0].context == {"call": "load_model", "model": three}


def test_a_stream_keeps_its_model_until_it_ends(router: trillm.LLMRouter, paths: dict[str, str]) -> None:
    path = paths["llama"]

    def leases() -> int:
        return int(router.stats()["models"][path]["leases"])

    read = router.stream(path, "the", max_tokens=3, **GREEDY)
    assert leases() == 1
    list(read)
    assert leases() == 0, "it was read to its end, and is still there"
    closed = router.chat_stream(path, MESSAGES, max_tokens=3)
    closed.close()
    assert leases() == 0
    dropped = router.stream(path, "the", max_tokens=3)
    del dropped
    gc.collect()
    assert leases() == 0
    assert read.completion is not None

    async def main() -> None:
        stream = router.astream(path, "the", max_tokens=3, **GREEDY)
        assert [piece async for piece in stream]
        assert leases() == 0
        async with router.achat_stream(path, MESSAGES, max_tokens=3) as begun:
            await anext(begun)
            assert leases() == 1
        assert leases() == 0
        await asyncio.gather(*(router.agenerate(path, "the", max_tokens=2) for _ in range(20)))
        assert leases() == 0

    asyncio.run(main())


def test_models_come_beside_an_event_loop(paths: dict[str, str]) -> None:
    events: list[str] = []
    router = trillm.LLMRouter(on_event=lambda it: events.append(it["event"]), threads=1)

    async def main() -> None:
        path = paths["candle"]
        answers = await asyncio.gather(
            *(router.agenerate(path, "the man", max_tokens=4, **GREEDY) for _ in range(50)),
            *(read(router.astream(path, "the man", max_tokens=4, **GREEDY)) for _ in range(10)),
        )
        texts = {it if isinstance(it, str) else it.text for it in answers}
        assert len(texts) == 1
        assert events == ["loading", "loaded"]
        with pytest.raises(ModelNotFound):
            await router.agenerate(path + "-missing", "the", max_tokens=1)
        await router.aunload_model(path)
        assert router.loaded() == []
        # Whoever is cancelled while it comes leaves nothing behind, and the others get it.
        tasks = [asyncio.create_task(router.achat(path, MESSAGES, max_tokens=2)) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(done[0], asyncio.CancelledError)
        assert not any(isinstance(it, BaseException) for it in done[1:])
        vectors = await router.aembed(path, ["the man"])
        assert vectors.shape[0] == 1

    async def read(stream: trillm.AsyncStream) -> str:
        return "".join([piece.text async for piece in stream])

    with router:
        asyncio.run(main())


def test_what_is_idle_goes_by_itself(paths: dict[str, str]) -> None:
    events: list[dict[str, Any]] = []
    path = paths["llama"]
    with trillm.LLMRouter(unload_idle_time=0.05, threads=1, on_event=events.append) as router:
        router.generate(path, "the", max_tokens=1)
        assert until(lambda: [(it["event"], it.get("why")) for it in events][-1] == ("unloaded", "idle"))
        assert router.loaded() == []
        router.generate(path, "the", max_tokens=1, keep_alive=math.inf)
        assert router.stats()["models"][path]["unloads_in"] is None
        router.generate(path, "the", max_tokens=1, keep_alive=60)
        assert 50 < router.stats()["models"][path]["unloads_in"] <= 60
        router.generate(path, "the", max_tokens=1, keep_alive=0)
        assert until(lambda: router.loaded() == [])
        router.load_model(path, pinned=True)
        assert router.stats()["models"][path]["unloads_in"] is None
        assert router.stats()["models"][path]["pinned"]
        for wrong in (-1, math.nan):
            with pytest.raises(InvalidRequest):
                router.generate(path, "the", keep_alive=wrong)


def test_what_nobody_uses_goes_when_memory_is_short(
    paths: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def free(kilobytes: int) -> None:
        # By rename, so that nobody reads half of it.
        (tmp_path / "new").write_text(f"MemTotal: 16000000 kB\nMemAvailable: {kilobytes} kB\n")
        (tmp_path / "new").rename(tmp_path / "proc/meminfo")

    (tmp_path / "proc").mkdir()
    free(8_000_000)
    # Only what the system says is not this machine's.
    monkeypatch.setattr("trillm._core.Router", partial(trillm._core.Router, system=tmp_path))
    events: list[dict[str, Any]] = []
    one, two, three = paths.values()
    with trillm.LLMRouter(unload_idle_time=math.inf, threads=1, on_event=events.append) as router:
        router.load_model(two, pinned=True)
        router.load_model(three)
        router.load_model(one)
        with router.stream(one, "the", **ENDLESS) as stream:
            next(stream)
            free(999_999)
            assert until(lambda: events[-1]["event"] == "evicted")
            assert router.loaded() == sorted([one, two])
            assert events[-1] == {
                "event": "evicted",
                "model": three,
                "why": "pressure",
                "reason": "1023 MB of 16384 MB are free (this machine)",
                "memory_free": 999_999 * 1024,
                "memory_limit": 16_000_000 * 1024,
            }
        assert until(lambda: router.loaded() == [two])
        router.update_config(unload_under_pressure=False)
        assert router.generate(one, "the", max_tokens=1).usage.completion_tokens == 1
        router.update_config(unload_under_pressure=True)
        assert until(lambda: router.loaded() == [two])


def test_who_gives_settings_last_decides(paths: dict[str, str], tmp_path: Path) -> None:
    router = trillm.LLMRouter(threads=1, models_directory=tmp_path)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for turn in range(20):
            # A name that is new, and how it may be written.
            path = tmp_path / f"{turn}.gguf"
            path.symlink_to(paths["llama"])
            start = threading.Barrier(4)

            def load(wanted: Any, start: threading.Barrier, **settings: Any) -> None:
                start.wait()
                router.load_model(wanted, **settings)

            asked: list[tuple[Any, dict[str, Any]]] = [
                (str(path), {"context": 64}),
                (path, {"context": 128}),
                (path.name, {"context": 256}),
                (path, {"force": True}),
            ]
            threads = [threading.Thread(target=load, args=(it, start), kwargs=settings) for it, settings in asked]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            model = router.model(path)
            decided = router._shelf.wishes[model.name].settings["context"]
            assert decided in (64, 128, 256)
            assert model.generate("the", max_tokens=1).usage.completion_tokens == 1
            assert model.context == decided, "it is loaded otherwise than it is wanted"
            assert len(router.loaded()) == 1, "it has several names"
            router.unload_model(path)
    finally:
        sys.setswitchinterval(interval)
        router.close()


def test_how_a_model_is_loaded(router: trillm.LLMRouter, paths: dict[str, str]) -> None:
    path = paths["llama"]
    model = router.load_model({"file": path, "engine": "node-llama-cpp", "settings": {"context_size": 256}})
    assert (model.context, model.info.engine, model.name) == (256, "llama", path)
    # The same again changes nothing; other settings load it anew.
    assert router.load_model(path) is model
    assert router.load_model(path, settings={"context_size": 256}).context == 256
    assert router.load_model(path, context=128).context == 128
    assert router.model(Path(path)) is model
    assert router.stats()["models"][path]["requests"] == 2
    model.close()
    assert not model.is_loaded
    model.close()
    assert model.generate("the", max_tokens=1).usage.completion_tokens == 1
    for wrong, words in [
        ({"engine": "llama"}, "`file`"),
        ({"file": path, "setings": {}}, "'setings'"),
        ({"file": path, "settings": [1]}, "settings"),
        ({"file": 3}, "file is 3"),
        (7, "model is 7"),
    ]:
        with pytest.raises(InvalidRequest, match=words):
            router.load_model(wrong)  # type: ignore[arg-type]
    with pytest.raises(ModelNotFound):
        router.generate(model="nothing-of-that-name", prompt="the")
    with pytest.raises(TypeError, match="max_tokens"):
        router.generate(path, "the", max_token=1)  # type: ignore[call-overload]


def test_options_change_while_it_runs(router: trillm.LLMRouter, paths: dict[str, str]) -> None:
    one, _, three = paths.values()
    for path in paths.values():
        router.load_model(path)
    assert router.update_config(max_models_loaded=1) == {"loaded_before": []}
    assert until(lambda: len(router.loaded()) == 1)
    assert router.update_config(context_length=64) == {"loaded_before": [three]}
    assert router.load_model(one).context == 64
    assert router.options.max_models_loaded == 1
    with pytest.raises(TypeError, match="unload_idle_time"):
        router.update_config(unload_idle_tim=3)


def test_a_closed_router_ends_what_runs(paths: dict[str, str]) -> None:
    router = trillm.LLMRouter(threads=1)
    stream = router.stream(paths["llama"], "the", **ENDLESS)
    next(stream)
    router.close()
    with pytest.raises(Closed):
        list(stream)
    with pytest.raises(Closed):
        router.generate(paths["llama"], "the", max_tokens=1)
    router.close()


def test_one_load_for_all_threads(paths: dict[str, str]) -> None:
    events: list[str] = []
    with trillm.LLMRouter(threads=1, on_event=lambda it: events.append(it["event"])) as router:
        texts: list[str] = []

        def ask() -> None:
            texts.append(router.generate(paths["onnx"], "the man", max_tokens=4, **GREEDY).text)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(texts), len(set(texts)), events) == (8, 1, ["loading", "loaded"])


def test_an_error_in_a_listener_is_nobodys_loss(paths: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(_: dict[str, Any]) -> None:
        raise ValueError("by the listener")

    seen: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", seen.append)
    with trillm.LLMRouter(threads=1, on_event=raises) as router:
        assert router.generate(paths["llama"], "the", max_tokens=1).usage.completion_tokens == 1
    assert [str(it.exc_value) for it in seen] == ["by the listener"] * 3


SHORT = """
import resource, sys
import trillm

small, large = sys.argv[1:]
router = trillm.LLMRouter(threads=1)
router.generate(small, "the", max_tokens=1)
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (260 << 20), resource.RLIM_INFINITY))
try:
    router.load_model({"file": large, "settings": {"context": 1 << 18, "parallel": 1}})
except trillm.errors.MemoryRefused as error:
    print(error.plan.verdict, error.code, bool(error.hint), router.loaded() == [small])
print(router.generate(small, "the", max_tokens=1).usage.completion_tokens)
print(router.errors.recent(1)[0].kind)
"""


def test_what_does_not_fit_is_refused_with_its_plan(paths: dict[str, str], tiny_folder: Path) -> None:
    assert output(SHORT, paths["llama"], str(tiny_folder)).splitlines() == [
        "refused memory_refused True True",
        "1",
        "MEMORY_ERROR",
    ]


FORKED = """
import os, sys
import trillm
from trillm import _router

router = trillm.LLMRouter(threads=1)
stream = router.stream(sys.argv[1], "the", max_tokens=400, ignore_eos=True)
next(stream)
# As if another thread was deciding what a name means, which is not in the child.
_router._deciding.acquire()
child = os.fork()
if child == 0:
    for name in sys.argv[1:]:
        try:
            router.generate(name, "the", max_tokens=1)
        except trillm.errors.ForkError as error:
            print(error.code, flush=True)
    del router, stream
    os._exit(0)
_router._deciding.release()
print(os.waitpid(child, 0)[1], flush=True)
stream.close()
"""


def test_a_child_has_no_router(paths: dict[str, str]) -> None:
    assert output(FORKED, paths["llama"], paths["candle"]).splitlines() == ["forked", "forked", "0"]


def test_engines_side_by_side(
    router: trillm.LLMRouter, paths: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_CACHE_DIR", str(tmp_path / "home"))
    results = router.benchmark_engines(paths["llama"], max_tokens=4, engines=["ggml", "torch"])
    assert {name: it.success for name, it in results.items()} == {"llama": True, "candle": False}
    measured = results["llama"]
    assert (measured.tokens, results["candle"].code) == (4, "wrong_engine")
    assert measured.generation_time is not None
    assert measured.tokens_per_second == pytest.approx(4 / measured.generation_time)
    assert router.loaded() == []


def test_what_an_error_suggests_is_done_once(paths: dict[str, str]) -> None:
    one, two, _ = paths.values()
    events: list[str] = []
    with trillm.LLMRouter(
        threads=1, recover=True, room_timeout=0.05, on_event=lambda it: events.append(it["event"])
    ) as router:
        router.load_model(one)
        # A model that ended in whatever way is loaded once more, and what was asked for is done.
        router._core.lease(one).close()
        assert router.generate(one, "the", max_tokens=1).usage.completion_tokens == 1
        assert (router.errors.codes, router.errors.recent(1)[0].recovery) == ({"closed": 1}, "reload_model")
        assert events == ["loading", "loaded", "unloaded", "loading", "loaded"]
        # What cannot be mended is raised after one try.
        with pytest.raises(InvalidRequest):
            router.generate(two, "the", temperature=-1)
        assert router.errors.codes == {"closed": 1, "invalid_parameter": 1}


def test_a_plan_names_what_could_go(router: trillm.LLMRouter, paths: dict[str, str]) -> None:
    plan = router.plan(paths["llama"], context=128)
    assert (plan.engine, plan.context, plan.parallel) == ("llama", 128, 8)
    assert router.loaded() == []
    router.load_model(paths["llama"])
    assert router.stats()["bytes"] == router.stats()["models"][paths["llama"]]["bytes"] > 0
    # Files that are mapped give nothing back.
    [(name, private)] = router._core.idle()
    assert (name, 0 < private < router.stats()["bytes"]) == (paths["llama"], True)
    with router.stream(paths["llama"], "the", **ENDLESS):
        assert router._core.idle() == []
    router.pin(paths["llama"])
    assert router._core.idle() == []


def test_a_plan_keeps_to_what_the_router_may_have(paths: dict[str, str], tmp_path: Path) -> None:
    one, two, _ = paths.values()
    size: dict[str, Any] = {"context": 128, "parallel": 1, "threads": 1}
    needs = {path: trillm.plan(path, **size).total for path in (one, two)}
    with trillm.LLMRouter(cache_directory=tmp_path, cache_size=needs[one] + needs[two] - 1) as router:
        assert router.plan(one, **size).verdict == "fits"
        router.load_model(one, **size)
        # For itself it has its own room.
        assert router.plan(one, **size).verdict == "fits"
        plan = router.plan(two, **size)
        assert (plan.verdict, plan.total, plan.limit) == ("refused", needs[two], needs[two] - 1)
        assert plan.limit_source is not None
        assert "cache_size" in plan.limit_source
        assert {"unload": [one]} in [it.change for it in plan.alternatives]
        with router.stream(one, "the", **ENDLESS):
            # What is used does not go.
            assert not [it for it in router.plan(two, **size).alternatives if "unload" in it.change]
        # Loading does what is proposed.
        router.load_model(two, **size)
        assert router.loaded() == [two]
        router.update_config(cache_size=needs[one] + needs[two])
        assert router.plan(one, **size).verdict == "fits"
        router.update_config(max_models_loaded=1)
        plan = router.plan(one, **size)
        assert (plan.verdict, [it.change for it in plan.alternatives]) == ("refused", [{"unload": [two]}])
        router.pin(two)
        assert router.plan(one, **size).alternatives == ()


def test_a_plan_is_of_the_settings_that_a_load_would_take(paths: dict[str, str], tmp_path: Path) -> None:
    """Those of the model's engine, and a context that is meant for all is no longer than a model was trained for."""
    engines = {"llama": {"parallel": 3, "cache_type": "f32"}}
    with trillm.LLMRouter(cache_directory=tmp_path, engines=engines, context_length=1 << 20) as router:
        plan = router.plan(paths["llama"])
        assert (plan.parallel, plan.context) == (3, trillm._core.inspect(paths["llama"]).context_trained)
        router.load_model(paths["llama"])
        assert router.stats()["models"][paths["llama"]]["bytes"] == plan.total


def test_a_router_takes_every_option() -> None:
    taken = set(inspect.signature(trillm.LLMRouter).parameters) - {"config", "on_event", "recover"}
    assert taken == {option.name for option in fields(trillm.RouterOptions)}


def test_settings_that_fail_do_not_count_for_others(tiny_model: Path) -> None:
    """What means nothing is said before what is loaded goes; what cannot be loaded is forgotten with its error."""
    with trillm.LLMRouter(threads=1) as router:
        said = router.generate(tiny_model, "the", max_tokens=4, temperature=0).text
        meaningless: list[dict[str, Any]] = [{"contxt": 64}, {"context": -1}]
        for wrong in meaningless:
            with pytest.raises(InvalidRequest):
                router.load_model(tiny_model, settings=wrong)
            assert router.loaded() == [str(tiny_model)]
        impossible: list[dict[str, Any]] = [{"engine": "candle"}, {"context": 1 << 29}]
        for wrong in impossible:
            with pytest.raises(trillm.errors.TrillmError):
                router.load_model(tiny_model, settings=wrong)
            assert router.generate(tiny_model, "the", max_tokens=4, temperature=0).text == said
        router.load_model(tiny_model, context=64)
        with pytest.raises(trillm.errors.TrillmError):
            router.generate({"file": tiny_model, "settings": {"context": 1 << 29}}, "the")
        assert router.load_model(tiny_model).context == 64
        assert router.load_model(tiny_model, settings={}).context == 512


def test_questions_decide_nothing(tiny_model: Path) -> None:
    with trillm.LLMRouter(threads=1) as router:
        router.load_model(tiny_model, pinned=True)
        asked = {"file": tiny_model, "settings": {"context": 64}}
        assert (router.plan(asked).cache or 0) < (router.plan(tiny_model).cache or 0)
        assert router.explain(asked).engine == "llama"
        with pytest.raises(InvalidRequest):
            router.explain({"file": tiny_model, "settings": {"contxt": 1}})
        status = router.stats()["models"][str(tiny_model)]
        assert (status["phase"], status["pinned"]) == ("loaded", True)
        assert router.load_model(tiny_model).context == 512


def test_a_path_is_one_model_however_it_is_written(tiny_model: Path) -> None:
    with trillm.LLMRouter(threads=1) as router:
        model = router.load_model(tiny_model)
        other = f"{tiny_model.parent}/./{tiny_model.name}"
        assert router.load_model(other).name == model.name
        assert len(router.loaded()) == 1
