"""What goes with arrays of vectors and scores: numpy before, and what was cut to fit after."""

from __future__ import annotations

import os
from sys import modules
from typing import TYPE_CHECKING
from warnings import warn as _warn

from trillm._core import lacks_threads
from trillm._later import lacks_memory
from trillm.errors import EngineError, MissingDependency, OutOfMemory

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["TruncationWarning", "bring_numpy", "warn"]


def bring_numpy() -> None:
    """Imports numpy. Raises `MissingDependency` if it is not there.

    Raises `OutOfMemory` if there is no room for it, and `EngineError` if there are no threads (`no_thread`) or no files
    (`too_many_files`).

    Not where arrays are made, for importing is Python code, which native code would run: the interpreter ends a daemon
    thread in the middle of Python code as it exits, and below native code that ends the process.
    """
    if modules.get("numpy") is None:
        _find_files()
        _find_room()
        _find_threads()
        # Threads leave the memory reserved that they allocated from.
        _find_room()
    try:
        # What arrays are made by: a file of that name that is no numpy is found first where a program lies beside it.
        from numpy import empty, frombuffer  # noqa: F401
    except (ImportError, AttributeError, MemoryError) as error:
        if lacks_memory(error):
            raise _no_room() from None
        raise MissingDependency(
            f"vectors are arrays of numpy, which cannot be imported: {error}",
            "missing_dependency",
            "install it: pip install numpy",
        ) from None


def _threads() -> int:
    """How many threads OpenBLAS computes with, the one that imports it among them."""
    usable = len(os.sched_getaffinity(0))
    given = (os.environ.get(name, "").strip() for name in _THREADS)
    asked = (int(count) for count in given if count.isdecimal() and int(count) > 0)
    return min(next(asked, usable), usable)


_THREADS = ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS")
"""What OpenBLAS asks the environment for; the first counts."""


def _find_threads() -> None:
    """Raises `EngineError` unless there are as many threads as OpenBLAS will start.

    If it does not get them it sends the process the signal of Ctrl-C.
    """
    try:
        others = _threads() - 1
    except AttributeError:
        return
    reason = lacks_threads(others)
    if reason is not None:
        raise EngineError(
            f"numpy, whose arrays vectors are, cannot start its threads ({others} beside this one): {reason}",
            "no_thread",
            "set OPENBLAS_NUM_THREADS=1, import numpy before threads are limited, end other programs, or allow more"
            " processes (ulimit -u, or the container's limit)",
        )


_FILES = 16
"""Several times what an import has open at once."""


def _find_files() -> None:
    """Raises `EngineError` unless files can be opened: half an import is not made good by another one."""
    # Built in: no file is opened for it.
    import errno

    opened: list[int] = []
    try:
        for _ in range(_FILES):
            opened.append(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            return
        raise EngineError(
            f"numpy, whose arrays vectors are, cannot be opened: {error.strerror}",
            "too_many_files",
            "close files and connections that are not needed, allow more (ulimit -n), or import numpy before there are "
            "too many",
        ) from None
    finally:
        for descriptor in opened:
            os.close(descriptor)


_LIBRARIES = 48 << 20
"""Bytes of address space that numpy takes when it is imported."""

_THREAD = 40 << 20
"""The same for each thread of OpenBLAS, which ends the process if it does not get them: a buffer and a stack."""


def _find_room() -> None:
    """Raises `OutOfMemory` unless there is as much address space as numpy will take, as far as that can be told."""
    try:
        import mmap

        with mmap.mmap(-1, _LIBRARIES + _threads() * _THREAD, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS):
            pass
    except AttributeError:
        return
    except (ImportError, OSError):
        raise _no_room() from None


def _no_room() -> OutOfMemory:
    return OutOfMemory(
        "no memory for numpy, whose arrays vectors are",
        "out_of_memory",
        "give the process more, set OPENBLAS_NUM_THREADS=1, or import numpy before memory is limited",
    )


class TruncationWarning(UserWarning):
    """Texts were cut to fit, as asked by `truncate`; `cut` has the tokens left out, by the index of each such text."""

    def __init__(self, cut: dict[int, int]) -> None:
        texts = "1 text was" if len(cut) == 1 else f"{len(cut)} texts were"
        super().__init__(f"{texts} cut to fit, {sum(cut.values())} tokens left out: {_listed(cut)}")
        self.cut = cut

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.cut,))


def warn(cuts: Sequence[tuple[int, int]]) -> None:
    """Warns, whoever called the method that calls this."""
    if cuts:
        _warn(TruncationWarning(dict(cuts)), stacklevel=3)


def _listed(cut: dict[int, int], most: int = 5) -> str:
    shown = [f"{tokens} of text {index}" for index, tokens in list(cut.items())[:most]]
    return ", ".join(shown + ["…"] * (len(cut) > most))
