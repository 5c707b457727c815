"""What `trillm run` asks: files, standard input and PROMPT."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from trillm.cli.given import joined, named

from .conftest import Cli, Result, Terminal, trillm

SHORT = ("--max-tokens", "1", "--temperature", "0", "--json")


def asked(cli: Cli, model: Path, *arguments: str | Path, given: bytes = b"") -> int:
    """How many tokens a prompt has; the tiny model has a token for each byte."""
    result = cli("run", model, *arguments, *SHORT, given=given)
    assert (result.code, result.err) == (0, ""), result
    tokens = json.loads(result.out)["usage"]["prompt_tokens"]
    assert isinstance(tokens, int)
    return tokens


@pytest.mark.parametrize("raw", [(), ("--raw",)])
def test_standard_input_goes_before_the_prompt(cli: Cli, tiny_model: Path, raw: tuple[str, ...]) -> None:
    options = (*raw, "--max-tokens", "9", "--temperature", "0")
    piped = cli("run", tiny_model, "when?", *options, given=b"notes\n")
    assert piped == cli("run", tiny_model, "notes\n\nwhen?", *options)
    assert piped.code == 0


def test_several_words_need_no_quotes(cli: Cli, tiny_model: Path) -> None:
    assert asked(cli, tiny_model, "a", "long", "question") == asked(cli, tiny_model, "a long question")
    assert asked(cli, tiny_model, "5", "-", "3") == asked(cli, tiny_model, "5 - 3")


def test_files_go_first_with_their_names(cli: Cli, tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n")
    (tmp_path / "b.txt").write_bytes(b"\xef\xbb\xbftwo```")
    text = "a.txt:\n```\none\n```\n\nb.txt:\n````\ntwo```\n````\n\npiped\n\nwhen?"
    options = ("--max-tokens", "9", "--temperature", "0")
    files = ("--file", "a.txt", "-f", "b.txt")
    assert cli("run", tiny_model, *files, "when?", *options, given=b"piped") == cli("run", tiny_model, text, *options)
    assert cli("run", tiny_model, "-f", "a.txt", *options) == cli("run", tiny_model, named("a.txt", "one\n"), *options)


def test_a_raw_file_is_continued_as_it_stands(cli: Cli, tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "story.txt").write_text("Once upon")
    options = ("--raw", "--max-tokens", "9", "--temperature", "0")
    assert cli("run", tiny_model, "-f", "story.txt", *options) == cli("run", tiny_model, "Once upon", *options)


def test_a_home_is_meant_by_a_tilde(cli: Cli, tiny_model: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    environment["HOME"] = str(tmp_path)
    (tmp_path / "a.txt").write_text("one")
    assert cli("run", tiny_model, "--file=~/a.txt", *SHORT).code == 0


@pytest.mark.parametrize("closed", [False, True])
def test_nothing_on_standard_input_is_no_error(
    tiny_model: Path, environment: dict[str, str], tmp_path: Path, closed: bool
) -> None:
    command = trillm("run", tiny_model, "hello", "--raw", *SHORT)
    shell = ["sh", "-c", 'exec "$@" <&-', "sh", *command] if closed else command
    done = subprocess.run(
        shell, stdin=subprocess.DEVNULL, env=environment, cwd=tmp_path, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_process_may_be_a_file(cli: Cli, tiny_model: Path, environment: dict[str, str], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"from a pipe")
    os.close(writing)
    command = trillm("run", tiny_model, "-f", f"/dev/fd/{reading}", "--raw", *SHORT)
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        check=False,
        pass_fds=[reading],
    )
    os.close(reading)
    assert json.loads(done.stdout)["usage"]["prompt_tokens"] == asked(cli, tiny_model, "from a pipe", "--raw")


IMAGES = {
    "a.png": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "PNG"),
    "a.jpg": (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG"),
    "a.gif": (b"GIF89a\x01\0\x01\0", "GIF"),
    "a.webp": (b"RIFF\x24\0\0\0WEBPVP8 ", "WebP"),
    "a.heic": (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
    "a.bmp": (b"BM\x46\0\0\0\0\0\0\0", "BMP"),
    "a.tiff": (b"II*\0\x08\0\0\0", "TIFF"),
}


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_is_refused_by_name(cli: Cli, tmp_path: Path, tiny_model: Path, name: str) -> None:
    content, kind = IMAGES[name]
    (tmp_path / name).write_bytes(content)
    result = cli("run", tiny_model, "-f", name, "what is this?")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"error: {name} is an image ({kind}), expected text")
    piped = cli("run", tiny_model, "what is this?", given=content)
    assert piped.err.startswith(f"error: standard input is an image ({kind})")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"caf\xe9 au lait", "x is not UTF-8 text: byte 3 is 0xe9"),
        (b"%PDF-1.7 all ASCII", "x is a PDF document"),
        (b"\xff\xfeh\0i\0", "x is text in UTF-16"),
        (b"PK\x03\x04", "x is an archive"),
        (b"a\0b", "x has NUL characters"),
        (None, "No such file or directory: x"),
    ],
)
def test_other_files_that_are_no_text(
    cli: Cli, tmp_path: Path, tiny_model: Path, content: bytes | None, expected: str
) -> None:
    if content is not None:
        (tmp_path / "x").write_bytes(content)
    result = cli("run", tiny_model, "-f", "x", "what is this?")
    assert (result.code, result.out) == (1, "")
    assert expected in result.err
    assert "Traceback" not in result.err


def test_a_home_that_nobody_has(cli: Cli, tiny_model: Path) -> None:
    result = cli("run", tiny_model, "-f", "~nobody-at-all/x", "what is this?")
    assert (result.code, result.err) == (1, "error: No such file or directory: ~nobody-at-all/x\n")


def test_fences_are_found_at_once() -> None:
    text = "`" * 1_000_000
    assert named("x", text) == f"x:\n{text}`\n{text}\n{text}`"


def test_a_text_may_begin_like_an_image(cli: Cli, tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "cars.txt").write_text("BMW and others")
    assert cli("run", tiny_model, "-f", "cars.txt", *SHORT).code == 0


def test_a_file_too_large_is_not_read(cli: Cli, tmp_path: Path, tiny_model: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
    result = cli("run", tiny_model, "-f", "huge", "what is this?")
    assert result.code == 1
    assert "huge is 1.1 TB, expected at most" in result.err
    endless = cli("run", tiny_model, "-f", "/dev/zero", "what is this?")
    assert "/dev/zero is more than" in endless.err


def test_the_name_of_a_file_is_noticed(cli: Cli, tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "notes.txt").write_text("Monday")
    result = cli("run", tiny_model, "when?", "notes.txt", *SHORT)
    assert result.code == 0
    assert result.err == "note: notes.txt is a file, and its name is all that is sent: --file notes.txt attaches it\n"
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n\0")
    (tmp_path / "noise").write_bytes(b"a\xff")
    for name in ("a.png", "noise"):
        result = cli("run", tiny_model, name, "what", "is", "it", *SHORT)
        assert result.err == (
            f"note: {name} is a file, and its name is all that is sent: "
            "it is no text, which is all that models here read\n"
        )
    (tmp_path / "long.txt").write_text("é" * (1 << 16))
    assert "--file long.txt attaches it" in cli("run", tiny_model, "long.txt", "a", *SHORT).err


@pytest.mark.parametrize(
    ("arguments", "given", "expected"),
    [
        (("",), b"", "PROMPT is blank, and standard input is empty"),
        ((" ", "\n\n"), b"", "PROMPT is blank, and standard input is empty"),
        (("",), b"\n\n", "PROMPT is blank, and standard input is blank"),
        ((), b"", "no PROMPT, and standard input is empty"),
        ((), b"\n \n\n", "no PROMPT, and standard input is blank"),
        (("-",), b"\n\n", "no PROMPT, and standard input is blank"),
        (("--raw",), b"", "no PROMPT, and standard input is empty"),
    ],
)
def test_to_be_asked_nothing_is_an_error(
    cli: Cli, tiny_model: Path, arguments: tuple[str, ...], given: bytes, expected: str
) -> None:
    result = cli("run", tiny_model, *arguments, given=given)
    assert (result.code, result.out) == (2, "")
    assert result.err.splitlines()[0] == f"error: {expected}"


def test_blank_lines_may_be_continued(cli: Cli, tiny_model: Path) -> None:
    blank = asked(cli, tiny_model, "--raw", "\n\n")
    assert (blank, asked(cli, tiny_model, "--raw", "")) == (asked(cli, tiny_model, "--raw", "ab"), blank - 2)


NOT_TEXT = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("run", "MODEL", NOT_TEXT), "PROMPT"),
        (("run", "MODEL", "-s", NOT_TEXT, "hi"), "--system"),
        (("run", "MODEL", "--stop", "a", "--stop", NOT_TEXT, "hi"), "--stop"),
        (("embed", "MODEL", "hi", NOT_TEXT), "TEXT"),
        (("embed", "MODEL", "--prompt", NOT_TEXT, "hi"), "--prompt"),
        (("embed", "MODEL", "--prompt-name", NOT_TEXT, "hi"), "--prompt-name"),
    ],
)
def test_what_is_no_text_is_named(cli: Cli, tiny_model: Path, arguments: tuple[str, ...], name: str) -> None:
    result = cli(*(str(tiny_model) if word == "MODEL" else word for word in arguments))
    assert result == Result(1, "", f"error: {name} is not UTF-8 text: caf\ufffd\n")


def test_arguments_are_utf8_where_the_locale_knows_ascii_alone(
    cli: Cli, tiny_model: Path, environment: dict[str, str]
) -> None:
    run = ("run", tiny_model, "-t", "0", "-n", "5", "--ignore-eos", "-s", "Sé", "--stop", "é", "é")
    embed = ("embed", tiny_model, "--prompt", "日", "--json", "é")
    expected = [cli(*run), cli(*embed)]
    environment |= {"LC_ALL": "C", "PYTHONUTF8": "0"}
    assert [cli(*run), cli(*embed)] == expected
    assert [result.code for result in expected] == [0, 0]


def test_a_hyphen_is_standard_input(cli: Cli, tiny_model: Path) -> None:
    named_so = asked(cli, tiny_model, named("standard input", "one\n"))
    assert asked(cli, tiny_model, "-f", "-", given=b"one\n") == named_so
    assert asked(cli, tiny_model, "-f", "-", "when?", "--raw", given=b"one\n") == asked(
        cli, tiny_model, "one\n\n\nwhen?", "--raw"
    )
    lines = json.loads(cli("embed", tiny_model, "-f", "-", "--json", given=b"one\ntwo\n").out)["embeddings"]
    assert [entry["file"] for entry in lines] == ["standard input"]


def test_a_file_without_a_name(cli: Cli, tiny_model: Path) -> None:
    for command in ("run", "embed"):
        result = cli(command, tiny_model, "-f", "", "hi")
        assert result == Result(1, "", "error: the name of a file is empty\nhint: name a text file\n")


def test_short_options(cli: Cli, tiny_model: Path) -> None:
    short = cli("run", tiny_model, "hello", "-s", "Be brief.", "-t", "0", "-n", "7")
    long = cli("run", tiny_model, "hello", "--system", "Be brief.", "--temperature", "0", "--max-tokens", "7")
    assert short == long
    assert short.code == 0


def test_a_file_without_a_question_begins_a_conversation(terminal: Terminal, tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x" * 100)
    child = terminal("run", tiny_model, "-f", "a.txt", "-n", "4", "-t", "0", "-v")
    child.expect_exact(">>> ")
    child.sendline("hi")
    child.expect(r"prompt (\d+) tokens")
    assert isinstance(child.match, re.Match)
    assert int(child.match[1]) > 100


def test_standard_input_is_left_alone_on_a_terminal(terminal: Terminal, tiny_model: Path) -> None:
    child = terminal("run", tiny_model, "hello", "-n", "4", "--ignore-eos")
    child.read()
    child.wait()
    assert child.exitstatus == 0


def test_what_is_given_is_joined_by_blank_lines() -> None:
    assert joined(["a", "", "b"]) == "a\n\nb"
