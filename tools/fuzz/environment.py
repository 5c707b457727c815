"""What every fuzzer has: its arguments, its random numbers, and the Python that has the reference libraries."""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

__all__ = ["Arguments", "arguments", "reference_python"]

ROOT = Path(__file__).resolve().parents[2]


class Arguments(argparse.Namespace):
    """What the command line of every fuzzer says."""

    rounds: int
    seed: int

    @property
    def random(self) -> random.Random:
        """Numbers that are the same for the same seed."""
        return random.Random(self.seed)


def arguments(description: str | None) -> Arguments:
    """The arguments `--rounds` and `--seed`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=1000, help="cases to try")
    parser.add_argument("--seed", type=int, default=0, help="where the random numbers begin")
    return parser.parse_args(namespace=Arguments())


def reference_python() -> Path:
    """The Python that has the libraries compared with: the one of the benchmarks' peers, or `TRILLM_PEERS_PYTHON`."""
    sys.path.insert(0, str(ROOT / "benches"))
    from peers_python import peers_python

    return peers_python()
