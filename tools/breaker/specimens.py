"""The models that programs run: the testkit's tiny one in every format, and what each may be loaded with."""

from __future__ import annotations

import json
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["SPECIMENS", "Specimen", "options", "write"]

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Specimen:
    """A model on the disk."""

    name: str
    engine: str
    writer: tuple[str, ...]
    """Options of testkit's `write_model`."""
    embeds: bool = False
    """It makes vectors, too."""
    generates: bool = True

    @property
    def file(self) -> str:
        """Its name in the folder of specimens."""
        return f"{self.name}.gguf" if self.engine == "llama" else self.name


_ONNX = ("--format", "onnx", "--form")

SPECIMENS = {
    specimen.name: specimen
    for specimen in [
        Specimen("gguf", "llama", ("--format", "gguf"), embeds=True),
        Specimen("safetensors", "candle", ("--format", "huggingface"), embeds=True),
        Specimen("bf16", "candle", ("--format", "huggingface", "--type", "bf16"), embeds=True),
        Specimen("pytorch", "candle", ("--format", "pytorch"), embeds=True),
        Specimen("grown", "onnx", (*_ONNX, "grown")),
        Specimen("shared", "onnx", (*_ONNX, "shared")),
        Specimen("no-cache", "onnx", (*_ONNX, "no-cache")),
        Specimen("merged", "onnx", (*_ONNX, "merged")),
        Specimen("encoder", "onnx", (*_ONNX, "encoder"), embeds=True, generates=False),
    ]
}


def write(folder: Path) -> None:
    """Writes all of them."""
    command = ["cargo", "build", "-q", "-p", "trillm-testkit", "--example", "write_model", "--message-format=json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    built = [json.loads(line).get("executable") for line in done.stdout.splitlines()]
    writer = next(path for path in reversed(built) if path)
    for specimen in SPECIMENS.values():
        out = folder / specimen.file
        subprocess.run([writer, "--kind", "tiny", "--out", out, *specimen.writer], check=True)


def options(specimen: Specimen, chance: random.Random) -> dict[str, Any]:
    """How to load it. Some of it makes no sense together, which is an error to be had."""
    drawn: dict[str, Any] = {
        # More than there are processors wait for each other.
        "threads": chance.choice([1, 1, 1, 1, 2]),
        "parallel": chance.choice([1, 2, 4, 8]),
        "queue": chance.choice([1, 4, 512, 512]),
        "batch": chance.choice([8, 64, 512]),
        "prompt_chunk": chance.choice([1, 16, 64]),
        "cache_type": "f32",
    }
    if chance.random() < 0.3:
        drawn["context"] = chance.choice([64, 256, 512])
    if chance.random() < 0.3:
        drawn["copy"] = True
    if chance.random() < 0.2:
        drawn["cache_type"] = chance.choice(["f16", "f16", "q8_0", "q4_0"])
    if specimen.engine == "llama" and chance.random() < 0.3:
        drawn |= {"flash_attention": chance.choice([True, False]), "ubatch": chance.choice([1, 32, 512])}
    if specimen.engine == "candle" and chance.random() < 0.1:
        drawn["quantize"] = chance.choice(["q8_0", "q4_k"])
    if specimen.engine == "onnx" and chance.random() < 0.3:
        drawn |= {"execution_mode": "parallel", "inter_threads": chance.choice([1, 2, 4])}
    if specimen.engine == "onnx" and chance.random() < 0.3:
        drawn |= {"prepack": False, "graph_optimization_level": chance.choice(["disabled", "basic", "all"])}
    return drawn
