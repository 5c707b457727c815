"""`trillm doctor`, and the program as such."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import trillm

from .conftest import Cli


def test_doctor_for_people(cli: Cli) -> None:
    result = cli("doctor")
    assert result.code == 0
    facts = dict(line.split(None, 1) for line in result.out.splitlines())
    assert facts["trillm"] == trillm.__version__
    assert {"python", "platform", "cpu", "engines", "memory", "store"} <= set(facts)


def test_doctor_for_programs(cli: Cli, tmp_path: Path) -> None:
    result = cli("doctor", "--json")
    assert (result.code, result.err) == (0, "")
    report = json.loads(result.out)
    assert report["version"] == trillm.__version__
    assert platform.python_version() in report["python"]
    assert "llama" in report["engines"]
    assert 1 <= report["cpu"]["usable"] <= (os.cpu_count() or 1)
    assert report["memory"]["total"] >= report["memory"]["available"] > 0
    assert report["store"]["path"] == str(tmp_path / "store")
    assert report["store"]["models"] == report["store"]["size"] == 0
    assert report["store"]["free"] > 0
    assert isinstance(report["warnings"], list)


def test_doctor_reports_a_store_it_cannot_use(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("in the way")
    report = json.loads(cli("doctor", "--json").out)
    assert report["store"] is None
    assert any("the store cannot be used" in warning for warning in report["warnings"])


def test_version(cli: Cli) -> None:
    assert cli("--version").out == f"trillm {trillm.__version__}\n"


def test_help(cli: Cli) -> None:
    result = cli("--help")
    assert result.code == 0
    for command in ("run", "pull", "list", "show", "rm", "convert", "doctor"):
        assert command in result.out
        assert cli(command, "--help").code == 0
    alone = cli()
    assert (alone.code, alone.out) == (2, result.out)


def test_starts_without_what_only_some_commands_need() -> None:
    program = "import sys, trillm.cli; print(*{'rich', 'numpy', 'trillm.hub', 'asyncio'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
