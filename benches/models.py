"""Models to measure with: real small ones, and a larger and a tiny one of random weights."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from peers import ROOT
from peers_python import peers_python

__all__ = [
    "OnnxForm",
    "minilm",
    "random_model",
    "smollm2",
    "smollm2_bf16",
    "smollm2_bf16_gguf",
    "smollm2_onnx",
    "stories",
    "tiny_onnx",
    "weights_file",
    "weights_read",
    "windowed",
    "windowed_gguf",
    "written",
]

MADE = ROOT / "target" / "bench"

OnnxForm = Literal["int4", "fp32", "plain"]
"""`int4` and `fp32`: by onnxruntime-genai's builder, one buffer for the cache. `plain`: by torch, 32 bits, a cache that
each step gives anew."""


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
    path = MADE / name
    if not path.exists():
        MADE.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "trillm", "convert", str(source), str(path), "--to", to, "--dtype", "bf16"]
        subprocess.run(command, check=True, stdout=sys.stderr)
    return path


def smollm2_onnx(form: OnnxForm) -> Path:
    """The weights of `smollm2_bf16` as an ONNX folder: 87 MB as int4, 540 MB as fp32, 652 MB as plain."""
    return _exported(smollm2_bf16(), f"smollm2-onnx-{form}", form)


def tiny_onnx() -> Path:
    """Two layers of random 32-bit weights as the builder exports them: what a token costs that hardly computes."""
    return _exported(written("tiny-huggingface", "--kind", "tiny", "--format", "huggingface"), "tiny-onnx", "fp32")


def _exported(source: Path, name: str, form: OnnxForm) -> Path:
    """By tools that are not ours. What is not complete never has the name."""
    path = MADE / name
    if not path.exists():
        print(f"exporting {name}", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=MADE) as folder:
            out = Path(folder) / name
            if form == "plain":
                export = [str(Path(__file__).with_name("export_plain.py")), str(source), str(out)]
            else:
                builder = ["-m", "onnxruntime_genai.models.builder", "-e", "cpu", "-c", str(Path(folder) / "cache")]
                export = [*builder, "-p", form, "-i", str(source), "-o", str(out)]
            subprocess.run([str(peers_python()), *export], check=True, stdout=sys.stderr)
            out.rename(path)
    return path


def stories(form: str) -> Path:
    """A real model of 260 thousand parameters, which takes some 0.2 ms for a token; it lies beside the repository."""
    return Path(os.environ.get("TRILLM_SHARED", ROOT.parent / "shared")) / "data" / "models" / "stories260K" / form


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
    return written("random-q8_0.gguf", "--kind", "random")


def written(name: str, *arguments: str) -> Path:
    """By the testkit, from a seed."""
    path = MADE / name
    if not path.exists():
        MADE.mkdir(parents=True, exist_ok=True)
        command = ["cargo", "run", "-q", "-p", "trillm-testkit", "--example", "write_model", "--"]
        subprocess.run([*command, *arguments, "--out", str(path)], check=True, cwd=ROOT)
    return path


def windowed() -> Path:
    """A Gemma 3 of random weights, bf16: five of six layers look at the last 512 positions.

    Its matrices are a random Llama's of the testkit, which has the same; what that lacks is ones.
    """
    path = MADE / "windowed"
    if path.exists():
        return path
    layers, width, head = 6, 768, 96
    sizes = {"width": width, "heads": 8, "kv-heads": 2, "feed-forward": 2304, "layers": layers}
    options = [part for name, size in sizes.items() for part in (f"--{name}", str(size))]
    shape = [*options, "--vocabulary", "4000", "--context", "8192"]
    plain = written("windowed-plain", "--kind", "random", "--type", "bf16", "--format", "huggingface", *shape)
    with weights_file(plain).open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    header.pop("__metadata__", None)
    # The last one: Gemma's embedding gives the scores, too.
    data = data[: header.pop("lm_head.weight")["data_offsets"][0]]
    end = len(data)
    ones = {}
    for index in range(layers):
        prefix = f"model.layers.{index}."
        for name in ("pre_feedforward_layernorm", "post_feedforward_layernorm"):
            ones[f"{prefix}{name}.weight"] = width
        for name in ("q_norm", "k_norm"):
            ones[f"{prefix}self_attn.{name}.weight"] = head
    for name, length in ones.items():
        header[name] = {"dtype": "BF16", "shape": [length], "data_offsets": [end, end + 2 * length]}
        end += 2 * length
    config = json.loads((plain / "config.json").read_text(encoding="utf-8")) | {
        "architectures": ["Gemma3ForCausalLM"],
        "model_type": "gemma3_text",
        "head_dim": head,
        "hidden_activation": "gelu_pytorch_tanh",
        "query_pre_attn_scalar": head,
        "rope_local_base_freq": 10000.0,
        "sliding_window": 512,
        "sliding_window_pattern": 6,
        "tie_word_embeddings": True,
    }
    with tempfile.TemporaryDirectory(dir=MADE) as folder:
        made = Path(folder) / "windowed"
        shutil.copytree(plain, made)
        (made / "config.json").write_text(json.dumps(config), encoding="utf-8")
        text = json.dumps(header).encode()
        # So that numbers are aligned, as every writer does it.
        text += b" " * (-len(text) % 8)
        with weights_file(made).open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text + data + b"\x80\x3f" * ((end - len(data)) // 2))
        made.rename(path)
    return path


def windowed_gguf() -> Path:
    """The weights of `windowed` as GGUF."""
    return _converted(windowed(), "windowed.gguf", "gguf")
