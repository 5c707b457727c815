"""Models to measure with: real small ones, and a larger one of random weights."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from peers import ROOT

__all__ = ["minilm", "random_model", "smollm2", "smollm2_bf16", "smollm2_bf16_gguf", "weights_file", "weights_read"]


def smollm2() -> Path:
    """SmolLM2-135M-Instruct, Q4_1, 98 MB."""
    from trillm.hub import fetch

    return Path(fetch("smollm2"))


def smollm2_bf16() -> Path:
    """The same model as a Hugging Face folder in bf16, 269 MB: the weights are widened from the quantized file."""
    return _converted(smollm2(), "smollm2-bf16", "safetensors")


def smollm2_bf16_gguf() -> Path:
    """The weights of `smollm2_bf16` as GGUF."""
    return _converted(smollm2_bf16(), "smollm2-bf16.gguf", "gguf")


def _converted(source: Path, name: str, to: str) -> Path:
    path = ROOT / "target" / "bench" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "trillm", "convert", str(source), str(path), "--to", to, "--dtype", "bf16"]
        subprocess.run(command, check=True, stdout=sys.stderr)
    return path


def minilm() -> Path:
    """all-MiniLM-L6-v2 as a Hugging Face folder, f32, 91 MB."""
    from trillm.hub import fetch

    return Path(fetch("all-minilm"))


def weights_file(folder: Path) -> Path:
    """The one file of weights in a Hugging Face folder."""
    return folder / "model.safetensors"


def weights_read(folder: Path) -> int:
    """Bytes of weights that one token reads: of embeddings only a row, unless the head is made of them.

    The layout is that of safetensors: eight bytes with the header's length, the header in JSON, the numbers.
    """
    with weights_file(folder).open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    sizes = {
        name: end - start
        for name, tensor in header.items()
        if name != "__metadata__"
        for start, end in [tensor["data_offsets"]]
    }
    if "lm_head.weight" in sizes:
        del sizes["model.embed_tokens.weight"]
    return sum(sizes.values())


def random_model() -> Path:
    """A model of random weights that reads over 0.4 GB for a token."""
    path = ROOT / "target" / "bench" / "random-q8_0.gguf"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        command = ["cargo", "run", "-q", "-p", "trillm-testkit", "--example", "write_model", "--"]
        subprocess.run([*command, "--kind", "random", "--out", str(path)], check=True, cwd=ROOT)
    return path
