"""A model that is there in several formats: who runs it, by what was asked for and by what was measured."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trillm
from trillm import _core
from trillm._explanation import MeasuredSpeed, explain_file
from trillm.errors import DownloadError, Unsupported

from .helpers import GREEDY, failing

FORMATS = {"candle": "safetensors", "onnx": "onnx", "llama": "gguf"}
"""In the order in which they count where nothing else decides."""

EXACT: dict[str, Any] = {"threads": 1, "cache_type": "f32"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user who has measured nothing."""
    monkeypatch.setenv("LOCAL_CACHE_DIR", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def model(tiny_model: Path, tiny_folder: Path, tiny_onnx: Callable[..., Path], tmp_path: Path) -> Path:
    """A folder with one model in three formats."""
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    for file in tiny_onnx("grown").glob("*.onnx*"):
        shutil.copy(file, folder)
    shutil.copy(tiny_model, folder / "model-f32.gguf")
    return folder


def keep(model: Path, how: str = "a", **speeds: float | str) -> None:
    """Keeps a measurement: tokens a second, or the code of an error."""
    rows = [
        (engine, it if isinstance(it, float) else None, it if isinstance(it, str) else None)
        for engine, it in speeds.items()
    ]
    assert _core.keep_speeds(model, how, rows) is None


def runs(model: Path, **params: Any) -> str:
    """Which engine it is, by whoever says so."""
    with trillm.load(model, **EXACT | params) as loaded:
        engine = loaded.info.engine
        assert loaded.info.format == FORMATS[engine]
    assert explain_file(model, **EXACT | params).engine == engine
    assert trillm.plan(model, **EXACT | params).engine == engine
    return engine


def test_the_engine_that_is_asked_for_runs_its_format(model: Path, tiny_model: Path) -> None:
    with trillm.load(tiny_model, flash_attention=False, **EXACT) as alone:
        expected = alone.generate("the man", max_tokens=8, **GREEDY).text
    keep(model, candle=1.0, onnx=2.0, llama=3.0)
    for engine, form in FORMATS.items():
        with trillm.load(model, engine=engine, **EXACT) as loaded:
            assert (loaded.info.engine, loaded.info.format) == (engine, form)
            assert loaded.generate("the man", max_tokens=8, **GREEDY).text == expected
        explained = explain_file(model, engine=engine)
        assert (explained.engine, explained.format, explained.by) == (engine, form, "asked")
        assert explained.file.parent == model
        assert explained.file.exists()
    for path in model.glob("*.gguf"):
        path.unlink()
    with failing(Unsupported, "wrong_engine", "llama engine does not run safetensors"):
        trillm.load(model, engine="llama")


def test_what_was_measured_fastest_is_taken(model: Path) -> None:
    assert runs(model) == "candle"
    explained = explain_file(model)
    assert (explained.by, explained.measured, explained.notes) == ("order", (), ())
    assert "none was measured" in explained.reason
    keep(model, candle=10.0, onnx=20.25, llama="process_ended")
    assert runs(model) == "onnx"
    explained = explain_file(model)
    assert explained.reason == (
        "it was measured fastest here: onnx 20.2 tokens/s; candle 10.0 tokens/s, llama failed (process_ended)"
    )
    assert [(it.engine, it.tokens_per_second, it.error, it.how) for it in explained.measured] == [
        ("candle", 10.0, None, "a"),
        ("onnx", 20.25, None, "a"),
        ("llama", None, "process_ended", "a"),
    ]
    assert json.loads(json.dumps(explained.to_dict()))["file"] == str(model / "model.onnx")
    with trillm.load(model, threads=1) as loaded:
        assert any("measured fastest here: onnx" in note for note in loaded.info.notes)
    # An engine is measured again by itself, as the others were.
    keep(model, llama=30.0)
    assert runs(model) == "llama"
    # What was measured otherwise says nothing of these, until what would be taken otherwise is among them.
    keep(model, "b", onnx=99.0)
    assert runs(model) == "llama"
    keep(model, "b", candle=98.0)
    assert runs(model) == "onnx"
    # Settings that another engine might refuse leave it to the order.
    for settings in ({"quantize": "q8_0"}, {"tokenizer": str(model)}):
        explained = explain_file(model, **settings)  # type: ignore[arg-type]
        assert (explained.engine, explained.by) == ("candle", "order")
        assert "settings" in explained.reason
    assert runs(model, quantize="q8_0") == "candle"
    # The file says it of this model alone: another one, and this one once it is another, are unknown.
    assert explain_file(model / "model.onnx").by == "only"
    stat = (model / "config.json").stat()
    os.utime(model / "config.json", ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000_000))
    assert (runs(model), explain_file(model).measured) == ("candle", ())


def test_a_router_takes_what_was_measured(model: Path, tmp_path: Path) -> None:
    keep(model, candle=10.0, onnx=20.0, llama=5.0)

    def taken(*, engine: str | None = None, settings: dict[str, Any] | None = None, **options: Any) -> tuple[str, str]:
        with trillm.LLMRouter(cache_directory=tmp_path / "store", threads=1, **options) as router:
            wanted = {"file": str(model), "engine": engine, "settings": settings}
            explained = router.explain(wanted)
            assert router.loaded() == []
            assert router.load_model(wanted).info.engine == explained.engine == router.plan(str(model)).engine
            assert router.generate(str(model), "the", max_tokens=2).usage.completion_tokens == 2
            return explained.engine, explained.by

    assert taken() == ("onnx", "measured")
    assert taken(default_engine="ggml") == ("llama", "preferred")
    assert taken(default_engine="ggml", engine="torch") == ("candle", "asked")
    assert taken(settings={"load_in_8bit": True}) == ("candle", "order")
    # What is set for an engine is for the one that runs it.
    assert taken(engines={"onnx": {"prepack": False}, "candle": {"quantize": "q8_0"}}) == ("onnx", "measured")


def test_nothing_is_fetched_to_explain(tmp_path: Path) -> None:
    with trillm.LLMRouter(cache_directory=tmp_path / "store") as router, pytest.raises(DownloadError):
        router.explain("smollm2")


def test_what_a_router_measures_decides(model: Path) -> None:
    with trillm.LLMRouter(threads=1) as router:
        results = router.benchmark_engines(str(model), max_tokens=8)
        assert [it.success for it in results.values()] == [True] * 3, results
        speeds = {name: it.tokens_per_second or 0.0 for name, it in results.items()}
        explained = router.explain(str(model))
        assert (explained.by, explained.engine) == ("measured", max(speeds, key=speeds.__getitem__))
        assert {it.engine: it.tokens_per_second for it in explained.measured} == pytest.approx(speeds)
        assert json.loads(explained.measured[0].how) == {
            "max_tokens": 8,
            "prompt": "Write a short story about a robot.",
            "settings": {"threads": 1},
        }
        assert router.generate(str(model), "the", max_tokens=2).usage.completion_tokens == 2
        assert router.model(str(model)).info.engine == explained.engine
        # What only one engine takes is no measurement of the others.
        quantized = router.benchmark_engines(
            {"file": str(model), "settings": {"quantize": "q8_0"}}, max_tokens=8, engines=["candle", "onnx"]
        )
        assert [it.success for it in quantized.values()] == [True, False]
    assert len(explain_file(model).measured) == 3


def test_a_damaged_file_is_a_note(model: Path, home: Path) -> None:
    keep(model, candle=10.0, onnx=20.0)
    assert runs(model) == "onnx"
    (home / "speeds.json").write_bytes(b'[{"model": \xff')
    assert runs(model) == "candle"
    with trillm.load(model, threads=1) as loaded:
        assert any("speeds.json cannot be read" in note for note in loaded.info.notes)
    [note] = explain_file(model).notes
    assert "speeds.json cannot be read" in note
    keep(model, candle=10.0, onnx=20.0)
    assert (runs(model), explain_file(model).notes) == ("onnx", ())


def test_what_cannot_be_kept_is_no_error_of_a_measurement(
    model: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home.write_text("no folder")
    results = trillm._benchmark.benchmark_file(model, engines=["candle"], max_tokens=4, threads=1)
    assert results["candle"].success
    assert "could not be kept" in caplog.text


def test_the_command_line_measures_and_shows(model: Path) -> None:
    def cli(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "trillm", *arguments], check=True, capture_output=True, text=True
        ).stdout

    measured = json.loads(cli("bench", str(model), "--threads", "1", "--max-tokens", "8", "--json"))["engines"]
    speeds = {it["engine"]: it["tokens_per_second"] for it in measured}
    best = max(speeds, key=speeds.__getitem__)
    shown = json.loads(cli("show", str(model), "--json"))["engine"]
    assert (shown["engine"], shown["by"]) == (best, "measured")
    assert {it["engine"]: it["tokens_per_second"] for it in shown["measured"]} == pytest.approx(speeds)
    rows = [line.split(None, 1) for line in cli("show", str(model)).splitlines()]
    assert any(
        name == "engine" and text.startswith(f"{best}, by {shown['file']}: it was measured") for name, text in rows
    )
    assert sum(name == "measured" for name, _ in rows) == 3
    with trillm.load(model, threads=1) as loaded:
        assert loaded.info.engine == best


def test_the_time_is_when_it_was_measured(model: Path) -> None:
    keep(model, candle=1.0)
    [row] = explain_file(model).measured
    assert isinstance(row, MeasuredSpeed)
    assert row.time.endswith("Z")
    assert len(row.time) == len("2026-12-01T00:00:00Z")
