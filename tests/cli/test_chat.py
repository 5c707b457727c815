"""`trillm run` on a terminal."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pexpect
import pytest

from .conftest import PROMPT, SHORT, Terminal

STATISTICS = re.compile(r"prompt (\d+) tokens \((\d+) cached\).*answer (\d+) tokens")


def tokens(child: pexpect.spawn[str]) -> int:
    """The length of the prompt that was answered just now."""
    child.expect(STATISTICS)
    assert isinstance(child.match, re.Match)
    count = int(child.match[1])
    child.expect_exact(PROMPT)
    return count


def ended(child: pexpect.spawn[str]) -> int | None:
    child.expect(pexpect.EOF)
    child.wait()
    return child.exitstatus


def test_the_conversation_grows_and_is_cleared(chat: pexpect.spawn[str]) -> None:
    chat.sendline("hello")
    first = tokens(chat)
    chat.sendline("hello")
    second = tokens(chat)
    assert second > 2 * first - 5
    chat.sendline("/clear")
    chat.expect_exact(PROMPT)
    chat.sendline("hello")
    assert tokens(chat) == first


@pytest.mark.parametrize("end", ["/bye\r", "\x04"])
def test_ends(chat: pexpect.spawn[str], end: str) -> None:
    chat.send(end)
    assert ended(chat) == 0


def test_help_and_unknown_commands(chat: pexpect.spawn[str]) -> None:
    chat.sendline("/help")
    chat.expect_exact("/clear")
    chat.expect_exact(PROMPT)
    chat.sendline("/nonsense")
    chat.expect_exact("error: no command /nonsense")
    chat.expect_exact(PROMPT)
    # A path is not a command.
    chat.sendline("/etc/hosts")
    tokens(chat)
    chat.sendline("")
    chat.expect_exact(PROMPT)


def test_messages_of_several_lines(chat: pexpect.spawn[str]) -> None:
    chat.sendline('"""ab')
    chat.expect_exact("... ")
    chat.sendline('cd"""')
    quoted = tokens(chat)
    chat.sendline("/clear")
    chat.expect_exact(PROMPT)
    chat.send("\x1b[200~ab\ncd\x1b[201~\r")
    assert tokens(chat) == quoted
    chat.sendline("/clear")
    chat.expect_exact(PROMPT)
    chat.sendline('"""abcd"""')
    # Without the line break.
    assert tokens(chat) == quoted - 1


def test_ctrl_c_stops_the_answer_and_keeps_the_conversation(talk: Terminal) -> None:
    child = talk("--ignore-eos", "--context", "60000", "--temperature", "0")
    child.sendline("hello")
    child.expect("hello.*\r\n")
    child.expect(".{100}")
    child.sendintr()
    child.expect_exact("(stopped)", timeout=5)
    child.expect_exact(PROMPT)
    child.sendline("go on")
    child.expect("go on.*\r\n")
    child.expect(".{100}")
    child.sendintr()
    child.expect_exact(PROMPT)
    child.sendeof()
    assert ended(child) == 0


def test_ctrl_c_at_the_prompt(chat: pexpect.spawn[str]) -> None:
    chat.send("half a message")
    chat.expect_exact("half a message")
    chat.sendintr()
    chat.expect_exact(PROMPT)
    # The line is gone, and one message later the first Ctrl-C is forgotten.
    chat.sendline("hello")
    tokens(chat)
    chat.sendintr()
    chat.expect_exact(PROMPT)
    chat.sendintr()
    assert ended(chat) == 0


def test_a_message_too_long_does_not_end_it(talk: Terminal) -> None:
    child = talk(*SHORT, "--context", "256")
    child.sendline("x" * 300)
    child.expect("error: .* does not fit a context of 256")
    child.expect_exact("hint: /clear")
    child.expect_exact(PROMPT)
    child.sendline("hello")
    tokens(child)


def test_needs_a_chat_template(terminal: Terminal, no_template: Path) -> None:
    child = terminal("run", no_template)
    child.expect_exact("error: tiny has no chat template")
    assert ended(child) == 1


@pytest.mark.parametrize("option", ["--raw", "--json"])
def test_needs_a_prompt_for_other_things(terminal: Terminal, tiny_model: Path, option: str) -> None:
    child = terminal("run", tiny_model, option)
    child.expect_exact("no PROMPT")
    assert ended(child) == 2


@pytest.mark.parametrize("way", [(mode, end) for mode in ("emacs", "vi") for end in "\r\n\x0f"], ids=repr)
@pytest.mark.parametrize("settings", [{}, {"LC_ALL": "C"}, {"TERM": "dumb"}], ids=["as it is", "C", "dumb"])
def test_what_is_typed_and_no_utf8_is_refused(
    talk: Terminal,
    tmp_path: Path,
    environment: dict[str, str],
    settings: dict[str, str],
    way: tuple[str, str],
) -> None:
    """The editor holds back the beginning of a character, of any length, in any mode and whatever ends the line."""
    mode, end = way
    (tmp_path / "inputrc").write_text(f'set editing-mode {mode}\n"\\C-o": operate-and-get-next\n')
    environment.update(settings, INPUTRC=str(tmp_path / "inputrc"))
    child = talk()
    for typed in (b"caf\xe9 x", b"caf\xe9", b"\xff", b"\xe6\x97 x", b"\xf0\x9f\x98x", b"\xe9\xc3\xa9 z", b"\xe9"):
        os.write(child.child_fd, typed + end.encode())
        child.expect_exact("error: that was not UTF-8")
        # Nothing is typed behind it to bring it out, not for a moment either.
        assert child.before is not None
        assert child.before.count("é") == typed.decode(errors="replace").count("é")
        child.expect_exact(PROMPT)
        # It does not spoil what comes next, wherever the cursor is.
        child.send("café\x1b[D\x1b[D" + end)
        tokens(child)
        child.sendline("/undo")
        child.expect_exact("forgot: café\r\n")
        child.expect_exact(PROMPT)


def test_a_line_that_is_given_up_takes_along_what_the_editor_holds_back(chat: pexpect.spawn[str]) -> None:
    os.write(chat.child_fd, b"caf\xe9")
    chat.expect_exact("caf")
    chat.sendintr()
    chat.expect_exact(PROMPT)
    chat.sendline("é")
    tokens(chat)


@pytest.mark.parametrize(
    "settings",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "TERM": "dumb"},
        {"LC_ALL": "C", "PYTHONUTF8": "0"},
        {"LC_ALL": "POSIX"},
        {"LC_ALL": "en_NOWHERE.UTF-8"},
        {"LANG": "C"},
        {"LC_CTYPE": "C", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "C.UTF-8"},
    ],
    ids=lambda settings: " ".join(f"{name}={value}" for name, value in settings.items()),
)
def test_a_locale_of_ascii_alone_takes_utf8(
    talk: Terminal, environment: dict[str, str], settings: dict[str, str]
) -> None:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        environment.pop(name, None)
    environment.update(settings)
    child = talk()
    lengths = []
    # What is erased is a character: half of one would be no UTF-8. The arrow fetches what was typed before `/undo`.
    for typed in ("caf", "café", "cafééé\x7f\x7f", "caf日", "\x1b[A\x1b[A"):
        child.sendline(typed)
        lengths.append(tokens(child))
        child.sendline("/undo")
        if typed.isalpha():
            child.expect_exact(f"forgot: {typed}\r\n")
        child.expect_exact(PROMPT)
    empty = lengths[0] - 3
    assert [length - empty for length in lengths] == [3, 5, 5, 6, 6]
    child.sendline("/bye")
    assert ended(child) == 0
