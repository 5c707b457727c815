"""Processes whose memory is read while they wait."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

__all__ = ["Process", "anonymous"]


def anonymous(pid: int) -> float:
    """RssAnon in MiB; 0 once the process is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("RssAnon")), 0.0)


class Process:
    """A program that prints a line where its memory is to be read, and goes on when it is given one."""

    def __init__(self, program: str, *arguments: object) -> None:
        """Returns at the first such place."""
        command = [sys.executable, "-c", program, *map(str, arguments)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self._process.pid
        self._arrived()

    def _arrived(self) -> None:
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError(f"the process ended with {self._process.wait()}")

    def go_on(self) -> None:
        """Returns at the next place."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        self._arrived()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
