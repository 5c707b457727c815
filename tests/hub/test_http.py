"""Requests: where credentials and redirects go, what failures mean, and that cancelling wakes whoever waits."""

from __future__ import annotations

import logging
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from socks_server import SocksServer
from trillm._core import Reference, Store
from trillm.errors import DownloadError, ModelNotFound, TrillmError
from trillm.hub._failure import CancelledError, TransientError
from trillm.hub._job import Job
from trillm.hub._network.client import Client, origin
from trillm.hub._network.retries import limits, retrying
from trillm.hub._options import Options
from web import Fault, Web

CANARY = "canary-0123456789"

SECRET = "signature-0123456789"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as web:
        web.put("/file", b"0123456789", etag='"file"')
        yield web


@pytest.fixture
def other() -> Iterator[Web]:
    with Web() as web:
        web.put("/file", b"0123456789", etag='"file"')
        yield web


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(Store(tmp_path / "store"), Reference("https://models.example/a.gguf"), Options())


@pytest.fixture
def client(job: Job, web: Web) -> Client:
    """One that has a token for the first host."""
    return Client(job, {origin(web.url): CANARY})


def tokens(web: Web) -> list[str | None]:
    return [request.headers.get("Authorization") for request in web.requests]


def fetch(client: Client, url: str) -> bytes:
    with client.get(url) as response:
        return b"".join(iter(lambda: response.read(1 << 20), b""))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Models.Example/a?b#c", "https://models.example"),
        ("https://models.example:443", "https://models.example"),
        ("http://models.example:80/", "http://models.example"),
        ("http://models.example:443/", "http://models.example:443"),
        ("http://[::1]:8080/a", "http://[::1]:8080"),
    ],
)
def test_an_origin_has_one_spelling(url: str, expected: str) -> None:
    assert origin(url) == expected


@pytest.mark.parametrize(
    "url", ["ftp://a/b", "file:///etc/passwd", "a", "http://", "http://a:99999/", "http://[::1/", "http://u:p@a/b"]
)
def test_an_address_that_is_none_is_a_typed_error(client: Client, url: str) -> None:
    with pytest.raises(DownloadError) as caught:
        client.get(url)
    assert "u:p" not in str(caught.value)


def test_a_part_is_asked_for_and_the_connection_kept(client: Client, web: Web) -> None:
    for first, end, expected in ((0, None, b"0123456789"), (2, 5, b"234"), (9, None, b"9")):
        with client.get(f"{web.url}/file", first=first, end=end) as response:
            assert (response.status, response.read(100), response.read(100)) == (206, expected, b"")
    assert len({request.client for request in web.requests}) == 1
    assert {request.headers["Accept-Encoding"] for request in web.requests} == {"identity"}


def test_a_body_that_is_not_read_to_its_end_costs_the_connection_only(client: Client, web: Web) -> None:
    with client.get(f"{web.url}/file") as response:
        assert response.read(3) == b"012"
    assert fetch(client, f"{web.url}/file") == b"0123456789"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_but_the_token_stays(client: Client, web: Web, other: Web, status: int) -> None:
    web.redirect("/old", f"{other.url}/file", status)
    with client.get(f"{web.url}/old") as response:
        assert response.url == f"{other.url}/file"
        assert response.read(100) == b"0123456789"
    assert (tokens(web), tokens(other)) == ([f"Bearer {CANARY}"], [None])


def test_the_token_is_sent_again_where_it_belongs(client: Client, web: Web, other: Web) -> None:
    web.redirect("/old", f"{other.url}/back")
    other.redirect("/back", f"{web.url}/file")
    assert fetch(client, f"{web.url}/old") == b"0123456789"
    assert (tokens(web), tokens(other)) == ([f"Bearer {CANARY}"] * 2, [None])


@pytest.mark.parametrize("to", ["/file", "file", "//{host}/file", "../x/../file"])
def test_redirects_may_be_relative(client: Client, web: Web, to: str) -> None:
    web.redirect("/old", to.format(host=web.url.removeprefix("http://")))
    assert fetch(client, f"{web.url}/old") == b"0123456789"


def test_five_redirects_are_followed_and_no_more(client: Client, web: Web) -> None:
    for step in range(6):
        web.redirect(f"/{step}", f"/{step + 1}" if step < 5 else "/file")
    assert fetch(client, f"{web.url}/1") == b"0123456789"
    with pytest.raises(DownloadError) as caught:
        client.get(f"{web.url}/0")
    assert caught.value.code == "redirect_refused"


def test_a_redirect_that_goes_round_is_refused(client: Client, web: Web) -> None:
    web.redirect("/round", "/round")
    with pytest.raises(DownloadError) as caught:
        client.get(f"{web.url}/round")
    assert caught.value.code == "redirect_refused"
    assert len(web.requests) == limits.redirects + 1


@pytest.mark.parametrize("to", ["ftp://{}/a", "file:///etc/passwd", "http://u:p@{}/file", "http://[::1/"])
def test_a_redirect_to_something_else_is_refused(client: Client, web: Web, other: Web, to: str) -> None:
    web.redirect("/old", to.format(other.url.removeprefix("http://")))
    with pytest.raises(DownloadError) as caught:
        client.get(f"{web.url}/old")
    assert caught.value.code == "redirect_refused"
    assert other.requests == []


PRIVATE = [
    "127.0.0.1",
    "localhost",
    "10.1.2.3",
    "192.168.1.1",
    "169.254.169.254",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[fe80::1]",
]


@pytest.mark.parametrize("host", [*PRIVATE, "127.1", "0x7f000001", "0.0.0.0", "LOCALHOST."])
def test_the_world_does_not_lead_into_this_network(
    job: Job, web: Web, other: Web, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """A proxy stands for the world."""
    monkeypatch.setenv("http_proxy", web.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    web.redirect("/old", f"http://{host}:{other.url.rpartition(':')[2]}/file")
    with pytest.raises(DownloadError) as caught:
        Client(job, {}).get("http://models.example/old")
    assert caught.value.code == "redirect_refused"
    assert [request.path for request in web.requests] == ["http://models.example/old"]
    assert other.requests == []


def test_nor_does_a_name_that_leads_there(job: Job, web: Web, other: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", web.url)
    monkeypatch.setenv("no_proxy", "inner.example,127.0.0.1")
    found = socket.getaddrinfo("127.0.0.1", int(other.url.rpartition(":")[2]), type=socket.SOCK_STREAM)
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **named: found if "inner" in host else real(host, *rest, **named)
    )
    web.redirect("/old", "http://inner.example/file")
    client = Client(job, {})
    assert fetch(client, "http://inner.example/file") == b"0123456789"
    for _ in range(2):
        # The second time it is known by what the first redirect told.
        with pytest.raises(DownloadError) as caught:
            client.get("http://models.example/old")
        assert caught.value.code == "redirect_refused"
    assert len(other.requests) == 1


def test_within_this_network_redirects_are_followed(client: Client, web: Web, other: Web) -> None:
    web.redirect("/old", f"http://localhost:{other.url.rpartition(':')[2]}/file")
    assert fetch(client, f"{web.url}/old") == b"0123456789"


def test_the_proxy_of_the_environment_is_used(job: Job, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", web.url.replace("//", "//user:pass%40word@"))
    assert fetch(Client(job, {}), "http://models.example/file") == b"0123456789"
    (request,) = web.requests
    assert request.path == "http://models.example/file"
    assert request.headers["Proxy-Authorization"] == "Basic dXNlcjpwYXNzQHdvcmQ="


def port(web: Web) -> int:
    return int(web.url.rpartition(":")[2])


@pytest.mark.parametrize("variable", ["all_proxy", "http_proxy"])
def test_a_socks_proxy_is_given_names_or_addresses(
    job: Job, web: Web, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    with SocksServer(port(web)) as proxy:
        monkeypatch.setenv(variable, f"socks5h://{proxy.place}")
        assert fetch(Client(job, {}), "http://models.example/file") == b"0123456789"
        monkeypatch.setenv(variable, f"socks5://{proxy.place}")
        real = socket.getaddrinfo
        found: list[Any] = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 80))]
        monkeypatch.setattr(
            "socket.getaddrinfo", lambda host, *more, **named: real(host, *more, **named) if host[0] == "1" else found
        )
        assert fetch(Client(job, {}), "http://models.example:8080/file") == b"0123456789"
        # An address is never looked up.
        assert fetch(Client(job, {}), "http://[2001:db8::1]/file") == b"0123456789"
    assert proxy.asked == [
        (3, b"models.example", 80),
        (1, bytes([192, 0, 2, 7]), 8080),
        (4, bytes.fromhex("20010db8000000000000000000000001"), 80),
    ]


def test_a_socks_proxy_may_want_a_login(job: Job, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    with SocksServer(port(web), (b"user", b"p@ss")) as proxy:
        monkeypatch.setenv("all_proxy", f"socks5h://user:p%40ss@{proxy.place}")
        assert fetch(Client(job, {}), "http://models.example/file") == b"0123456789"
        for login, said in (("", "wants a login"), ("user:wrong@", "does not take this login")):
            monkeypatch.setenv("all_proxy", f"socks5h://{login}{proxy.place}")
            with pytest.raises(TransientError, match=said):
                Client(job, {}).get("http://models.example/file")


def test_what_a_socks_proxy_refuses_is_said(job: Job, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    with SocksServer(port(web), reply=4) as proxy:
        monkeypatch.setenv("all_proxy", f"socks5h://{proxy.place}")
        with pytest.raises(
            TransientError, match=r"models\.example could not be reached through .*: the host cannot be reached"
        ):
            Client(job, {}).get("http://models.example/file")
    # A proxy that is none.
    monkeypatch.setenv("all_proxy", f"socks5h://127.0.0.1:{port(web)}")
    with pytest.raises(TransientError, match=r"models\.example"):
        Client(job, {}).get("http://models.example/file")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("proxy", "place"),
    [
        ("http://user:hunter2@127.0.0.1:9", "127.0.0.1:9"),
        ("socks5h://127.0.0.1:9", "127.0.0.1:9"),
        ("http://proxy.invalid:8080", "proxy.invalid:8080"),
        ("garbage.invalid", "garbage.invalid"),
    ],
)
def test_a_proxy_that_cannot_be_reached_is_named(
    job: Job, monkeypatch: pytest.MonkeyPatch, scheme: str, proxy: str, place: str
) -> None:
    monkeypatch.setenv(f"{scheme}_proxy", proxy)
    with pytest.raises(
        TransientError,
        match=rf"^models\.example could not be reached through the proxy {place} \({scheme}_proxy\): ",
    ) as caught:
        Client(job, {}).get(f"{scheme}://models.example/file")
    assert f"check the network and {scheme}_proxy" in str(caught.value.error.hint)


def test_a_proxy_that_leads_nowhere_is_named(job: Job, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers, but makes no connection."""
    monkeypatch.setenv("https_proxy", web.url)
    with pytest.raises(TransientError, match=rf"through the proxy 127\.0\.0\.1:{port(web)} \(https_proxy\): "):
        Client(job, {}).get("https://models.example/file")


@pytest.mark.parametrize(
    "proxy", ["socks4://127.0.0.1:1", "socks5://", "ftp://127.0.0.1:1", "http://", "http://127.0.0.1:99999"]
)
def test_a_proxy_that_cannot_be_used_is_a_typed_error(job: Job, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(DownloadError, match="proxy"):
        Client(job, {}).get("http://models.example/file")


def test_a_proxy_that_cannot_be_used_is_named_without_its_login(
    job: Job, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks://user:hunter2@127.0.0.1:1080")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(DownloadError) as caught:
        Client(job, {}).get("http://models.example/file")
    assert str(caught.value) == (
        "ALL_PROXY is socks://127.0.0.1:1080, which is no proxy that can be used, "
        "expected http://, https://, socks5:// or socks5h://"
    )
    assert caught.value.hint == "if that proxy speaks version 5, set ALL_PROXY to socks5://127.0.0.1:1080"
    # It is not for this host.
    with Client(job, {}).get(f"{web.url}/nothing", accept=[404]) as answer:
        assert answer.status == 404
    # Of the two, the one for the scheme counts.
    monkeypatch.setenv("http_proxy", web.url)
    with Client(job, {}).get("http://models.example/nothing", accept=[404]) as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    ("status", "expected", "code"),
    [
        *[(status, TransientError, "download_failed") for status in (408, 425, 429, 500, 502, 503, 504)],
        *[(status, DownloadError, "access_denied") for status in (401, 403)],
        *[(status, ModelNotFound, "model_not_found") for status in (404, 410)],
        *[
            (status, DownloadError, "download_failed")
            for status in (300, 304, 305, 400, 402, 407, 416, 418, 451, 501, 599)
        ],
    ],
)
def test_each_status_means_one_thing(
    client: Client, web: Web, status: int, expected: type[Exception], code: str
) -> None:
    web.break_next(Fault(status=status))
    with pytest.raises(expected) as caught:
        client.get(f"{web.url}/file?token={SECRET}", what="a.gguf")
    error = caught.value.error if isinstance(caught.value, TransientError) else caught.value
    assert isinstance(error, TrillmError)
    assert (error.code, str(status) in str(error)) == (code, True)
    assert "127.0.0.1" in str(error)
    for text in (SECRET, CANARY):
        assert text not in f"{error} {error.hint} {error!r}"


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("7", 7, 7),
        ("100000", 300, 300),
        ("9" * 5000, 300, 300),
        # Seconds from when the test runs, which may be long after it is collected.
        (290, 60, 290),
        (10**6, 300, 300),
        (formatdate(0, usegmt=True), 0, 0),
    ],
)
def test_the_server_may_say_when_to_come_back(
    client: Client, web: Web, value: str | int, least: int, most: int
) -> None:
    header = formatdate(time.time() + value, usegmt=True) if isinstance(value, int) else value
    web.break_next(Fault(status=503, headers={"Retry-After": header}))
    with pytest.raises(TransientError) as caught:
        client.get(f"{web.url}/file")
    assert caught.value.retry_after is not None
    assert least <= caught.value.retry_after <= most


@pytest.mark.parametrize("value", ["", "soon", "-1", "²", "Mon, 99 Nov 2026 99:99:99 GMT"])
def test_what_cannot_be_understood_of_that_is_left_out(client: Client, web: Web, value: str) -> None:
    web.break_next(Fault(status=503, headers={"Retry-After": value.encode().decode("latin-1")}))
    with pytest.raises(TransientError) as caught:
        client.get(f"{web.url}/file")
    assert caught.value.retry_after is None


@pytest.mark.parametrize("fault", [Fault(cut=-1), Fault(cut=-1, reset=True), Fault(stall=-1), Fault(drip_headers=0.05)])
def test_a_connection_that_fails_may_do_better_later(
    client: Client, web: Web, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "stall", 0.2)
    monkeypatch.setattr(limits, "answer", 0.4)
    web.break_next(fault)
    start = time.monotonic()
    with pytest.raises(TransientError) as caught:
        client.get(f"{web.url}/file")
    assert time.monotonic() - start < 2
    assert isinstance(caught.value.error, DownloadError)
    assert fetch(client, f"{web.url}/file") == b"0123456789"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(cut=4),
        Fault(cut=4, reset=True),
        Fault(stall=4),
        Fault(drip=0.05),
        Fault(longer=5),
        Fault(cut=4, chunked=True),
    ],
)
def test_so_may_one_that_fails_within_the_body(
    client: Client, web: Web, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "stall", 0.2)
    web.break_next(fault)
    start = time.monotonic()
    with pytest.raises(TransientError):
        fetch(client, f"{web.url}/file")
    assert time.monotonic() - start < 2


def test_a_host_that_does_not_listen_may_do_better_later(client: Client, web: Web) -> None:
    with web.refusing(), pytest.raises(TransientError, match="refused"):
        client.get(f"{web.url}/file")
    assert fetch(client, f"{web.url}/file") == b"0123456789"


def test_a_host_without_an_address_may_have_one_later(client: Client) -> None:
    with pytest.raises(TransientError, match=r"nowhere\.invalid"):
        client.get("http://nowhere.invalid/a")
    with pytest.raises((TransientError, DownloadError)):
        client.get(f"http://{'a' * 70}.example/a")


def test_what_came_packed_is_refused(client: Client, web: Web) -> None:
    web.break_next(Fault(packed=True))
    with pytest.raises(DownloadError, match="gzip"):
        client.get(f"{web.url}/file")


@pytest.mark.parametrize("body", [b"", b"[" * 100_000, b"\xff", b"{", b" " * 2000 + b"1"])
def test_json_is_bounded_and_checked(client: Client, web: Web, body: bytes) -> None:
    web.put("/json", body)
    with client.get(f"{web.url}/json") as response, pytest.raises(DownloadError):
        response.json(1000)
    web.put("/json", b'{"a": [1]}')
    with client.get(f"{web.url}/json") as response:
        assert response.json(10) == {"a": [1]}


def test_tries_are_counted_and_logged(
    job: Job, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(job, "sleep", slept.append)
    left = 3

    def call() -> str:
        nonlocal left
        left -= 1
        if left >= 0:
            raise TransientError(DownloadError("it failed", "download_failed"), 100.0 if left == 0 else None)
        return "done"

    with caplog.at_level(logging.WARNING, "trillm.hub"):
        assert retrying(job, call) == "done"
    assert len(caplog.records) == 3
    assert 0.5 <= slept[0] <= 1.5
    assert 1.0 <= slept[1] <= 3.0
    assert slept[2] == 100.0
    left = 3
    job.attempts = 2
    with pytest.raises(DownloadError, match="it failed"):
        retrying(job, call)


def cancelled(job: Job, work: Callable[[], object], once: Callable[[], bool]) -> float:
    """How long it takes to end work that waits, cancelled as soon as it does."""
    ended: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while not once():
        time.sleep(0.005)
    time.sleep(0.05)
    start = time.monotonic()
    job.cancel()
    thread.join()
    assert isinstance(ended[0], CancelledError)
    return time.monotonic() - start


@pytest.mark.parametrize("place", [-1, 4])
def test_cancelling_wakes_who_waits_for_bytes(job: Job, client: Client, web: Web, place: int) -> None:
    web.break_next(Fault(stall=place))
    waits = lambda: bool(web.requests) and web.requests[0].sent == max(place, 0)  # noqa: E731
    assert cancelled(job, lambda: fetch(client, f"{web.url}/file"), waits) < 1


def test_cancelling_wakes_who_connects(job: Job, client: Client) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    address = listener.getsockname()
    waiting = []
    # Until its queue is full; then the system does not answer at all.
    for _ in range(4):
        waiting.append(socket.socket())
        waiting[-1].setblocking(False)
        waiting[-1].connect_ex(address)
    try:
        assert cancelled(job, lambda: client.get(f"http://127.0.0.1:{address[1]}/"), lambda: True) < 1
    finally:
        for sock in (*waiting, listener):
            sock.close()


def test_cancelling_wakes_who_shakes_hands(job: Job, client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        peer: list[socket.socket] = []
        accept = threading.Thread(target=lambda: peer.append(listener.accept()[0]))
        accept.start()
        assert cancelled(job, lambda: client.get(url), lambda: bool(peer)) < 1
        accept.join()
        peer[0].close()


def test_cancelling_wakes_who_waits_to_try_again(job: Job, client: Client, web: Web) -> None:
    web.faults = lambda _: Fault(status=503, headers={"Retry-After": "300"})
    work = lambda: retrying(job, lambda: client.get(f"{web.url}/file"))  # noqa: E731
    assert cancelled(job, work, lambda: len(web.requests) == 1) < 1


class Encrypted(Web):
    """With TLS, as 127.0.0.1."""

    def __init__(self, certificate: Path) -> None:
        self._certificate = certificate
        super().__init__()
        self.url = self.url.replace("http:", "https:")

    def _listen(self, port: int) -> None:
        import ssl

        super()._listen(port)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that nobody trusts, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *name]
    made = subprocess.run([*command, "-keyout", "-", "-out", "-"], capture_output=True, check=True)
    path.write_bytes(made.stdout)
    return path


def test_certificates_of_ones_own_are_taken_from_the_environment(
    job: Job, certificate: Path, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Encrypted(certificate) as secure:
        secure.put("/file", b"0123456789")
        secure.redirect("/down", f"{web.url}/file")
        with pytest.raises(DownloadError, match="certificate"):
            Client(job, {}).get(f"{secure.url}/file")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        client = Client(job, {})
        assert fetch(client, f"{secure.url}/file") == b"0123456789"
        with client.get(f"{secure.url}/file") as response:
            assert response.read(5) == b"01234"
        with pytest.raises(DownloadError) as caught:
            client.get(f"{secure.url}/down")
        assert caught.value.code == "redirect_refused"
        assert web.requests == []
        secure.break_next(Fault(stall=4))
        assert cancelled(job, lambda: fetch(client, f"{secure.url}/file"), lambda: len(secure.requests) == 4) < 1
