"""The command line as a program: what goes in by arguments and standard input, and what comes out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pytest


def trillm(*arguments: str | Path) -> list[str]:
    """A command line."""
    command = [sys.executable, "-m", "trillm", *map(str, arguments)]
    # With more threads, each token waits for whatever else the machine does meanwhile.
    return [*command, "--threads", "1"] if arguments[:1] in (("run",), ("embed",)) else command


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str


Cli = Callable[..., Result]
Begun = Callable[..., "subprocess.Popen[bytes]"]
Terminal = Callable[..., "pexpect.spawn[str]"]

PROMPT = ">>> "
SHORT = ("--max-tokens", "4", "--ignore-eos", "--temperature", "0", "--verbose")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A user with an empty store and no settings."""
    ours = {
        "LOCAL_CACHE_DIR": str(tmp_path / "store"),
        "TERM": "xterm",
        "COLUMNS": "120",
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    return {name: value for name, value in os.environ.items() if not name.startswith("PIP_")} | ours


@pytest.fixture
def cli(tmp_path: Path, environment: dict[str, str]) -> Cli:
    """Runs `trillm` to its end."""

    def run(*arguments: str | Path, given: bytes = b"") -> Result:
        done = subprocess.run(
            trillm(*arguments), input=given, env=environment, cwd=tmp_path, capture_output=True, check=False
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def begun(tmp_path: Path, environment: dict[str, str]) -> Begun:
    """Starts `trillm`, to be looked at while it runs."""

    def start(*arguments: str | Path, folder: Path = tmp_path) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        return subprocess.Popen(trillm(*arguments), stdout=pipe, stderr=pipe, env=environment, cwd=folder)

    return start


@pytest.fixture
def terminal(tmp_path: Path, environment: dict[str, str]) -> Iterator[Terminal]:
    """Starts `trillm` on a terminal."""
    open_ones: list[pexpect.spawn[str]] = []

    def spawn(*arguments: str | Path) -> pexpect.spawn[str]:
        command, *rest = trillm(*arguments)
        child = pexpect.spawn(
            command, rest, env=environment, cwd=str(tmp_path), encoding="utf-8", codec_errors="replace", timeout=30
        )
        open_ones.append(child)
        return child

    yield spawn
    for child in open_ones:
        child.close(force=True)


@pytest.fixture
def talk(terminal: Terminal, tiny_model: Path) -> Terminal:
    """Starts a conversation with the tiny model, by default with short answers, and waits until it asks."""

    def begin(*options: str) -> pexpect.spawn[str]:
        child = terminal("run", tiny_model, *(options or SHORT))
        child.expect_exact(PROMPT)
        return child

    return begin


@pytest.fixture
def chat(talk: Terminal) -> pexpect.spawn[str]:
    """A conversation that waits for the first message."""
    return talk()


@pytest.fixture
def no_template(tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny model, but without a chat template."""
    content = tiny_model.read_bytes()
    key = b"tokenizer.chat_template"
    assert content.count(key) == 1
    path = tmp_path / "no-template.gguf"
    path.write_bytes(content.replace(key, b"tokenizer.cold_template"))
    return path
