"""Whether files that are to be kept are a model, by the readers that loading asks.

The files of a repository come with digests. For those of this machine nobody vouches: any name will do for a half of a
model, or for a page of a web server that was saved as one.
"""

from __future__ import annotations

import posixpath
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from trillm._core import Tokenizer, choose, inspect, is_model_name
from trillm.errors import ModelFormatError, ModelNotFound, TrillmError
from trillm.hub._named import named_by
from trillm.hub._options import FORMATS, QUANTIZATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check"]


def check(folder: Path, files: Sequence[tuple[str, str]], opened: str | None) -> None:
    """Raises what loading would, were the files in the store: given by their paths in a folder and names in the model.

    A vocabulary alone is no error: `Tokenizer` takes it. Nor is a graph without a tokenizer, which `load` can be given.
    """
    _check_left_out(folder, [path for path, _ in files])
    name = opened or (files[0][1] if len(files) == 1 else "")
    path, known = next((file for file in files if file[1] == name), files[0])
    start = path.removesuffix(known)
    # A graph reaches its weights by no link.
    if all(path == start + name for path, name in files) or (name.endswith(".onnx") and named_by(folder / path, name)):
        _read(folder / (path if name else start))
        return
    # By the names that they will have: a configuration may come from a folder above.
    with TemporaryDirectory(prefix="trillm-") as there:
        for path, known in files:
            link = Path(there, known)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(folder / path)
        try:
            _read(Path(there, name))
        except TrillmError as error:
            message = str(error)
            for path, known in files:
                message = message.replace(str(Path(there, known)), str(folder / path))
            raise type(error)(message.replace(there, str(folder)), error.code, error.hint) from None


def _read(model: Path) -> None:
    try:
        is_graph = inspect(model).format == "onnx"
    except ModelFormatError as error:
        if error.code != "vocabulary_only":
            raise
        is_graph = False
    try:
        Tokenizer(model)
    except ModelNotFound as error:
        if not is_graph or error.code != "missing_tokenizer":
            raise


def _check_left_out(folder: Path, paths: Sequence[str]) -> None:
    """Raises `ModelNotFound` if what would belong to the model is no file: loading would meet it."""
    others = []
    for place in {posixpath.dirname(path) for path in paths}:
        with suppress(OSError):
            others += [posixpath.join(place, path.name) for path in (folder / place).iterdir() if not path.is_file()]
    others = [path for path in others if not is_model_name(path)]
    try:
        choice = choose([(path, None) for path in (*paths, *others)], None, FORMATS, QUANTIZATIONS)
    except ModelNotFound:
        # A file that was asked for by name, and that no name is chosen for, has nothing beside it.
        return
    for path, _ in choice.files:
        if path in others:
            raise ModelNotFound(
                f"{folder / path} is not a regular file", "not_a_file", "replace it by a regular file, or remove it"
            )
