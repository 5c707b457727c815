"""What begins with a slash in a conversation, and what is typed besides messages."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
from trillm.cli.chat.history import History
from trillm.cli.chat.settings import EXPECTED
from trillm.types import GenerateParams

from .conftest import PROMPT, SHORT, Terminal
from .test_chat import ended, tokens


def said(child: pexpect.spawn[str], line: str) -> str:
    """What the command says to a line."""
    child.sendline(line)
    child.expect_exact("\r\n")
    child.expect_exact(PROMPT)
    assert isinstance(child.before, str)
    # Without what editing sends.
    return re.sub(r"\x1b\[\?2004[hl]\r?", "", child.before).replace("\r\n", "\n")


def asked(child: pexpect.spawn[str], line: str = "hello") -> int:
    child.sendline(line)
    return tokens(child)


def test_every_parameter_of_generating_can_be_set_but_those_of_programs() -> None:
    left_out = {"logprobs", "priority", "cache_salt", "add_special", "parse_special"}
    assert EXPECTED.keys() == GenerateParams.__annotations__.keys() - left_out


def test_a_system_message(chat: pexpect.spawn[str]) -> None:
    first = asked(chat)
    said(chat, "/clear")
    assert "is set" in said(chat, '/system "Be brief."')
    assert said(chat, "/system") == "Be brief.\n"
    brief = asked(chat)
    assert brief > first
    said(chat, "/clear")
    # It stays.
    assert asked(chat) == brief
    said(chat, "/clear")
    said(chat, "/system default")
    assert said(chat, "/system") == "the template's own\n"
    said(chat, '/system "none"')
    assert said(chat, "/system") == "none\n"
    said(chat, "/set system None")
    assert said(chat, "/system") == "the template's own\n"
    said(chat, '/system ""')
    assert asked(chat) < brief


def test_settings(chat: pexpect.spawn[str]) -> None:
    assert said(chat, "/set temperature 0.5") == "temperature is 0.5\n"
    assert said(chat, "/set parameter top-k 40") == "top_k is 40\n"
    assert said(chat, "/set stop \\n") == "stop is \\n\n"
    assert said(chat, '/set stop ["a", "b"]') == "stop is ['a', 'b']\n"
    assert said(chat, '/set logit_bias {"5": -1}') == "logit_bias is {5: -1}\n"
    assert said(chat, "/set seed 18446744073709551615") == "seed is 18446744073709551615\n"
    assert said(chat, "/set ignore_eos off") == "ignore_eos is False\n"
    assert said(chat, "/set seed default") == "seed is default\n"
    assert "0 to 100" in said(chat, "/set temperature")
    listed = said(chat, "/set")
    assert re.search(r"^temperature +0\.5 +0 to 100$", listed, re.MULTILINE)
    assert [line.split()[0] for line in listed.splitlines()] == list(EXPECTED)
    said(chat, "/set max_tokens 2")
    chat.sendline("hello")
    chat.expect("answer 2 tokens")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("/set temperature hot", "temperature is"),
        ("/set temperature 200", "temperature is 200, expected 0 to 100"),
        ("/set temperature -1", "temperature is -1, expected 0 to 100"),
        ("/set top_p 2", "top_p is 2, expected 0 to 1"),
        ("/set top_k 1.5", "top_k is"),
        ("/set min_p -1", "min_p is -1"),
        ("/set typical_p 2", "typical_p is 2"),
        ("/set repetition_penalty 0", "repetition_penalty is 0"),
        ("/set presence_penalty 3", "presence_penalty is 3"),
        ("/set frequency_penalty 3", "frequency_penalty is 3"),
        ("/set repeat_last_n x", "repeat_last_n is"),
        ("/set max_tokens 0", "max_tokens is 0"),
        ("/set seed -1", "seed is -1"),
        ("/set ignore_eos maybe", "ignore_eos is"),
        ("/set timeout 0", "timeout is 0"),
        ('/set logit_bias {"x": 1}', "logit_bias is"),
        ('/set stop [""]', "stop is an empty string"),
        ("/set max_tokens " + "9" * 23, 'expected a whole number, 1 to 4294967295, or "fit"'),
        ("/set temprature 0", "no parameter temprature"),
        ("/set parse_special true", "parse_special is none of a conversation: the Python API has it"),
        ("/set num_predict 0", "did you mean max_tokens?"),
        ("/set num_ctx 9", "--context N"),
    ],
)
def test_a_wrong_setting_is_named_and_changes_nothing(chat: pexpect.spawn[str], line: str, error: str) -> None:
    before = said(chat, "/set")
    answer = said(chat, line)
    assert answer.startswith("error: ")
    assert error in answer
    assert said(chat, "/set") == before


@pytest.mark.parametrize(
    ("line", "error", "hint"),
    [
        ("/sytem You are a pirate", "no command /sytem", "/system"),
        ("/nonsense with words", "no command /nonsense", "/help"),
        ("/Clear now", "/Clear stands alone", "/clear"),
        ("/", "no command /", "/help"),
        ("/bye for now", "/bye stands alone", "/bye"),
        ("/save", "no FILE was given", "/save FILE"),
        ("/undo", "nothing was said", ""),
        ("/regen", "nothing was said", ""),
        ("/load missing.json", "No such file or directory: missing.json", ""),
        ("/file missing.txt", "No such file or directory: missing.txt", ""),
        ("/model no-such-model", 'there is no model named "no-such-model"', ""),
    ],
)
def test_no_command_reaches_the_model(chat: pexpect.spawn[str], line: str, error: str, hint: str) -> None:
    first = asked(chat, "one")
    said(chat, "/undo")
    answer = said(chat, line)
    assert answer.startswith(f"error: {error}")
    assert hint in answer
    assert asked(chat, "one") == first


def test_what_is_quoted_is_a_message(chat: pexpect.spawn[str]) -> None:
    assert asked(chat, '"""/clear"""') > 0
    # It was not obeyed.
    assert asked(chat) > asked_alone(chat)


def asked_alone(chat: pexpect.spawn[str]) -> int:
    said(chat, "/clear")
    return asked(chat)


def test_undo_and_regen(chat: pexpect.spawn[str]) -> None:
    first = asked(chat, "one")
    second = asked(chat, "two")
    assert second > first
    chat.sendline("/regen")
    assert tokens(chat) == second
    assert said(chat, "/undo") == "forgot: two\n"
    assert asked(chat, "two") == second
    said(chat, "/undo")
    assert said(chat, "/undo") == "forgot: one\n"
    assert asked(chat, "one") == first


def test_a_file_goes_with_the_next_message(chat: pexpect.spawn[str], tmp_path: Path) -> None:
    (tmp_path / "my notes.txt").write_text("x" * 100)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n\0")
    alone = asked_alone(chat)
    said(chat, "/clear")
    assert said(chat, "/file my notes.txt").startswith("my notes.txt, 100 B, goes with")
    assert asked(chat) > alone + 100
    chat.sendline("/regen")
    tokens(chat)
    assert said(chat, "/undo") == "forgot: hello, with 1 file\n"
    assert asked(chat) == alone
    assert said(chat, "/file a.png").startswith("error: a.png is an image (PNG)")
    said(chat, "/file my notes.txt")
    said(chat, "/file my notes.txt")
    assert said(chat, "/clear") == "a new conversation; 2 files for the next message forgotten\n"
    assert said(chat, "/clear") == "a new conversation\n"


def test_save_and_load(chat: pexpect.spawn[str], talk: Terminal, tmp_path: Path) -> None:
    said(chat, "/system Be brief.")
    said(chat, "/set top_k 40")
    said(chat, '/set logit_bias {"5": -1}')
    asked(chat, "one")
    assert said(chat, "/save talk.json") == "saved as talk.json\n"
    path = tmp_path / "talk.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    document = json.loads(path.read_text())
    assert [message["role"] for message in document["messages"]] == ["system", "user", "assistant"]
    second = asked(chat, "two")
    # To where it was saved before, but to nothing else.
    said(chat, "/save talk.json")
    (tmp_path / "mine").write_text("mine")
    assert said(chat, "/save mine").startswith("error: mine is there already")
    assert (tmp_path / "mine").read_text() == "mine"

    other = talk()
    (tmp_path / "notes.txt").write_text("x")
    said(other, "/file notes.txt")
    loaded = said(other, "/load talk.json")
    assert loaded.startswith(
        "2 questions and answers; 1 file for the next message forgotten; the system message is that of the file; "
        "settings are those of the file: "
    )
    assert "top_k 40, logit_bias {5: -1}\n" in loaded
    # What is as it was is not told again.
    assert said(other, "/load talk.json") == "2 questions and answers\n"
    assert "top_k is 40" in said(other, "/set top_k")
    assert "Be brief." in said(other, "/show")
    said(other, "/undo")
    assert asked(other, "two") == second


@pytest.mark.parametrize(
    "content",
    [
        "nonsense",
        "[]",
        '{"messages": 3}',
        '{"messages": [{"role": "user"}]}',
        '{"messages": [{"role": "user", "content": "x"}]}',
        '{"messages": [{"role": "tool", "content": "x"}]}',
        '{"messages": [], "settings": []}',
        '{"messages": [], "model": null}',
        '{"messages": [], "model": 3}',
        '{"messages": [], "model": "\\ud800"}',
        '{"messages": [{"role": "system", "content": "\\ud800"}]}',
        '{"messages": [{"role": "user", "content": "\\udc00"}, {"role": "assistant", "content": "x"}]}',
        "[" * 100_000,
    ],
)
def test_what_is_no_conversation_is_not_loaded(chat: pexpect.spawn[str], tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.json").write_text(content)
    asked(chat, "one")
    assert said(chat, "/load bad.json").startswith("error: bad.json is no saved conversation: ")
    assert "1 question and answer" in said(chat, "/show")


def test_a_saved_setting_is_checked(chat: pexpect.spawn[str], tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('{"messages": [], "settings": {"temperature": 200}}')
    assert said(chat, "/load bad.json").startswith("error: temperature is 200")


@pytest.mark.parametrize(
    "setting", ['{"logit_bias": {"NUMBER": 1}}', '{"top_k": NUMBER}', '{"max_tokens": NUMBER}', '{"seed": -NUMBER}']
)
def test_a_saved_number_may_have_any_length(chat: pexpect.spawn[str], tmp_path: Path, setting: str) -> None:
    """Python reads 4,300 digits and no more."""
    expected = []
    for digits in (50, 5000):
        settings = setting.replace("NUMBER", "9" * digits)
        (tmp_path / "bad.json").write_text(f'{{"messages": [], "settings": {settings}}}')
        expected.append(said(chat, "/load bad.json"))
    assert expected[0].startswith("error: ")
    assert "whole number" in expected[0]
    assert expected[0].split("expected")[1:] == expected[1].split("expected")[1:]


def test_a_typed_number_may_have_any_length(talk: Terminal) -> None:
    child = talk()
    # Pasted, since a terminal is slow to show what is typed.
    child.send('\x1b[200~/set logit_bias {"' + "9" * 4500 + '": 1}\x1b[201~\r')
    child.expect("error: logit_bias is a mapping with the key 9+.*, expected")
    child.expect_exact(PROMPT)


def test_what_no_editor_keeps_of_a_history_is_passed_by(talk: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "state" / "trillm" / "history"
    path.parent.mkdir(parents=True)
    path.write_text('"one"\n"a\\u0000b"\n"\\ud800"\n"two"\n')
    child = talk()
    child.send(UP * 2)
    child.expect_exact("one")
    child.send("\r")
    tokens(child)


def test_too_many_tokens_get_the_advice_to_ask_for_fewer(chat: pexpect.spawn[str]) -> None:
    asked(chat)
    said(chat, "/set max_tokens 4000")
    answer = said(chat, "/regen")
    assert answer.startswith("error: prompt of ")
    assert "hint: /set max_tokens fit asks for as many as there is room for; /clear starts" in answer
    said(chat, "/set max_tokens fit")
    chat.sendline("x" * 600)
    chat.expect_exact("hint: /clear starts a new conversation")


def test_another_model_goes_on(chat: pexpect.spawn[str], tiny_model: Path, no_template: Path, tmp_path: Path) -> None:
    (tmp_path / "other.gguf").write_bytes(tiny_model.read_bytes())
    first = asked(chat, "one")
    assert said(chat, "/model ./other.gguf").startswith("tiny; what was said stays")
    assert said(chat, "/model") == "./other.gguf\n"
    assert asked(chat, "two") > first
    refused = said(chat, f"/model {no_template}")
    assert refused.startswith("error: tiny has no chat template")
    # What it advises can be done from outside only.
    assert "trillm run MODEL --raw PROMPT" in refused
    assert said(chat, "/model") == "./other.gguf\n"
    assert asked(chat, "three") > first


def test_show_and_help(chat: pexpect.spawn[str], tiny_model: Path) -> None:
    asked(chat)
    shown = said(chat, "/show")
    assert re.search(r"^conversation +1 question and answer", shown, re.MULTILINE)
    assert str(tiny_model) in shown
    helped = said(chat, "/help")
    for name in ("system", "set", "show", "save", "load", "undo", "regen", "clear", "model", "file", "help", "bye"):
        assert f"/{name}" in helped


def test_ctrl_d_does_not_lose_several_lines(chat: pexpect.spawn[str]) -> None:
    chat.sendline('"""ab')
    chat.expect_exact("... ")
    chat.sendline("cd")
    chat.expect_exact("... ")
    chat.sendeof()
    whole = tokens(chat)
    said(chat, "/clear")
    chat.sendline('"""ab')
    chat.expect_exact("... ")
    chat.sendline('cd"""')
    assert tokens(chat) == whole
    chat.sendeof()
    assert ended(chat) == 0


UP = "\x1b[A"


def test_history_between_conversations(talk: Terminal, tmp_path: Path) -> None:
    child = talk()
    child.sendline('"""ab')
    child.expect_exact("... ")
    child.sendline('cd"""')
    several = tokens(child)
    said(child, "/clear")
    child.close(force=True)

    path = tmp_path / "state" / "trillm" / "history"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    again = talk()
    # The last is /clear, the one before has two lines.
    again.send(UP + UP + "\r")
    assert tokens(again) == several


def test_history_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    history = History()
    for number in range(2500):
        history.append(f"message {number}\nand more")
    history.append("x" * 100_000)
    expected = [f"message {number}\nand more" for number in range(1500, 2500)]
    assert history.read() == expected
    path = tmp_path / "trillm" / "history"
    assert len(path.read_bytes().splitlines()) == 1000
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(path.read_bytes() + b"\xff\xfe nonsense\n[1]\n{")
    assert history.read() == expected


def test_conversations_that_shorten_their_history_at_once_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    program = """
import sys
from trillm.cli.chat.history import History
history = History()
for number in range(300):
    history.append(f"{sys.argv[1]} {number}")
    history.read()
"""
    for number in range(1990):
        History().append(f"old {number}")
    command = [sys.executable, "-c", program]
    processes = [subprocess.Popen([*command, str(number)]) for number in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    kept = History().read()
    for number in range(3):
        assert [entry for entry in kept if entry.startswith(f"{number} ")] == [f"{number} {n}" for n in range(300)]


def test_without_a_place_for_history_it_goes_on(
    terminal: Terminal, tiny_model: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "state").write_text("a file, not a folder")
    child = terminal("run", tiny_model, *SHORT)
    child.expect_exact("note: what you type is not kept")
    child.expect_exact(PROMPT)
    assert asked(child) > 0
    (tmp_path / "other" / "trillm" / "history").mkdir(parents=True)
    environment["XDG_STATE_HOME"] = str(tmp_path / "other")
    again = terminal("run", tiny_model, *SHORT)
    again.expect_exact("note: what you type is not kept for later: It is not a regular file: ")
    again.expect_exact("trillm/history")
    again.expect_exact(PROMPT)


def test_what_is_pasted_is_one_message_without_colours_too(
    terminal: Terminal, tiny_model: Path, environment: dict[str, str]
) -> None:
    environment["NO_COLOR"] = "1"
    child = terminal("run", tiny_model, *SHORT)
    child.expect_exact("\x1b[?2004h")
    child.expect_exact(PROMPT)


@pytest.mark.parametrize("setting", [{"TERM": "dumb"}, {"TERM": "dumb", "NO_COLOR": "1"}])
def test_a_dumb_terminal_gets_no_escape_sequences(
    terminal: Terminal, tiny_model: Path, environment: dict[str, str], setting: dict[str, str]
) -> None:
    environment |= setting
    child = terminal("run", tiny_model, *SHORT)
    seen = ""
    for line in ("hello", "/show", '"""a"""', "/help", "/bye"):
        child.expect_exact(PROMPT)
        seen += child.before or ""
        child.sendline(line)
    seen += child.read()
    assert "\x1b" not in seen


def test_names_of_files_are_utf8_where_the_locale_knows_ascii_alone(
    talk: Terminal, tmp_path: Path, environment: dict[str, str]
) -> None:
    environment |= {"LC_ALL": "C", "PYTHONUTF8": "0"}
    (tmp_path / "café.txt").write_text("one")
    child = talk()
    assert "goes with the next message" in said(child, "/file café.txt")
    assert "saved as" in said(child, "/save 日.json")
    assert "0 questions and answers" in said(child, "/load 日.json")
    assert (tmp_path / "日.json").is_file()
