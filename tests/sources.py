"""The Rust sources of the workspace, as its checks read them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

NOT_CODE = re.compile(
    r"""
      //[^\n]*
    | /\*.*?\*/
    | \bb?r(?P<hashes>\#*)".*?"(?P=hashes)
    | \bb?"(?:\\.|[^"\\])*" | "(?:\\.|[^"\\])*"
    | '(?:\\(?:u\{\w+\}|x\w\w|.)|[^\\'\n])'
    """,
    re.DOTALL | re.VERBOSE,
)
"""Comments, strings and characters of Rust."""

MODULE = re.compile(r"^\s*(?:pub(?:\([^)]*\))?\s+)?mod\s+(\w+)\s*;", re.MULTILINE)


def code(path: Path) -> str:
    """What of a source file is neither comment nor literal."""
    return NOT_CODE.sub("", path.read_text(encoding="utf-8"))


def modules(path: Path) -> Iterator[Path]:
    """A file and those that it declares."""
    yield path
    for name in MODULE.findall(code(path)):
        yield from modules(child(path, name))


def child(path: Path, name: str) -> Path:
    """The file of a module that `path` declares."""
    folder = path.parent if path.name in ("lib.rs", "mod.rs") else path.with_suffix("")
    return next(file for file in (folder / f"{name}.rs", folder / name / "mod.rs") if file.exists())


@dataclass(frozen=True)
class Crate:
    """A crate of the workspace, as cargo sees it."""

    name: str
    root: Path
    dependencies: list[dict[str, Any]]
    features: dict[str, list[str]]

    def needs(self, kind: str | None) -> set[str]:
        """What it depends on: to run (`None`), for tests (`"dev"`), for its build script (`"build"`)."""
        found = (needed for needed in self.dependencies if needed["kind"] == kind)
        return {needed["name"] + "?" * needed["optional"] for needed in found}

    def sources(self) -> list[Path]:
        """Its library's files, unit tests included."""
        return sorted(self.root.parent.rglob("*.rs"))


def workspace() -> Iterator[Crate]:
    """All crates."""
    command = ["cargo", "metadata", "--no-deps", "--format-version", "1", "--offline"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for package in json.loads(answer.stdout)["packages"]:
        kinds = {"lib", "cdylib"}
        (library,) = (target["src_path"] for target in package["targets"] if kinds & set(target["kind"]))
        yield Crate(package["name"], Path(library), package["dependencies"], package["features"])


def error_codes() -> dict[str, str]:
    """Every code of the native errors, and its class in Rust."""
    pair = re.compile(r'\(Class::(\w+), "(\w+)"\)')
    found: dict[str, str] = {}
    for source in (ROOT / "crates").rglob("*.rs"):
        for kind, name in pair.findall(source.read_text(encoding="utf-8")):
            assert found.setdefault(name, kind) == kind, f"{name} has two classes"
    return found
