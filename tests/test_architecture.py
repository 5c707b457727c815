"""The rules of ARCHITECTURE.md that no compiler keeps: which crate may know which, and what a source file may hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from circles import Graph
from sources import MODULE, ROOT, Crate, code, modules, workspace

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
    "trillm-llama": {
        "trillm-core",
        "trillm-formats",
        "trillm-tokenizer",
        "trillm-machine",
        "trillm-pool",
        "trillm-mapping",
    },
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
    "trillm-convert": {"trillm-core", "trillm-formats", "trillm-store", "trillm-tokenizer"},
    "trillm-store": {"trillm-core", "trillm-formats"},
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
    "trillm-runtime": {"trillm-core", "trillm-formats", "trillm-llm", "trillm-machine", "trillm-store"},
    "trillm-server": {
        "trillm-core",
        "trillm-llm",
        "trillm-runtime",
        "trillm-sched",
        "trillm-store",
        "trillm-text",
    },
    "trillm": {
        "trillm-core",
        "trillm-formats",
        "trillm-text",
        "trillm-sched",
        "trillm-machine",
        "trillm-runtime",
        "trillm-server?",
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
    "axum": {"trillm-server"},
    "tokio": {"trillm-server"},
    "utoipa": {"trillm-server"},
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


@pytest.fixture(scope="module")
def crates() -> list[Crate]:
    return list(workspace())


def ours(names: set[str]) -> set[str]:
    return {name for name in names if name.rstrip("?") in EDGES}


# Which crate may know which.


def test_dependencies_point_downwards(crates: list[Crate]) -> None:
    assert {crate.name: ours(crate.needs(None)) for crate in crates} == EDGES


def test_only_tools_of_tests_are_used_by_tests_alone(crates: list[Crate]) -> None:
    # What a crate is built from may have more features in its tests.
    others = {crate.name: ours(crate.needs("dev")) - FOR_TESTS - ours(crate.needs(None)) for crate in crates}
    assert others == {name: set() for name in EDGES}
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


# Which file of a crate may know which.


def test_no_files_need_each_other(crates: list[Crate]) -> None:
    """A circle of files can only be read, tested and changed as one. What two of them need belongs in a third."""
    found = {crate.name: Graph(crate.root).circles() for crate in crates}
    assert {name: circles for name, circles in found.items() if circles} == {}


def test_no_protocol_knows_another() -> None:
    """What two of them need lies beside them; `v1.rs` and `form.rs` choose between them."""
    folder = ROOT / "crates/server/src"
    protocols = {path.parent.name for path in folder.glob("*/mod.rs")}
    assert protocols == {"anthropic", "llama", "ollama", "openai"}
    for protocol in protocols:
        for path in (folder / protocol).glob("*.rs"):
            named = set(re.findall(r"\bcrate::(?:\{[^}]*\b)?(\w+)", code(path)))
            assert named & protocols == set(), path


# What a source file may hold.


def test_every_crate_says_what_it_is_for(crates: list[Crate]) -> None:
    assert [crate.name for crate in crates if not crate.root.read_text(encoding="utf-8").startswith("//! ")] == []


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
    assert saying(crates, r"\.\s*(detach|allow_threads)\(") == {"crates/py/src/door.rs"}


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


def test_what_is_taken_for_need(tmp_path: Path) -> None:
    """A name needs the file that defines it, by whatever way it came; passing on and tests need nothing."""
    files = {
        "lib.rs": "mod a;\nmod b;\nmod c;\nmod says;\npub use c::{Deep as Known, deep::{self}};\npub fn root() {}",
        "a.rs": "use crate::{b::{self, One}, Known};\nfn f(_: One) { b::two(); }\nfn g() -> Known { crate::root() }",
        "b.rs": "pub struct One;\npub fn two() {}\n#[cfg(test)]\nmod tests { use crate::a; fn t() { a::f(); } }",
        "c/mod.rs": "pub mod deep;\npub use deep::Deep;\nmod inline { use super::deep::Deep; fn f(_: Deep) {} }",
        "c/deep.rs": "pub struct Deep;\nfn up() { super::super::b::two() }",
        "says.rs": '// crate::a::f()\nfn f() { let a = "crate::a"; }',
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    graph = Graph(tmp_path / "lib.rs")
    needs = {
        path.relative_to(tmp_path).as_posix(): {there.relative_to(tmp_path).as_posix() for there in needed}
        for path, needed in graph.edges.items()
    }
    assert needs == {
        "lib.rs": set(),
        "a.rs": {"b.rs", "c/deep.rs", "lib.rs"},
        "b.rs": set(),
        "c/mod.rs": {"c/deep.rs"},
        "c/deep.rs": {"b.rs"},
        "says.rs": set(),
    }
    assert graph.circles() == []
    (tmp_path / "b.rs").write_text("pub struct One;\nfn f() { crate::a::f() }")
    graph = Graph(tmp_path / "lib.rs")
    assert graph.circles() == [
        [
            "a.rs needs b.rs for One, b::two",
            "a.rs needs c/deep.rs for Known",
            "b.rs needs a.rs for crate::a::f",
            "c/deep.rs needs b.rs for super::super::b::two",
        ]
    ]
