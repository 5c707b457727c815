"""Models over HTTP: a server of a router's models, beside the program that starts it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from trillm import _core
from trillm._keywords import advising
from trillm._later import Later
from trillm._router import LLMRouter
from trillm.errors import InvalidRequest

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    Wanted = str | bytes | PathLike[str] | PathLike[bytes] | Mapping[str, Any]

__all__ = ["Server", "serve"]


class Server:
    """A server that runs, until it is stopped or its program ends. A context manager: it is stopped at the end."""

    def __init__(self, core: _core.Server, router: LLMRouter, *, owns: bool) -> None:
        """For `serve`."""
        self._core = core
        self._owns = owns
        self.router = router
        """Whose models it serves."""
        self.host, self.port = core.address

    @property
    def url(self) -> str:
        """What clients call it: `http://127.0.0.1:3000`. OpenAI's want `/v1` behind it, others nothing."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def log(self, first: int = 0) -> tuple[list[str], int]:
        """Lines of its log from number `first` on, of the last thousand, and the number of the next one.

        Each is a JSON object for one request: `time`, `id`, `method`, `route`, `status` (null for a client who left),
        `model`, `seconds`, `prompt_tokens`, `completion_tokens`, and the code of its `error`. No text of a prompt or an
        answer is in it.
        """
        return self._core.log(first)

    def wait(self) -> None:
        """Waits until it has stopped; Ctrl-C is raised here, as everywhere."""
        self._core.wait()

    def stop(self) -> None:
        """Takes no more requests, lets those that run end within `drain` seconds, and stops. Harmless when repeated.

        A router that was made for it is closed.
        """
        self._core.stop()
        _running.discard(self)
        if self._owns:
            self.router.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<trillm.Server {self.url}>"


_running: set[Server] = set()
"""Those that serve, whoever has them."""


@advising
def serve(
    router: LLMRouter | None = None,
    *,
    models: Iterable[Wanted] = (),
    host: str = "127.0.0.1",
    port: int = 3000,
    api_keys: Iterable[str] = (),
    admin_keys: Iterable[str] = (),
    cors_origins: Iterable[str] = (),
    hosts: Iterable[str] = (),
    rate_limit: int | None = 60,
    rate_limit_loopback: bool = False,
    max_requests: int = 512,
    max_body: int = 8 << 20,
    max_bodies: int = 64 << 20,
    client_timeout: float = 30.0,
    drain: float = 30.0,
    block: bool = False,
) -> Server:
    """Serves a router's models over HTTP, by the interfaces of OpenAI, Ollama and Anthropic, and the guide's routes.

    `models` are loaded first; others are loaded when a client asks for them, as the router has it. A model that is a
    file or a folder has its name: clients cannot choose paths. Port 0 takes any that is free: see `url`.

    Beyond this machine (`host`) it wants `api_keys`; `admin_keys` open the management of models, too. Web pages of
    other machines may call it if `cors_origins` lists theirs (`*` for any), and by other names than its address if
    `hosts` does. A client has `rate_limit` requests a minute (`None` for any number), one on this machine only with
    `rate_limit_loopback`; `max_requests` are answered at once, with bodies of up to `max_body` bytes each and
    `max_bodies` together (the first 32 kB of each do not count), which come, as headers do, within `client_timeout`
    seconds. When it stops, those that run have `drain` seconds.

    With `block` it returns once the server has stopped.

    >>> with trillm.serve(models=["smollm2"], port=0) as server:  # doctest: +SKIP
    ...     openai.OpenAI(base_url=server.url + "/v1", api_key="none").models.list()

    Raises `InvalidRequest` if it cannot listen there, or anybody could use it; and as `load_model` does.
    """
    with Later("trillm.hub"):
        from trillm._reference import parse

    lists = {"api_keys": api_keys, "admin_keys": admin_keys, "cors_origins": cors_origins, "hosts": hosts}
    for name, given in lists.items():
        if isinstance(given, str) or any(not isinstance(it, str) or not it for it in given):
            raise _wrong(name, given, "a list of texts, none of them empty")
    if isinstance(models, str):
        raise _wrong("models", models, "a list of models")
    for name, number, least, most in (
        ("port", port, 0, 65_535),
        ("rate_limit", 1 if rate_limit is None else rate_limit, 1, 1 << 31),
        ("max_requests", max_requests, 1, 1 << 20),
        ("max_body", max_body, 1, 1 << 40),
        ("max_bodies", max_bodies, 1, 1 << 40),
    ):
        if type(number) is not int or not least <= number <= most:
            raise _wrong(name, number, f"a whole number, {least} to {most}")
    if not isinstance(client_timeout, int | float) or not client_timeout > 0:
        raise _wrong("client_timeout", client_timeout, "seconds, more than 0")
    owns = router is None
    router = LLMRouter() if router is None else router
    try:
        directory = router.options.hub().models_directory
        loaded = _load(router, list(models))
        paths = [name for name in loaded if parse(name, directory).local is not None]
        settings = {
            "host": host,
            "port": port,
            "keys": [(key, False) for key in api_keys] + [(key, True) for key in admin_keys],
            "origins": list(cors_origins),
            "hosts": list(hosts),
            "rate": rate_limit,
            "limits_loopback": rate_limit_loopback,
            "concurrent": max_requests,
            "body": max_body,
            "bodies": max_bodies,
            "patience": client_timeout,
            "drain": drain,
        }
        server = Server(router._serve(paths, settings), router, owns=owns)
    except BaseException:
        if owns:
            router.close()
        raise
    _running.add(server)
    if block:
        with server:
            server.wait()
    return server


def _load(router: LLMRouter, models: list[Wanted]) -> list[str]:
    """Loads all of them, and sees that one did not go for the next."""
    loaded = [router.load_model(model).name for model in models]
    if gone := [name for name in loaded if name not in router.loaded()]:
        limit = router.options.max_models_loaded
        most = "there is no room for all of them" if limit is None else f"max_models_loaded is {limit}"
        raise InvalidRequest(
            f"models is {len(set(loaded))} models, and {gone[0]} went for another of them: {most}",
            "too_many_models",
            "serve fewer of them from the start: others are loaded when they are asked for; or raise "
            "`max_models_loaded` or `cache_size`",
        )
    return loaded


def _wrong(name: str, given: object, expected: str) -> InvalidRequest:
    return InvalidRequest(f"{name} is {repr(given)[:200]}, expected {expected}", "invalid_parameter")
