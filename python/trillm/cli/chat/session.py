"""A conversation as it goes on: what is typed, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from trillm.cli.chat.answer import show, statistics
from trillm.cli.chat.commands import Command, command
from trillm.cli.chat.conversation import Conversation, Turn
from trillm.cli.chat.lines import Lines
from trillm.cli.output import complain, failure, say, write
from trillm.errors import ContextOverflow, TrillmError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trillm.cli.loaded import Loaded
    from trillm.types import ChatParams

__all__ = ["Session"]


class Session:
    """A model, what was said to it, and what was set."""

    def __init__(
        self, loaded: Loaded, load: Callable[[str], Loaded], conversation: Conversation, given: ChatParams
    ) -> None:
        """Begins with a loaded model; `load` loads another one."""
        self.loaded = loaded
        self.load = load
        self.conversation = conversation
        self.settings = cast("dict[str, Any]", given)
        """What the user chose; the rest is the model's."""
        self.saved_as: Path | None = None
        self.verbose = False

    def hold(self) -> None:
        """Asks for messages and answers them until the user ends it."""
        try:
            self._hold()
        finally:
            # It may be another one by now than whoever loaded the first knows of.
            self.loaded.close()

    def _hold(self) -> None:
        lines = Lines()
        write(f"{self.loaded.llm.info.name}: /help shows the commands, /bye ends\n")
        while (typed := lines.next()) is not None:
            try:
                wanted = None if typed.quoted else command(typed.text)
                if isinstance(wanted, Command):
                    if wanted.ends:
                        return
                    wanted.run(self, wanted.argument)
                elif typed.text.strip():
                    self.ask(typed.text)
            except KeyboardInterrupt:
                say("(stopped)")
            except BrokenPipeError:
                raise
            except (TrillmError, OSError, UnicodeError) as error:
                message, code, hint = failure(error)
                if code == "output_failed":
                    raise
                complain(message, hint)

    def ask(self, text: str) -> None:
        """Asks one thing. What could not be asked does not become part of the conversation."""
        question = self.conversation.with_attached(text)
        before = len(self.conversation.turns)
        try:
            self.answer(question, len(self.conversation.attached))
        finally:
            if len(self.conversation.turns) > before:
                self.conversation.attached.clear()

    def answer(self, question: str, files: int) -> None:
        """Answers a question, in which there are so many files.

        What was said becomes part of the conversation, however it ended.
        """
        said: list[str] = []
        params = cast("ChatParams", {**self.loaded.defaults, **self.settings})
        try:
            stream = self.loaded.llm.chat_stream(self.conversation.asking(question), **params)
            show(stream, said)
        except KeyboardInterrupt:
            say("(stopped)")
        except ContextOverflow as error:
            complain(str(error), self._room(question, params))
        else:
            completion = stream.completion
            if completion is not None and completion.finish_reason == "length":
                say("(cut off: max_tokens were generated, or the context is full)")
            if not any(said):
                say("(no answer: the question is not kept)")
            if completion is not None and self.verbose:
                say(statistics(completion))
        finally:
            # Many templates refuse two messages of one side in a row: without an answer there is no question.
            if answer := "".join(said):
                self.conversation.turns.append(Turn(question, answer, files))

    def _room(self, question: str, params: ChatParams) -> str:
        """What to do where there is not enough."""
        clear = "/clear starts a new conversation; --context N makes room for longer ones"
        fewer: ChatParams = {**params, "max_tokens": "fit"}
        try:
            self.loaded.llm.chat_stream(self.conversation.asking(question), **fewer).close()
        except ContextOverflow:
            return clear
        return f"/set max_tokens fit asks for as many as there is room for; {clear}"
