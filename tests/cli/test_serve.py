"""`trillm serve`: an address to standard output, and an end when it is asked to."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from .conftest import Begun, Cli, trillm


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


def test_a_server_is_asked_and_stopped_from_the_terminal(begun: Begun, cli: Cli, tiny_model: Path) -> None:
    process = begun("serve", tiny_model, "--port", "0", "--log-json")
    assert process.stdout is not None
    url = process.stdout.readline().decode().strip()
    wanted = {"model": "tiny", "prompt": "a secret", "max_tokens": 3, "ignore_eos": True}
    assert asked(url, "/v1/completions", wanted)
    listed = cli("ps", "--url", url)
    head, row = listed.out.splitlines()
    assert head.split() == ["NAME", "MEMORY", "IN", "USE", "REQUESTS", "STATE"]
    assert re.fullmatch(r"tiny +[\d.]+ [kM]B +0 +\d+ +loaded, idle for \d+ s", row)
    # As clients of OpenAI are given it.
    document = json.loads(cli("ps", "--url", f"{url}/v1", "--json").out)
    assert ([it["name"] for it in document["loaded"]], document["coming"]) == (["tiny"], [])
    logged = cli("logs", "--url", url)
    assert re.search(r"\d\d:\d\d:\d\d POST /v1/completions 200 [\d.]+ s tiny \d+\+3 tokens req-", logged.out)
    lines = [json.loads(line) for line in cli("logs", "--url", url, "--json").out.splitlines()]
    assert lines[0]["completion_tokens"] == 3
    unloaded = cli("stop", "tiny", "--url", url)
    assert (unloaded.code, "tiny is unloaded" in unloaded.err) == (0, True)
    assert json.loads(cli("ps", "--url", url, "--json").out)["loaded"] == []
    # What a client calls a model cannot look like another line.
    with pytest.raises(urllib.error.HTTPError, match="404"):
        asked(url, "/v1/completions", {"model": "x\n00:00:00 GET /forged 200", "prompt": "a"})
    assert not any(line.startswith("00:00:00 GET") for line in cli("logs", "--url", url).out.splitlines())
    again = cli("stop", "tiny", "--url", url)
    assert (again.code, "not loaded" in again.err) == (1, True)
    assert cli("stop", "--force", "--url", url).code == 1
    stopped = cli("stop", "--url", url)
    assert (stopped.code, "it stops once what runs has ended" in stopped.err) == (0, True)
    out, err = process.communicate(timeout=60)
    assert (out, process.returncode) == (b"", 0)
    documents = [json.loads(line) for line in err.decode().splitlines() if line.startswith("{")]
    assert documents[0]["route"] == "/v1/completions"
    assert b"secret" not in err
    gone = cli("ps", "--url", url)
    assert (gone.code, "there is no answer from" in gone.err, "--url" in gone.err) == (1, True, True)
    assert cli("ps", "--url", "ftp://x").code == 2


def test_its_configuration_is_read_again_when_it_is_told(
    tiny_model: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    config = tmp_path / "trillm.toml"
    config.write_text("max_models_loaded = 2\nthreads = 1\n")
    environment["TRILLM_CONFIG"] = str(config)
    pipe = subprocess.PIPE
    # Without a terminal, wherever this runs: to one that is closed, the signal says to end.
    process = subprocess.Popen(
        trillm("serve", tiny_model, "--port", "0"),
        stdin=subprocess.DEVNULL,
        stdout=pipe,
        stderr=pipe,
        env=environment,
        cwd=tmp_path,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    url = process.stdout.readline().decode().strip()

    def told(text: str) -> list[str]:
        """What it says once the configuration is this."""
        config.write_text(text)
        process.send_signal(signal.SIGHUP)
        return [process.stderr.readline().decode().rstrip("\n")]  # type: ignore[union-attr]

    assert "OpenAI's clients take" in process.stderr.readline().decode()
    assert told("max_models_loaded = 5\nthreads = 1\n") == ["max_models_loaded is 5 now; it was 2"]
    assert told("max_models_loaded = 5\nthreads = 1\n") == ["nothing has changed in the configuration"]
    assert "nothing was changed: " in told("max_models_loaded = 'many'\n")[0]
    assert asked(url, "/health")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
