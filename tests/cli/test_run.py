"""`trillm run` with a prompt."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import trillm as library
from trillm.errors import ContextOverflow

from .conftest import Begun, Cli, Terminal, trillm

GREEDY = ("--temperature", "0")
ENDLESS = ("--ignore-eos", "--context", "60000")
"""Minutes of work for the tiny model."""


def test_prints_the_golden_text(cli: Cli, stories: Path) -> None:
    result = cli("run", stories, "", "--raw", "--ignore-eos", "--max-tokens", "199", *GREEDY)
    assert result.code == 0, result.err
    assert result.out == stories.with_name("golden.txt").read_text()
    assert result.err == ""


def test_more_threads_than_processors_are_warned_of_once(
    tiny_model: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    threads = str((os.cpu_count() or 1) + 1)
    *command, option, _ = trillm("run", tiny_model, "a", "--max-tokens", "3", "--ignore-eos")
    for given, lines in ((threads, 1), ("1", 0)):
        done = subprocess.run(
            [*command, option, given], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        said = done.stderr.splitlines()
        assert len(said) == lines, said
        assert all(line.startswith(f"warning: threads is {threads}, and this process may use ") for line in said)


@pytest.mark.real
def test_what_may_make_answers_worse_is_said(cli: Cli, smollm2: Path, tmp_path: Path) -> None:
    model = tmp_path / "old.gguf"
    # As from before there was a choice: the key has a name that nobody knows.
    model.write_bytes(smollm2.read_bytes().replace(b"tokenizer.ggml.pre", b"tokenizer.ggml.old", 1))
    with pytest.warns(RuntimeWarning, match=r"the file has no tokenizer\.ggml\.pre") as warned:
        library.load(model, threads=1).close()
    assert [warning.filename for warning in warned] == [__file__]
    for command in (("run", model, "hi", "-n", "1"), ("embed", model, "hi")):
        assert "warning: the file has no tokenizer.ggml.pre" in cli(*command).err
        assert "warning" not in cli(command[0], smollm2, *command[2:]).err


def test_the_streamed_text_is_the_text(cli: Cli, tiny_model: Path) -> None:
    options = ("--max-tokens", "20", "--seed", "7", "--ignore-eos")
    document = json.loads(cli("run", tiny_model, "a question", "--json", *options).out)
    text = document["text"]
    assert cli("run", tiny_model, "a question", *options).out == (text if text.endswith("\n") else text + "\n")


def test_a_raw_text_gets_no_line_break_in_a_pipe(cli: Cli, terminal: Terminal, tiny_model: Path) -> None:
    options = ("--raw", "--max-tokens", "20", "--ignore-eos", *GREEDY)
    text = json.loads(cli("run", tiny_model, "hello", "--json", *options).out)["text"]
    assert not text.endswith("\n")
    assert cli("run", tiny_model, "hello", *options).out == text
    assert terminal("run", tiny_model, "hello", *options).read().endswith("\n")


def test_json_has_it_all(cli: Cli, tiny_model: Path) -> None:
    result = cli("run", tiny_model, "a question", "--json", "--max-tokens", "5", "--ignore-eos", *GREEDY)
    assert (result.code, result.err) == (0, "")
    document = json.loads(result.out)
    assert list(document) == ["text", "finish_reason", "usage", "timings", "token_ids", "model"]
    assert document["finish_reason"] == "length"
    assert len(document["token_ids"]) == document["usage"]["completion_tokens"] == 5
    assert document["usage"]["prompt_tokens"] > len("a question")
    assert set(document["timings"]) == {"queue", "prefill", "decode"}
    assert document["model"]["architecture"] == "llama"
    assert document["model"]["engine"] == "llama"


def test_a_system_message_is_part_of_the_prompt(cli: Cli, tiny_model: Path) -> None:
    def prompt_tokens(*options: str) -> int:
        document = json.loads(cli("run", tiny_model, "hello", "--json", "--max-tokens", "1", *options).out)
        tokens = document["usage"]["prompt_tokens"]
        assert isinstance(tokens, int)
        return tokens

    assert prompt_tokens("--system", "Be brief.") > prompt_tokens() > prompt_tokens("--raw")


@pytest.mark.parametrize(("arguments", "given"), [((), b"hello\n"), (("-",), b"hello\n"), (("-",), b"hello\r\n")])
def test_reads_the_prompt_from_standard_input(
    cli: Cli, tiny_model: Path, arguments: tuple[str, ...], given: bytes
) -> None:
    options = ("--raw", "--max-tokens", "9", *GREEDY)
    assert cli("run", tiny_model, *arguments, *options, given=given) == cli("run", tiny_model, "hello", *options)


def test_statistics_go_to_standard_error(cli: Cli, tiny_model: Path) -> None:
    result = cli("run", tiny_model, "hello", "--raw", "--max-tokens", "9", "--ignore-eos", "--verbose")
    assert result.code == 0
    assert "answer 9 tokens in" in result.err
    assert "answer 9 tokens" not in result.out


def test_stop_ends_the_text(cli: Cli, tiny_model: Path) -> None:
    options = ("--raw", "--ignore-eos", "--max-tokens", "50", "--json", *GREEDY)
    whole = json.loads(cli("run", tiny_model, "hello", *options).out)["text"]
    stop = whole[4:6]
    cut = json.loads(cli("run", tiny_model, "hello", *options, "--stop", "never there", "--stop", stop).out)
    assert cut["text"] == whole[: whole.index(stop)]
    assert cut["finish_reason"] == "stop"


# What goes wrong.


def test_without_a_chat_template_nothing_is_guessed(cli: Cli, no_template: Path) -> None:
    result = cli("run", no_template, "hello")
    assert (result.code, result.out) == (1, "")
    assert (
        result.err
        == "error: tiny has no chat template\nhint: it continues texts as they stand: trillm run MODEL --raw PROMPT\n"
    )
    assert cli("run", no_template, "hello", "--raw", "--max-tokens", "1").code == 0


def test_a_stored_model_without_a_name_is_called_by_its_reference(cli: Cli, tiny_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "plain")
    config = json.loads((folder / "config.json").read_text())
    config.pop("_name_or_path", None)
    (folder / "config.json").write_text(json.dumps(config))
    for file in (folder / "tokenizer_config.json", folder / "chat_template.jinja"):
        file.unlink(missing_ok=True)
    assert cli("import", folder).code == 0
    assert cli("run", folder, "hello").err.startswith("error: plain has no chat template\n")
    assert cli("run", "local:plain", "hello").err.startswith("error: local:plain has no chat template\n")
    # A folder that a store calls by a digest is called by all of its path.
    shown = json.loads(cli("show", "local:plain", "--json").out)
    assert Path(shown["info"]["name"]).is_dir()
    assert shown["info"]["name"] == str(Path(shown["path"]).resolve())


def test_an_overflow_names_the_numbers(cli: Cli, tiny_model: Path) -> None:
    result = cli("run", tiny_model, "a" * 300, "--raw", "--context", "256")
    assert (result.code, result.out) == (1, "")
    assert "301 tokens" in result.err
    assert "context of 256" in result.err
    document = json.loads(cli("run", tiny_model, "a" * 300, "--raw", "--context", "256", "--json").out)
    assert document["error"]["code"] == "context_overflow"


def test_as_many_tokens_as_fit(cli: Cli, tiny_model: Path) -> None:
    options = ("--raw", "--ignore-eos", "--context", "40", "--json", *GREEDY)
    document = json.loads(cli("run", tiny_model, "the man", "-n", "fit", *options).out)
    assert document["usage"]["total_tokens"] == 40
    refused = cli("run", tiny_model, "the man", "--max-tokens", "40", *options[:-1][:4])
    assert "fit" in refused.err
    wrong = cli("run", tiny_model, "the man", "--max-tokens", "all")
    assert wrong.code == 2
    assert "'--max-tokens' / '-n': expected a whole number, 1 to 4294967295, or fit, found 'all'" in wrong.err


def test_an_unknown_model_gets_suggestions(cli: Cli) -> None:
    result = cli("run", "smolm2", "hello")
    assert (result.code, result.out) == (1, "")
    error, hint = result.err.splitlines()
    assert error == 'error: there is no model named "smolm2"'
    assert hint.startswith("hint: ")
    assert "smollm2" in hint


def test_json_errors_are_documents_too(cli: Cli) -> None:
    result = cli("run", "smolm2", "hello", "--json")
    assert (result.code, result.err) == (1, "")
    error = json.loads(result.out)["error"]
    assert error["code"] == "model_not_found"
    assert "smolm2" in error["message"]
    assert "smollm2" in error["hint"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("run", "MODEL", "hello", "--temperature", "-1"),
        ("run", "MODEL", "hello", "--top-p", "2"),
        ("run", "MODEL", "hello", "--max-tokens", "0"),
        ("run", "MODEL", "hello", "--seed", "x"),
        ("run", "MODEL", "hello", "--nonsense"),
        ("run", "MODEL", "hello", "--raw", "--system", "x"),
        ("run", "MODEL"),
        ("nonsense",),
    ],
)
def test_usage_errors(cli: Cli, tiny_model: Path, arguments: tuple[str, ...]) -> None:
    result = cli(*(str(tiny_model) if argument == "MODEL" else argument for argument in arguments))
    assert (result.code, result.out) == (2, "")
    error, hint = result.err.splitlines()
    assert error.startswith("error: ")
    command = " run" if arguments[0] == "run" else ""
    assert hint == f"hint: see trillm{command} --help"


@pytest.mark.parametrize(
    ("arguments", "python", "terminal"),
    [
        (("run", "--max-tokens", "600"), '`max_tokens="fit"` asks', "--max-tokens fit asks"),
        (("run", "--max-tokens", "600"), "with a larger `context`", "with a larger --context"),
        (("embed",), "have it cut (`truncate=True`)", "have it cut (--truncate)"),
    ],
)
def test_hints_name_flags(cli: Cli, tiny_model: Path, arguments: tuple[str, ...], python: str, terminal: str) -> None:
    """What Python's hints call by the names of parameters."""
    command, *options = arguments
    with library.load(tiny_model, threads=1) as llm, pytest.raises(ContextOverflow) as caught:
        llm.generate("hello", max_tokens=600) if command == "run" else llm.embed("b" * 600)
    assert python in str(caught.value.hint)
    text = "hello" if command == "run" else "b" * 600
    result = cli(command, tiny_model, text, *options)
    assert (result.code, terminal in result.err, "`" in result.err) == (1, True, False), result.err
    error = json.loads(cli(command, tiny_model, text, *options, "--json").out)["error"]
    assert terminal in error["hint"]


@pytest.mark.parametrize(
    "options",
    [
        ("--temperature", "1e9"),
        ("--max-tokens", str(10**30)),
        ("--max-tokens", "9" * 5000),
        ("--engine", "nonsense"),
    ],
)
def test_what_the_native_half_refuses(cli: Cli, tiny_model: Path, options: tuple[str, ...]) -> None:
    result = cli("run", tiny_model, "hello", *options)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: Invalid value for '{options[0]}'")
    told = cli("run", tiny_model, "hello", *options, "--json")
    assert (told.code, told.err) == (2, "")
    error = json.loads(told.out)["error"]
    assert (error["code"], f"error: {error['message']}") == ("usage", result.err.splitlines()[0])


def test_text_that_is_not_utf8(cli: Cli, tiny_model: Path) -> None:
    given = cli("run", tiny_model, given=b"\xff\xfe")
    argument = cli("run", tiny_model, b"\xff".decode(errors="surrogateescape"))
    assert given.code == argument.code == 1
    assert given.err.startswith("error: standard input is text in UTF-16")
    assert argument.err == "error: PROMPT is not UTF-8 text: \ufffd\n"


def test_control_characters_are_shown_on_a_terminal(cli: Cli, terminal: Terminal, tiny_model: Path) -> None:
    # At this temperature it is noise: any byte, control characters among them.
    options = ("--raw", "--ignore-eos", "--max-tokens", "300", "--temperature", "100", "--top-p", "1", "--seed", "1")

    def controls(text: str) -> set[str]:
        return {c for c in text if c < " " or "\x7f" <= c < "\xa0"} - {"\n", "\t", "\r"}

    piped = cli("run", tiny_model, "", *options).out
    assert controls(piped)
    shown = terminal("run", tiny_model, "", *options).read()
    assert not controls(shown)
    assert any("\u2400" <= c <= "\u2421" for c in shown)


def test_control_characters_in_errors_are_shown(cli: Cli) -> None:
    result = cli("run", "\x1b]0;title\x07no\nmodel", "hello")
    assert result.code == 1
    assert result.err.startswith('error: there is no model named "␛]0;title␇no; model"\n')


def test_nobody_reads(begun: Begun, tiny_model: Path) -> None:
    with begun("run", tiny_model, "hello", "--raw", *ENDLESS) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.wait(10) == 0
        assert process.stderr.read() == b""


def test_ctrl_c_is_a_document_where_one_was_asked_for(begun: Begun, tiny_model: Path) -> None:
    with begun("run", tiny_model, "hello", *ENDLESS, "--context", "100000", "--json") as process:
        # Its last word before it generates: what is pressed earlier is heard as early.
        waited = time.monotonic() + 60
        while not threads_of(process.pid, "trillm-decode"):
            assert time.monotonic() < waited
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, b"")
    assert json.loads(out) == {"error": {"code": "interrupted", "message": "interrupted", "hint": None}}


def threads_of(process: int, name: str) -> list[str]:
    """The threads of a process that begin so."""
    names = [task.read_text() for task in Path(f"/proc/{process}/task").glob("*/comm")]
    return [found for found in names if found.startswith(name)]


def test_ctrl_c_ends_it(begun: Begun, tiny_model: Path) -> None:
    with begun("run", tiny_model, "hello", *ENDLESS) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(10) == 130
        assert time.monotonic() - start < 2
        assert rest.endswith(b"\n")
        assert process.stderr.read() == b""
