"""`trillm serve`: an address to standard output, and an end when it is asked to."""

from __future__ import annotations

import json
import re
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from .conftest import Begun, Cli


def asked(url: str, path: str, body: object = None) -> object:
    """What the server answers."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url + path, data), timeout=60) as answer:
        return json.loads(answer.read())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_asked_to_end(begun: Begun, tiny_model: Path, number: signal.Signals) -> None:
    process = begun("serve", tiny_model, "--port", "0")
    assert process.stdout is not None
    url = process.stdout.readline().decode().strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
    listed = asked(url, "/v1/models")
    assert [it["id"] for it in listed["data"]] == ["tiny"]  # type: ignore[index]
    said = asked(url, "/generate", {"model": "tiny", "prompt": "the man", "max_tokens": 3})
    assert said["usage"]["completion_tokens"] == 3  # type: ignore[index]
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert out == b""
    assert f"OpenAI's clients take {url}/v1" in err.decode()
    assert err.splitlines()[-1] == b"stopping: what runs has 30 s, and Ctrl-C ends it"
    assert process.returncode == (0 if number == signal.SIGINT else -signal.SIGTERM)


def test_what_cannot_be_served_is_said(cli: Cli, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = cli("serve", "--port", str(port))
        assert (result.code, f"cannot listen at 127.0.0.1:{port}" in result.err) == (1, True)
        assert "hint: choose another --port" in result.err
    result = cli("serve", "--host", "0.0.0.0", "--port", "0")
    assert (result.code, "can be reached from other machines" in result.err) == (1, True)
    result = cli("serve", tmp_path / "none.gguf", "--port", "0")
    assert (result.code, "there is no file or folder" in result.err) == (1, True)
    assert cli("serve", "--port", "70000").code == 2
