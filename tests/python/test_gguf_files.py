"""A GGUF file that somebody changes while it is in use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import trillm
from trillm import _core
from trillm.errors import EngineError, ModelNotFound

from .helpers import GREEDY, failing

EXACT: dict[str, Any] = {"threads": 1, "cache_type": "f32"}


@pytest.fixture
def copied(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model."""
    path = tmp_path / "copied.gguf"
    path.write_bytes(tiny_model.read_bytes())
    return path


def zero(path: Path, how: str) -> None:
    """Writes to the middle of a file, where no sample of it may lie, as another process does."""
    program = """
import mmap, sys
path, how = sys.argv[1:]
with open(path, "r+b") as file:
    middle = file.seek(0, 2) // 2
    if how == "by mapping":
        with mmap.mmap(file.fileno(), 0) as pages:
            pages[middle : middle + 4] = bytes(4)
    else:
        file.seek(middle)
        file.write(bytes(4))
"""
    time.sleep(0.02)  # Times of files are that coarse.
    subprocess.run([sys.executable, "-c", program, path, how], check=True)


@pytest.mark.parametrize("how", ["by mapping", "after an append"])
def test_a_few_bytes_that_others_write_are_noticed(copied: Path, how: str) -> None:
    with trillm.load(copied, **EXACT) as model:
        model.generate("the man", max_tokens=2, **GREEDY)
        if how == "after an append":
            with copied.open("ab") as file:
                file.write(b"more")
            model.generate("the man", max_tokens=2, **GREEDY)
        zero(copied, how)
        for _ in range(2):
            with pytest.raises(EngineError, match=r"copied\.gguf was changed"):
                model.generate("the man", max_tokens=2, **GREEDY)


@pytest.mark.parametrize("change", ["shortened", "written to"])
def test_a_mapped_file_that_changes_ends_its_model_and_not_the_process(copied: Path, change: str) -> None:
    with trillm.load(copied, **EXACT) as mapped, trillm.load(copied, copy=True, **EXACT) as read:
        before, same = (model.generate("the man", max_tokens=9, **GREEDY) for model in (mapped, read))
        assert before.token_ids == same.token_ids
        size = copied.stat().st_size
        if change == "shortened":
            os.truncate(copied, 4096)
        else:
            with copied.open("r+b") as file:
                file.seek(size - 64)
                file.write(bytes(64))
        for call in (lambda: mapped.generate("on a", max_tokens=9), lambda: mapped.embed(["on a"])):
            for _ in range(4):
                with failing(EngineError, "engine_failed", r"copied\.gguf was changed") as caught:
                    call()
                assert "`copy=True`" in (caught.value.hint or "")
        assert read.generate("the man", max_tokens=9, cache_salt=9, **GREEDY).token_ids == before.token_ids


def test_a_folder_with_one_model_is_that_model(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "x.gguf").symlink_to(tiny_model)
    with trillm.load(folder, **EXACT) as of_folder, trillm.load(tiny_model, **EXACT) as of_file:
        said = [model.generate("the man", max_tokens=8, **GREEDY).token_ids for model in (of_folder, of_file)]
    assert said[0] == said[1]
    assert trillm.Tokenizer(folder).encode("the man") == trillm.Tokenizer(tiny_model).encode("the man")
    assert trillm.plan(folder).weights_mapped == trillm.plan(tiny_model).weights_mapped
    made = [
        _core.convert(path, tmp_path / f"made-{path.name}", to="safetensors", dtype="f32")
        for path in (folder / "x.gguf", folder)
    ]
    assert made[0]["bytes"] == made[1]["bytes"]


def test_a_folder_with_several_models_names_them(tiny_model: Path, tmp_path: Path) -> None:
    for name in ("b.gguf", "a.gguf"):
        (tmp_path / name).symlink_to(tiny_model)
    for call in (trillm.load, trillm.Tokenizer, trillm.plan):
        with pytest.raises(ModelNotFound, match=r"has 2 GGUF models, expected one: a\.gguf, b\.gguf") as caught:
            call(tmp_path)
        assert str(caught.value.hint) == f"name one of the files: {tmp_path / 'a.gguf'}"
