"""Streams: the same text in pieces, and what ending one early does to it and to others."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trillm
from trillm.errors import Closed, ContextOverflow, DeadlineExceeded, Overloaded

from .helpers import ENDLESS, GREEDY, SAMPLED, endless, idle, occupied, until

TinyOnnx = Callable[..., Path]


def test_pieces_are_the_text(llm: trillm.Model) -> None:
    whole = llm.generate("the man", max_tokens=50, **GREEDY)
    pieces = list(llm.stream("the man", max_tokens=50, **GREEDY))
    assert "".join(piece.text for piece in pieces) == whole.text
    assert [piece.token_id for piece in pieces] == whole.token_ids


def test_characters_come_whole(llm: trillm.Model) -> None:
    """Even of a model that says any bytes."""
    whole = llm.generate("", max_tokens=400, seed=4, ignore_eos=True)
    streamed = "".join(piece.text for piece in llm.stream("", max_tokens=400, seed=4, ignore_eos=True))
    assert streamed == whole.text == llm.detokenize(whole.token_ids)


def test_text_held_back_for_a_stop_string_comes_in_the_end(llm: trillm.Model) -> None:
    whole = llm.generate("the man", max_tokens=30, **GREEDY)
    stream = llm.stream("the man", max_tokens=30, stop=whole.text[-5:] + "never", **GREEDY)
    assert "".join(piece.text for piece in stream) == whole.text


def test_a_stop_string_is_never_shown_in_part(llm: trillm.Model) -> None:
    whole = llm.generate("the man", max_tokens=60, **GREEDY)
    stop = whole.text[40:52]
    stream = llm.stream("the man", max_tokens=60, stop=stop, **GREEDY)
    assert "".join(piece.text for piece in stream) == whole.text[: whole.text.index(stop)]
    assert stream.completion is not None
    assert stream.completion.finish_reason == "stop"


def test_the_completion_is_there_at_the_end(llm: trillm.Model) -> None:
    stream = llm.stream("the man", max_tokens=5, **GREEDY)
    next(stream)
    assert stream.completion is None
    rest = list(stream)
    assert len(rest) == 4
    assert stream.completion is not None
    assert stream.completion.text == llm.generate("the man", max_tokens=5, **GREEDY).text
    assert stream.completion.usage.completion_tokens == 5
    stream.close()
    assert stream.completion is not None


def test_an_ended_stream_stays_ended(llm: trillm.Model) -> None:
    stream = llm.stream("the man", max_tokens=2, **GREEDY)
    assert len(list(stream)) == 2
    assert list(stream) == []
    assert iter(stream) is stream


def test_logprobs_come_with_the_pieces(llm: trillm.Model) -> None:
    whole = llm.generate("the man", max_tokens=5, logprobs=2, **GREEDY)
    pieces = list(llm.stream("the man", max_tokens=5, logprobs=2, **GREEDY))
    assert whole.logprobs is not None
    for piece, (chosen, top) in zip(pieces, whole.logprobs, strict=True):
        assert piece.top_logprobs is not None
        assert dict(piece.top_logprobs).keys() == dict(top).keys()
        # Not exactly: what was in the cache the second time was computed in another batch.
        assert piece.logprob == pytest.approx(chosen, abs=1e-4)
    plain = next(llm.stream("the man", max_tokens=5, **GREEDY))
    assert plain.logprob is None
    assert plain.top_logprobs is None


def test_errors_come_with_the_call(llm: trillm.Model) -> None:
    with pytest.raises(ContextOverflow):
        llm.stream("the", max_tokens=10**6)
    with pytest.raises(TypeError):
        llm.stream("the", maxtokens=1)  # type: ignore[call-arg]


def test_closing_frees_the_slot(tiny_model: Path) -> None:
    with endless(tiny_model, parallel=1) as model:
        stream = model.stream("the", **ENDLESS)
        next(stream)
        stream.close()
        stream.close()
        # There is only one slot.
        assert model.generate("and", max_tokens=3, **GREEDY).finish_reason == "length"
        assert idle(model)
        assert model.stats()["cancelled"] == 1
        assert list(stream) == []
        assert stream.completion is None


def test_leaving_the_block_frees_the_slot(tiny_model: Path) -> None:
    def use(model: trillm.Model) -> None:
        with model.stream("the", **ENDLESS) as stream:
            for _ in stream:
                raise ZeroDivisionError

    with endless(tiny_model) as model:
        with pytest.raises(ZeroDivisionError):
            use(model)
        assert idle(model)


def test_dropping_frees_the_slot(tiny_model: Path) -> None:
    with endless(tiny_model) as model:
        stream = model.stream("the", **ENDLESS)
        next(stream)
        del stream
        gc.collect()
        assert idle(model)
        for _ in model.stream("the", **ENDLESS):
            break
        assert idle(model)


def test_a_stream_that_still_waits_can_be_closed(tiny_model: Path) -> None:
    with endless(tiny_model, parallel=1) as model, occupied(model):
        model.stream("and", **ENDLESS).close()
        assert until(lambda: model.stats()["cancelled"] == 1)
        assert (model.stats()["waiting"], model.stats()["running"]) == (0, 1)


def test_cancelling_one_does_not_change_the_others(llm: trillm.Model) -> None:
    prompts = ["the man", "and so", "on a", "he said"]
    alone = [llm.generate(p, max_tokens=60, seed=n, **SAMPLED).token_ids for n, p in enumerate(prompts)]
    kept = [llm.stream(p, max_tokens=60, seed=n, **SAMPLED) for n, p in enumerate(prompts)]
    doomed = [llm.stream("in the end", max_tokens=400, seed=9, **SAMPLED) for _ in range(4)]
    begun = [[next(stream).token_id] for stream in kept]
    for stream in doomed:
        next(stream)
        stream.close()
    got = [ids + [piece.token_id for piece in stream] for ids, stream in zip(begun, kept, strict=True)]
    assert got == alone
    assert idle(llm)


def test_a_slow_reader_holds_nobody_up_and_loses_nothing(tiny_model: Path) -> None:
    with endless(tiny_model) as model:
        expected = model.generate("the", max_tokens=1000, **GREEDY).token_ids
        slow = model.stream("the", max_tokens=1000, **GREEDY)
        next(slow)
        # More than a stream holds before it waits for its reader.
        assert model.generate("and", max_tokens=600, **GREEDY).finish_reason == "length"
        assert until(lambda: model.stats()["running"] == 1)
        assert [piece.token_id for piece in slow] == expected[1:]


def test_a_reader_that_never_comes_back_meets_its_deadline(tiny_model: Path) -> None:
    with endless(tiny_model) as model:
        stream = model.stream("the", timeout=1, **ENDLESS)
        assert until(lambda: model.stats()["finished"] == 1)
        with pytest.raises(DeadlineExceeded):
            list(stream)
        assert list(stream) == []


def test_two_threads_share_what_they_read(tiny_model: Path) -> None:
    with endless(tiny_model, parallel=1) as model:
        expected = model.generate("the", max_tokens=300, **GREEDY).token_ids
        stream = model.stream("the", max_tokens=300, **GREEDY)
        with ThreadPoolExecutor(2) as threads:
            shares = [threads.submit(lambda: [piece.token_id for piece in stream]) for _ in range(2)]
            read = [share.result() for share in shares]
        assert sorted(read[0] + read[1], key=str) == sorted(expected, key=str)
        assert stream.completion is not None
        assert stream.completion.token_ids == expected


def test_a_stream_is_closed_from_another_thread(tiny_model: Path) -> None:
    """The one that waits for a piece, for there is only one slot, comes to the end; so does the one that gets some."""
    with endless(tiny_model, parallel=1) as model, ThreadPoolExecutor(2) as threads:
        streams = [model.stream("the", **ENDLESS), model.stream("and", **ENDLESS)]
        begun = threading.Event()

        def read(stream: trillm.Stream) -> int:
            count = 0
            for _ in stream:
                count += 1
                begun.set()
            return count

        reading = [threads.submit(read, stream) for stream in streams]
        begun.wait()
        for stream in reversed(streams):
            assert stream.completion is None
            stream.close()
        assert reading[0].result() > 0
        assert reading[1].result() == 0
        assert idle(model)
        assert [stream.completion for stream in streams] == [None, None]
        assert model.generate("and", max_tokens=3, **GREEDY).finish_reason == "length"


def test_cancelled_requests_make_room_in_the_queue_at_once(tiny_model: Path) -> None:
    with endless(tiny_model, parallel=1, queue=3) as model, occupied(model):
        for _ in range(20):
            waiting = [model.stream("and", **ENDLESS) for _ in range(3)]
            with pytest.raises(Overloaded):
                model.stream("and", **ENDLESS)
            for stream in waiting:
                stream.close()


def test_streams_that_are_held_make_nobody_wait(load_any: Callable[..., trillm.Model]) -> None:
    """Eight slots, and eight readers that stop after one piece, with more to come than a stream holds."""
    with load_any(parallel=8) as model:
        alone = model.generate("the man", max_tokens=400, **GREEDY).token_ids
        streams = [model.stream("the man", max_tokens=400, **GREEDY) for _ in range(8)]
        begun = [next(stream).token_id for stream in streams]
        assert until(lambda: model.stats()["generated_tokens"] > 8 * 250)
        for _ in range(3):
            assert model.generate("and", max_tokens=20, timeout=60, **GREEDY).finish_reason == "length"
        # All of them again, and none has lost anything.
        for first, stream in zip(begun, streams, strict=True):
            assert [first, *(piece.token_id for piece in stream)] == alone
        assert model.stats()["paused"] == 0


def test_streams_in_a_cycle_make_nobody_wait_and_end_when_they_are_collected(tiny_model: Path) -> None:
    class Holder:
        def __init__(self, stream: trillm.Stream) -> None:
            self.me, self.stream = self, stream

    with endless(tiny_model, parallel=1) as model:
        next(Holder(model.stream("the", **ENDLESS)).stream)
        assert model.generate("and", max_tokens=600, timeout=60, **GREEDY).finish_reason == "length"
        gc.collect()
        assert until(lambda: model.stats()["cancelled"] == 1)
        assert idle(model)


def test_a_stream_keeps_its_model(load_any: Callable[..., trillm.Model]) -> None:
    with load_any() as model:
        expected = model.generate("the man", max_tokens=30, **GREEDY).text

    def begin() -> trillm.Stream:
        return load_any().stream("the man", max_tokens=30, **GREEDY)

    stream = begin()
    gc.collect()
    assert "".join(piece.text for piece in stream) == expected
    assert "".join(piece.text for piece in begin()) == expected


def test_closing_the_model_ends_its_streams(tiny_model: Path) -> None:
    with endless(tiny_model) as model:
        streams = [model.stream("the", **ENDLESS) for _ in range(12)]
        for stream in streams[:8]:
            next(stream)
    for stream in streams:
        with pytest.raises(Closed):
            list(stream)


def test_pieces_say_what_they_are(llm: trillm.Model) -> None:
    piece = next(llm.stream("the man", max_tokens=1, **GREEDY))
    assert isinstance(piece, trillm.Piece)
    assert piece.text in repr(piece)
