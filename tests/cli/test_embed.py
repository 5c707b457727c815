"""`trillm embed`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import trillm

from .conftest import Cli


def lines(text: str) -> list[list[float]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_vector_for_each_text(cli: Cli, tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("third\n")
    with trillm.load(tiny_model, threads=1) as llm:
        expected = llm.embed(["first", "second", "", "third\n"])
    result = cli("embed", tiny_model, "first", "--file", "a.txt", given=b"second\r\n\n")
    assert (result.code, result.err) == (0, "")
    found = np.array(lines(result.out), dtype=np.float32)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_json_names_the_texts(cli: Cli, tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("third")
    document = json.loads(cli("embed", tiny_model, "-f", "a.txt", "first", "--json").out)
    assert document["model"] == "tiny"
    assert [next(iter(entry.items())) for entry in document["embeddings"]] == [("text", "first"), ("file", "a.txt")]
    assert {len(entry["vector"]) for entry in document["embeddings"]} == {document["width"]}


def test_options_reach_the_model(cli: Cli, tiny_model: Path) -> None:
    options = ("--pooling", "last", "--no-normalize")
    with trillm.load(tiny_model, threads=1) as llm:
        expected = llm.embed("hello", pooling="last", normalize=False)
    found = lines(cli("embed", tiny_model, "hello", *options).out)
    np.testing.assert_allclose(np.array(found), expected, rtol=1e-4)


def test_prompts_and_cutting_reach_the_model(cli: Cli, tiny_model: Path) -> None:
    with trillm.load(tiny_model, threads=1) as llm:
        expected = llm.embed("hello", prompt="query: ")
        found = lines(cli("embed", tiny_model, "hello", "--prompt", "query: ").out)
        np.testing.assert_allclose(np.array(found), expected, atol=1e-5)
        long = "there was nothing " * 500
        refused = cli("embed", tiny_model, long)
        assert (refused.code, "truncate" in refused.err) == (1, True)
        cut = cli("embed", tiny_model, "--truncate", long)
        assert (cut.code, len(lines(cut.out))) == (0, 1)
        assert cut.err.startswith("warning: 1 text was cut to fit")
    unknown = cli("embed", tiny_model, "hello", "--prompt-name", "query")
    assert (unknown.code, "there is no prompt" in unknown.err) == (1, True)


def test_usage(cli: Cli, tiny_model: Path) -> None:
    nothing = cli("embed", tiny_model)
    assert (nothing.code, nothing.out) == (2, "")
    assert nothing.err.startswith("error: no TEXT")
    wrong = cli("embed", tiny_model, "x", "--pooling", "most")
    assert wrong.err.splitlines()[0] == (
        "error: Invalid value for '--pooling': 'most' is not one of "
        "'auto', 'mean', 'cls', 'last', 'max', 'mean_sqrt_len', 'weightedmean'"
    )
