"""What begins with a slash.

A line whose first word is a slash and a name is a command, known or not, and never reaches the model: a typing error
should not become a question. A path has a second slash, and is a message.
"""

from __future__ import annotations

import difflib
import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trillm._reference import at_home
from trillm.cli.chat.lines import QUOTES
from trillm.cli.chat.saved import Saved
from trillm.cli.chat.settings import DEFAULTS, EXPECTED, parsed
from trillm.cli.given import file_text, named, shown
from trillm.cli.output import print_columns, size, write
from trillm.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sized

    from trillm.cli.chat.conversation import Conversation
    from trillm.cli.chat.session import Session

__all__ = ["Command", "command"]

_KEYS = f"""\
{QUOTES}               begins and ends a message of several lines; so does Ctrl-D at its end
Ctrl-C            stops an answer; at the prompt it clears the line, and twice ends
"""


@dataclass(frozen=True)
class Command:
    """A command that was typed."""

    run: Callable[[Session, str], None]
    argument: str = ""
    ends: bool = False


def command(text: str) -> Command | None:
    """The command that a line is; `None` for a message. Raises `InvalidRequest` for one that is not known."""
    name, argument = [*text.strip().split(maxsplit=1), "", ""][:2]
    if not name.startswith("/") or "/" in name[1:]:
        return None
    word = name[1:].lower()
    found = ("/bye", "", _nothing) if word in _ENDS else _COMMANDS.get(_SAME.get(word, word))
    if found is None:
        raise _unknown(name, word)
    usage, _, run = found
    if argument and " " not in usage:
        raise InvalidRequest(
            f"{name} stands alone, found {argument!r} behind it", "invalid_command", f"{usage}, and no more"
        )
    return Command(run, argument, ends=word in _ENDS)


def _unknown(name: str, word: str) -> InvalidRequest:
    close = difflib.get_close_matches(word, [*_COMMANDS, *_SAME, *_ENDS], 3, 0.5)
    nearest = f"did you mean {' or '.join(f'/{other}' for other in close)}? " if close else ""
    return InvalidRequest(
        f"no command {name}",
        "invalid_command",
        f"{nearest}/help shows them; a message that begins with a slash goes between {QUOTES}",
    )


def _nothing(_session: Session, _argument: str) -> None:
    pass


def _system(session: Session, argument: str) -> None:
    if argument.lower() in DEFAULTS:
        session.conversation.system = None
        write("the system message is the model's own; /clear forgets what was said with another\n")
    elif argument:
        session.conversation.system = _unquoted(argument)
        write("the system message is set; /clear forgets what was said without it\n")
    else:
        write(f"{_system_message(session)}\n")


def _system_message(session: Session) -> str:
    """What it is now."""
    given, published = session.conversation.system, session.loaded.llm.info.system
    system = published if given is None else given
    return "the template's own" if system is None else system


def _set(session: Session, argument: str) -> None:
    words = argument.split(maxsplit=1)
    # As `ollama run` has it.
    if words and words[0].lower() in ("parameter", "system"):
        if words[0].lower() == "system":
            _system(session, words[1] if len(words) > 1 else "")
            return
        words = words[1].split(maxsplit=1) if len(words) > 1 else []
    if not words:
        print_columns([(name, _value(session, name), expected) for name, expected in EXPECTED.items()])
        return
    name = words[0].replace("-", "_").lower()
    if len(words) == 1:
        parsed(session.loaded.llm, words[0], "default")
        write(f"{name} is {_value(session, name)}; it may be {EXPECTED[name]}; `default` undoes a choice\n")
        return
    value = parsed(session.loaded.llm, words[0], words[1])
    if value is None:
        session.settings.pop(name, None)
    else:
        session.settings[name] = value
    write(f"{name} is {_value(session, name)}\n")


def _value(session: Session, name: str) -> str:
    """What a parameter is now."""
    if name in session.settings:
        return f"{session.settings[name]}"
    published = session.loaded.llm.info.defaults.get(name)
    if published is not None:
        return f"{published['value']} (default, by {published['source']})"
    ours = dict(session.loaded.defaults).get(name)
    return "default" if ours is None else f"{ours} (default)"


def _show(session: Session, _argument: str) -> None:
    conversation, info = session.conversation, session.loaded.llm.info
    rows = [
        ("model", session.loaded.reference),
        ("name", info.name),
        ("engine", f"{info.engine}, {info.device}"),
        ("context", f"{session.loaded.llm.context:,} tokens"),
        ("system message", _system_message(session) or "empty"),
        ("conversation", _count(conversation.turns)),
        ("files", f"{len(conversation.attached)} go with the next message" if conversation.attached else ""),
        *((name, _value(session, name)) for name in EXPECTED if _value(session, name) != "default"),
    ]
    print_columns([row for row in rows if row[1]])


def _count(turns: Sized) -> str:
    count = len(turns)
    return f"{count} question and answer" if count == 1 else f"{count} questions and answers"


def _save(session: Session, argument: str) -> None:
    path = _path(argument, "/save FILE")
    conversation = session.conversation
    saved = Saved(session.loaded.reference, conversation, session.settings)
    try:
        saved.write(path, replacing=path == session.saved_as)
    except FileExistsError:
        raise InvalidRequest(
            f"{shown(str(path))} is there already", "file_exists", "give another name, or remove it first"
        ) from None
    session.saved_as = path
    write(f"saved as {path}\n")


def _load(session: Session, argument: str) -> None:
    path = _path(argument, "/load FILE")
    saved = Saved.read(str(path))
    # What this model refuses is an error before anything is replaced.
    settings = {name: parsed(session.loaded.llm, name, json.dumps(value)) for name, value in saved.settings.items()}
    other = f", from {saved.model}" if saved.model not in ("", session.loaded.reference) else ""
    said = [f"{_count(saved.conversation.turns)}{other}", *_replaced(session, saved.conversation, settings)]
    session.conversation = saved.conversation
    session.settings.clear()
    session.settings.update(settings)
    session.saved_as = path
    write("; ".join(said) + "\n")


def _replaced(session: Session, conversation: Conversation, settings: dict[str, Any]) -> list[str]:
    """What else than was said is another one now."""
    said = _forgotten(session)
    if conversation.system != session.conversation.system:
        said.append("the system message is that of the file")
    if settings != session.settings:
        listed = ", ".join(f"{name} {value}" for name, value in settings.items())
        said.append(f"settings are those of the file: {listed or 'none'}")
    return said


def _forgotten(session: Session) -> list[str]:
    """That files which waited for the next message do so no more."""
    count = len(session.conversation.attached)
    return [f"{_files(count)} for the next message forgotten"] if count else []


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _undo(session: Session, _argument: str) -> None:
    if not session.conversation.turns:
        raise InvalidRequest("nothing was said", "invalid_command")
    turn = session.conversation.turns.pop()
    last = "".join(turn.question.strip().splitlines()[-1:])
    files = f", with {_files(turn.files)}" if turn.files else ""
    write(f"forgot: {last[:60]}{files}\n")


def _regen(session: Session, _argument: str) -> None:
    if not session.conversation.turns:
        raise InvalidRequest("nothing was said", "invalid_command")
    turns = session.conversation.turns
    before = turns.pop()
    kept = len(turns)
    try:
        session.answer(before.question, before.files)
    finally:
        # Stopped before it said anything, or refused: there is still the answer from before.
        if len(turns) == kept:
            turns.append(before)


def _clear(session: Session, _argument: str) -> None:
    said = ["a new conversation", *_forgotten(session)]
    session.conversation.clear()
    session.saved_as = None
    write("; ".join(said) + "\n")


def _model(session: Session, argument: str) -> None:
    if not argument:
        write(f"{session.loaded.reference}\n")
        return
    fresh = session.load(_unquoted(argument))
    before, session.loaded = session.loaded, fresh
    before.close()
    write(f"{fresh.llm.info.name}; what was said stays, /clear forgets it\n")


def _file(session: Session, argument: str) -> None:
    path = str(_path(argument, "/file FILE"))
    text = file_text(path)
    session.conversation.attached.append(named(path, text))
    write(f"{shown(path)}, {size(len(text.encode()))}, goes with the next message\n")


def _verbose(session: Session, argument: str) -> None:
    if argument not in ("", "on", "off"):
        raise InvalidRequest(f"/verbose is {argument!r}, expected on or off", "invalid_command")
    session.verbose = argument == "on" if argument else not session.verbose
    write(f"statistics are {'on' if session.verbose else 'off'}\n")


def _help(_session: Session, _argument: str) -> None:
    lines = [f"{usage:<18}{meaning}" for usage, meaning, _ in _COMMANDS.values()]
    write("\n".join([*lines, "/bye              ends; so does Ctrl-D"]) + f"\n{_KEYS}")


def _path(argument: str, usage: str) -> Path:
    """The file that is meant: quotes around its name are not part of it, nor are backslashes before spaces."""
    if not argument:
        raise InvalidRequest("no FILE was given", "invalid_command", usage)
    path = _place(argument)
    if path.exists():
        return path
    try:
        words = shlex.split(argument)
    except ValueError:
        return path
    if words == [""]:
        raise InvalidRequest("the name of FILE is empty", "invalid_command", usage)
    return _place(words[0]) if len(words) == 1 else path


def _place(typed: str) -> Path:
    try:
        os.fsencode(typed)
    except UnicodeEncodeError:
        # To Python names of files are ASCII, and to the terminal they are UTF-8.
        typed = os.fsdecode(typed.encode())
    return Path(at_home(typed))


def _unquoted(text: str) -> str:
    for quotes in (QUOTES, '"', "'"):
        if len(text) >= 2 * len(quotes) and text.startswith(quotes) and text.endswith(quotes):
            return text[len(quotes) : -len(quotes)]
    return text


_COMMANDS: dict[str, tuple[str, str, Callable[[Session, str], None]]] = {
    "system": ("/system [TEXT]", "shows the system message, or sets it; `default` undoes that", _system),
    "set": ("/set [NAME VALUE]", "shows how answers are generated, or sets one: /set temperature 0", _set),
    "show": ("/show", "shows the model, and what was set and said", _show),
    "file": ("/file FILE", "sends the file's text with the next message", _file),
    "undo": ("/undo", "forgets the last question and its answer", _undo),
    "regen": ("/regen", "answers the last question again", _regen),
    "clear": ("/clear", "starts a new conversation", _clear),
    "save": ("/save FILE", "writes the conversation to a file", _save),
    "load": ("/load FILE", "goes on with one that was saved", _load),
    "model": ("/model [NAME]", "shows the model, or goes on with another", _model),
    "verbose": ("/verbose [on|off]", "shows statistics after each answer", _verbose),
    "help": ("/help", "this", _help),
}
"""Name, usage, meaning. One whose usage has no argument stands alone."""

_SAME = {"?": "help", "h": "help", "retry": "regen", "regenerate": "regen", "new": "clear", "reset": "clear"}

_ENDS = ("bye", "exit", "quit", "q")
