"""Many Python threads at once, and models that come and go meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trillm
from trillm.errors import Closed

from .helpers import ENDLESS, GREEDY, SAMPLED, endless, idle
from .program import output

THREADS = 16


def all_at_once(work: Callable[[int], object], threads: int = THREADS) -> list[object]:
    """Runs `work` on many threads that begin together; what each returned, or the error that it raised."""
    barrier = threading.Barrier(threads)

    def begin(number: int) -> object:
        barrier.wait()
        try:
            return work(number)
        except trillm.errors.TrillmError as error:
            return error

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(begin, range(threads)))


def test_each_thread_gets_its_own_answers(tiny_model: Path) -> None:
    with trillm.load(tiny_model, parallel=4, context=2048, threads=1, cache_type="f32", flash_attention=False) as model:

        def ask(number: int) -> list[list[int]]:
            requests = range(number, number + 4)
            return [model.generate(f"w{n} the", max_tokens=24, seed=n, **SAMPLED).token_ids for n in requests]

        expected = [ask(number) for number in range(THREADS)]
        assert all_at_once(ask) == expected
        assert idle(model)
        assert model.stats()["finished"] == 2 * 4 * THREADS


def test_threads_may_mix_all_calls(llm: trillm.Model) -> None:
    messages = [{"role": "user", "content": "hi"}]
    vector = llm.embed("the man").tolist()
    calls: list[Callable[[], object]] = [
        lambda: llm.generate("the man", max_tokens=20, **GREEDY).text,
        lambda: "".join(piece.text for piece in llm.stream("the man", max_tokens=20, **GREEDY)),
        lambda: [completion.text for completion in llm.generate(["a", "b", "c"], max_tokens=9, **GREEDY)],
        lambda: llm.chat(messages, max_tokens=9, **GREEDY).text,
        lambda: llm.render_chat(messages),
        lambda: llm.tokenize("the man and the sea"),
        lambda: llm.detokenize([270, 271, 272]),
        lambda: llm.embed("the man").tolist() == vector,
    ]
    expected = [call() for call in calls]
    got = all_at_once(lambda number: calls[number % len(calls)]())
    assert got == expected * (THREADS // len(calls))


def test_a_tokenizer_is_shared_by_threads(tiny_model: Path) -> None:
    tokenizer = trillm.Tokenizer(tiny_model)
    text = "there was nothing in the end"
    ids = tokenizer.encode(text)
    got = all_at_once(lambda _: [(tokenizer.encode(text), tokenizer.decode(ids)) for _ in range(50)])
    assert got == [[(ids, tokenizer.decode(ids))] * 50] * THREADS


def test_models_are_loaded_and_closed_side_by_side(tiny_model: Path) -> None:
    def live(_: int) -> list[int]:
        with trillm.load(tiny_model, threads=1, parallel=2) as model:
            ids: list[int] = model.generate("the man", max_tokens=10, **GREEDY).token_ids
            return ids

    first, *others = all_at_once(live, threads=6)
    assert isinstance(first, list)
    assert len(first) == 10
    assert others == [first] * 5


def test_closing_ends_what_other_threads_wait_for(tiny_model: Path) -> None:
    """Among them requests that run, and some that still queue: parallel is less than the threads."""
    with endless(tiny_model, parallel=4) as model:

        def use(number: int) -> object:
            if number == 0:
                # The endless ones have begun: this one, with precedence, ends after them or fails.
                model.generate("the", max_tokens=50, priority=1, **GREEDY)
                model.close()
                return None
            if number % 3 == 0:
                return list(model.stream("the", **ENDLESS))
            return model.generate("the", **ENDLESS)

        closer, *users = all_at_once(use)
    assert closer is None
    assert {type(outcome) for outcome in users} == {Closed}


def test_each_request_beside_a_close_is_answered_or_refused(tiny_model: Path) -> None:
    outcomes: list[object] = []
    for _ in range(10):
        model = trillm.load(tiny_model, threads=1, parallel=2)

        def use(number: int, model: trillm.Model = model) -> object:
            if number == 0:
                model.close()
                return None
            return model.generate("the", max_tokens=2, **GREEDY).token_ids

        outcomes += all_at_once(use, threads=8)[1:]
        model.close()
    answers = [outcome for outcome in outcomes if isinstance(outcome, list)]
    assert all(answer == answers[0] for answer in answers)
    assert {type(outcome) for outcome in outcomes if not isinstance(outcome, list)} <= {Closed}


def test_many_threads_may_close_at_once(tiny_model: Path) -> None:
    model = trillm.load(tiny_model, threads=1)

    def close(_: int) -> None:
        model.close()

    assert all_at_once(close) == [None] * THREADS
    with pytest.raises(Closed):
        model.generate("the")


def test_embedding_while_closing(tiny_model: Path) -> None:
    for _ in range(5):
        model = trillm.load(tiny_model, threads=1)

        def use(number: int, model: trillm.Model = model) -> object:
            if number == 0:
                model.close()
                return None
            return model.embed(["the man"] * 50).shape

        outcomes = all_at_once(use, threads=4)[1:]
        assert all(outcome == (50, 64) or isinstance(outcome, Closed) for outcome in outcomes), outcomes


def test_an_import_of_ours_that_fails_in_another_thread_is_tried_again(tiny_model: Path) -> None:
    """Python finds the module before the other thread fails, and misses it afterwards: a `KeyError`."""
    program = """
    import sys, threading, time
    from importlib.machinery import PathFinder
    import trillm

    llm = trillm.load(sys.argv[1], threads=1)
    begun = threading.Event()

    class Failing:
        def find_spec(name, path=None, target=None):
            if name != "trillm._params":
                return None
            spec = PathFinder.find_spec(name, path)
            if not begun.is_set():
                spec.loader = Failing
            return spec

        def create_module(spec):
            return None

        def exec_module(module):
            begun.set()
            time.sleep(0.5)
            raise OSError("too many open files")

    sys.modules.pop("trillm._params", None)
    sys.meta_path.insert(0, Failing)
    seen = {}

    def call(name):
        try:
            llm.generate("the man", temprature=0)
        except Exception as error:
            seen[name] = type(error).__name__

    first, second = (threading.Thread(target=call, args=(name,)) for name in ("first", "second"))
    first.start()
    begun.wait()
    second.start()
    first.join(), second.join()
    print(seen["first"], seen["second"])
    """
    assert output(program, tiny_model) == "OSError TypeError\n"
