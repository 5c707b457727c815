"""The rules of ARCHITECTURE.md that no compiler keeps: which crate may know which, and what a source file may hold."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]

EDGES = {
    "trillm-core": set(),
    "trillm-machine": set(),
    "trillm-pool": set(),
    "trillm-formats": {"trillm-core"},
    "trillm-text": {"trillm-core"},
    "trillm-tokenizer": {"trillm-core", "trillm-formats"},
    "trillm-sampling": {"trillm-core"},
    "trillm-sched": {"trillm-core", "trillm-text", "trillm-sampling"},
    "trillm-kernels": {"trillm-pool"},
    "trillm-llama": {"trillm-core", "trillm-tokenizer", "trillm-machine", "trillm-pool", "trillm-mapping"},
    "trillm-mapping": {"trillm-core"},
    "trillm-candle": {
        "trillm-core",
        "trillm-formats",
        "trillm-tokenizer",
        "trillm-machine",
        "trillm-pool",
        "trillm-kernels",
        "trillm-mapping",
    },
    "trillm-onnx": {
        "trillm-core",
        "trillm-formats",
        "trillm-tokenizer",
        "trillm-machine",
        "trillm-pool",
        "trillm-mapping",
    },
    "trillm-convert": {"trillm-core", "trillm-formats", "trillm-store"},
    "trillm-store": {"trillm-core"},
    "trillm-testkit": {"trillm-core"},
    "trillm-llm": {
        "trillm-core",
        "trillm-formats",
        "trillm-text",
        "trillm-tokenizer",
        "trillm-sched",
        "trillm-machine",
        "trillm-llama?",
        "trillm-candle?",
        "trillm-onnx?",
    },
    "trillm": {
        "trillm-core",
        "trillm-formats",
        "trillm-text",
        "trillm-sched",
        "trillm-machine",
        "trillm-llm",
        "trillm-llama?",
    },
    "trillm-py": {"trillm", "trillm-store", "trillm-convert", "trillm-testkit?"},
}
"""What each crate is built from; `?` is for what a feature may leave out. A new crate or edge is a decision: it changes
this table and the picture in ARCHITECTURE.md."""

FOR_TESTS = {"trillm-testkit", "trillm-formats"}
"""What any crate's tests may use besides."""

KEPT = {
    "pyo3": {"trillm-py"},
    "llama-cpp-2": {"trillm-llama"},
    "llama-cpp-sys-2": {"trillm-llama"},
    "minijinja": {"trillm-text"},
    "tokenizers": {"trillm-tokenizer"},
    "candle-core": {"trillm-candle", "trillm-convert"},
    "memmap2": {"trillm-mapping", "trillm-onnx"},
    "ort": {"trillm-onnx"},
    "rustix": {"trillm-formats", "trillm-machine", "trillm-mapping", "trillm-store"},
    "sysinfo": {"trillm-machine"},
}
"""Libraries that no other crate is built from."""

UNSAFE = {
    "trillm-llama": {"ffi.rs"},
    "trillm-sched": {"lockfree.rs"},
    "trillm-pool": {"region.rs"},
    "trillm-kernels": {"simd.rs"},
    "trillm-mapping": {"mapping.rs"},
    "trillm-onnx": {"ffi.rs"},
}
"""The one file of a crate that may say `unsafe`; the other crates forbid it."""

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


@pytest.fixture(scope="module")
def crates() -> list[Crate]:
    return list(workspace())


def ours(names: set[str]) -> set[str]:
    return {name for name in names if name.rstrip("?") in EDGES}


# Which crate may know which.


def test_dependencies_point_downwards(crates: list[Crate]) -> None:
    assert {crate.name: ours(crate.needs(None)) for crate in crates} == EDGES


def test_only_tools_of_tests_are_used_by_tests_alone(crates: list[Crate]) -> None:
    assert {crate.name: ours(crate.needs("dev")) - FOR_TESTS for crate in crates} == {name: set() for name in EDGES}
    assert {crate.name: ours(crate.needs("build")) for crate in crates} == {name: set() for name in EDGES}


def test_the_fake_engine_is_in_no_build_that_did_not_ask_for_it(crates: list[Crate]) -> None:
    (py,) = (crate for crate in crates if crate.name == "trillm-py")
    assert {name for name, wanted in py.features.items() if any("trillm-testkit" in want for want in wanted)} == {
        "fake"
    }
    assert not [name for name, wanted in py.features.items() if "fake" in wanted]


@pytest.mark.parametrize("library", KEPT)
def test_a_library_that_one_crate_keeps_to_itself(crates: list[Crate], library: str) -> None:
    users = {
        crate.name
        for crate in crates
        for needed in crate.dependencies
        if needed["name"] == library and needed["kind"] != "dev"
    }
    assert users == KEPT[library]


def test_the_core_needs_next_to_nothing(crates: list[Crate]) -> None:
    (core,) = (crate for crate in crates if crate.name == "trillm-core")
    assert {needed["name"] for needed in core.dependencies} == {"thiserror"}


# What a source file may hold.


def test_every_crate_says_what_it_is_for(crates: list[Crate]) -> None:
    assert [crate.name for crate in crates if not crate.root.read_text(encoding="utf-8").startswith("//! ")] == []


def modules(path: Path) -> Iterator[Path]:
    """A file and those that it declares."""
    yield path
    folder = path.parent if path.name in ("lib.rs", "mod.rs") else path.with_suffix("")
    for name in MODULE.findall(code(path)):
        yield from modules(next(file for file in (folder / f"{name}.rs", folder / name / "mod.rs") if file.exists()))


def test_no_file_is_forgotten(crates: list[Crate]) -> None:
    """One that no `mod` declares is compiled by nobody."""
    assert {path for crate in crates for path in set(crate.sources()) - set(modules(crate.root))} == set()


def test_unsafe_code_is_in_one_place(crates: list[Crate]) -> None:
    found = {
        crate.name: {path.name for path in crate.sources() if re.search(r"\bunsafe\b", code(path))} for crate in crates
    }
    assert {name: files for name, files in found.items() if files} == UNSAFE
    forbidding = {crate.name for crate in crates if "#![forbid(unsafe_code)]" in code(crate.root)}
    assert forbidding == EDGES.keys() - UNSAFE.keys()


def saying(crates: list[Crate], pattern: str) -> set[str]:
    """The files in whose code something occurs."""
    paths = (path for crate in crates for path in crate.sources())
    return {path.relative_to(ROOT).as_posix() for path in paths if re.search(pattern, code(path))}


def test_there_is_one_door_out_of_the_interpreter_lock(crates: list[Crate]) -> None:
    assert saying(crates, r"\.\s*(detach|allow_threads)\(") == {"crates/py/src/enter.rs"}


def test_no_crate_prints(crates: list[Crate]) -> None:
    """Standard output is the program's that uses it."""
    assert saying(crates, r"\bprint(ln)?!") == set()


def test_what_is_taken_for_code(tmp_path: Path) -> None:
    """The checks above see what they should, and nothing else."""
    path = tmp_path / "source.rs"
    path.write_text(
        """\
//! unsafe in a comment /* and
fn f<'a>(x: &'a str, quote: char) -> bool { /* unsafe
    */ quote == '"' || quote == '\\'' || x == "unsafe \\" // unsafe" || x == r#"unsafe " unsafe"# }
unsafe fn g() {}
// mod commented;
pub(crate) mod declared;
mod inline { }
"""
    )
    found = code(path)
    assert re.findall(r"\bunsafe\b.*", found) == ["unsafe fn g() {}"]
    assert MODULE.findall(found) == ["declared"]
    assert found.count("quote == ") == 2
