"""Where ONNX Runtime is.

Only its shared library is wanted, which the engine loads by itself. So the Python package that brings it is found but
never imported: that would take 20 MB more, and its extension module is a second copy of the runtime.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache

__all__ = ["PACKAGE", "library", "named", "packaged"]

PACKAGE = "onnxruntime"
"""What to import for it, whichever distribution it came with (`onnxruntime`, `onnxruntime-gpu` and so on)."""


def library() -> str | None:
    """The path of the library: what is named, else the installed package's; `None` if there is neither."""
    try:
        return named() or packaged()
    except ModuleNotFoundError:
        return None


def named() -> str | None:
    """What `ORT_DYLIB_PATH` says."""
    return os.environ.get("ORT_DYLIB_PATH") or None


# An error is not cached: the package may be installed while the interpreter runs, from a notebook for example.
@cache
def packaged() -> str:
    """The library inside the installed package. Raises `ModuleNotFoundError`."""
    from importlib.util import find_spec

    try:
        spec = find_spec(PACKAGE)
    except ValueError:  # Something else was put into `sys.modules` under that name.
        spec = None
    libraries: list[tuple[list[int], str]] = []
    for folder in (spec and spec.submodule_search_locations) or ():
        # Not by pathlib, whose import would take longer than all of this.
        with suppress(FileNotFoundError), os.scandir(f"{folder}/capi") as entries:
            libraries += [(_version(entry.name), entry.path) for entry in entries if _is_library(entry.name)]
    if not libraries:
        raise ModuleNotFoundError(f"no package {PACKAGE} with a library in it", name=PACKAGE)
    return max(libraries)[1]


def _is_library(name: str) -> bool:
    """Whether this is `libonnxruntime.so.1.23.2` or its like, and not `libonnxruntime_providers_shared.so`."""
    return name == "onnxruntime.dll" or name.startswith("libonnxruntime.")


def _version(name: str) -> list[int]:
    """The numbers in a file's name: those of two libraries compare as their versions do."""
    return [int(part) for part in name.split(".") if part.isdigit()]
