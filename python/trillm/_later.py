"""Modules that are imported when they are first needed, and what it is called where the system has no room for that.

By then a program may have all its files open, or be at its limit of memory. An import says that in many ways, and in
none that a caller would look for.
"""

from __future__ import annotations

import os
from _thread import RLock
from typing import TYPE_CHECKING

from trillm.errors import EngineError, OutOfMemory, TrillmError

if TYPE_CHECKING:
    from types import ModuleType, TracebackType

__all__ = ["FILES", "Later", "bring", "lacks_memory", "told"]

FILES = "close files and connections that are not needed, or allow more (ulimit -n)"
"""What to do where there are too many."""

_LOADERS = ("failed to map segment", "Cannot allocate memory", "cannot allocate memory")
"""How loaders of libraries say that there is no memory."""


_importing = RLock()
"""Held while something is imported."""


def _in_child() -> None:
    """Has modules imported anew that another thread was importing when this process was forked.

    That thread is not here, and CPython would wait for it for ever. A fork cannot wait for it either: what is imported
    may want what others hold at a fork, as `logging` does.
    """
    global _importing
    begun, _importing = _importing, RLock()
    if begun.acquire(blocking=False):
        return
    import sys
    from importlib import _bootstrap

    for name, module in list(sys.modules.items()):
        if getattr(getattr(module, "__spec__", None), "_initializing", False):
            del sys.modules[name]
    getattr(_bootstrap, "_module_locks", {}).clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


class Later:
    """Around imports in the middle of a call: `with Later("trillm.hub"): from trillm.hub import …`.

    Raises `EngineError` (`too_many_files`) and `OutOfMemory` where that is why a module cannot be imported.
    """

    __slots__ = ("_held", "_name")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._held = _importing
        self._held.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._held.release()
        if error is not None and (meant := told(error, self._name)) is not error:
            raise meant from None


def bring(name: str) -> ModuleType:
    """A module by its name. Raises as within `Later`."""
    with Later(name):
        from importlib import import_module

        return import_module(name)


def told(error: BaseException, name: str) -> BaseException:
    """What to raise for an error of importing a module: ours, if the system is why."""
    try:
        return _told(error, name)
    except MemoryError:
        # Not even for an error and its text.
        return _NOTHING_LEFT


_NOTHING_LEFT = OutOfMemory("no memory for a module that is needed now", "out_of_memory", "give the process more")


def _told(error: BaseException, name: str) -> BaseException:
    # Built in: no file is opened for it.
    import errno

    if isinstance(error, TrillmError):
        return error
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return EngineError(f"the module {name} cannot be opened: {error.strerror}", "too_many_files", FILES)
    if lacks_memory(error):
        return OutOfMemory(f"no memory for the module {name}", "out_of_memory", "give the process more")
    return error


def lacks_memory(error: BaseException | None) -> bool:
    """Whether that is why something cannot be imported: loaders say it in words alone.

    So do the interpreter and its compiler, which sometimes lose the error: a `SystemError`, a `ValueError` about a tree
    of code with holes, or a `SyntaxError`, which a module that is installed has not.
    """
    while error is not None:
        said = str(error)
        is_lost = (
            (isinstance(error, SystemError) and "exception" in said)
            or (isinstance(error, ValueError) and "is required for" in said)
            or isinstance(error, SyntaxError)
        )
        if isinstance(error, MemoryError) or is_lost or any(words in said for words in _LOADERS):
            return True
        error = error.__cause__ or error.__context__
    return False
