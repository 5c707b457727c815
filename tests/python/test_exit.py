"""The interpreter ends cleanly, whatever is going on: code 0, and nothing on standard error."""

from __future__ import annotations

from pathlib import Path

import pytest

from .program import output, run

BEGIN = """
import asyncio, sys, threading
import trillm

llm = trillm.load(sys.argv[1], context=65536, threads=1)
endless = dict(temperature=0, ignore_eos=True)

def until_running(n=1):
    while llm.stats()["running"] < n:
        pass
"""

PROGRAMS = {
    "nothing at all": "",
    "only the import": "",
    "a model never closed": "llm.generate('the', max_tokens=3)",
    "a model in a cycle": "cycle = [llm]; cycle.append(cycle); del llm, cycle",
    "a daemon thread that generates": """
threading.Thread(target=lambda: llm.generate("the", **endless), daemon=True).start()
until_running()
""",
    "daemon threads that stream": """
for _ in range(4):
    threading.Thread(target=lambda: list(llm.stream("the", **endless)), daemon=True).start()
until_running(4)
""",
    "daemon threads that queue": """
for _ in range(20):
    threading.Thread(target=lambda: llm.generate("the", **endless), daemon=True).start()
until_running(8)
""",
    "a daemon thread that embeds": """
begun = threading.Event()
def embed():
    begun.set()
    llm.embed(["a" * 500] * 50000)
threading.Thread(target=embed, daemon=True).start()
begun.wait()
""",
    "a daemon thread that loads": """
begun = threading.Event()
def load():
    while True:
        begun.set()
        trillm.load(sys.argv[1], threads=1).close()
threading.Thread(target=load, daemon=True).start()
begun.wait()
""",
    "a task that generates": """
async def main():
    task = asyncio.create_task(llm.agenerate("the", **endless))
    while llm.stats()["running"] < 1:
        await asyncio.sleep(0)
asyncio.run(main())
""",
    "a loop that was never closed": """
async def main():
    return await anext(llm.astream("the", **endless))
loop = asyncio.new_event_loop()
assert loop.run_until_complete(main()).token_id is not None
""",
    "exit within a stream": """
for piece in llm.stream("the", **endless):
    sys.exit()
""",
    "exit within an asynchronous stream": """
async def main():
    async for piece in llm.astream("the", **endless):
        sys.exit()
asyncio.run(main())
""",
    "a stream that outlives its model": """
stream = llm.stream("the", **endless)
next(stream)
del llm
""",
    "a stream in a module": """
import types
keeper = sys.modules["keeper"] = types.ModuleType("keeper")
keeper.stream = llm.stream("the", **endless)
keeper.model = llm
next(keeper.stream)
""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_clean_exit(tiny_model: Path, name: str) -> None:
    begin = "import trillm" if name == "only the import" else BEGIN
    assert output(begin + PROGRAMS[name], tiny_model) == ""


def test_an_exit_is_clean_each_time(tiny_model: Path) -> None:
    """A race would not show the first time."""
    program = BEGIN + PROGRAMS["daemon threads that stream"]
    assert [output(program, tiny_model) for _ in range(10)] == [""] * 10


def test_another_thread_may_finish_after_the_main_one(tiny_model: Path) -> None:
    program = """
def finish():
    threading.main_thread().join()
    print(len(llm.generate("the", max_tokens=500, **endless).token_ids))
threading.Thread(target=finish).start()
"""
    assert output(BEGIN + program, tiny_model).strip() == "500"


def test_the_code_of_an_exit_is_kept(tiny_model: Path) -> None:
    program = """
threading.Thread(target=lambda: llm.generate("the", **endless), daemon=True).start()
until_running()
sys.exit(3)
"""
    done = run(BEGIN + program, tiny_model)
    assert (done.code, done.out, done.err) == (3, "", "")


def test_an_error_is_all_that_an_error_shows(tiny_model: Path) -> None:
    program = """
threading.Thread(target=lambda: llm.generate("the", **endless), daemon=True).start()
until_running()
raise KeyError("mine")
"""
    done = run(BEGIN + program, tiny_model)
    assert done.code == 1
    assert done.err.startswith("Traceback")
    assert done.err.rstrip().endswith("KeyError: 'mine'")
