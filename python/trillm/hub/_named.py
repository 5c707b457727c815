"""The files that files of a model name: a graph its weights, an index its shards, whatever they are called."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from trillm._core import named_files
from trillm.errors import TrillmError

if TYPE_CHECKING:
    from pathlib import Path


def named_by(path: Path, name: str) -> list[str]:
    """What the file at ``path``, called ``name`` in its model, names; each is to be read :func:`beside` it.

    A file that cannot be read as what it should be names nothing: whoever opens it is told what is wrong with it.
    """
    try:
        return named_files(path, name)
    except TrillmError:
        return []


def beside(name: str, other: str) -> str:
    """What a file is called that the file ``name`` calls ``other``."""
    return posixpath.join(posixpath.dirname(name), other)
