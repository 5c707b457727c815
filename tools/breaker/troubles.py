"""What befalls a process while its actors work: signals, forks, files that change, and limits of the system.

Each is a generator: what is before its `yield` happens when the actors begin, the rest when they are done.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import random
import resource
import shutil
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import trillm
from answers import STYLES, ask_alone
from privileges import mind_limits
from stage import Stage
from trillm.errors import ForkError, TrillmError

__all__ = ["TROUBLES", "descriptors", "threads"]


def threads() -> int:
    """How many this process has."""
    return len(list(Path("/proc/self/task").iterdir()))


def descriptors() -> int:
    """How many this process has open."""
    # One is the folder's own.
    return len(list(Path("/proc/self/fd").iterdir())) - 1


@contextmanager
def nothing(_stage: Stage, _chance: random.Random) -> Iterator[None]:
    """Nothing befalls it."""
    yield


@contextmanager
def _meanwhile(stage: Stage, work: Callable[[], None]) -> Iterator[None]:
    """Does this again and again on a thread of its own."""

    def run() -> None:
        while not stage.over.is_set():
            work()

    thread = threading.Thread(target=run, name="trouble")
    thread.start()
    try:
        yield
    finally:
        stage.over.set()
        thread.join()


@contextmanager
def interrupts(stage: Stage, chance: random.Random) -> Iterator[None]:
    """Ctrl-C at any moment in which the main thread acts."""

    def interrupted(*_: object) -> None:
        if stage.interruptible:
            stage.interruptible = False
            raise KeyboardInterrupt

    def interrupt() -> None:
        time.sleep(chance.uniform(0.0005, 0.03))
        os.kill(os.getpid(), signal.SIGINT)

    signal.signal(signal.SIGINT, interrupted)
    with _meanwhile(stage, interrupt):
        yield


@contextmanager
def storm(stage: Stage, chance: random.Random) -> Iterator[None]:
    """A signal every moment, to whichever thread, the native ones too: each system call may be interrupted."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = {"x86_64": 234, "aarch64": 131}.get(os.uname().machine)

    def signalled() -> None:
        time.sleep(chance.uniform(0.0001, 0.002))
        thread = chance.choice(list(Path("/proc/self/task").iterdir())).name
        if number is None:
            os.kill(os.getpid(), signal.SIGUSR1)
        else:
            # tgkill; the thread may be gone.
            libc.syscall(number, os.getpid(), int(thread), signal.SIGUSR1)

    signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with _meanwhile(stage, signalled):
            yield
    finally:
        # One may be on its way to a thread that the system has not run since, and the interpreter takes handlers away
        # as it exits: it would end the process then. The system drops those first; what came before, the interpreter
        # handles in the next moment, and would report it if the handler were gone.
        libc.signal(signal.SIGUSR1, ctypes.c_void_p(int(signal.SIG_IGN)))
        time.sleep(0.01)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)


@contextmanager
def forks(stage: Stage, chance: random.Random) -> Iterator[None]:
    """Children that are refused the model, load one of their own, or end without a word."""
    # Python warns of what is done here on purpose.
    warnings.simplefilter("ignore", DeprecationWarning)

    def fork() -> None:
        time.sleep(chance.uniform(0, 0.02))
        kind = chance.randrange(3)
        child = os.fork()
        if child == 0:
            # os._exit: the actors' threads are not here, and their frames are no business of this process.
            os._exit(_child(stage, kind))
        if not _ends(child):
            stage.fault(f"a forked child (kind {kind}) hangs or fails")

    with _meanwhile(stage, fork):
        yield


def _child(stage: Stage, kind: int) -> int:
    signal.alarm(40)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    faulthandler.dump_traceback_later(30)
    try:
        if kind < 2:
            try:
                stage.model.generate("the", max_tokens=1)
            except (ForkError, trillm.errors.Closed):
                pass
            else:
                return 2
        if kind == 1:
            with stage.open() as own:
                answer = ask_alone(own, 0, STYLES[0]).token_ids if stage.plan.specimen.generates else []
                if answer and stage.exact and answer != stage.answers.tokens[0][0]:
                    return 3
    except TrillmError as error:
        return 0 if stage.allows(error) else 4
    return 0


def _ends(child: int) -> bool:
    end = time.monotonic() + 50
    while time.monotonic() < end:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return status == 0
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


@contextmanager
def changes(stage: Stage, chance: random.Random) -> Iterator[None]:
    """Others touch the file, add to it, or put another in its place; where it was read once, they may do anything."""
    files = [file for file in _files(stage.path) if file.suffix in (".gguf", ".safetensors", ".bin", ".onnx")]
    copies = bool(stage.plan.options.get("copy")) and not stage.plan.closes

    def change() -> None:
        time.sleep(chance.uniform(0, 0.02))
        file = chance.choice(files)
        how = chance.randrange(7 if copies else 4)
        original = stage.specimens / stage.path.name
        original = original if original.is_file() else original / file.relative_to(stage.path)
        if how == 0:
            os.utime(file)
        elif how == 1:
            with file.open("ab") as out:
                out.write(b"more")
        elif how == 2:
            shutil.copyfile(original, file.with_suffix(".new"))
            file.with_suffix(".new").rename(file)
        elif how == 3:
            file.unlink()
            shutil.copyfile(original, file)
        elif how == 4:
            os.truncate(file, chance.randrange(file.stat().st_size + 1))
        elif how == 5:
            with file.open("r+b") as out:
                out.seek(chance.randrange(file.stat().st_size + 1))
                out.write(chance.randbytes(64))
        else:
            shutil.copyfile(original, file)

    stage.changing = True
    with _meanwhile(stage, change):
        yield
    for file in files:
        original = stage.specimens / stage.path.name
        shutil.copyfile(original if original.is_file() else original / file.relative_to(stage.path), file)


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]


@contextmanager
def _limited(kind: int, most: int) -> Iterator[None]:
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


@contextmanager
def memory(stage: Stage, chance: random.Random) -> Iterator[None]:
    """Address space for little more than there is."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    stage.allowed |= {"out_of_memory", "no_thread", "engine_failed", "load_failed", "read_failed"}
    with _limited(resource.RLIMIT_AS, size + (chance.choice([500, 1000, 2000]) << 20)):
        yield


@contextmanager
def processes(stage: Stage, chance: random.Random) -> Iterator[None]:
    """Few more threads than there are."""
    stage.allowed.add("no_thread")
    alone = mind_limits()
    mine = (
        threads()
        if alone
        else sum(_threads_of(folder) for folder in Path("/proc").iterdir() if folder.name.isdecimal())
    )
    with _limited(resource.RLIMIT_NPROC, mine + chance.randrange(8)):
        yield


def _threads_of(folder: Path) -> int:
    with contextlib.suppress(OSError):
        if folder.stat().st_uid == os.getuid():
            return len(list((folder / "task").iterdir()))
    return 0


@contextmanager
def files(stage: Stage, chance: random.Random) -> Iterator[None]:
    """Few more open files than there are."""
    stage.allowed.add("too_many_files")
    highest = max(int(file.name) for file in Path("/proc/self/fd").iterdir())
    with _limited(resource.RLIMIT_NOFILE, highest + 1 + chance.randrange(5)):
        yield


@contextmanager
def stacks(_stage: Stage, chance: random.Random) -> Iterator[None]:
    """Actors on small stacks."""
    before = threading.stack_size(chance.choice([128, 256, 512]) << 10)
    try:
        yield
    finally:
        threading.stack_size(before)


TROUBLES = {
    "nothing": nothing,
    "interrupts": interrupts,
    "storm": storm,
    "forks": forks,
    "changes": changes,
    "memory": memory,
    "processes": processes,
    "descriptors": files,
    "stacks": stacks,
}
