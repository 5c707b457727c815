"""Programs against the server: `llm`, with a home of its own, and `curl`, as documentation has it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trillm

MESSAGES: list[Any] = [{"role": "user", "content": "the man"}]
EXACT: dict[str, Any] = {"temperature": 0, "max_tokens": 12}
OPTIONS = ["-o", "temperature", "0", "-o", "max_tokens", "12"]

Run = Callable[..., str]
"""Runs a program and gives what it prints."""


@pytest.fixture(scope="module")
def expected(model: trillm.RoutedModel) -> str:
    """What the model says."""
    return str(model.chat(MESSAGES, **EXACT).text)


def printed(command: list[str], **environment: str) -> str:
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def llm(server: trillm.Server, tmp_path: Path) -> Run:
    """`llm`, which knows the model as `here`."""
    known = f"- model_id: here\n  model_name: tiny\n  api_base: {server.url}/v1\n"
    (tmp_path / "extra-openai-models.yaml").write_text(known, encoding="utf-8")

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "llm", *arguments]
        return printed(command, LLM_USER_PATH=str(tmp_path), OPENAI_API_KEY="none")

    return run


@pytest.fixture
def curl(server: trillm.Server) -> Run:
    """`curl`, which sends JSON."""

    def run(path: str, body: Any, *arguments: str) -> str:
        checks = ["--silent", "--show-error", "--fail-with-body", "--max-time", "60"]
        return printed(["curl", *checks, *arguments, "--json", json.dumps(body), server.url + path])

    return run


@pytest.mark.parametrize("how", [["--no-stream"], []])
def test_llm_answers(llm: Run, expected: str, how: list[str]) -> None:
    assert llm("prompt", "-m", "here", *how, *OPTIONS, "the man") == expected + "\n"


def test_llm_goes_on_with_a_conversation(llm: Run, model: trillm.RoutedModel, expected: str) -> None:
    llm("prompt", "-m", "here", *OPTIONS, "the man")
    said = llm("prompt", "--continue", *OPTIONS, "there was")
    turns = [*MESSAGES, {"role": "assistant", "content": expected}, {"role": "user", "content": "there was"}]
    assert said == model.chat(turns, **EXACT).text + "\n"


def test_curl_gets_a_chat(curl: Run, expected: str) -> None:
    said = json.loads(curl("/v1/chat/completions", {"model": "tiny", "messages": MESSAGES, **EXACT}))
    assert said["choices"][0]["message"] == {"role": "assistant", "content": expected, "refusal": None}


def test_curl_gets_events(curl: Run, expected: str) -> None:
    body = {"model": "tiny", "messages": MESSAGES, "stream": True, **EXACT}
    parts = curl("/v1/chat/completions", body, "--no-buffer").split("\n\n")
    assert parts[-2:] == ["data: [DONE]", ""]
    events = [json.loads(part.removeprefix("data: ")) for part in parts[:-2]]
    assert "".join(event["choices"][0]["delta"].get("content", "") for event in events) == expected
