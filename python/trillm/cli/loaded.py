"""A model for the command line: fetched if need be, loaded, and with how it answers unless told otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import trillm
from trillm import _plan
from trillm.cli import progress
from trillm.errors import ChatTemplateError

if TYPE_CHECKING:
    from typing_extensions import Self

    from trillm import Model
    from trillm.hub import Resolved
    from trillm.types import ChatParams

__all__ = ["Loaded", "load"]

_NO_CHAT = "it continues texts as they stand: trillm run MODEL --raw PROMPT"
_NO_TEXT = "it makes no text: `trillm embed` prints vectors, and `score` of the Python API compares texts"


@dataclass(frozen=True)
class Loaded:
    """A model that is open."""

    reference: str
    llm: Model
    defaults: ChatParams
    """What is good for most, where its publisher recommends nothing: what that does, the model knows by itself."""
    _found: Resolved

    def close(self) -> None:
        """Frees it. Harmless when called again."""
        self.llm.close()
        self._found.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def load(
    reference: str,
    *,
    engine: str,
    context: int | None,
    threads: int | None,
    chats: bool = False,
    checked: bool = False,
) -> Loaded:
    """Loads it, with progress on standard error; one without a chat template is an error if it `chats`.

    If it is `checked`, one that there is not enough memory for is refused before that.
    """
    from trillm.hub import resolve

    with progress.downloading() as report:
        found = resolve(reference, progress=report)
    try:
        if checked:
            _plan.check(found.path, engine=engine, context=context, threads=threads, parallel=1)
        with progress.loading() as show:
            llm = trillm.Model(
                found.path,
                engine=engine,
                context=context,
                threads=threads,
                published=found.published,
                # One request at a time needs no room for others.
                parallel=1,
                progress=show,
            )
        if chats and not llm.info.chat_templates:
            hint = _NO_CHAT if llm.info.purpose == "text" else _NO_TEXT
            called = llm.info.name if found.manifest is None else reference
            raise ChatTemplateError(f"{called} has no chat template", "no_chat_template", hint)
        ours: ChatParams = {"temperature": 0.7, "top_p": 0.95}
        advised = llm.info.defaults
        defaults = {name: value for name, value in ours.items() if name not in advised}
        return Loaded(reference, llm, cast("ChatParams", defaults), found)
    except BaseException:
        found.release()
        raise
