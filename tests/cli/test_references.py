"""What is said of models that are not here, and of paths as people type them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import trillm
from trillm._reference import parse
from trillm.errors import InvalidRequest, ModelNotFound, TrillmError

from .conftest import Cli


@pytest.mark.parametrize(
    ("reference", "hint"),
    [
        ("llama3", "ollama:llama3;"),
        ("llama3.2:1b", "ollama:llama3.2:1b;"),
        ("meta-llama/Llama-3.2-1B", "hf:meta-llama/Llama-3.2-1B;"),
        ("org/repo@main:file.gguf2", "hf:org/repo@main:file.gguf2;"),
        ("huggingface.co/org/repo", "hf:org/repo;"),
        ("hf.co/org/repo:Q8_0", "hf:org/repo:Q8_0;"),
    ],
)
def test_names_of_other_programs_get_a_hint(cli: Cli, reference: str, hint: str) -> None:
    with pytest.raises(ModelNotFound) as caught:
        trillm.load(reference)
    assert hint in str(caught.value.hint)
    result = cli("run", reference, "hello")
    assert (result.code, result.out) == (1, "")
    assert hint in result.err.splitlines()[1]


@pytest.mark.parametrize(
    ("address", "meant"),
    [
        ("https://huggingface.co/org/repo", "hf:org/repo"),
        ("http://www.huggingface.co/org/repo/?x=1#files", "hf:org/repo"),
        ("https://hf.co/org/repo/tree/main", "hf:org/repo"),
        ("https://huggingface.co/org/repo/tree/v1/onnx", "hf:org/repo@v1"),
        ("https://huggingface.co/org/repo/blob/main/a/x.gguf?download=true", "hf:org/repo:a/x.gguf"),
        ("https://huggingface.co/org/repo/blob/v1/x.gguf", "hf:org/repo@v1:x.gguf"),
        ("https://ollama.com/library/llama3:8b", "ollama:llama3:8b"),
        ("https://ollama.com/me/mine", "ollama:me/mine"),
    ],
)
def test_a_page_about_a_model_is_told_from_its_file(cli: Cli, address: str, meant: str) -> None:
    with pytest.raises(InvalidRequest, match="is a page about a model, expected the address of a file") as caught:
        trillm.load(address)
    assert caught.value.hint == f"give {meant}"
    assert parse(meant).text.startswith(meant)
    result = cli("run", address, "hello")
    assert (result.code, result.err.splitlines()[1]) == (1, f"hint: give {meant}")


@pytest.mark.parametrize(
    "address",
    [
        "https://huggingface.co/org/repo/resolve/main/x.gguf",
        "https://huggingface.co/datasets/org",
        "https://example.com/org/repo",
        "https://ollama.com/me/models/x.gguf",
    ],
)
def test_what_may_be_a_file_is_no_page(address: str) -> None:
    assert parse(address).text == address


@pytest.mark.parametrize("reference", ["./model", "a/b/c", "models/x.gguf", "/nowhere/at/all", "~/nowhere", "../x/y"])
def test_what_can_only_be_a_path_does_not(reference: str) -> None:
    with pytest.raises(ModelNotFound) as caught:
        trillm.load(reference)
    assert "hf:" not in str(caught.value.hint)
    assert "ollama:" not in str(caught.value.hint)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("rm", "local:x"), "`trillm list` shows"),
        (("rm", "smollm2"), "`trillm list` shows"),
        (("history", "local:x"), "`trillm list` shows"),
        (("rollback", "local:x"), "`trillm list` shows"),
        (("verify", "local:x"), "`trillm list` shows"),
        (("show", "local:x"), "`trillm list` shows"),
        (("show", "smollm2"), "trillm pull smollm2"),
        (("update", "local:x"), "trillm import PATH --name x"),
        (("pull", "local:x"), "trillm import PATH --name x"),
        (("run", "local:x", "hello"), "trillm import PATH --name x"),
    ],
)
def test_advice_can_be_followed(cli: Cli, arguments: tuple[str, ...], hint: str) -> None:
    result = cli(*arguments)
    assert (result.code, result.out) == (1, "")
    error, advice = result.err.splitlines()
    assert "is not in the store" in error
    assert hint in advice
    if hint != "trillm pull smollm2":
        assert "pull" not in advice


def test_what_was_imported_is_offered_by_its_name(cli: Cli, tiny_model: Path) -> None:
    assert cli("import", tiny_model, "--name", "st").code == 0
    for arguments in (("rm", "st"), ("show", "st"), ("run", "st", "hello"), ("history", "st")):
        result = cli(*arguments)
        assert result.code == 1
        assert result.err.endswith("\nhint: did you mean local:st, which is in the store?\n")
    assert "ollama:other" in cli("rm", "other").err


def test_list_says_what_it_cannot_read(cli: Cli, tmp_path: Path, tiny_model: Path, environment: dict[str, str]) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "good.gguf").write_bytes(tiny_model.read_bytes())
    (folder / "bad.gguf").write_text("nonsense")
    (folder / "notes.txt").write_text("no model, and not meant as one")
    (folder / "empty").mkdir()
    (folder / "empty" / "config.json").write_text("{}")
    environment["LOCAL_MODELS_DIR"] = str(folder)
    listed = cli("list")
    assert listed.code == 0
    assert "good.gguf" in listed.out
    assert [line.split(":")[0] for line in listed.err.splitlines()] == ["warning", "warning"]
    assert "bad.gguf: expected a model" in listed.err
    assert str(folder / "empty") in listed.err
    document = json.loads(cli("list", "--json").out)
    assert [Path(model["path"]).name for model in document["models"]] == ["good.gguf"]
    assert len(document["problems"]) == 2
    for number, name in enumerate(("model.safetensors", "pytorch_model.bin", "model.onnx")):
        part = folder / f"part {number}"
        part.mkdir()
        (part / name).write_bytes(b"x")
        problems = json.loads(cli("list", "--json").out)["problems"]
        assert len(problems) == 3
        assert any(str(part) in problem for problem in problems)
        (part / name).unlink()
    environment["LOCAL_MODELS_DIR"] = str(tmp_path / "nowhere")
    assert "nowhere cannot be read: No such file or directory" in cli("list").err


def test_a_home_is_meant_by_a_tilde(
    cli: Cli, tmp_path: Path, tiny_model: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.gguf").write_bytes(tiny_model.read_bytes())
    monkeypatch.setenv("HOME", str(tmp_path))
    environment["HOME"] = str(tmp_path)
    for made in (trillm.load, trillm.Model):
        with made("~/x.gguf", threads=1) as llm:
            assert llm.info.path == str(tmp_path / "x.gguf")
    with pytest.raises(TrillmError, match=str(tmp_path / "no.gguf")):
        trillm.Model("~/x.gguf", lora=["~/no.gguf"])
    assert cli("show", "~/x.gguf").code == 0
    assert cli("import", "~/x.gguf", "--name", "mine").out.startswith("local:mine")
    assert cli("convert", "~/x.gguf", "~/made", "--to", "safetensors", "--dtype", "f32").code == 0
    assert (tmp_path / "made" / "config.json").is_file()
    router = trillm.LLMRouter(models_directory="~", cache_directory="~/cache")
    assert str(tmp_path / "x.gguf") in [model["reference"] for model in router.available()]
    assert (tmp_path / "cache").is_dir()


def test_a_tilde_is_a_home_in_settings_too(
    cli: Cli, tmp_path: Path, tiny_model: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.gguf").write_bytes(tiny_model.read_bytes())
    settings = {"HOME": str(tmp_path), "LOCAL_MODELS_DIR": "~/", "LOCAL_CACHE_DIR": "~/cache"}
    environment |= settings
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert str(tmp_path / "x.gguf") in cli("list").out
    assert cli("run", "x", "--raw", "hello", "-n", "1").code == 0
    assert (tmp_path / "cache" / "models").is_dir()
    assert not (tmp_path / "~").exists()
    assert trillm.Tokenizer("~/x.gguf").vocabulary == trillm.Tokenizer(tmp_path / "x.gguf").vocabulary
    assert [Path(model["path"]).name for model in trillm.hub.available()] == ["x.gguf"]


def test_names_that_are_no_text_are_names(cli: Cli, tmp_path: Path, tiny_model: Path) -> None:
    """A file may be called by any bytes, which Python has as lone surrogates."""
    raw = bytes(tmp_path) + b"/m\xff.gguf"
    name = os.fsdecode(raw)
    Path(name).write_bytes(tiny_model.read_bytes())
    for given in (name, raw, Path(name)):
        for made in (trillm.load, trillm.Model):
            with made(given, threads=1) as llm:
                assert llm.info.path == name
        assert trillm.Tokenizer(given).vocabulary == 300
    assert trillm.hub.fetch(name) == Path(name)
    question = os.fsdecode(b"q\xff.txt")
    (tmp_path / question).write_text("hello")
    for arguments in (
        ("run", name, "--raw", "-n", "1", "-f", question),
        ("embed", name, "-f", question),
        ("show", name),
        ("convert", name, os.fsdecode(bytes(tmp_path) + b"/made\xff"), "--to", "safetensors", "--dtype", "f32"),
    ):
        assert cli(*arguments).code == 0, arguments
    assert (tmp_path / os.fsdecode(b"made\xff") / "config.json").is_file()
    again = os.fsdecode(bytes(tmp_path) + b"/again\xff")
    for asked in (["show", name], ["convert", name, again, "--to", "safetensors", "--dtype", "f32"]):
        # With half of a surrogate pair it would be JSON to Python alone.
        document = cli(*asked, "--json").out
        assert json.dumps(json.loads(document)).isascii()
        assert "\\ufffd" in document
        assert "\\udc" not in document
    with pytest.raises(InvalidRequest, match="is not UTF-8, as names in the store are"):
        trillm.hub.import_model(raw, name="mine")
    missing = os.fsdecode(b"no\xff")
    with pytest.raises(ModelNotFound):
        trillm.load(missing)
    with pytest.raises(ModelNotFound, match="there is no file or folder "):
        trillm.load(name, lora=[os.fsdecode(raw) + "no"])
    for command in ("run", "rm", "show", "pull"):
        said = cli(command, missing, *(["hello"] if command == "run" else []))
        assert said.code == 1
        assert "error: there is no file or folder" in said.err


def test_a_reference_that_breaks_its_form_is_still_one(cli: Cli) -> None:
    with pytest.raises(InvalidRequest):
        trillm.load("hf:")
    assert cli("run", "hf:", "hello").code == 1


def test_an_empty_path_is_not_the_current_folder(cli: Cli, tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(tiny_model.read_bytes())
    taken = cli("import", "")
    assert (taken.code, taken.err) == (1, "error: the path is empty, expected that of a model\n")
    converted = cli("convert", "x.gguf", "", "--to", "safetensors", "--dtype", "f32", "--overwrite")
    assert converted.code == 2
    assert converted.err.startswith("error: DST is empty, expected the name of a file or folder\n")
    assert cli("run", "", "hi").err.startswith('error: "" is not a model reference: it is empty')
    for empty in ("", b""):
        with pytest.raises(InvalidRequest, match="the path is empty"):
            trillm.hub.import_model(empty)
