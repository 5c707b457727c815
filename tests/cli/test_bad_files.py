"""Files that are not models: one clear line, soon."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from .conftest import Cli


def refused(cli: Cli, path: Path) -> None:
    start = time.monotonic()
    result = cli("run", path, "hello", "--raw")
    seconds = time.monotonic() - start
    assert (result.code, result.out) == (1, ""), path
    lines = result.err.splitlines()
    assert lines[0].startswith("error: "), path
    assert [line for line in lines[1:] if not line.startswith("hint: ")] == [], path
    assert "panicked" not in result.err
    assert "Traceback" not in result.err
    # A second is the promise. A loaded machine that runs tests is granted a few.
    assert seconds < 5, path


@pytest.mark.parametrize("content", [b"", b"GGUF", b"GGUF\x03\0\0\0" + b"\xff" * 64, b"not a model\n" * 100])
def test_not_a_model(cli: Cli, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    refused(cli, path)


def test_no_such_file(cli: Cli, tmp_path: Path) -> None:
    refused(cli, tmp_path / "nowhere.gguf")


def test_a_folder(cli: Cli, tmp_path: Path) -> None:
    refused(cli, tmp_path)


@pytest.mark.parametrize("eighths", range(8))
def test_cut_off(cli: Cli, tiny_model: Path, tmp_path: Path, eighths: int) -> None:
    content = tiny_model.read_bytes()
    path = tmp_path / "cut.gguf"
    path.write_bytes(content[: len(content) * eighths // 8])
    refused(cli, path)


def test_malformed_files(cli: Cli, shared: Path) -> None:
    """A sample: `tests/python` gives all of them to the library."""
    paths = sorted(path for path in (shared / "malformed").glob("gguf*/*") if path.is_file())
    assert len(paths) > 20
    for path in paths[:: len(paths) // 20]:
        refused(cli, path)
