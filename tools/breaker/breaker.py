"""Tries to end or stall a process that uses trillm: random programs, each in a process of its own, under a watchdog.

    just break --minutes 60
    just break --seed 4711

A program loads one of some tiny models and has threads and event loops use it in every way there is, while signals
come, processes are forked, files change or the system gives no more of something. A fault is an answer other than the
request alone has, an error without a type of ours, a process that ends by itself or makes no progress for a minute, a
request that is left, a thread or a file that stays open. The seed of each fault is printed, and runs it again alone.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import specimens
from programs import draw
from watch import Seen, watched

HERE = Path(__file__).resolve().parent


def _prepare(folder: Path) -> None:
    """Writes the models, and what each says to every request alone."""
    specimens.write(folder)
    for name in specimens.SPECIMENS:
        command = [sys.executable, str(HERE / "answers.py"), str(folder), name]
        (folder / f"{name}.json").write_bytes(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def _show(seed: int, seen: Seen) -> None:
    plan = draw(seed)
    print(f"FAULT with --seed {seed}: {plan.specimen.name}, {plan.trouble}, {plan.options}, {plan}")
    for fault in seen.faults:
        print("  " + fault.replace("\n", "\n  "))
    sys.stdout.flush()


def main() -> int:
    """Runs programs until the time is up, or one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5, help="how long to go on")
    parser.add_argument("--seed", type=int, help="run the program of this seed alone")
    parser.add_argument("--first", type=int, default=0, help="the seed to begin with")
    parser.add_argument("--trouble", help="only programs that this befalls")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trillm-break-") as name:
        folder = Path(name)
        _prepare(folder)
        end = time.monotonic() + 60 * arguments.minutes
        seed = arguments.first if arguments.seed is None else arguments.seed
        outcomes: Counter[str] = Counter()
        troubles: Counter[str] = Counter()
        programs = requests = failed = 0
        # Ctrl-C ends it with the figures so far.
        with suppress(KeyboardInterrupt):
            while True:
                plan = draw(seed)
                if arguments.trouble in (None, plan.trouble) or arguments.seed is not None:
                    seen = watched(plan, folder)
                    programs, requests, failed = programs + 1, requests + seen.requests, failed + bool(seen.faults)
                    outcomes.update(seen.outcomes)
                    troubles[plan.trouble] += 1
                    if seen.faults:
                        _show(seed, seen)
                if arguments.seed is not None or time.monotonic() > end:
                    break
                seed += 1
    print(f"{programs} programs, {requests} requests, {failed} programs with faults")
    print("befallen by:", ", ".join(f"{trouble} {count}" for trouble, count in troubles.most_common()))
    print("outcomes:", ", ".join(f"{outcome} {count}" for outcome, count in outcomes.most_common()))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
