"""Ctrl-C: any call that waits ends with `KeyboardInterrupt`, soon, and the model can be used on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .program import output

LIMIT = 1.0
"""Seconds. The promise is 0.2; the rest is for a machine that is busy with other things."""

PROGRAM = """
import asyncio, contextlib, math, os, signal, sys, threading, time
import trillm

call = sys.argv[2]
llm = trillm.load(sys.argv[1], context=65536, threads=1)
endless = dict(temperature=0, ignore_eos=True, logit_bias=dict.fromkeys(range(261), -math.inf))
messages = [{"role": "user", "content": "hi"}]
# Megabytes take a while to become tokens.
long = "there was nothing " * 2_000_000
# 512 is the most tokens of a text; enough texts for a minute.
texts = ["a" * 500] * 50000

async def agenerate():
    await llm.agenerate("the", **endless)

calls = {
    "generate": lambda: llm.generate("the", **endless),
    "batch": lambda: llm.generate(["the"] * 12, **endless),
    "stream": lambda: [piece.text for piece in llm.stream("the", **endless)],
    "stream without a loop": lambda: list(llm.stream("the", **endless)),
    "chat": lambda: llm.chat(messages, **endless),
    "agenerate": lambda: asyncio.run(agenerate()),
    "embed": lambda: llm.embed(texts),
    "tokenize": lambda: llm.tokenize(long),
    "encode": lambda: trillm.Tokenizer(sys.argv[1]).encode(long),
    "a long prompt": lambda: llm.generate(long),
    "a long prompt of a list": lambda: llm.generate([long]),
    "a long text to embed": lambda: llm.embed(long),
    "a long prompt, asyncio": lambda: asyncio.run(llm.agenerate(long)),
}
waits = threading.Event()
sent = None
# Nothing tells from outside how far a call with a long text is: a fifth of what it takes here, on this machine.
wait = 0.3
quiet = "long" in call or call in ("tokenize", "encode")
if quiet:
    begun = time.monotonic()
    with contextlib.suppress(trillm.errors.ContextOverflow):
        calls[call]()
    wait = (time.monotonic() - begun) / 5

def interrupt():
    global sent
    if quiet or call == "embed":
        waits.wait()
        time.sleep(wait)
    else:
        while llm.stats()["generated_tokens"] < 20:
            pass
    sent = time.monotonic()
    os.kill(os.getpid(), signal.SIGINT)

thread = threading.Thread(target=interrupt)
thread.start()
try:
    waits.set()
    calls[call]()
except KeyboardInterrupt:
    print(time.monotonic() - sent, flush=True)
thread.join()
while llm.stats()["running"]:
    pass
assert len(llm.generate("the", max_tokens=5, **endless).token_ids) == 5
assert llm.embed("the").shape == (1, 64)
"""


QUIET = [
    "embed",
    "tokenize",
    "encode",
    "a long prompt",
    "a long prompt of a list",
    "a long text to embed",
    "a long prompt, asyncio",
]
"""Calls of which no counter tells how far they are."""


@pytest.mark.parametrize("call", ["generate", "batch", "stream", "stream without a loop", "chat", "agenerate", *QUIET])
def test_an_interrupt_ends_a_call(tiny_model: Path, call: str, record_property: Callable[[str, object], None]) -> None:
    took = float(output(PROGRAM, tiny_model, call, limit=30))
    record_property("seconds", took)
    assert took < LIMIT


def test_an_interrupt_ends_loading(tiny_model: Path) -> None:
    said = output(
        """
        import os, signal, sys, trillm

        def interrupt(share):
            os.kill(os.getpid(), signal.SIGINT)

        try:
            trillm.load(sys.argv[1], threads=1, progress=interrupt)
        except KeyboardInterrupt:
            print("interrupted")
        with trillm.load(sys.argv[1], threads=1) as llm:
            print(len(llm.generate("the", max_tokens=3, ignore_eos=True).token_ids))
        """,
        tiny_model,
    )
    assert said.split() == ["interrupted", "3"]


def test_a_handler_of_ones_own_may_let_a_call_go_on(tiny_model: Path) -> None:
    said = output(
        """
        import os, signal, sys, threading, trillm

        heard = []
        signal.signal(signal.SIGUSR1, lambda *_: heard.append("heard"))
        llm = trillm.load(sys.argv[1], context=65536, threads=1)

        def send():
            while llm.stats()["generated_tokens"] < 20:
                pass
            os.kill(os.getpid(), signal.SIGUSR1)

        thread = threading.Thread(target=send)
        thread.start()
        print(len(llm.generate("the", max_tokens=3000, temperature=0, ignore_eos=True).token_ids), *heard)
        thread.join()
        """,
        tiny_model,
    )
    assert said.split() == ["3000", "heard"]


def test_what_a_handler_raises_comes_out(tiny_model: Path) -> None:
    said = output(
        """
        import math, signal, sys, trillm

        def stop(*_):
            raise TimeoutError("the alarm")

        signal.signal(signal.SIGALRM, stop)
        llm = trillm.load(sys.argv[1], context=65536, threads=1)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        try:
            llm.generate("the", ignore_eos=True)
        except TimeoutError as error:
            print(error)
        """,
        tiny_model,
    )
    assert said.strip() == "the alarm"


def test_signals_are_heard_while_many_ids_are_read_or_made(tiny_model: Path) -> None:
    said = output(
        """
        import signal, sys, trillm

        tokenizer = trillm.Tokenizer(sys.argv[1])
        text = "there was nothing " * 500_000
        heard = 0

        def hear(*_):
            global heard
            heard += 1

        signal.signal(signal.SIGALRM, hear)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        ids = tokenizer.encode(text)
        made, heard = heard, 0
        decoded = tokenizer.decode(ids)
        read = heard
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert decoded == text
        print(len(ids), made, read)
        """,
        tiny_model,
    )
    count, made, read = map(int, said.split())
    assert count > 6_000_000
    # Two dozen times; all in one go would be heard once.
    assert made > 10
    assert read > 10
