"""Processes that pull models, and die of it.

Run as a program, this is a parent that has everything imported and forks a child for each line it reads, so that a
thousand rounds take minutes. Each line is a JSON object: `reference`, `store`, and optionally `options`, `at` and
`error` (see faults.c). It answers with one JSON line: `code` of the child's exit, and what the child `said`.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def shim(folder: Path) -> Path:
    """Compiles faults.c."""
    library = folder / "faults.so"
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, HERE / "faults.c", "-ldl"], check=True)
    return library


@dataclass(frozen=True)
class Outcome:
    """How a child ended."""

    code: int
    """Its exit code; negative if a signal ended it."""
    said: dict[str, Any]
    """`path` if it has the model, `error` (class, code, message) if it failed; `operations` counted if it was armed."""


class Pullers:
    """The parent, as its user sees it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def pull(self, **order: Any) -> Outcome:
        """One child, from fork to end."""
        return self.pull_together([order])[0]

    def pull_together(self, orders: list[dict[str, Any]]) -> list[Outcome]:
        """Children that run at the same time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(orders) + "\n")
        self._process.stdin.flush()
        return [Outcome(**outcome) for outcome in json.loads(self._process.stdout.readline())]


@contextmanager
def pullers(environment: dict[str, str], library: Path, *, locks: bool = True) -> Iterator[Pullers]:
    """Starts the parent; without ``locks`` every file lock is granted to everyone."""
    ours = environment | {"LD_PRELOAD": str(library)} | ({} if locks else {"FAULTS_NO_LOCKS": "1"})
    process = subprocess.Popen(
        [sys.executable, __file__], env=os.environ | ours, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Pullers(process)
    finally:
        process.communicate()


def _child(order: dict[str, Any], answer: int) -> None:
    from trillm import hub
    from trillm._core import Store
    from trillm.errors import TrillmError

    faults = ctypes.CDLL(None) if "at" in order else None
    said: dict[str, Any] = {}
    try:
        options = hub.Options(
            **{**order.get("options", {}), "sources": {k: hub.Source(**v) for k, v in order.get("sources", {}).items()}}
        )
        if faults is not None:
            faults.faults_arm(ctypes.c_long(order["at"]), order.get("error", 0), order.get("stays", 1))
        said["path"] = str(hub.fetch(order["reference"], store=Store(order["store"]), options=options))
    except TrillmError as error:
        said["error"] = [type(error).__name__, error.code, str(error)]
    except BaseException as error:
        said["error"] = ["untyped", type(error).__name__, str(error)]
    if faults is not None:
        said["operations"] = faults.faults_disarm()
    os.write(answer, json.dumps(said).encode())
    os._exit(0)


def _serve() -> None:
    # Imported before the first fork, but without a thread or a connection that a child could not use.
    import trillm.hub._pull  # noqa: F401

    for line in sys.stdin:
        children = []
        for order in json.loads(line):
            read, write = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(read)
                _child(order, write)
            os.close(write)
            children.append((child, read))
        outcomes = []
        for child, read in children:
            with open(read, "rb") as answer:  # noqa: PTH123 - a pipe
                said = answer.read()
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            outcomes.append({"code": code, "said": json.loads(said or b"{}")})
        print(json.dumps(outcomes), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    _serve()
