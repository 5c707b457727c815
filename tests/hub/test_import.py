"""What is no model, or a part of one, is refused before any of it is in the store, as loading refuses it."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import trillm
from trillm._core import Store
from trillm.errors import ModelFormatError, ModelNotFound, StoreError, TrillmError
from trillm.hub import import_model

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n"


def refused(store: Store, path: Path) -> TrillmError:
    """The error, of which the store shows nothing."""
    names = sorted(entry.name for entry in (path.parent if path.is_file() else path).iterdir())
    with pytest.raises(TrillmError) as caught:
        import_model(path, name="x", store=store)
    assert [file for file in store.root.rglob("*") if file.is_file() or file.is_symlink()] == []
    assert sorted(entry.name for entry in (path.parent if path.is_file() else path).iterdir()) == names
    return caught.value


def half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello\n", "found plain text"),
        (b"", "found an empty file"),
        (POINTER, "found a Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "found an HTML page"),
        (struct.pack("<4sIQQ", b"GGUF", 9, 0, 0), "GGUF version"),
    ],
)
@pytest.mark.parametrize("name", ["x.gguf", "passwd"])
def test_a_file_that_is_no_model_is_refused(
    store: Store, tmp_path: Path, content: bytes, message: str, name: str
) -> None:
    path = tmp_path / "own" / name
    path.parent.mkdir()
    path.write_bytes(content)
    error = refused(store, path)
    assert isinstance(error, ModelFormatError)
    assert str(error).startswith(f"{path}: ")
    assert message in str(error)
    with pytest.raises(ModelFormatError) as loaded:
        trillm.load(path)
    assert (str(loaded.value), loaded.value.code, loaded.value.hint) == (str(error), error.code, error.hint)


def test_half_a_file_is_refused(store: Store, tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "own" / "x.gguf"
    path.parent.mkdir()
    path.write_bytes(tiny_model.read_bytes())
    half(path)
    error = refused(store, path)
    assert (type(error), error.code) == (ModelFormatError, "truncated")


@pytest.mark.parametrize("place", ["", "inner"])
def test_half_a_folder_is_refused(store: Store, tiny_folder: Path, tmp_path: Path, place: str) -> None:
    folder = tmp_path / "own"
    shutil.copytree(tiny_folder, folder / place)
    half(folder / place / "model.safetensors")
    error = refused(store, folder)
    assert (type(error), error.code) == (ModelFormatError, "truncated")
    assert str(folder / place / "model.safetensors") in str(error)


def test_half_a_graph_is_refused(store: Store, tiny_onnx: Callable[..., Path], tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_onnx("shared"), tmp_path / "own")
    half(folder / "model.onnx")
    error = refused(store, folder)
    assert (type(error), error.code) == (ModelFormatError, "truncated")


def test_a_configuration_from_a_folder_above_is_read_with_the_weights(
    store: Store, tiny_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "own")
    (folder / "fp16").mkdir()
    (folder / "model.safetensors").rename(folder / "fp16" / "model.safetensors")
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace('"llama"', '"nonsense"'))
    error = refused(store, folder)
    assert isinstance(error, ModelFormatError)
    assert str(folder / "config.json") in str(error)
    (folder / "config.json").write_text(text)
    manifest, _ = import_model(folder, name="x", store=store)
    with trillm.load(manifest.path, threads=1) as model:
        assert model.generate("a", max_tokens=2).usage.completion_tokens == 2


def empty(path: Path) -> None:
    path.write_bytes(b"")


def replace(make: Callable[[Path], None]) -> Callable[[Path], None]:
    def replaced(path: Path) -> None:
        path.unlink()
        make(path)

    return replaced


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (empty, "malformed"),
        (replace(os.mkfifo), "not_a_file"),
        (replace(os.mkdir), "not_a_file"),
        (replace(lambda path: path.symlink_to("nowhere")), "not_a_file"),
    ],
)
@pytest.mark.parametrize("form", ["huggingface", "onnx"])
def test_a_tokenizer_that_cannot_be_read_is_refused(
    store: Store,
    tiny_folder: Path,
    tiny_onnx: Callable[..., Path],
    tmp_path: Path,
    *,
    form: str,
    spoil: Callable[[Path], None],
    code: str,
) -> None:
    folder = shutil.copytree(tiny_folder if form == "huggingface" else tiny_onnx("shared"), tmp_path / "own")
    spoil(folder / "tokenizer.json")
    error = refused(store, folder)
    assert (type(error), error.code) == (ModelFormatError if code == "malformed" else ModelNotFound, code)
    assert str(folder / "tokenizer.json") in str(error)


def test_a_model_without_a_tokenizer_is_taken_where_loading_can_be_given_one(
    store: Store, tiny_folder: Path, tiny_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "own")
    (folder / "tokenizer.json").unlink()
    error = refused(store, folder)
    assert (type(error), error.code) == (ModelNotFound, "missing_tokenizer")
    graph = shutil.copytree(tiny_onnx("shared"), tmp_path / "graph")
    (graph / "tokenizer.json").unlink()
    manifest, _ = import_model(graph, name="x", store=store)
    with trillm.load(manifest.path, tokenizer=tiny_folder, threads=1) as model:
        assert model.generate("a", max_tokens=2).usage.completion_tokens == 2


def test_a_vocabulary_alone_is_taken(store: Store, shared: Path) -> None:
    path = shared / "tokenizers" / "ggml-vocab-phi-3.gguf"
    manifest, _ = import_model(path, name="words", store=store)
    assert trillm.Tokenizer(manifest.path).encode("a word") == trillm.Tokenizer(path).encode("a word")


def test_of_several_models_the_outermost_is_taken_as_loading_takes_it(
    store: Store, tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "several"
    (folder / "old").mkdir(parents=True)
    (folder / "sub").mkdir()
    shutil.copy(tiny_model, folder / "main.gguf")
    # Larger, and a quantization that is preferred.
    (folder / "old" / "a.gguf").write_bytes(tiny_model.read_bytes() + b"x")
    shutil.copy(tiny_model, folder / "sub" / "b.Q4_K_M.gguf")
    with caplog.at_level("INFO", "trillm.hub"):
        manifest, _ = import_model(folder, name="x", store=store)
    assert [name for name, _, _ in manifest.files] == ["main.gguf"]
    assert "left out: old/a.gguf, sub/b.Q4_K_M.gguf" in caplog.messages
    with trillm.load(folder, threads=1) as model:
        assert Path(model.info.path) == folder / "main.gguf"
    # Where loading takes none, the outermost are chosen among.
    (folder / "main.gguf").unlink()
    shutil.copytree(folder / "sub", folder / "old" / "deeper")
    with pytest.raises(ModelNotFound):
        trillm.load(folder)
    manifest, _ = import_model(folder, name="y", store=store)
    assert [name for name, _, _ in manifest.files] == ["b.Q4_K_M.gguf"]
    assert caplog.messages.count("left out: old/a.gguf, sub/b.Q4_K_M.gguf") == 1


def test_who_names_a_file_hears_nothing_of_its_neighbours(
    store: Store, tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "beside"
    folder.mkdir()
    for name in ("main.gguf", "other.gguf", "what?.gguf"):
        shutil.copy(tiny_model, folder / name)
    with caplog.at_level("INFO", "trillm.hub"):
        import_model(folder / "main.gguf", name="x", store=store)
        assert caplog.messages == []
        (folder / "other.gguf").unlink()
        import_model(folder, name="y", store=store)
    assert [message for message in caplog.messages if message.startswith("what?.gguf is left out")]


def test_a_path_that_is_there_and_no_model_is_not_called_missing(store: Store, tmp_path: Path) -> None:
    pipe, itself = tmp_path / "pipe", tmp_path / "itself"
    os.mkfifo(pipe)
    itself.symlink_to(itself)
    for path, code in (
        (Path("/dev/zero"), "not_a_file"),
        (pipe, "not_a_file"),
        (tmp_path / "none", "model_not_found"),
    ):
        with pytest.raises(ModelNotFound) as caught:
            import_model(path, name="x", store=store)
        assert (caught.value.code, str(path) in str(caught.value)) == (code, True)
    for call in (trillm.load, trillm.plan, trillm.Tokenizer, lambda path: import_model(path, name="x", store=store)):
        with pytest.raises(StoreError, match=r"cannot read .*itself"):
            call(str(itself))
