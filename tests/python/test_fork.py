"""A forked child has no threads of the model: it is told so, at once, and can load its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from .program import output

BEGIN = """
import os, sys, warnings
import trillm
from trillm.errors import ForkError

# From Python 3.12 on, forking a process that has threads is worth a warning. That is the point here.
warnings.simplefilter("ignore", DeprecationWarning)

llm = trillm.load(sys.argv[1], context=4096, threads=1)
greedy = dict(max_tokens=20, temperature=0, ignore_eos=True)
before = llm.generate("the", **greedy).token_ids

def refused(call):
    try:
        call()
    except ForkError as error:
        assert error.code == "forked" and "load it in the child" in error.hint, error
        return True
    return False

def wait_for(child):
    assert os.waitpid(child, 0)[1] == 0
    assert llm.generate("the", **greedy).token_ids == before
    print("both well")
"""

PROGRAMS = {
    "every call is refused": """
import asyncio
messages = [{"role": "user", "content": "hi"}]
calls = [
    lambda: llm.generate("the"), lambda: llm.generate(["the"]), lambda: llm.stream("the"),
    lambda: llm.chat(messages), lambda: llm.render_chat(messages), lambda: llm.embed("the"),
    lambda: llm.tokenize("the"), lambda: llm.detokenize([1]), llm.stats,
    lambda: asyncio.run(llm.agenerate("the")),
]
if (child := os.fork()) == 0:
    assert all([refused(call) for call in calls])
    assert llm.info.name == "tiny"
    llm.close()
    sys.exit()
wait_for(child)
""",
    "an exit without a word": """
if (child := os.fork()) == 0:
    sys.exit()
wait_for(child)
""",
    "the model is dropped": """
if (child := os.fork()) == 0:
    del llm
    sys.exit()
wait_for(child)
""",
    "in the middle of a stream": """
stream = llm.stream("the", max_tokens=1000, ignore_eos=True, temperature=0)
first = next(stream)
if (child := os.fork()) == 0:
    assert refused(lambda: list(stream))
    sys.exit()
stream.close()
wait_for(child)
""",
    "a stream is dropped": """
stream = llm.stream("the", max_tokens=1000, ignore_eos=True, temperature=0)
next(stream)
if (child := os.fork()) == 0:
    stream.close()
    del stream
    sys.exit()
rest = list(stream)
assert len(rest) == 999
wait_for(child)
""",
    "while a thread generates": """
import threading
thread = threading.Thread(target=lambda: list(llm.stream("the", max_tokens=1000, ignore_eos=True, temperature=0)))
thread.start()
while not llm.stats()["running"]:
    pass
if (child := os.fork()) == 0:
    assert refused(lambda: llm.generate("the"))
    sys.exit()
thread.join()
wait_for(child)
""",
    "models take turns": """
import threading, time
cores = os.cpu_count()
others = [trillm.load(sys.argv[1], context=4096, threads=cores) for _ in range(2)]
done = threading.Event()
def generate(model):
    while not done.is_set():
        model.generate("the", max_tokens=50, ignore_eos=True, temperature=0)
threads = [threading.Thread(target=generate, args=[model]) for model in others]
for thread in threads:
    thread.start()
while not all(model.stats()["running"] for model in others):
    time.sleep(0.001)
if (child := os.fork()) == 0:
    with trillm.load(sys.argv[1], threads=cores) as own:
        assert own.generate("the", **greedy).token_ids == before
    os._exit(0)
done.set()
for thread in threads:
    thread.join()
wait_for(child)
""",
    "the child loads its own": """
if (child := os.fork()) == 0:
    with trillm.load(sys.argv[1], threads=1) as own:
        assert own.generate("the", **greedy).token_ids == before
    with trillm.load(sys.argv[1], threads=2) as own:
        assert own.generate("the", **greedy).token_ids == before
    sys.exit()
wait_for(child)
""",
    "the child of a child": """
if (child := os.fork()) == 0:
    if (grandchild := os.fork()) == 0:
        assert refused(lambda: llm.generate("the"))
        sys.exit()
    assert os.waitpid(grandchild, 0)[1] == 0
    sys.exit()
wait_for(child)
""",
    "a pool of processes": """
import multiprocessing

def ask(prompt):
    return llm.generate(prompt, **greedy).token_ids

with multiprocessing.get_context("fork").Pool(1) as pool:
    # The error comes back whole.
    assert refused(lambda: pool.map(ask, ["the"]))
assert ask("the") == before
print("both well")
""",
}


@pytest.mark.skipif(sys.platform != "linux", reason="where the system says who wrote")
@pytest.mark.parametrize("kind", ["gguf", "safetensors"])
def test_children_each_notice_that_a_file_changes(
    tiny_model: Path, tiny_folder: Path, tmp_path: Path, kind: str
) -> None:
    """Whatever a sibling, which has the file open too, hears of it or does."""
    path = tmp_path / "copied"
    if kind == "gguf":
        path = weights = tmp_path / "copied.gguf"
        shutil.copyfile(tiny_model, path)
    else:
        shutil.copytree(tiny_folder, path)
        weights = path / "model.safetensors"
    said = output(
        """
        import os, sys, trillm

        path, weights = sys.argv[1:]
        trillm.load(path, threads=1).close()
        there, ready = os.pipe()
        go, changed = os.pipe()

        def child(serve):
            if (process := os.fork()) == 0:
                serve()
                os._exit(0)
            return process

        def notices():
            model = trillm.load(path, threads=1)
            model.generate("the", max_tokens=1)
            os.write(ready, b".")
            os.read(go, 1)
            try:
                model.generate("the", max_tokens=1)
            except trillm.errors.EngineError as error:
                print("changed" in str(error), flush=True)

        def comes_and_goes():
            with trillm.load(path, threads=1) as model:
                model.generate("the", max_tokens=1)

        first = child(notices)
        os.read(there, 1)
        os.waitpid(child(comes_and_goes), 0)
        with open(weights, "r+b") as file:
            # Between those places that are compared.
            file.seek(os.path.getsize(weights) // 2 + 500)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 1]))
        os.write(changed, b".")
        os.waitpid(first, 0)
        """,
        path,
        weights,
    )
    assert said.split() == ["True"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("name", PROGRAMS)
def test_fork(tiny_model: Path, name: str) -> None:
    assert output(BEGIN + PROGRAMS[name], tiny_model).split("\n")[:-1] == ["both well"]


def test_the_vocabulary_alone_survives_a_fork(tiny_model: Path) -> None:
    """A tokenizer has no threads."""
    program = """
import os, sys, trillm
tokenizer = trillm.Tokenizer(sys.argv[1])
before = tokenizer.encode("the man")
if (child := os.fork()) == 0:
    assert tokenizer.encode("the man") == before
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
print(*before)
"""
    assert output(program, tiny_model).split()[0] == "1"


def test_spawned_processes_load_their_own(tiny_model: Path, tmp_path: Path) -> None:
    """From a file: the child reads the main program again."""
    script = tmp_path / "main.py"
    script.write_text(
        dedent(
            """
            import multiprocessing, sys
            import trillm

            def ask(prompt):
                with trillm.load(sys.argv[1], threads=1) as llm:
                    return llm.generate(prompt, max_tokens=9, temperature=0, ignore_eos=True).token_ids

            def fail(_):
                with trillm.load(sys.argv[1], threads=1) as llm:
                    llm.generate("the", temperature=-1)

            if __name__ == "__main__":
                with trillm.load(sys.argv[1], threads=1) as llm:
                    running = llm.stream("and", ignore_eos=True)
                    next(running)
                    with multiprocessing.get_context("spawn").Pool(2) as pool:
                        answers = pool.map(ask, ["the", "the"])
                        try:
                            pool.map(fail, [0])
                        except trillm.errors.InvalidRequest as error:
                            print(error.code)
                    assert answers == [ask("the")] * 2
            """
        )
    )
    done = subprocess.run([sys.executable, script, tiny_model], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "invalid_parameter\n", "")


IMPORTING = """
import os, sys, threading, time, warnings
import trillm

warnings.simplefilter("ignore", DeprecationWarning)


class Slow:
    # A module that is being imported while another thread forks.
    def find_spec(self, name, path=None, target=None):
        if name == "trillm.hub._resolved":
            started.set()
            time.sleep(0.5)


started = threading.Event()
sys.meta_path.insert(0, Slow())
thread = threading.Thread(target=lambda: trillm.load(sys.argv[1], threads=1).close())
thread.start()
started.wait()
if (child := os.fork()) == 0:
    trillm.load(sys.argv[1], threads=1).close()
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
thread.join()
"""


def test_a_child_that_is_forked_while_a_module_is_imported_does_not_wait_for_it(tiny_model: Path) -> None:
    assert output(IMPORTING, tiny_model) == "7\n"
