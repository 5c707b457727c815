"""Errors: every native code has a class of its own, and keeps what it says on its way to another process."""

from __future__ import annotations

import inspect
import pickle
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import trillm
from sources import ROOT, error_codes
from trillm import _core, errors
from trillm.errors import ModelFormatError, ModelNotFound, TrillmError, Unsupported

from .helpers import change

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, TrillmError)]


def python_classes() -> dict[str, str]:
    """The name of Python's class for each of Rust's: the compiler sees to it that none is without."""
    text = (ROOT / "crates" / "py" / "src" / "errors.rs").read_text()
    return dict(re.findall(r'Class::(\w+) => "(\w+)"', text))


def test_every_class_of_the_native_half_is_one_of_ours() -> None:
    classes = python_classes()
    assert len(classes) == len(set(classes.values()))
    assert all(issubclass(getattr(errors, name), TrillmError) for name in classes.values())


def test_every_code_has_one_class() -> None:
    codes = error_codes()
    assert len(codes) > 70
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", code) for code in codes)
    assert set(codes.values()) == python_classes().keys()


def test_every_class_is_public() -> None:
    assert {value.__name__ for value in CLASSES} == set(errors.__all__)
    assert list(errors.__all__) == sorted(errors.__all__)


def test_every_class_is_raised_for_something() -> None:
    raised = {getattr(errors, name) for name in python_classes().values()}
    # Downloads and imports are Python's.
    own = {errors.DownloadError, errors.MissingDependency}
    assert {value for value in CLASSES if value not in raised} == {TrillmError} | own


@pytest.mark.parametrize("kind", CLASSES)
def test_errors_cross_process_borders(kind: type[TrillmError]) -> None:
    error = kind("what happened", "its_code", "what to do")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        copy = pickle.loads(pickle.dumps(error, protocol))
        assert type(copy) is kind
        assert (str(copy), copy.code, copy.hint) == ("what happened", "its_code", "what to do")


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_says_what_it_means(kind: type[TrillmError]) -> None:
    assert kind.__doc__
    assert kind.__module__ == "trillm.errors"


def test_native_errors_cross_process_borders(llm: trillm.Model) -> None:
    with pytest.raises(errors.ContextOverflow) as caught:
        llm.generate("the", max_tokens=10**6)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is errors.ContextOverflow
    assert (str(copy), copy.code, copy.hint) == (str(caught.value), "context_overflow", caught.value.hint)


def test_a_message_is_one_line(llm: trillm.Model) -> None:
    with pytest.raises(TrillmError) as caught:
        llm.generate("the", temperature=-1)
    assert str(caught.value) == "temperature is -1, expected 0 to 100"
    assert caught.value.hint is None


# What a reader says of a file comes through whichever engine was to load it.


def damaged_gguf(key: bytes, value: bytes, other: bytes) -> Callable[[Path], None]:
    """Spells the value of a key otherwise."""

    def damage(file: Path) -> None:
        before, behind = file.read_bytes().split(key, 1)
        file.write_bytes(before + key + behind.replace(value, other, 1))

    return damage


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:1000])


def unmarked(file: Path) -> None:
    file.write_bytes(b"XXXX" + file.read_bytes()[4:])


def written(name: str, content: bytes) -> Callable[[Path], None]:
    """Replaces a file of a folder."""

    def damage(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return damage


def of_another_model(folder: Path) -> None:
    change(folder / "config.json", model_type="mamba")


def without_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


Damage = tuple[Callable[[Path], None], type[TrillmError], str]

IN_FOLDERS: dict[str, Damage] = {
    "half a tokenizer": (written("tokenizer.json", b"{"), ModelFormatError, "malformed"),
    "another kind of tokenizer": (
        written("tokenizer.json", b'{"model": {"type": "Magic", "vocab": {}, "merges": []}}'),
        Unsupported,
        "unsupported",
    ),
    "a tokenizer of an unknown type": (
        written("tokenizer.json", b'{"model": {"type": "Foo"}}'),
        ModelFormatError,
        "malformed",
    ),
    "half a configuration of the tokenizer": (written("tokenizer_config.json", b"{"), ModelFormatError, "malformed"),
    "no tokenizer": (without_tokenizer, ModelNotFound, "missing_tokenizer"),
}

DAMAGES: dict[str, dict[str, Damage]] = {
    "gguf": {
        "half a header": (cut, ModelFormatError, "truncated"),
        "another kind of tokenizer": (
            damaged_gguf(b"tokenizer.ggml.model", b"llama", b"lemma"),
            ModelFormatError,
            "invalid_key",
        ),
        "another architecture": (
            damaged_gguf(b"general.architecture", b"llama", b"lemma"),
            ModelFormatError,
            "unsupported_architecture",
        ),
        "no format at all": (unmarked, ModelFormatError, "unknown_format"),
    },
    "safetensors": IN_FOLDERS
    | {"another architecture": (of_another_model, ModelFormatError, "unsupported_architecture")},
    "onnx": IN_FOLDERS,
}


@pytest.mark.parametrize("case", [(form, what) for form, damages in DAMAGES.items() for what in damages], ids="-".join)
def test_a_damaged_file_is_the_same_error_to_all(
    case: tuple[str, str], tiny_model: Path, tiny_folder: Path, tiny_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    form, what = case
    path = tmp_path / "tiny"
    if form == "gguf":
        shutil.copy(tiny_model, path)
    else:
        shutil.copytree(tiny_folder if form == "safetensors" else tiny_onnx("grown"), path)
    damage, kind, code = DAMAGES[form][what]
    damage(path)
    said = []
    openers: list[Callable[[Path], object]] = [trillm.Model, trillm.load, partial(converted, form, tmp_path / "made")]
    if (form, what) == ("safetensors", "another architecture"):
        # Its tokenizer stands beside it, whatever runs the rest.
        assert trillm.Tokenizer(path).encode("a")
    else:
        openers.insert(0, trillm.Tokenizer)
    for open_ in openers:
        with pytest.raises(TrillmError) as caught:
            open_(path)
        said.append((type(caught.value), caught.value.code, str(caught.value), caught.value.hint))
    if form == "onnx":
        # A graph is not converted, whatever is wrong beside it.
        assert said.pop()[:2] == (Unsupported, "cannot_convert")
    assert said[0][:2] == (kind, code)
    assert said == said[:1] * len(said)


def converted(form: str, destination: Path, path: Path) -> None:
    """Converts into the other format."""
    _core.convert(path, destination, to="safetensors" if form == "gguf" else "gguf", dtype="f32")
