"""`trillm ps`, `stop` and `logs`: what a server is asked that somebody started."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from trillm.cli.loglines import readable_line
from trillm.cli.output import failing_clearly, print_columns, print_json, say, size, write
from trillm.errors import InvalidRequest, TrillmError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["logs", "ps", "stop"]

_TIMEOUT = 60.0
"""Seconds that a server may take to answer: longer than it waits for those who use a model."""

_EVERY = 0.5
"""Seconds between two looks at a log that is followed."""

Url = Annotated[
    str, typer.Option("--url", metavar="URL", envvar="TRILLM_URL", help="Where the server listens.", show_default=True)
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key", metavar="KEY", envvar="TRILLM_ADMIN_KEY", help="A key that the server takes, if it wants one."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_HERE = "http://127.0.0.1:3000"


def ps(*, url: Url = _HERE, key: Key = None, as_json: Json = False) -> None:
    """Lists the models that a server has in memory."""
    with failing_clearly(as_json=as_json):
        found = _ask(url, key, "/models")
        if not {"loaded", "coming"} <= found.keys():
            raise TrillmError(f"{url:.200} is another server than trillm's", "no_server")
        if as_json:
            print_json({"loaded": found["loaded"], "coming": found["coming"]})
            return
        rows = [("NAME", "MEMORY", "IN USE", "REQUESTS", "STATE")]
        for model in found["loaded"]:
            idle = "" if model["idle"] is None else f", idle for {model['idle']:.0f} s"
            state = f"{'pinned' if model['pinned'] else 'loaded'}{idle}"
            rows.append((model["name"], size(model["bytes"]), str(model["in_use"]), str(model["requests"]), state))
        rows += [(model["name"], "", "", "", model["phase"]) for model in found["coming"]]
        print_columns(rows)


def stop(
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="The model to unload; without it, the server stops.")
    ] = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="End what the model does for others.")] = False,
    url: Url = _HERE,
    key: Key = None,
) -> None:
    """Unloads a model of a server, or stops the server, which lets what runs end first."""
    with failing_clearly(as_json=False):
        if model is None:
            if force:
                raise InvalidRequest("--force is for a model, and none is named", "invalid_parameter")
            _ask(url, key, "/stop", method="POST")
            say("it stops once what runs has ended")
            return
        _ask(url, key, f"/models/{quote(model, safe='')}/unload{'?force=true' if force else ''}", method="POST")
        say(f"{model} is unloaded")


def logs(
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    url: Url = _HERE,
    key: Key = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON document for each request.")] = False,
) -> None:
    """Shows a line for each of a server's last thousand requests: no text of prompts or answers is in them."""
    import json

    with failing_clearly(as_json=False):
        for line in _lines(url, key, follow=follow):
            write((json.dumps(line) if as_json else readable_line(line)) + "\n")


def _lines(url: str, key: str | None, *, follow: bool) -> Iterator[dict[str, Any]]:
    number = 0
    while True:
        found = _ask(url, key, f"/logs?from={number}")
        number = found["next"]
        # What asks for the log is in the log, too.
        yield from (line for line in found["lines"] if not follow or line["route"] != "/logs")
        if not follow:
            return
        time.sleep(_EVERY)


def _ask(url: str, key: str | None, path: str, *, method: str = "GET") -> Any:
    """What the server answers, read. Raises `TrillmError` with what it says."""
    import http.client
    import json
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    if parts.scheme not in kinds or host is None:
        raise InvalidRequest(f"url is {url!r:.200}, expected an address such as {_HERE}", "invalid_parameter")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    connection = kinds[parts.scheme](host, port, timeout=_TIMEOUT)
    try:
        # What clients of OpenAI are given ends so.
        root = parts.path.rstrip("/").removesuffix("/v1")
        connection.request(method, root + path, b"" if method == "POST" else None, headers)
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException) as error:
        message = f"there is no answer from {url:.200}: {error or type(error).__name__}"
        raise TrillmError(message, "no_server", "start one by `trillm serve`, or name it by `url`") from None
    finally:
        connection.close()
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    if answer.status == 200 and isinstance(said, dict):
        return said
    told = said.get("error") if isinstance(said, dict) else None
    # The guide's routes say a text where OpenAI's have an object.
    code = said.get("code") if isinstance(told, str) and isinstance(said, dict) else None
    if isinstance(told, dict):
        code, told = told.get("code"), told.get("message")
    raise TrillmError(
        str(told or f"{url:.200} answered {answer.status}, as no server of trillm does"), str(code or "no_server")
    )
