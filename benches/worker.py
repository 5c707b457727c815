"""The other end of `peers_python.worker`: what the programs share that the peers' own Python runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

__all__ = ["serve"]


def serve(load: Callable[[], Callable[[], float]]) -> None:
    """Loads, then answers each line of standard input with a number that what was loaded measures.

    What libraries print meanwhile goes to standard error.
    """
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        measure = load()
        for _ in sys.stdin:
            print(measure(), file=answers, flush=True)
