"""`trillm serve`: models over HTTP, for clients of OpenAI's, Ollama's and Anthropic's interfaces."""

from __future__ import annotations

from typing import Annotated

import typer

from trillm import _serve
from trillm._router import LLMRouter
from trillm.cli import ending, progress
from trillm.cli.loglines import LogLines
from trillm.cli.numbers import COUNT
from trillm.cli.output import failing_clearly, say
from trillm.cli.reloading import on_hangup

__all__ = ["command"]


def command(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="Models to load first: names, or what `run` takes. Others are loaded when a client asks for them.",
        ),
    ] = None,
    *,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where it listens.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", "-p", min=0, max=65535, metavar="N", help="0 takes any that is free.")
    ] = 3000,
    api_key: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", envvar="TRILLM_API_KEY", help="Lets its bearer use models. May be repeated."),
    ] = None,
    admin_key: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", envvar="TRILLM_ADMIN_KEY", help="Lets its bearer manage them, too."),
    ] = None,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="Pages of it may call the server; '*' for any. May be repeated."),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="HOST", help="A name by which others call this machine. May be repeated."),
    ] = None,
    rate_limit: Annotated[
        int, typer.Option(min=0, max=COUNT, metavar="N", help="Requests of a client in a minute; 0 for any number.")
    ] = 60,
    rate_limit_loopback: Annotated[
        bool, typer.Option("--rate-limit-loopback", help="Count those of this machine, too.")
    ] = False,
    log_json: Annotated[
        bool, typer.Option("--log-json", help="A line for each request as a JSON document, on standard error.")
    ] = False,
    drain: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="What running requests have when it is to stop.")
    ] = 30.0,
) -> None:
    """Serves models over HTTP, by the interfaces of OpenAI (at /v1), Ollama and Anthropic, until Ctrl-C or SIGTERM.

    The address goes to standard output, one line, once it listens, and a line for each request to standard error. The
    models are those of this machine. A browser finds a page at the address.
    """
    with ending.tidily(), failing_clearly(as_json=False), LLMRouter() as router:
        with progress.downloading() as show:
            for model in models or []:
                router.fetch(model, progress=show)
        server = _serve.serve(
            router,
            models=models or [],
            host=host,
            port=port,
            api_keys=api_key or [],
            admin_keys=admin_key or [],
            cors_origins=cors_origin or [],
            hosts=name or [],
            rate_limit=rate_limit or None,
            rate_limit_loopback=rate_limit_loopback,
            drain=drain,
        )
        with LogLines(server, as_json=log_json) as log, on_hangup(router), server:
            typer.echo(server.url)
            loaded = ", ".join(router.loaded()) or "models when they are asked for"
            say(f"serving {loaded}; OpenAI's clients take {server.url}/v1, others {server.url}; Ctrl-C stops")
            try:
                server.wait()
            except KeyboardInterrupt:
                log.say()
                say(f"stopping: what runs has {drain:g} s, and Ctrl-C ends it")
