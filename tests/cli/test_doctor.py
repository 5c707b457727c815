"""`trillm doctor`, and the program as such."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest
import trillm
from trillm.cli.doctor import _warnings_about_machine

from .conftest import Cli


def test_doctor_for_people(cli: Cli) -> None:
    result = cli("doctor")
    assert result.code == 0
    facts = dict(line.split(None, 1) for line in result.out.splitlines())
    assert facts["trillm"] == trillm.__version__
    assert {"python", "platform", "cpu", "engines", "onnxruntime", "memory", "store"} <= set(facts)


def test_doctor_for_programs(cli: Cli, tmp_path: Path) -> None:
    result = cli("doctor", "--json")
    assert (result.code, result.err) == (0, "")
    report = json.loads(result.out)
    assert report["version"] == trillm.__version__
    assert platform.python_version() in report["python"]
    assert {"llama", "onnx"} <= set(report["engines"])
    assert 1 <= report["cpu"]["usable"] <= (os.cpu_count() or 1)
    assert report["memory"]["total"] >= report["memory"]["available"] > 0
    assert report["memory"]["bandwidth"] > 1e8
    assert [cache["level"] for cache in report["cpu"]["caches"]] == sorted(
        it["level"] for it in report["cpu"]["caches"]
    )
    assert report["store"]["path"] == str(tmp_path / "store")
    assert report["store"]["models"] == report["store"]["size"] == 0
    assert report["store"]["free"] > 0
    assert isinstance(report["warnings"], list)


def test_doctor_sees_that_programs_wait_for_each_other() -> None:
    """Then threads of llama.cpp wait for each other."""
    profile = trillm.HardwareProfile.detect()

    def warned(waiting: float | None) -> bool:
        machine = replace(profile, cpu=replace(profile.cpu, waiting=waiting))
        return any("--threads 1" in warning for warning in _warnings_about_machine({"engines": ["llama"]}, machine))

    assert [warned(waiting) for waiting in (None, 0.0, 0.1, 0.5, 1.0)] == [False, False, False, True, True]


def test_doctor_finds_onnx_runtime(cli: Cli, environment: dict[str, str]) -> None:
    """Without loading it: library and package are there, and each says its version."""
    environment.pop("ORT_DYLIB_PATH", None)
    found = json.loads(cli("doctor", "--json").out)["onnx"]
    assert Path(found["library"]).is_file()
    names = metadata.packages_distributions()["onnxruntime"]
    assert found["version"] in {metadata.version(name) for name in names}
    assert f"{found['version']} ({found['library']})" in cli("doctor").out


def test_doctor_says_how_to_get_onnx_runtime(cli: Cli, environment: dict[str, str], tmp_path: Path) -> None:
    environment.pop("ORT_DYLIB_PATH", None)
    # A package without a library hides the installed one.
    (tmp_path / "onnxruntime").mkdir()
    (tmp_path / "onnxruntime" / "__init__.py").touch()
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), environment.get("PYTHONPATH", "")])
    assert json.loads(cli("doctor", "--json").out)["onnx"] == {"library": None, "version": None}
    assert "pip install onnxruntime" in cli("doctor").out


@pytest.mark.parametrize("there", [True, False])
def test_doctor_shows_a_library_that_is_named(
    cli: Cli, environment: dict[str, str], tmp_path: Path, there: bool
) -> None:
    library = tmp_path / "libonnxruntime.so"
    if there:
        library.touch()
    environment["ORT_DYLIB_PATH"] = str(library)
    report = json.loads(cli("doctor", "--json").out)
    assert report["onnx"] == {"library": str(library), "version": None}
    assert any(str(library) in warning for warning in report["warnings"]) != there
    assert str(library) in cli("doctor").out


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
