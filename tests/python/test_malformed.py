"""Files that are no models, or damaged ones: one clear error, soon, and never a crash.

All in this process: a crash would end the tests.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trillm
from sources import error_codes
from trillm.errors import LoadError, ModelFormatError, ModelNotFound, TrillmError

from .helpers import failing


@contextmanager
def soon() -> Iterator[None]:
    """What is inside is to take no more than the second that is promised."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 1


def assert_refused(path: Path, error: type[TrillmError] = ModelFormatError) -> None:
    with soon(), pytest.raises(error) as caught:
        trillm.Model(path)
    message = str(caught.value)
    assert message
    assert "\n" not in message
    assert "panic" not in message
    assert caught.value.code in error_codes()
    # The vocabulary may be whole where the rest is not.
    with soon():
        try:
            tokenizer = trillm.Tokenizer(path)
        except TrillmError:
            return
    assert isinstance(tokenizer.decode(tokenizer.encode("the man")), str)


def truncations(whole: Path, folder: Path) -> Iterator[Path]:
    content = whole.read_bytes()
    for part in range(64):
        path = folder / f"truncated-{part}.gguf"
        path.write_bytes(content[: len(content) * part // 64])
        yield path


def test_the_collections(shared: Path) -> None:
    paths = [path for folder in sorted((shared / "malformed").glob("gguf*")) for path in sorted(folder.rglob("*"))]
    files = [path for path in paths if path.is_file()]
    assert len(files) > 100
    for path in files:
        assert_refused(path)


def test_every_vectors_of_a_real_model(stories: Path, tmp_path: Path) -> None:
    for path in truncations(stories, tmp_path):
        assert_refused(path)


def test_every_vectors_of_the_tiny_model(tiny_model: Path, tmp_path: Path) -> None:
    for path in truncations(tiny_model, tmp_path):
        assert_refused(path)


def header(tensors: int = 0, pairs: int = 0, version: int = 3, magic: bytes = b"GGUF") -> bytes:
    return magic + struct.pack("<IQQ", version, tensors, pairs)


def string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


HUGE = 2**63 - 1
HOSTILE = {
    "empty": b"",
    "one byte": b"G",
    "only the magic": b"GGUF",
    "text": b"This is no model.\n" * 100,
    "zeros": bytes(4096),
    "ones": b"\xff" * 4096,
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(1000),
    "a page": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
    "nothing in it": header(),
    "a version to come": header(version=99),
    "a version long gone": header(version=1),
    "the other endianness": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
    "more pairs than bytes": header(pairs=HUGE),
    "more tensors than bytes": header(tensors=HUGE),
    "counts that overflow": header(tensors=2**64 - 1, pairs=2**64 - 1),
    "a key of endless length": header(pairs=1) + struct.pack("<Q", HUGE),
    "a value of no type": header(pairs=1) + string(b"key") + struct.pack("<I", 77),
    "an array of endless length": header(pairs=1) + string(b"key") + struct.pack("<IIQ", 9, 8, HUGE),
    "arrays in arrays": header(pairs=1) + string(b"key") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 10000,
    "a key that is no text": header(pairs=1) + string(b"\xff\xfe") + struct.pack("<II", 4, 1),
    "a truth of 7": header(pairs=1) + string(b"key") + struct.pack("<IB", 7, 7),
    "a tensor of five dimensions": header(tensors=1) + string(b"t") + struct.pack("<I", 5) + bytes(64),
    "a tensor that overflows": header(tensors=1) + string(b"t") + struct.pack("<IQQQIQ", 3, 2**40, 2**40, 2, 0, 0),
    "a tensor outside the file": header(tensors=1) + string(b"t") + struct.pack("<IQIQ", 1, 8, 0, 2**62),
    "a tensor of no type": header(tensors=1) + string(b"t") + struct.pack("<IQIQ", 1, 8, 12345, 0),
    "a tensor of nothing": header(tensors=1) + string(b"t") + struct.pack("<IQIQ", 1, 0, 0, 0),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(HOSTILE[name])
    assert_refused(path)


def test_the_tiny_model_with_damaged_numbers(tiny_model: Path, tmp_path: Path) -> None:
    """Each number of its header as large, and as small, as can be."""
    # Our reader checks what llama.cpp would crash on. Numbers that are possible but contradict the tensors are
    # llama.cpp's to refuse, which it does cleanly.
    theirs = [("block_count", 7), ("feed_forward_length", 0), ("feed_forward_length", 7)]
    content = tiny_model.read_bytes()
    keys = ["embedding_length", "block_count", "feed_forward_length", "attention.head_count", "attention.head_count_kv"]
    for key in keys:
        name = b"llama." + key.encode()
        at = content.index(struct.pack("<Q", len(name)) + name) + 8 + len(name) + 4
        for value in (0, 7, 2**31 - 1, 2**32 - 1):
            path = tmp_path / "damaged.gguf"
            path.write_bytes(content[:at] + struct.pack("<I", value) + content[at + 4 :])
            assert_refused(path, LoadError if (key, value) in theirs else ModelFormatError)


def test_the_tiny_model_with_any_byte_of_its_beginning_changed(tiny_model: Path, tmp_path: Path) -> None:
    """Not each is an error, but none is a crash."""
    content = bytearray(tiny_model.read_bytes())
    path = tmp_path / "changed.gguf"
    errors = []
    for at in range(0, 1500, 5):
        changed = content.copy()
        changed[at] ^= 0xFF
        path.write_bytes(changed)
        try:
            with soon():
                trillm.Model(path, threads=1).close()
        except TrillmError as error:
            errors.append(error)
    assert len(errors) > 50
    assert not [error for error in errors if "\n" in str(error) or "panic" in str(error)]


def test_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.gguf", tmp_path / "none" / "none.gguf"):
        for open_ in (trillm.Model, trillm.Tokenizer, trillm.load):
            with soon(), pytest.raises(ModelNotFound) as caught:
                open_(path)
            assert str(path) in str(caught.value)


def test_a_vocabulary_is_no_model(shared: Path) -> None:
    path = shared / "tokenizers" / "ggml-vocab-gpt-2.gguf"
    with failing(ModelFormatError, "vocabulary_only") as caught:
        trillm.load(path)
    assert caught.value.hint


def test_after_all_that_a_model_still_loads(llm: trillm.Model) -> None:
    assert llm.generate("the", max_tokens=3, ignore_eos=True).usage.completion_tokens == 3
