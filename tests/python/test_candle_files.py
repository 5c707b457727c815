"""Hugging Face files: split ones are one model; of damaged ones there is one clear error, soon, and never a crash."""

from __future__ import annotations

import json
import shutil
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trillm
from sources import error_codes
from trillm.errors import ModelFormatError, ModelNotFound, TrillmError

from . import helpers
from .helpers import GREEDY, SMALL_FILES


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A model without weights."""
    for name in SMALL_FILES:
        shutil.copy(tiny_folder / name, tmp_path)
    return tmp_path


def refused(path: Path, error: type[TrillmError] = ModelFormatError) -> TrillmError:
    """Asserts that this is no model, which is said soon and well."""
    began = time.monotonic()
    with pytest.raises(error) as caught:
        trillm.load(path, threads=1)
    # A second is the promise. A loaded machine that runs tests is granted another.
    assert time.monotonic() - began < 2
    message = str(caught.value)
    assert message
    assert "\n" not in message
    assert "panic" not in message
    assert caught.value.code in error_codes()
    return caught.value


# safetensors.

Header = dict[str, Any]


def parted(content: bytes) -> tuple[Header, bytes]:
    """The header of a safetensors file, and what comes after."""
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def joined(header: bytes | Header, data: bytes) -> bytes:
    if isinstance(header, dict):
        header = json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header + data


NORM = "model.norm.weight"
EMBEDDING = "model.embed_tokens.weight"


def change(**fields: object) -> Callable[[Header, bytes], bytes]:
    """Damages what the header says of one tensor."""

    def damaged(header: Header, data: bytes) -> bytes:
        header[NORM] |= fields
        return joined(header, data)

    return damaged


def twice(header: Header, data: bytes) -> bytes:
    once = json.dumps(header)
    return joined(f'{once[:-1]}, "{NORM}": {json.dumps(header[NORM])}}}'.encode(), data)


def field_twice(header: Header, data: bytes) -> bytes:
    return joined(json.dumps(header).replace('"dtype"', '"dtype": "F32", "dtype"', 1).encode(), data)


def overlapping(header: Header, data: bytes) -> bytes:
    """Two tensors of one length at one place."""
    norms = [name for name, tensor in header.items() if tensor.get("shape") == header[NORM]["shape"] and name != NORM]
    header[NORM]["data_offsets"] = header[norms[0]]["data_offsets"]
    return joined(header, data)


def deep(_: Header, data: bytes) -> bytes:
    return joined(b'{"a":' * 100_000, data)


DAMAGES: dict[str, Callable[[Header, bytes], bytes]] = {
    "a name twice": twice,
    "a field twice": field_twice,
    "two tensors at one place": overlapping,
    "beyond the end": lambda header, data: change(data_offsets=[len(data), len(data) + 256])(header, data),
    "far beyond the end": change(data_offsets=[2**62, 2**62 + 256]),
    "an end before the beginning": change(data_offsets=[512, 256]),
    "less than nothing": change(data_offsets=[-256, 0]),
    "half a place": change(data_offsets=[0]),
    "another number of bytes than the shape has": change(shape=[65]),
    "a shape that overflows": change(shape=[2**40, 2**40, 2**40]),
    "a shape of less than nothing": change(shape=[-64]),
    "a shape that is no list": change(shape=64),
    "a type that there is not": change(dtype="F33"),
    "a type that is no text": change(dtype=32),
    "no tensor, but a text": lambda header, data: joined(header | {NORM: "a text"}, data),
    "more bytes than tensors": lambda header, data: joined(header, data + bytes(100)),
    "no JSON": lambda _, data: joined(b"{this is none}", data),
    "a list": lambda _, data: joined(b"[1, 2, 3]", data),
    "no UTF-8": lambda _, data: joined(b'{"\xff\xfe": 1}', data),
    "nested without end": deep,
    "a header that is longer than the file": lambda _, data: struct.pack("<Q", len(data) * 2) + b"{" + data,
    "a header of endless length": lambda _, data: struct.pack("<Q", 2**63 - 1) + b"{" + data,
    "nothing": lambda *_: b"",
    "only a length": lambda *_: struct.pack("<Q", 2),
    "zeros": lambda *_: bytes(4096),
    "a page": lambda *_: b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
    "a pointer": lambda *_: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_safetensors(tiny_folder: Path, folder: Path, damage: str) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(DAMAGES[damage](*parted((tiny_folder / path.name).read_bytes())))
    assert "model.safetensors" in str(refused(folder))
    assert "model.safetensors" in str(refused(path))


@pytest.mark.parametrize("damage", ["a name twice", "two tensors at one place", "beyond the end", "no JSON"])
def test_an_error_says_what_to_do(tiny_folder: Path, folder: Path, damage: str) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(DAMAGES[damage](*parted((tiny_folder / path.name).read_bytes())))
    assert refused(folder).hint


def test_every_vectors_of_safetensors(tiny_folder: Path, folder: Path) -> None:
    content = (tiny_folder / "model.safetensors").read_bytes()
    path = folder / "model.safetensors"
    for part in range(64):
        path.write_bytes(content[: len(content) * part // 64])
        error = refused(folder)
        if part:
            assert error.code == "truncated"
            assert error.hint
    path.write_bytes(content[:-1])
    assert refused(folder).code == "truncated"


def changed(content: bytes, places: range) -> Iterator[bytes]:
    for at in places:
        damaged = bytearray(content)
        damaged[at] ^= 0xFF
        yield bytes(damaged)


def test_any_byte_of_the_header_changed(tiny_folder: Path, folder: Path) -> None:
    """Each is an error: a header is text, and no byte of it may be of another kind."""
    content = (tiny_folder / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    for damaged in changed(content, range(0, 8 + length, 11)):
        (folder / "model.safetensors").write_bytes(damaged)
        refused(folder)


@pytest.mark.parametrize("name", [EMBEDDING, "model.layers.0.self_attn.q_proj.weight"])
def test_a_tensor_that_the_model_needs_is_named(tiny_folder: Path, folder: Path, name: str) -> None:
    header, data = parted((tiny_folder / "model.safetensors").read_bytes())
    path = folder / "model.safetensors"
    tensor = header.pop(name)
    path.write_bytes(joined(header | {"another.weight": tensor}, data))
    assert name in str(refused(folder))
    path.write_bytes(joined(header | {name: tensor | {"shape": [*tensor["shape"][::-1], 1]}}, data))
    assert name in str(refused(folder))


# Split models.


@pytest.fixture
def split(tiny_folder: Path, folder: Path) -> Path:
    """The tiny model in two files, and the index that joins them."""
    header, data = parted((tiny_folder / "model.safetensors").read_bytes())
    header.pop("__metadata__", None)
    names = sorted(header)
    files = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    for number, file in enumerate(files):
        part, content = {}, b""
        for name in names[number::2]:
            piece = data[slice(*header[name]["data_offsets"])]
            part[name] = header[name] | {"data_offsets": [len(content), len(content) + len(piece)]}
            content += piece
        # Aligned to eight bytes, as the format asks for.
        text = json.dumps(part)
        (folder / file).write_bytes(joined((text + " " * (-len(text) % 8)).encode(), content))
    index = {"weight_map": {name: files[number % 2] for number, name in enumerate(names)}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


@pytest.mark.parametrize("name", ["", "model.safetensors.index.json", "model-00002-of-00002.safetensors"])
def test_a_model_in_two_files_is_one_model(tiny_folder: Path, split: Path, name: str) -> None:
    with trillm.load(tiny_folder, threads=1) as whole, trillm.load(split / name, threads=1) as model:
        assert model.info.weights == "mapped"
        assert (model.info.parameters, model.info.notes) == (whole.info.parameters, [])
        told = [each.generate("the man", max_tokens=20, **GREEDY).token_ids for each in (whole, model)]
    assert told[0] == told[1]


def test_a_file_of_two_that_is_missing(split: Path) -> None:
    (split / "model-00002-of-00002.safetensors").unlink()
    error = refused(split)
    assert error.code == "missing_shard"
    assert "model-00002-of-00002.safetensors" in str(error)
    assert error.hint


def test_an_index_that_says_what_is_not_so(tiny_folder: Path, split: Path) -> None:
    """Where a tensor lies is what the files say, as for transformers."""
    path = split / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    names = list(index["weight_map"])
    files = sorted(set(index["weight_map"].values()))
    with trillm.load(tiny_folder, threads=1) as whole:
        expected = whole.generate("the man", max_tokens=20, **GREEDY).token_ids
    # In the other file, in none, and not at all.
    elsewhere = {name: files[1 - files.index(file)] for name, file in index["weight_map"].items()}
    for changed in (elsewhere, index["weight_map"] | {"absent": files[0]}, {names[0]: files[0], names[1]: files[1]}):
        path.write_text(json.dumps({"weight_map": changed}))
        with trillm.load(split, threads=1) as model:
            assert model.generate("the man", max_tokens=20, **GREEDY).token_ids == expected


# The files beside the weights.


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"a":' * 100_000, b"{}"])
@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_damaged_small_files(tiny_folder: Path, folder: Path, name: str, content: bytes) -> None:
    shutil.copy(tiny_folder / "model.safetensors", folder)
    (folder / name).write_bytes(content)
    if (name, content) == ("tokenizer_config.json", b"{}"):
        # It need not say anything.
        trillm.load(folder, threads=1).close()
        return
    assert name in str(refused(folder))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model_type", "mamba"),
        ("model_type", None),
        ("hidden_size", 0),
        ("hidden_size", -64),
        ("hidden_size", 2**40),
        ("hidden_size", "sixty-four"),
        ("num_attention_heads", 7),
        ("num_key_value_heads", 3),
        ("num_hidden_layers", 10**9),
        ("vocab_size", 2**31),
        ("hidden_act", "tanh"),
        ("rope_scaling", {"rope_type": "newest", "factor": 2}),
        ("rms_norm_eps", "none"),
    ],
    ids=str,
)
def test_a_config_of_another_model(tiny_folder: Path, folder: Path, field: str, value: object) -> None:
    shutil.copy(tiny_folder / "model.safetensors", folder)
    helpers.change(folder / "config.json", **{field: value})
    # Numbers that are possible but contradict the tensors are found when these are.
    refused(folder)


def test_folders_that_hold_no_model(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for path in (folder, empty):
        error = refused(path, ModelNotFound)
        assert error.hint
        assert "model.safetensors" in str(error)


def test_weights_alone_are_no_model(tiny_folder: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_folder / "model.safetensors", tmp_path)
    assert "config.json" in str(refused(tmp_path, ModelNotFound))


def test_names_do_not_lead_out_of_the_folder(tiny_folder: Path, folder: Path) -> None:
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(tiny_folder / "model.safetensors", elsewhere)
    header, _ = parted((tiny_folder / "model.safetensors").read_bytes())
    for name in (str(elsewhere / "model.safetensors"), "../elsewhere/model.safetensors", "elsewhere/model.safetensors"):
        index = {"weight_map": {tensor: name for tensor in header if tensor != "__metadata__"}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        refused(folder)


# PyTorch checkpoints.


def test_every_vectors_of_a_checkpoint(write_model: Callable[..., None], tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    write_model("tiny", folder, "--format", "pytorch")
    content = (folder / "pytorch_model.bin").read_bytes()
    for part in range(64):
        (folder / "pytorch_model.bin").write_bytes(content[: len(content) * part // 64])
        refused(folder)
