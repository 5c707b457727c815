"""Every example of the help and of the README runs, against models and servers of the tests' own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hub_server import Hub
from trillm._core import Store
from trillm.cli import EXAMPLES

ROOT = Path(__file__).resolve().parents[2]

README = (ROOT / "README.md").read_text(encoding="utf-8")


@dataclass
class World:
    """A home with files and models, a store with the short names, and a server with a repository."""

    home: Path
    environment: dict[str, str]
    hub: Hub
    model: bytes

    def run(self, line: str) -> str:
        """Runs a line as a shell does; what it printed."""
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (line, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stdout


@pytest.fixture
def world(tiny_model: Path, tmp_path: Path, environment: dict[str, str]) -> Iterator[World]:
    home = tmp_path / "home"
    (home / "models").mkdir(parents=True)
    model = tiny_model.read_bytes()
    (home / "models" / "x.gguf").write_bytes(model)
    (home / "notes.txt").write_text("The meeting is on Monday.\n")
    (home / "todo.txt").write_text("Buy milk.\n")
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    script = bin_ / "trillm"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m trillm "$@"\n')
    script.chmod(0o755)
    store = Store(environment["LOCAL_CACHE_DIR"])
    for name in ("smollm2", "all-minilm"):
        with store.stage(name) as staging:
            staging.write(model)
            sha256, size = staging.commit()
        source = {"kind": "pypi", "package": "x", "version": "1.0", "archive": "x-1.0-py3-none-any.whl"}
        files = [{"name": "model.gguf", "sha256": sha256, "size": size}]
        store.put(json.dumps({"reference": name, "source": source | {"sha256": sha256}, "files": files}))
    with Hub() as hub:
        hub.add("org/repo", {"model.gguf": model})
        environment |= {
            "HOME": str(home),
            "PATH": f"{bin_}:{environment['PATH']}",
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "hf"),
            "NO_PROXY": "127.0.0.1",
        }
        yield World(home, environment, hub, model)


@pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for line in lines])
def test_the_helps_examples_run(world: World, line: str) -> None:
    world.run(line)


def test_the_help_shows_its_examples(world: World) -> None:
    world.environment["COLUMNS"] = "200"
    for name, lines in EXAMPLES.items():
        shown = world.run(f"trillm {name} --help")
        assert all(line in shown for line in lines), shown


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_readmes_commands_run(world: World) -> None:
    lines = [line.split(" #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    ours = [line.replace("NAME", "hf:org/repo") for line in lines if "trillm " in line]
    assert len(ours) > 8
    for line in ours:
        # What comes before is the installation.
        command = line.rpartition("pip install . && ")[2]
        if "update" in command:
            world.hub.add("org/repo", {"model.gguf": world.model + bytes(8)})
        world.run(command)


def test_the_readmes_program_runs(world: World) -> None:
    programs = blocks("python")
    assert programs
    for program in programs:
        (world.home / "program.py").write_text(program)
        assert world.run(f"{sys.executable} program.py")
