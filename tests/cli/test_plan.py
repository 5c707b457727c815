"""`trillm plan`: what a model would take, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

from trillm.cli.output import size
from web import Fault, Web

from .conftest import Cli


def test_for_people(cli: Cli, tiny_model: Path) -> None:
    result = cli("plan", tiny_model, "--context", "256", "--parallel", "1")
    assert (result.code, result.err) == (0, "")
    rows = dict(line.split("  ", 1) for line in result.out.splitlines())
    assert rows["for"].strip() == "llama, a context of 256, 1 request at once"
    assert rows["verdict"].strip() == "it fits"
    assert {"weights", "keys and values", "compute", "private", "total", "there is"} <= set(rows)


def test_for_programs(cli: Cli, tiny_model: Path) -> None:
    result = cli("plan", tiny_model, "--cache-type", "f32", "--json")
    assert (result.code, result.err) == (0, "")
    plan = json.loads(result.out)
    assert (plan["engine"], plan["parallel"], plan["verdict"]) == ("llama", 8, "fits")
    assert plan["weights_mapped"] == tiny_model.stat().st_size
    assert plan["private"] < plan["total"] < plan["limit"]


def test_what_does_not_fit_is_said_with_what_would(cli: Cli, tiny_model: Path) -> None:
    result = cli("plan", tiny_model, "--context", str(1 << 30))
    assert result.code == 0
    assert "it does not fit" in result.out
    assert "would fit" in result.out
    assert "--context" in result.out


def test_a_wrong_file_is_an_error(cli: Cli, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.gguf"
    wrong.write_bytes(b"nothing")
    assert cli("plan", wrong).code == 1


def test_run_refuses_what_does_not_fit(cli: Cli, tiny_model: Path) -> None:
    result = cli("run", tiny_model, "the", "--context", str(1 << 30))
    assert (result.code, result.out) == (1, "")
    assert "needs" in result.err
    assert "hint: what would fit: " in result.err
    assert "--context" in result.err
    assert "--force loads it all the same" in result.err
    # Then the engine says no.
    forced = cli("run", tiny_model, "the", "--context", str(1 << 30), "--force")
    assert forced.code == 1
    assert "no memory for a cache" in forced.err


def test_of_a_model_that_is_not_here_the_download_is_said(cli: Cli, tiny_model: Path) -> None:
    with Web() as server:
        server.put("/tiny.gguf", tiny_model, etag='"one"')
        result = cli("plan", f"{server.url}/tiny.gguf", "--context", "256")
        known = cli("plan", f"{server.url}/tiny.gguf", "--json")
    assert (result.code, result.err) == (0, "")
    first, *rest = result.out.splitlines()
    assert first.split(None, 1) == ["download", f"{size(tiny_model.stat().st_size)}, which are not on this machine yet"]
    assert rest[0].startswith("for ")
    assert json.loads(known.out)["download"] == tiny_model.stat().st_size
    here = cli("plan", tiny_model, "--context", "256")
    assert "download" not in here.out


def test_what_must_be_downloaded_first_is_said(cli: Cli) -> None:
    with Web() as server:
        server.put("/a.pt", bytes(2 << 20))
        server.break_next(Fault(whole=True))
        result = cli("plan", f"{server.url}/a.pt")
    assert (result.code, result.out) == (1, "")
    assert f"hint: download it first: trillm pull {server.url}/a.pt" in result.err
