"""A conversation on a terminal.

The conversation is what the model is given again at each turn; it lives as long as the command. Ctrl-C stops an answer,
and what was said of it stays part of the conversation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trillm.cli.output import complain, say, write
from trillm.errors import ContextOverflow, TrillmError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trillm import Completion, Model, Stream
    from trillm.types import GenerateParams, Message

__all__ = ["converse", "show", "statistics"]

_QUOTES = '"""'

_HELP = f"""\
/clear   start a new conversation
/help    this
/bye     end; so does Ctrl-D
{_QUOTES}      begins and ends a message of several lines
Ctrl-C   stops an answer; at the prompt it clears the line, and twice ends
"""

# One word, so that a message may begin with a path.
_COMMAND = re.compile(r"/[a-z?]+")


def converse(llm: Model, opening: Sequence[Message], params: GenerateParams, *, verbose: bool) -> None:
    """Asks for messages and answers them until the user ends it."""
    _edit_lines()
    write(f"{llm.info.name}: /help shows the commands, /bye ends\n")
    messages = list(opening)
    while (text := _ask()) is not None:
        command = text.strip()
        if not command:
            continue
        if not _COMMAND.fullmatch(command):
            _turn(llm, messages, text, params, verbose=verbose)
        elif command in ("/bye", "/exit", "/quit"):
            return
        elif command == "/clear":
            messages = list(opening)
            write("a new conversation\n")
        elif command in ("/help", "/?"):
            write(_HELP)
        else:
            complain(f"no command {command}", "/help shows them")


def show(stream: Stream, said: list[str], *, end_line: bool = True) -> None:
    """Prints an answer as it is generated, and ends its line if asked to.

    What was printed is put into `said`, whatever happens.
    """
    try:
        with stream:
            for piece in stream:
                said.append(piece.text)
                write(piece.text)
    finally:
        if end_line and not "".join(said).endswith("\n"):
            write("\n")


def statistics(completion: Completion) -> str:
    """How fast it was."""
    usage, timings = completion.usage, completion.timings
    computed = usage.prompt_tokens - usage.cached_tokens
    # The first token comes with the end of the prompt; the time is that of the others.
    return (
        f"prompt {usage.prompt_tokens} tokens ({usage.cached_tokens} cached) in {timings.prefill:.2f} s"
        f"{_rate(computed, timings.prefill)}; answer {usage.completion_tokens} tokens in {timings.decode:.2f} s"
        f"{_rate(usage.completion_tokens - 1, timings.decode)}; ended by {completion.finish_reason}"
    )


def _rate(tokens: int, seconds: float) -> str:
    return f" ({tokens / seconds:.1f}/s)" if tokens > 0 and seconds > 0 else ""


def _turn(llm: Model, messages: list[Message], text: str, params: GenerateParams, *, verbose: bool) -> None:
    """Asks one thing. What could not be asked does not become part of the conversation."""
    messages.append({"role": "user", "content": text})
    said: list[str] = []
    try:
        stream = llm.chat_stream(messages, **params)
        show(stream, said)
    except KeyboardInterrupt:
        say("(stopped)")
    except ContextOverflow as error:
        complain(str(error), "/clear starts a new conversation; --context N makes room for longer ones")
    except TrillmError as error:
        complain(str(error), error.hint)
    except UnicodeError:
        complain("that was not UTF-8")
    else:
        completion = stream.completion
        if completion is not None and completion.finish_reason == "length":
            say("(cut off: --max-tokens were generated, or the context is full)")
        if completion is not None and verbose:
            say(statistics(completion))
    answer = "".join(said)
    if answer:
        messages.append({"role": "assistant", "content": answer})
    else:
        # Many templates refuse two messages of one side in a row.
        messages.pop()


def _edit_lines() -> None:
    """Gives `input` editing and a history, where Python has it."""
    try:
        import readline
    except ImportError:
        return
    # Pasted line breaks belong to the message; Python turns this off.
    readline.parse_and_bind("set enable-bracketed-paste on")


def _ask() -> str | None:
    """The next message; `None` at the end."""
    interrupted = False
    while True:
        try:
            line = input(">>> ")
            if not line.lstrip().startswith(_QUOTES):
                return line
            return _lines(line.lstrip().removeprefix(_QUOTES))
        except KeyboardInterrupt:
            if interrupted:
                write("\n")
                return None
            interrupted = True
            write("\n(Ctrl-C again or Ctrl-D ends)\n")
        except EOFError:
            write("\n")
            return None
        except UnicodeError:
            complain("that was not UTF-8")


def _lines(first: str) -> str:
    """A message of several lines, up to the closing quotes."""
    lines = [first]
    while not lines[-1].rstrip().endswith(_QUOTES):
        lines.append(input("... "))
    return "\n".join(lines).rstrip().removesuffix(_QUOTES).strip("\n")
