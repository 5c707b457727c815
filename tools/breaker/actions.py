"""What an actor may do with a model, at random: each action asks, reads, leaves or closes in another way."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import trillm
from answers import LETTERS, PROMPTS, STYLES, TEXTS, ask_alone
from specimens import SPECIMENS
from stage import Stage
from trillm.errors import TrillmError

__all__ = ["CLOSING", "GENERATING", "VECTORS", "Action"]

Action = Callable[[Stage, random.Random], None]


def _draw(chance: random.Random, *, text: bool = False) -> tuple[int, int]:
    """A prompt and a style."""
    prompts = [n for n, prompt in enumerate(PROMPTS) if isinstance(prompt, str) or not text]
    return chance.choice(prompts), chance.randrange(len(STYLES))


def _stream(stage: Stage, prompt: int, style: int) -> trillm.Stream:
    asked, model = PROMPTS[prompt], stage.model
    stream = model.stream if isinstance(asked, str) else model.chat_stream
    return stream(asked, **STYLES[style])  # type: ignore[arg-type]  # each with its own kind of prompt


def _tokens(pieces: list[trillm.Piece]) -> list[int]:
    return [piece.token_id for piece in pieces if piece.token_id is not None]


def ask(stage: Stage, chance: random.Random) -> None:
    """One request."""
    prompt, style = _draw(chance)
    stage.answered(prompt, style, ask_alone(stage.model, prompt, STYLES[style]).token_ids)


def ask_many(stage: Stage, chance: random.Random) -> None:
    """A list of requests."""
    style = chance.randrange(len(STYLES))
    prompts = [_draw(chance, text=True)[0] for _ in range(chance.randint(1, 6))]
    texts = [text for prompt in prompts if isinstance(text := PROMPTS[prompt], str)]
    for prompt, answer in zip(prompts, stage.model.generate(texts, **STYLES[style]), strict=True):
        stage.answered(prompt, style, answer.token_ids)


def ask_with_precedence(stage: Stage, chance: random.Random) -> None:
    """A request before or after others, with a cache of its own, or with little time."""
    prompt, style = _draw(chance)
    more: dict[str, float] = {"priority": chance.randint(-2, 2), "cache_salt": chance.randint(0, 2)}
    if chance.random() < 0.4:
        more["timeout"] = chance.choice([0.0005, 0.005, 0.05])
    stage.answered(prompt, style, ask_alone(stage.model, prompt, STYLES[style] | more).token_ids)


def read(stage: Stage, chance: random.Random) -> None:
    """A stream, read to its end with or without pauses."""
    prompt, style = _draw(chance)
    pause = chance.choice([0, 0, 0.001, 0.01])
    pieces = []
    with _stream(stage, prompt, style) as stream:
        for piece in stream:
            pieces.append(piece)
            if pause:
                time.sleep(pause)
    completion = stream.completion
    if completion is None or "".join(piece.text for piece in pieces) != completion.text:
        stage.fault(f"the pieces {pieces} are not {completion}")
        return
    stage.answered(prompt, style, completion.token_ids)


def leave(stage: Stage, chance: random.Random) -> None:
    """A stream that nobody reads on: dropped, closed, or part of a reference cycle."""
    prompt, style = _draw(chance)
    stream = _stream(stage, prompt, style)
    pieces = [piece for piece, _ in zip(stream, range(chance.randint(0, 5)), strict=False)]
    how = chance.randrange(3)
    if how == 1:
        stream.close()
    elif how == 2:
        cycle: list[object] = [stream]
        cycle.append(cycle)
        del cycle
    del stream
    if how == 2 and chance.random() < 0.5:
        gc.collect()
    # Stop strings hold back what may become one.
    stage.answered(prompt, style, _tokens(pieces), whole=False)


def close_from_elsewhere(stage: Stage, chance: random.Random) -> None:
    """A stream that another thread closes while it is read."""
    prompt, style = _draw(chance)
    stream = _stream(stage, prompt, style)
    delay = chance.uniform(0, 0.01)

    def close() -> None:
        time.sleep(delay)
        stream.close()

    closer = threading.Thread(target=close)
    closer.start()
    try:
        pieces = list(stream)
    finally:
        closer.join()
    stage.answered(prompt, style, _tokens(pieces), whole=False)


def read_by_two(stage: Stage, chance: random.Random) -> None:
    """A stream that two threads read: each piece comes once."""
    prompt, style = _draw(chance)
    stream = _stream(stage, prompt, style)
    pieces: list[trillm.Piece] = []

    def read_on() -> None:
        with contextlib.suppress(TrillmError):
            for piece in stream:
                pieces.append(piece)

    other = threading.Thread(target=read_on)
    other.start()
    try:
        read_on()
    finally:
        other.join()
    completion = stream.completion
    if completion is not None:
        if sorted(_tokens(pieces)) != sorted(completion.token_ids):
            stage.fault(f"two readers have {_tokens(pieces)} of {completion.token_ids}")
        stage.answered(prompt, style, completion.token_ids)


def together(stage: Stage, chance: random.Random) -> None:
    """An event loop with several tasks, some of which are cancelled."""

    async def whole(prompt: int, style: int) -> None:
        asked, model = PROMPTS[prompt], stage.model
        collect = model.agenerate if isinstance(asked, str) else model.achat
        answer = await collect(asked, **STYLES[style])  # type: ignore[arg-type]  # each with its own kind of prompt
        stage.answered(prompt, style, answer.token_ids)

    async def part(prompt: int, style: int, count: int) -> None:
        asked, model = PROMPTS[prompt], stage.model
        stream = model.astream if isinstance(asked, str) else model.achat_stream
        pieces = []
        async for piece in stream(asked, **STYLES[style]):  # type: ignore[arg-type]
            pieces.append(piece)
            if len(pieces) == count:
                break
        stage.answered(prompt, style, _tokens(pieces), whole=False)

    async def all_of_them() -> None:
        tasks = []
        for _ in range(chance.randint(1, 6)):
            prompt, style = _draw(chance)
            work = whole(prompt, style) if chance.random() < 0.6 else part(prompt, style, chance.randint(1, 50))
            if chance.random() < 0.2:
                work = asyncio.wait_for(work, chance.uniform(0, 0.02))
            tasks.append(asyncio.ensure_future(work))
        for task in tasks:
            if chance.random() < 0.2:
                await asyncio.sleep(chance.uniform(0, 0.005))
                task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, asyncio.CancelledError | asyncio.TimeoutError):
                stage.beat(type(outcome).__name__)
            elif isinstance(outcome, BaseException):
                raised.append(outcome)

    raised: list[BaseException] = []
    asyncio.run(all_of_them())
    for error in raised:
        stage.act("together", partial(_raise, error), chance)


def _raise(error: BaseException, *_: object) -> None:
    raise error


def embed(stage: Stage, chance: random.Random) -> None:
    """Vectors of some texts."""
    chosen = [chance.randrange(len(TEXTS)) for _ in range(chance.choice([1, 2, 30]))]
    vectors = stage.model.embed([TEXTS[n] for n in chosen])
    expected = np.array([stage.answers.vectors[n] for n in chosen])
    stage.requests += 1
    if stage.exact and not np.allclose(vectors, expected, atol=1e-4):
        stage.fault(f"the vectors of texts {chosen} differ by {np.abs(vectors - expected).max()}")
    stage.beat("embedded")


def tokenize(stage: Stage, chance: random.Random) -> None:
    """Tokens of a text, and counters."""
    number = chance.randrange(len(TEXTS))
    if stage.model.tokenize(TEXTS[number]) != stage.answers.read[number]:
        stage.fault(f"other tokens of text {number}")
    stage.model.stats()
    stage.beat("tokenized")


def load_another(stage: Stage, chance: random.Random) -> None:
    """A second model, which is closed, dropped, or outlived by its stream."""
    specimen = SPECIMENS[chance.choice([name for name, found in SPECIMENS.items() if found.generates])]
    other = trillm.load(stage.specimens / specimen.file, engine=specimen.engine, threads=1, parallel=2)
    how = chance.randrange(3)
    stream = other.stream("the", temperature=0, ignore_eos=True, logit_bias=LETTERS, max_tokens=5)
    if how == 0:
        other.close()
        with contextlib.suppress(trillm.errors.Closed):
            list(stream)
    else:
        if how == 1:
            del other
        pieces = list(stream)
        if len(_tokens(pieces)) != 5:
            stage.fault(f"a stream that outlives its model has the pieces {pieces}")
    stage.requests += 1
    stage.beat("another model")


def load_in_vain(stage: Stage, chance: random.Random) -> None:
    """Loads that fail: nothing there, no model, or given up."""
    bad = stage.scratch / f"bad-{threading.get_ident()}.gguf"
    bad.write_bytes(chance.choice([b"", b"GGUF", chance.randbytes(5000)]))
    for path in (bad, Path("/nowhere/at/all.gguf")):
        try:
            trillm.load(path).close()
        except (trillm.errors.ModelNotFound, trillm.errors.ModelFormatError):
            stage.beat("refused")
        else:
            stage.fault(f"{path} is loaded")
    share = chance.random()
    model = stage.specimens / SPECIMENS["gguf"].file
    trillm.load(model, threads=1, progress=lambda done: done < share or chance.random() < 0.5).close()
    stage.beat("another model")


def close(stage: Stage, chance: random.Random) -> None:
    """Closes the model, from several threads perhaps, and opens it again."""
    old = stage.model
    closers = [threading.Thread(target=old.close) for _ in range(chance.choice([0, 0, 3]))]
    for closer in closers:
        closer.start()
    old.close()
    for closer in closers:
        closer.join()
    stage.model = stage.open()
    stage.beat("reopened")


GENERATING: list[Action] = [ask, ask_many, ask_with_precedence, read, leave, close_from_elsewhere, read_by_two]
GENERATING += [together, together, tokenize, load_another, load_in_vain]
VECTORS: list[Action] = [embed, embed, tokenize]
CLOSING: list[Action] = [close]
