"""`trillm bench`: a table for people, a document for programs, and bars."""

from __future__ import annotations

import json
import re
import signal
from dataclasses import fields
from pathlib import Path

import pytest
from trillm._benchmark import EngineResult

from .conftest import Begun, Cli

SMALL = ("--threads", "1", "--max-tokens", "8")

HEADER = ["ENGINE", "LOAD", "FIRST TOKEN", "GENERATION", "TOKENS", "TOKENS/S", "DECODING/S", "PRIVATE", "ERROR"]


def cells(line: str) -> list[str]:
    return re.split("  +", line)


def test_for_people(cli: Cli, tiny_model: Path) -> None:
    result = cli("bench", tiny_model, *SMALL)
    assert result.code == 0, result.err
    header, *rows = map(cells, result.out.splitlines())
    assert header == HEADER
    assert [row[0] for row in rows] == ["llama", "candle", "onnx"]
    assert all(row[1:-1] == ["-"] * 7 for row in rows[1:])
    assert [row[-1] for row in rows] == ["-", *(f"the {row[0]} engine does not run gguf files" for row in rows[1:])]
    measured = dict(zip(HEADER, rows[0], strict=True))
    assert measured["TOKENS"] == "8"
    assert all(re.fullmatch(r"\d+\.\d{3} s", measured[name]) for name in ("LOAD", "FIRST TOKEN", "GENERATION"))
    assert float(measured["TOKENS/S"]) > 0
    # Lines as it goes, in a log too.
    said = result.err.splitlines()
    assert said[::2] == ["measuring llama", "measuring candle", "measuring onnx"]
    assert said[1] == f"llama: {measured['TOKENS/S']} tokens/s"
    assert said[3] == "candle: the candle engine does not run gguf files"


def test_for_programs(cli: Cli, tiny_folder: Path) -> None:
    options = ("--engine", "candle", "--engine", "onnx", "--prompt", "the man", "--runs", "2")
    result = cli("bench", tiny_folder, *SMALL, *options, "--json")
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert {name: document[name] for name in document if name != "engines"} == {
        "model": str(tiny_folder),
        "prompt": "the man",
        "max_tokens": 8,
        "runs": 2,
    }
    candle, onnx = document["engines"]
    assert list(candle) == list(onnx) == [it.name for it in fields(EngineResult)]
    assert (candle["engine"], candle["success"], candle["tokens"]) == ("candle", True, 8)
    assert candle["tokens_per_second"] == 8 / candle["generation_time"]
    assert (onnx["engine"], onnx["success"], onnx["code"], onnx["load_time"]) == ("onnx", False, "wrong_engine", None)


def test_when_none_can_it_fails(cli: Cli, tiny_model: Path) -> None:
    result = cli("bench", tiny_model, *SMALL, "--engine", "onnx", "--json")
    assert result.code == 1
    assert [it["code"] for it in json.loads(result.out)["engines"]] == ["wrong_engine"]
    refused = cli("bench", tiny_model, *SMALL, "--engine", "llama", "--context", str(1 << 30))
    assert refused.code == 1
    assert "needs" in refused.out
    assert "hint: llama: what would fit: --context " in refused.err
    assert "--force loads it all the same" in refused.err


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf", ".SVG"])
def test_bars(cli: Cli, tiny_model: Path, tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("matplotlib")
    # What a formula would be in a title.
    model = tmp_path / "a$x_1$b.gguf"
    model.symlink_to(tiny_model)
    result = cli("bench", model.name, *SMALL, "--engine", "llama", "--engine", "onnx", "--plot", f"bars{suffix}")
    assert result.code == 0, result.err
    drawn = (tmp_path / f"bars{suffix}").read_bytes()
    assert drawn.startswith({".png": b"\x89PNG", ".pdf": b"%PDF"}.get(suffix, b"<?xml"))
    if suffix.lower() == ".svg":
        texts = re.findall(r"<text [^>]*>([^<]*)</text>", drawn.decode())
        assert {"a$x_1$b.gguf, 8 tokens", "tokens/s", "load time, s", "private memory, MB"} <= set(texts)
        # A bar in each panel, and none of what failed.
        assert (texts.count("llama"), texts.count("onnx")) == (3, 0)
        speed = float(cells(result.out.splitlines()[1])[HEADER.index("TOKENS/S")])
        assert any(re.fullmatch(r"[\d.e+]+", text) and float(text) == pytest.approx(speed, rel=0.01) for text in texts)


def test_what_keeps_bars_from_being_drawn_is_said_first(
    cli: Cli, tiny_model: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    for name in ("bars.gif", "bars", ".svg"):
        result = cli("bench", tiny_model, "--plot", name)
        assert (result.code, result.out) == (2, "")
        assert f"expected a name with .png, .svg, .pdf, found '{name}'" in result.err
        assert "measuring" not in result.err
    result = cli("bench", tiny_model, "--plot", "none/bars.svg")
    assert (result.code, result.out, result.err) == (1, "", "error: No such file or directory: none\n")
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "matplotlib.py").write_text("raise ImportError('there is none')")
    environment["PYTHONPATH"] = f"{tmp_path / 'first'}:{environment.get('PYTHONPATH', '')}"
    result = cli("bench", tiny_model, "--plot", "bars.svg")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "error: a plot is drawn by matplotlib, which cannot be imported: there is none\n"
        "hint: install it: pip install 'trillm[plot]'\n"
    )
    result = cli("bench", tiny_model, "--plot", "bars.svg", "--json")
    assert json.loads(result.out)["error"]["code"] == "missing_dependency"
    assert not (tmp_path / "bars.svg").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [("--engine", "nope"), ("--max-tokens", "0"), ("--runs", "0"), ("--context", "x"), ("--threads", "0")],
)
def test_usage_errors(cli: Cli, tiny_model: Path, option: str, value: str) -> None:
    result = cli("bench", tiny_model, option, value)
    assert (result.code, result.out) == (2, "")
    error, hint = result.err.splitlines()
    assert error.startswith(f"error: Invalid value for '{option}'")
    assert hint.endswith("see trillm bench --help")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_it_is_interrupted(begun: Begun, tiny_model: Path, number: signal.Signals, code: int) -> None:
    options = ("--threads", "1", "--engine", "llama", "--context", "65536", "--max-tokens", "60000")
    with begun("bench", tiny_model, *options) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline() == b"measuring llama\n"
        process.send_signal(number)
        assert process.wait(10) == code
        assert (process.stdout.read(), process.stderr.read()) == (b"", b"")
