"""Python programs that are run as a process of their own: for what one test must not do to the others."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent


@dataclass(frozen=True)
class Finished:
    """What a program left behind. A negative code is the signal that ended it."""

    code: int
    out: str
    err: str


def compiled(source: str, folder: Path) -> Path:
    """A library made from C, to be loaded, or preloaded with `LD_PRELOAD`."""
    library = folder / "library.so"
    command = [os.environ.get("CC", "cc"), "-O1", "-shared", "-fPIC", "-x", "c", "-", "-o", str(library), "-ldl"]
    subprocess.run(command, input=source, text=True, check=True)
    return library


def run(source: str, *arguments: str | Path, limit: float = 60, **environment: str) -> Finished:
    """Runs a program to its end; its arguments are in `sys.argv`."""
    command = [sys.executable, "-X", "faulthandler", "-c", dedent(source), *map(str, arguments)]
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=limit, check=False
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def output(source: str, *arguments: str | Path, limit: float = 60, **environment: str) -> str:
    """As `run`, for programs that must end well and say nothing on standard error; what they printed."""
    done = run(source, *arguments, limit=limit, **environment)
    assert (done.code, done.err) == (0, ""), done
    return done.out
