"""A program in a process of its own, and whoever watches it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from stage import Plan

__all__ = ["Seen", "watched"]

SILENCE = 60
"""Seconds without a sign of life that count as standing still, as far as the machine let it run meanwhile."""

LONGEST = 900
"""Seconds without one, however busy the machine is with other things."""

NOTHING_LEFT = ("memory allocation of", "cannot allocate memory for thread-local data")
"""What Rust and the C library say when they end a process that has no memory for a few bytes. Nothing can be done about
that but to leave some: large requests are refused while there is."""

HERE = Path(__file__).resolve().parent


@dataclass
class Seen:
    """What came of a program."""

    requests: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def watched(plan: Plan, specimens: Path) -> Seen:
    """Runs a program to its end, or ends it when it stands still."""
    with tempfile.TemporaryDirectory(prefix="trillm-scratch-") as scratch, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", HERE / "performer.py", str(plan.seed), specimens, scratch],
            stdout=subprocess.PIPE,
            stderr=said,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"HOME": scratch, "LOCAL_CACHE_DIR": scratch},
        )
        last, stands = _listen(process)
        code = process.wait()
        said.seek(0)
        words = said.read().decode(errors="replace")
    seen = Seen(**json.loads(last)) if last else Seen()
    if stands:
        seen.faults.append(f"no sign of life for {SILENCE} s; {stands}\n{words[-6000:]}")
    elif plan.trouble == "memory" and code != 0 and any(cause in words for cause in NOTHING_LEFT):
        seen.outcomes["ended without any memory"] += 1
    elif code != 0:
        seen.faults.append(f"the process ends with {code}\n{words[-6000:]}")
    elif not last:
        seen.faults.append(f"the process ends without a report\n{words[-6000:]}")
    elif words and plan.trouble not in ("descriptors", "interrupts"):
        # An event loop that is not made for want of files, or does not come to its end, says so there.
        seen.faults.append(f"standard error has\n{words[-6000:]}")
    return seen


def _listen(process: subprocess.Popen[bytes]) -> tuple[str, str]:
    """Reads signs of life until the end; the report, and if it stands still the states of its threads."""
    assert process.stdout is not None
    rest, heard = b"", time.monotonic()
    silence, looked, waited = 0.0, heard, 0.0
    while True:
        ready = select.select([process.stdout], [], [], 1)[0]
        now, before = time.monotonic(), waited
        waited = _waited(process.pid)
        # What it waited for a processor says nothing of it.
        silence += max(now - looked - max(waited - before, 0), 0)
        looked = now
        if ready:
            more = os.read(process.stdout.fileno(), 1 << 16)
            if not more:
                return next((line for line in rest.decode().split("\n") if line.startswith("{")), ""), ""
            rest, heard, silence = (rest + more).replace(b".\n", b""), now, 0
        elif silence > SILENCE or now - heard > LONGEST:
            states = _threads(process.pid)
            # faulthandler says where its Python threads are.
            process.send_signal(signal.SIGABRT)
            time.sleep(1)
            process.kill()
            return "", states


def _waited(process: int) -> float:
    """Seconds in which its threads wanted to run and could not."""
    total = 0
    for task in Path(f"/proc/{process}/task").glob("*/schedstat"):
        try:
            total += int(task.read_text().split()[1])
        except (OSError, IndexError):
            # It ended meanwhile.
            continue
    return total / 1e9


def _threads(process: int) -> str:
    folder = Path(f"/proc/{process}/task")
    lines = []
    for task in folder.iterdir():
        words = [(task / name).read_text().strip().splitlines() for name in ("comm", "wchan", "syscall")]
        lines.append(" ".join(line[0] if line else "" for line in words))
    return "; ".join(lines)
