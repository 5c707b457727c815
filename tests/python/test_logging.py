"""Native log lines: nothing unless asked for, and then under `trillm`."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import trillm

from .program import output

USE = """
import sys, trillm
with trillm.load(sys.argv[1], threads=1, context=1024) as llm:
    llm.generate("the", max_tokens=3)
    llm.embed("the")
"""


def test_quiet_by_default(tiny_model: Path) -> None:
    assert output(USE, tiny_model) == ""


def test_quiet_even_when_it_fails(tmp_path: Path, tiny_model: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(tiny_model.read_bytes()[:300000])
    program = """
    import sys, trillm
    broken, whole = sys.argv[1:]
    for path, params in (broken, {}), (whole, {"cache_type": "q4_0"}), (whole, {"lora": [broken]}):
        try:
            trillm.load(path, threads=1, **params)
        except trillm.errors.TrillmError as error:
            print(error.code)
    """
    assert len(output(program, broken, tiny_model).split()) == 3


def test_an_application_that_asks_gets_records(tiny_model: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="trillm"), trillm.load(tiny_model, threads=1) as model:
        model.generate("the", max_tokens=3)
    assert caplog.records
    assert {record.name.split(".")[0] for record in caplog.records} == {"trillm"}
    assert "trillm.llama" in {record.name for record in caplog.records}
    assert logging.DEBUG in {record.levelno for record in caplog.records}
    assert all("\n" not in record.getMessage() for record in caplog.records)


def test_the_level_of_the_application_counts(tiny_model: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="trillm"):
        trillm.load(tiny_model, threads=1, context=1024).close()
    assert caplog.records == []
    with caplog.at_level(logging.WARNING, logger="trillm"):
        trillm.load(tiny_model, threads=1, context=1024).close()
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_logging_to_standard_error_as_an_application_would(tiny_model: Path) -> None:
    program = "import logging; logging.basicConfig(level=logging.DEBUG, format='%(name)s', stream=sys.stdout)\n"
    names = set(output(f"import sys\n{program}{USE}", tiny_model).split())
    assert names
    assert all(name.startswith("trillm.") for name in names)


@pytest.mark.parametrize("kind", ["gguf", "safetensors", "onnx"])
def test_more_threads_than_processors_are_warned_of_once(
    kind: str,
    tiny_model: Path,
    tiny_folder: Path,
    tiny_onnx: Callable[..., Path],
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = {"gguf": tiny_model, "safetensors": tiny_folder, "onnx": tiny_onnx("grown")}[kind]
    threads = (os.cpu_count() or 1) + 1
    with caplog.at_level(logging.WARNING, logger="trillm"):
        with pytest.warns(RuntimeWarning, match="threads is") as warned:
            model = trillm.load(path, threads=threads)
        if kind != "onnx":
            # By threads of its own.
            model.embed("the")
    model.close()
    said = [record.getMessage() for record in caplog.records if record.name == "trillm.llm.llm"]
    assert len(said) == 1
    assert said[0].startswith(f"threads is {threads}, and this process may use ")
    assert said[0] in model.info.notes
    assert model.info.warnings == said
    # Also where nobody has set up logging, and at the line that asked for them.
    assert [(str(warning.message), warning.filename) for warning in warned] == [(said[0], __file__)]
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="trillm"), trillm.load(path, threads=1) as model:
        assert not any("threads" in note for note in model.info.notes)
    assert "threads is" not in caplog.text


def test_percent_signs_are_no_formats(tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "100%s %d.gguf"
    path.write_bytes(tiny_model.read_bytes())
    with caplog.at_level(logging.DEBUG, logger="trillm"):
        trillm.load(path, threads=1).close()
    assert any("100%s %d.gguf" in record.getMessage() for record in caplog.records)
