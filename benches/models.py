"""Models to measure with: a real small one, and a larger one of random weights."""

from __future__ import annotations

import subprocess
from pathlib import Path

from peers import ROOT

__all__ = ["random_model", "smollm2"]


def smollm2() -> Path:
    """SmolLM2-135M-Instruct, Q4_1, 98 MB."""
    from trillm.hub import fetch

    return Path(fetch("smollm2"))


def random_model() -> Path:
    """A model of random weights that reads over 0.4 GB for a token."""
    path = ROOT / "target" / "bench" / "random-q8_0.gguf"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        command = ["cargo", "run", "-q", "-p", "trillm-testkit", "--example", "write_model", "--"]
        subprocess.run([*command, "--kind", "random", "--out", str(path)], check=True, cwd=ROOT)
    return path
