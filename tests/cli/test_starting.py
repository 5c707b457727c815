"""Ctrl-C while the command line starts, whenever it comes: a quiet end, as later."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import trillm
from .test_run import ENDLESS

WATCH = """
import os, signal, sys

class Watch:
    def find_spec(name, path=None, target=None):
        if name == os.environ["WATCHED"]:
            sys.meta_path.remove(Watch)
            os.write(2, b"!")
            if os.environ["SENT"]:
                os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Watch)
"""
"""What Python runs first: says when a module is looked for, and may interrupt that."""

SCRIPT = "import sys\nfrom trillm.cli import main\nif __name__ == '__main__':\n    sys.exit(main())\n"
"""As pip writes it."""

QUIET = (-signal.SIGINT, 130)


@pytest.fixture(params=["module", "script"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """How it is started."""
    if request.param == "module":
        return trillm()
    script = tmp_path / "trillm"
    script.write_text(SCRIPT)
    return [sys.executable, str(script)]


@pytest.fixture
def watching(tmp_path: Path, environment: dict[str, str]) -> dict[str, str]:
    """The environment of a Python that watches its imports."""
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "sitecustomize.py").write_text(WATCH)
    path = [str(tmp_path / "first"), *environment.get("PYTHONPATH", "").split(":")]
    return environment | {"PYTHONPATH": ":".join(filter(None, path)), "WATCHED": "trillm", "SENT": ""}


@pytest.mark.parametrize("module", ["typing", "trillm._core", "trillm.cli", "typer", "trillm.cli.run", "rich"])
def test_an_import_is_interrupted_quietly(program: list[str], watching: dict[str, str], module: str) -> None:
    done = subprocess.run(
        [*program, "--help"], env=watching | {"WATCHED": module, "SENT": "y"}, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"!")


@pytest.mark.parametrize("milliseconds", range(50, 501, 50))
def test_it_is_interrupted_quietly_at_any_time(
    program: list[str], watching: dict[str, str], tiny_model: Path, milliseconds: int
) -> None:
    command = [*program, "run", str(tiny_model), "hello", *ENDLESS, "--threads", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=watching) as process:
        assert process.stderr is not None
        process.stderr.read(1)
        time.sleep(milliseconds / 1000)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=10)
        assert process.returncode in QUIET
        assert said == b""


def test_a_command_may_end_before(program: list[str], watching: dict[str, str]) -> None:
    for milliseconds in range(50, 501, 75):
        with subprocess.Popen([*program, "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=watching) as it:
            assert it.stderr is not None
            it.stderr.read(1)
            time.sleep(milliseconds / 1000)
            it.send_signal(signal.SIGINT)
            _, said = it.communicate(timeout=10)
            assert it.returncode in (0, *QUIET)
            assert said in (b"", b"no models yet: trillm pull smollm2 fetches one\n")


def test_what_is_ignored_stays_ignored(program: list[str], watching: dict[str, str]) -> None:
    done = subprocess.run(
        ["env", "--ignore-signal=INT", *program, "--version"],
        env=watching | {"WATCHED": "typer", "SENT": "y"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"!")


def test_a_library_is_interrupted_as_ever(watching: dict[str, str], tmp_path: Path) -> None:
    for name in ("other", "trillm"):
        script = tmp_path / name
        script.write_text("try:\n    import trillm\nexcept KeyboardInterrupt:\n    print('heard')\n")
        done = subprocess.run(
            [sys.executable, script],
            env=watching | {"WATCHED": "trillm._core", "SENT": "y"},
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"heard\n", b"!")
