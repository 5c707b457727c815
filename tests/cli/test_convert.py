"""`trillm convert`: there and back again, and nothing half done."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trillm as library

from .conftest import Begun, Cli, Terminal

GREEDY = ("--raw", "--temperature", "0", "--ignore-eos", "--max-tokens", "20", "--json")
EXACT = ("--dtype", "f32")
FILES = {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"store"}


@pytest.fixture(scope="module")
def large(write_model: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Four bytes for each weight: a few hundred megabytes are not written between two looks."""
    path = tmp_path_factory.mktemp("large") / "large.gguf"
    write_model("random", path, "--layers", "6", "--vocabulary", "2000")
    yield path
    path.unlink()


@contextmanager
def converting(begun: Begun, source: Path, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A conversion that has begun to write."""
    with begun("convert", source, "made", "--to", "safetensors", *EXACT, folder=folder) as process:
        end = time.monotonic() + 60
        while not names(folder) and time.monotonic() < end:
            time.sleep(0.001)
        (partial,) = names(folder)
        assert partial.endswith(".partial")
        yield process


def test_a_folder_from_a_file_says_the_same(cli: Cli, tiny_model: Path, tmp_path: Path) -> None:
    result = cli("convert", tiny_model, "made", "--to", "safetensors", *EXACT)
    assert result.code == 0, result.err
    facts = dict(re.split("  +", line, maxsplit=1) for line in result.out.splitlines())
    assert (facts["path"], facts["format"], facts["dtype"]) == ("made", "safetensors", "f32")
    assert int(facts["tensors"]) > 10
    assert names(tmp_path) == {"made"}
    assert names(tmp_path / "made") == FILES
    # In a log, lines rather than a bar.
    assert result.err.startswith("converting tiny.gguf ")
    assert "\x1b" not in result.err
    before, after = (json.loads(cli("run", path, "the man", *GREEDY).out) for path in (tiny_model, tmp_path / "made"))
    assert after["token_ids"] == before["token_ids"]
    assert (before["model"]["engine"], after["model"]["engine"]) == ("llama", "candle")


def test_there_and_back_again_is_exact(cli: Cli, tiny_folder: Path, tmp_path: Path) -> None:
    file = cli("convert", tiny_folder, "made.gguf", "--to", "gguf", *EXACT)
    assert file.code == 0, file.err
    folder = cli("convert", "made.gguf", "made", "--to", "safetensors", *EXACT)
    assert folder.code == 0, folder.err
    told = [json.loads(cli("run", path, "the man", *GREEDY).out) for path in (tiny_folder, tmp_path / "made")]
    assert told[0]["token_ids"] == told[1]["token_ids"]
    with (
        library.load(tiny_folder, threads=1) as before,
        library.load(tmp_path / "made", threads=1) as after,
        library.load(tmp_path / "made.gguf", threads=1) as between,
    ):
        assert before.info.chat_template == between.info.chat_template == after.info.chat_template
        for text in ("the man", "Größe 😀", " a<|im_end|> "):
            ids = before.tokenize(text)
            assert between.tokenize(text) == after.tokenize(text) == ids
    data = [(path / "model.safetensors").read_bytes() for path in (tiny_folder, tmp_path / "made")]
    headers = [json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]) for content in data]
    tensors = [
        {
            name: (tensor["dtype"], tensor["shape"], content[-size:][slice(*tensor["data_offsets"])])
            for name, tensor in header.items()
            if name != "__metadata__"
        }
        for content, header in zip(data, headers, strict=True)
        for size in [len(content) - 8 - int.from_bytes(content[:8], "little")]
    ]
    assert tensors[0] == tensors[1]


def test_stories_are_told_after_it(cli: Cli, stories: Path, tmp_path: Path) -> None:
    options = ("", "--raw", "--temperature", "0", "--ignore-eos", "--max-tokens", "199")
    # As published it puts no BOS before a text, which the story begins with.
    folder = tmp_path / "hf"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((stories.parent / "hf" / name).read_bytes())
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    first = {"SpecialToken": {"id": "<s>", "type_id": 0}}
    texts = [{"Sequence": {"id": text, "type_id": 0}} for text in "AB"]
    named = {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}
    template = {
        "type": "TemplateProcessing",
        "single": [first, texts[0]],
        "pair": [first, *texts],
        "special_tokens": named,
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer | {"post_processor": template}))
    for source, to, name in (
        (stories, "safetensors", "made"),
        (folder, "gguf", "made.gguf"),
        (tmp_path / "made", "gguf", "again.gguf"),
    ):
        result = cli("convert", source, name, "--to", to, *EXACT)
        assert result.code == 0, result.err
        told = cli("run", tmp_path / name, *options)
        assert told.out == stories.with_name("golden.txt").read_text(), (name, told.err)


@pytest.mark.parametrize(("dtype", "bits"), [("bf16", 16), ("f16", 16), ("f32", 32)])
def test_json_is_one_document(cli: Cli, tiny_model: Path, tmp_path: Path, dtype: str, bits: int) -> None:
    result = cli("convert", tiny_model, "made", "--to", "safetensors", "--dtype", dtype, "--json")
    assert result.code == 0, result.err
    report = json.loads(result.out)
    assert set(report) == {"source", "path", "format", "dtype", "bytes", "tensors", "seconds", "notes"}
    assert (report["source"], report["path"]) == (str(tiny_model), "made")
    assert (report["format"], report["dtype"]) == ("safetensors", dtype)
    assert report["bytes"] == sum(path.stat().st_size for path in (tmp_path / "made").iterdir())
    assert report["bytes"] > library._core.inspect(tiny_model).parameters * bits / 8
    assert report["seconds"] >= 0
    assert library._core.inspect(tmp_path / "made").quantization == dtype.upper()


def test_a_bar_on_a_terminal(terminal: Terminal, tiny_model: Path, tmp_path: Path) -> None:
    child = terminal("convert", tiny_model, "made", "--to", "safetensors", *EXACT)
    output = child.read()
    child.wait()
    assert child.exitstatus == 0
    assert "converting tiny.gguf" in output
    assert "━" in output
    assert names(tmp_path / "made") == FILES


@pytest.mark.real
def test_a_real_model_by_its_alias(smollm2: Path, cli: Cli, environment: dict[str, str], tmp_path: Path) -> None:
    """From four bits, which no safetensors have: the weights are as the four bits say."""
    environment["LOCAL_CACHE_DIR"] = str(smollm2.parents[2])
    result = cli("convert", "smollm2", "made", "--to", "safetensors", "--dtype", "bf16", "--json")
    assert result.code == 0, result.err
    # What the alias recommends goes along, or is named.
    advised = library._core.Store(smollm2.parents[2]).get("smollm2").published
    config = json.loads((tmp_path / "made" / "generation_config.json").read_text())
    assert (config["temperature"], config["top_p"]) == (
        advised["temperature"]["value"],
        advised["top_p"]["value"],
    )
    assert any(note.startswith("system, which is recommended by alias") for note in json.loads(result.out)["notes"])
    with library.load(tmp_path / "made", threads=1, context=512, system="") as model:
        answer = model.chat([{"role": "user", "content": "What is the capital of France?"}], temperature=0)
    assert answer.text == "The capital of France is Paris."
    assert answer.finish_reason == "stop"


# What goes wrong.


def test_what_is_there_is_kept_unless_it_may_be_replaced(cli: Cli, tiny_model: Path, tmp_path: Path) -> None:
    command = ("convert", tiny_model, "made", "--to", "safetensors", *EXACT)
    assert cli(*command).code == 0
    before = {path.name: path.stat().st_ino for path in (tmp_path / "made").iterdir()}
    result = cli(*command)
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "error: made is there already\nhint: name another destination, or have it replaced (--overwrite)\n"
    )
    assert {path.name: path.stat().st_ino for path in (tmp_path / "made").iterdir()} == before
    assert cli(*command, "--overwrite").code == 0
    assert {path.name: path.stat().st_ino for path in (tmp_path / "made").iterdir()} != before
    assert names(tmp_path) == {"made"}


def test_only_a_model_is_replaced(cli: Cli, tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear reader")
    result = cli("convert", tiny_model, "mine", "--to", "safetensors", *EXACT, "--overwrite", "--json")
    assert (result.code, result.err) == (1, "")
    assert json.loads(result.out)["error"]["code"] == "destination_not_replaceable"
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear reader"
    assert names(tmp_path) == {"mine"}


def test_a_format_that_it_has_already(cli: Cli, tiny_model: Path, tiny_folder: Path, tmp_path: Path) -> None:
    for source, to in ((tiny_model, "gguf"), (tiny_folder, "safetensors")):
        result = cli("convert", source, "made", "--to", to, *EXACT, "--json")
        assert result.code == 1
        assert json.loads(result.out)["error"]["code"] == "same_format"
        assert names(tmp_path) == set()


def test_a_place_that_cannot_be_written(cli: Cli, tiny_model: Path, tmp_path: Path) -> None:
    result = cli("convert", tiny_model, "none/made", "--to", "safetensors", *EXACT)
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "error: cannot write none: No such file or directory (os error 2)\n"
        "hint: make that folder first, or name another\n"
    )
    # What is written under a longer name first is called by its own.
    long = "x" * 250
    result = cli("convert", tiny_model, long, "--to", "safetensors", *EXACT)
    assert result.err == f"error: cannot write {long}: File name too long (os error 36)\n"
    assert names(tmp_path) == set()


def test_sources_that_are_no_models(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear reader")
    for source, code in (
        ("letter.txt", "unknown_format"),
        ("nowhere.gguf", "model_not_found"),
        (".", "model_not_found"),
    ):
        result = cli("convert", tmp_path / source, "made", "--to", "safetensors", *EXACT, "--json")
        assert result.code == 1, source
        assert json.loads(result.out)["error"]["code"] == code, source
        assert names(tmp_path) == {"letter.txt"}


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("a", "b"),
        ("a", "b", "--to", "gguf"),
        ("a", "b", "--dtype", "f32"),
        ("a", "b", "--to", "onnx", "--dtype", "f32"),
        ("a", "b", "--to", "gguf", "--dtype", "q8_0"),
        ("a", "b", "c", "--to", "gguf", "--dtype", "f32"),
    ],
    ids=" ".join,
)
def test_usage_errors(cli: Cli, arguments: tuple[str, ...]) -> None:
    result = cli("convert", *arguments)
    assert (result.code, result.out) == (2, "")
    error, hint = result.err.splitlines()
    assert error.startswith("error: ")
    assert hint == "hint: see trillm convert --help"


def test_what_a_killed_conversion_leaves_the_next_one_removes(
    cli: Cli, tiny_model: Path, large: Path, begun: Begun, tmp_path: Path
) -> None:
    with converting(begun, large, tmp_path) as process:
        process.kill()
    (partial,) = names(tmp_path)
    assert partial.startswith(".made.")
    (tmp_path / ".other.partial").write_text("not ours")
    assert cli("convert", tiny_model, "another", "--to", "safetensors", *EXACT).code == 0
    assert names(tmp_path) == {"another", ".other.partial"}


def test_what_a_killed_conversion_leaves_gc_removes(
    cli: Cli, tiny_model: Path, large: Path, begun: Begun, tmp_path: Path
) -> None:
    with converting(begun, large, tmp_path) as process:
        process.kill()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with converting(begun, large, elsewhere) as running:
        running.send_signal(signal.SIGSTOP)
        (kept,) = names(elsewhere)
        (tmp_path / ".made.partial").write_text("not ours")
        (partial,) = names(tmp_path) - {"elsewhere", ".made.partial"}
        size = sum(file.stat().st_size for file in (tmp_path / partial).iterdir())
        done = json.loads(cli("gc", "--json").out)
        assert (done["conversions"], done["freed"]) == (1, size)
        assert names(tmp_path) == {"elsewhere", ".made.partial"}
        assert names(elsewhere) == {kept}
        running.kill()
    assert ", 1 unfinished conversions" in cli("gc").out
    assert names(elsewhere) == set()
    assert "conversions" not in cli("gc").out
    assert cli("convert", tiny_model, "made", "--to", "safetensors", *EXACT).code == 0
    assert json.loads(cli("gc", "--json").out)["conversions"] == 0
    assert list((tmp_path / "store" / "conversions").iterdir()) == []
    assert (tmp_path / "made").is_dir()


def test_without_a_store_that_can_be_written_it_converts(
    cli: Cli, tiny_model: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "conversions").write_text("in the way")
    assert cli("convert", tiny_model, "made", "--to", "safetensors", *EXACT).code == 0
    (tmp_path / "file").write_text("no folder")
    environment["LOCAL_CACHE_DIR"] = str(tmp_path / "file")
    assert cli("convert", tiny_model, "again", "--to", "safetensors", *EXACT).code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_to_be_ended_leaves_nothing(large: Path, begun: Begun, tmp_path: Path, number: signal.Signals) -> None:
    with converting(begun, large, tmp_path) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    # Whoever waits for it sees what ended it.
    assert process.returncode == -number
    assert (out, err) == (b"", b"")
    assert names(tmp_path) == set()
    assert list((tmp_path / "store" / "conversions").iterdir()) == []


def test_a_signal_that_is_ignored_stays_so(large: Path, begun: Begun, tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with converting(begun, large, tmp_path) as process:
            process.send_signal(signal.SIGHUP)
            process.communicate(timeout=60)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert process.returncode == 0
    assert names(tmp_path) == {"made"}


def test_one_conversion_leaves_another_alone(
    cli: Cli, tiny_model: Path, large: Path, begun: Begun, tmp_path: Path
) -> None:
    with converting(begun, large, tmp_path) as process:
        process.send_signal(signal.SIGSTOP)
        (partial,) = names(tmp_path)
        assert cli("convert", tiny_model, "another", "--to", "safetensors", *EXACT).code == 0
        assert names(tmp_path) == {"another", partial}
        process.kill()


def test_ctrl_c_leaves_nothing(
    large: Path,
    begun: Begun,
    tmp_path: Path,
) -> None:
    with converting(begun, large, tmp_path) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == b""
    assert b"Traceback" not in err
    assert names(tmp_path) == set()
