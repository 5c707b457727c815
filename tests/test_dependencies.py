"""What the workspace is built from: nothing that it does not use, no licence that asks for more than a notice."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]

LICENCES = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "MIT", "MIT-0"),
    *("Unicode-3.0", "Unlicense", "Zlib"),
}
"""Those that allow any use, in source and in wheels, for a copy of their notice at most."""


@pytest.fixture(scope="module")
def packages() -> list[dict[str, Any]]:
    """Everything that a build on this system takes."""
    host = re.search(r"^host: (.+)$", _said("rustc", "-vV"), re.MULTILINE)
    assert host
    told = _said("cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", host[1])
    found: list[dict[str, Any]] = json.loads(told)["packages"]
    return found


def _said(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_every_licence_allows_any_use(packages: list[dict[str, Any]]) -> None:
    assert len(packages) > 100
    assert {package["name"]: package["license"] for package in packages if not _allowed(package["license"])} == {}


def _allowed(licence: str | None) -> bool:
    """Whether an SPDX expression can be met by the licences above.

    `OR` is read as if it bound closer than `AND` whatever the parentheses: that never allows what is not allowed.
    """
    # `/` is how older crates write `OR`; an exception takes conditions away and adds none.
    text = re.sub(r" WITH [\w.-]+|[()]", "", (licence or "").replace("/", " OR "))
    return all(any(name.strip() in LICENCES for name in part.split(" OR ")) for part in text.split(" AND "))


def test_expressions_of_licences() -> None:
    allowed = [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0 OR MIT",
        "(MIT OR GPL-3.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception",
    ]
    refused = [None, "", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND LGPL-2.1", "MITx"]
    assert [licence for licence in allowed if not _allowed(licence)] == []
    assert [licence for licence in refused if _allowed(licence)] == []


def test_no_dependency_is_unused(packages: list[dict[str, Any]]) -> None:
    ours = [package for package in packages if package["source"] is None]
    assert len(ours) > 10
    unused = {
        (package["name"], needed["name"])
        for package in ours
        for needed in package["dependencies"]
        if not _uses(package, needed)
    }
    assert unused == set()


def _uses(package: dict[str, Any], needed: dict[str, Any]) -> bool:
    """Whether the files in question name the crate."""
    kinds = {None: {"lib", "cdylib"}, "dev": {"lib", "cdylib", "test", "bench", "example"}, "build": {"custom-build"}}
    targets = (target for target in package["targets"] if kinds[needed["kind"]] & set(target["kind"]))
    name = (needed["rename"] or needed["name"]).replace("-", "_")
    return any(_says(Path(target["src_path"]), rf"\b{name}\b") for target in targets)


def _says(root: Path, pattern: str) -> bool:
    files = [root] if root.name == "build.rs" else root.parent.rglob("*.rs")
    return any(re.search(pattern, path.read_text(encoding="utf-8")) for path in files)
