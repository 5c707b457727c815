"""The native half of `trillm convert`; `tests/cli/test_convert.py` has the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trillm
from trillm import _core
from trillm.errors import Cancelled, InvalidRequest, StoreError

from .helpers import failing

TO_FOLDER: dict[str, Any] = {"to": "safetensors", "dtype": "f32"}


def test_progress_is_told(tiny_model: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    report = _core.convert(tiny_model, tmp_path / "made", progress=lambda *now: told.append(now), **TO_FOLDER)
    assert set(report) == {"bytes", "tensors", "seconds", "notes"}
    assert told == sorted(told)
    (total,) = {total for _, total in told}
    assert told[-1] == (total, total)
    assert 0 < total < report["bytes"]


def test_false_cancels_and_leaves_nothing(tiny_model: Path, tmp_path: Path) -> None:
    with failing(Cancelled, "cancelled"):
        _core.convert(tiny_model, tmp_path / "made", progress=lambda written, total: written < total / 2, **TO_FOLDER)
    assert list(tmp_path.iterdir()) == []


def test_what_the_callback_raises_comes_out_and_leaves_nothing(tiny_model: Path, tmp_path: Path) -> None:
    def fail(*_: int) -> None:
        assert [path.suffix for path in tmp_path.iterdir()] == [".partial"]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        _core.convert(tiny_model, tmp_path / "made", progress=fail, **TO_FOLDER)
    assert list(tmp_path.iterdir()) == []


def test_what_is_recommended_beside_the_files_goes_along(tiny_model: Path, tmp_path: Path) -> None:
    published: dict[str, dict[str, Any]] = {
        "temperature": {"value": 0.25, "source": "alias"},
        "stop": {"value": ["END"], "source": "ollama"},
        "system": {"value": "Be brief.", "source": "alias"},
    }
    report = _core.convert(tiny_model, tmp_path / "made", published=published, **TO_FOLDER)
    assert [note.split()[0] for note in report["notes"] if "recommended by alias" in note] == ["system,"]
    defaults = _core.inspect(tmp_path / "made").defaults
    assert (defaults["temperature"]["value"], defaults["stop"]["value"]) == (0.25, ["END"])


def put(path: Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize("mode", ["mean", "cls", "lasttoken", None])
def test_vectors_stay_the_same(mode: str | None, tiny_model: Path, tmp_path: Path) -> None:
    folder, file, back = tmp_path / "folder", tmp_path / "file.gguf", tmp_path / "back"
    _core.convert(tiny_model, folder, **TO_FOLDER)
    if mode is not None:
        names = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
        listed = [{"path": path, "type": f"sentence_transformers.models.{name}"} for name, path in names]
        put(folder / "modules.json", listed)
        put(folder / "1_Pooling" / "config.json", {"pooling_mode": mode})
    _core.convert(folder, file, to="gguf", dtype="f32")
    _core.convert(file, back, **TO_FOLDER)
    texts = ["The cat sat on the mat.", "a dog"]
    made = []
    for path in (folder, file, back):
        with trillm.load(path, cache_type="f32") as model:
            made.append(model.embed(texts))
            assert model.info.pooling == ("last" if mode == "lasttoken" else mode)
    for other in made[1:]:
        assert (made[0] * other).sum(axis=1).min() >= 0.9999


def test_a_greedy_publisher_keeps_the_penalty(tiny_model: Path, tmp_path: Path) -> None:
    _core.convert(tiny_model, tmp_path / "folder", **TO_FOLDER)
    greedy = {"do_sample": False, "repetition_penalty": 1.5, "top_k": 5}
    put(tmp_path / "folder" / "generation_config.json", greedy)
    _core.convert(tmp_path / "folder", tmp_path / "file.gguf", to="gguf", dtype="f32")
    _core.convert(tmp_path / "file.gguf", tmp_path / "back", **TO_FOLDER)
    for name in ("folder", "file.gguf", "back"):
        defaults = _core.inspect(tmp_path / name).defaults
        assert {name: given["value"] for name, given in defaults.items()} == {
            "temperature": 0.0,
            "repetition_penalty": 1.5,
        }


@pytest.mark.parametrize("wrong", [{"to": "onnx"}, {"dtype": "q8_0"}], ids=str)
def test_parameters_outside_their_range(tiny_model: Path, tmp_path: Path, wrong: dict[str, Any]) -> None:
    with failing(InvalidRequest, "invalid_parameter"):
        _core.convert(tiny_model, tmp_path / "made", **(TO_FOLDER | wrong))
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tiny_model: Path, tmp_path: Path) -> None:
    with failing(StoreError, "write_failed"):
        _core.convert(tiny_model, tmp_path / "none" / "made", **TO_FOLDER)
