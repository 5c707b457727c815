"""HTTP as the standard library speaks it: every byte that is sent is the test's own."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any


@dataclass
class Answer:
    """What a server said."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """It, read."""
        return json.loads(self.text)

    @property
    def events(self) -> list[Any]:
        """The events of a stream: each read, but for the last word."""
        lines = [line[6:] for line in self.text.split("\n") if line.startswith("data: ")]
        return [line if line == "[DONE]" else json.loads(line) for line in lines]


@dataclass
class Asker:
    """Asks a server of this machine."""

    port: int

    def __call__(self, path: str, body: Any = None, *, method: str | None = None, **headers: str) -> Answer:
        """One request; `body` is JSON unless it is bytes. Headers are given with `_` for `-`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, sent, given)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read().decode())
        finally:
            connection.close()
