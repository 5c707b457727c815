"""The native half of `trillm convert`; `tests/cli/test_convert.py` has the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
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


@pytest.mark.parametrize("wrong", [{"to": "onnx"}, {"dtype": "q8_0"}], ids=str)
def test_parameters_outside_their_range(tiny_model: Path, tmp_path: Path, wrong: dict[str, Any]) -> None:
    with failing(InvalidRequest, "invalid_parameter"):
        _core.convert(tiny_model, tmp_path / "made", **(TO_FOLDER | wrong))
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tiny_model: Path, tmp_path: Path) -> None:
    with failing(StoreError, "write_failed"):
        _core.convert(tiny_model, tmp_path / "none" / "made", **TO_FOLDER)
