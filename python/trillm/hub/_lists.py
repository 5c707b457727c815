"""Lists of modules, of sentence-transformers: they name folders that belong to a model, whatever these are called.

Which files make a model is chosen by names, before anything is fetched. Where that choice holds a list, it is made
again by what the list says.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from trillm._core import ModuleList, choose

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from trillm._core import Choice

NAME = "modules.json"


def choose_by_lists(
    files: Sequence[tuple[str, int | None]],
    wanted: str | None,
    read: Callable[[str], Path | None],
    *,
    formats: Sequence[str],
    quantizations: Sequence[str],
    place: str = "the repository",
) -> Choice:
    """As :func:`choose`, with every list that it comes to. ``read`` says where the list of this path lies, if it can.

    Raises `ModelNotFound`, and `ModelFormatError` for a list that names what lies outside of its model.
    """
    lists: dict[str, ModuleList] = {}
    seen: set[str] = set()
    while True:
        choice = choose(files, wanted, formats, quantizations, list(lists.values()), place=place)
        new = {path for path, _ in choice.files if posixpath.basename(path) == NAME} - seen
        # A list that was asked for by its own name is nothing else.
        if not new or len(choice.files) == 1:
            return choice
        seen |= new
        for path in sorted(new):
            file = read(path)
            if file is not None:
                lists[path] = ModuleList(file, path)
