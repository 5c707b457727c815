"""Peers that are Python packages: in an environment of their own, each in a process that loads once."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from peers import PEERS

__all__ = ["peers_python", "worker"]

REQUIREMENTS = [
    *("torch==2.15.0", "transformers==5.23.0", "sentence-transformers==6.2.0", "mistralrs==0.9.5"),
    *("onnxruntime==1.32.0", "onnxruntime-genai==0.18.0", "onnx==1.23.2", "onnx-ir==1.1.0"),
    *("tiktoken==0.14.0", "tokenizers==0.23.3", "sentencepiece==0.2.3"),
]


@cache
def peers_python() -> Path:
    """The Python that has the peers, installed on first use.

    About 6 GB, nearly all of it CUDA: torch from the package index does not load without those libraries, even for
    the processor. `TRILLM_PEERS_PYTHON` names one that has them already.
    """
    if named := os.environ.get("TRILLM_PEERS_PYTHON"):
        return Path(named)
    folder = PEERS / "venv"
    python, installed = folder / "bin" / "python", folder / "installed.txt"
    wanted = "\n".join(REQUIREMENTS)
    if not installed.exists() or installed.read_text(encoding="utf-8") != wanted:
        print(f"installing {', '.join(REQUIREMENTS)}, about 6 GB", file=sys.stderr)
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
        installed.write_text(wanted, encoding="utf-8")
    return python


@contextmanager
def worker(program: str, *arguments: object) -> Iterator[Callable[[], float]]:
    """Runs `program`, a file beside this one, with the peers' Python.

    It loads its model once and measures when called; its end of this is `worker.serve`.
    """
    command = [str(peers_python()), str(Path(__file__).with_name(program)), *map(str, arguments)]
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=complaints, text=True) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        questions, answers = process.stdin, process.stdout

        def measure() -> float:
            print(file=questions, flush=True)
            answer = answers.readline()
            if not answer:
                complaints.seek(0)
                raise RuntimeError(f"{program} ended: {complaints.read()[-2000:]}")
            return float(answer)

        try:
            yield measure
        finally:
            process.kill()
