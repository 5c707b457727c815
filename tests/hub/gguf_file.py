"""GGUF files that no writer of the testkit makes: a header of any keys and tensors, and weights that are all alike."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ALIGNMENT = 32

BYTES = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
"""The words of a vocabulary that can write anything."""


def words(count: int) -> dict[str, Any]:
    """A vocabulary of the form that Llama's first models have, with so many words."""
    all_words = BYTES + [f"word {number:07}" for number in range(count - len(BYTES))]
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": all_words,
        "tokenizer.ggml.scores": [0.0] * count,
        "tokenizer.ggml.token_type": [2, 3, 3, *([6] * 256), *([1] * (count - len(BYTES)))],
    }


def llama(*, vocabulary: int = len(BYTES), width: int = 8, feed_forward: int = 16) -> tuple[dict[str, Any], Any]:
    """Keys and tensors of a Llama of one layer with two heads."""
    keys = {
        "general.architecture": "llama",
        "llama.context_length": 4096,
        "llama.embedding_length": width,
        "llama.block_count": 1,
        "llama.feed_forward_length": feed_forward,
        "llama.attention.head_count": 2,
        "llama.attention.head_count_kv": 1,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": width // 2,
    }
    tensors = {
        "token_embd.weight": [width, vocabulary],
        "output_norm.weight": [width],
        "blk.0.attn_norm.weight": [width],
        "blk.0.attn_q.weight": [width, width],
        "blk.0.attn_k.weight": [width, width // 2],
        "blk.0.attn_v.weight": [width, width // 2],
        "blk.0.attn_output.weight": [width, width],
        "blk.0.ffn_norm.weight": [width],
        "blk.0.ffn_gate.weight": [width, feed_forward],
        "blk.0.ffn_up.weight": [width, feed_forward],
        "blk.0.ffn_down.weight": [feed_forward, width],
    }
    return keys | words(vocabulary), tensors


def bert(
    *, context: int, layers: int, width: int, heads: int, feed_forward: int, vocabulary: int
) -> tuple[dict[str, Any], Any]:
    """Keys and tensors of an encoder that makes vectors: the mean of all tokens."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [f"\u2581{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    all_words = [*special, *letters, *(f"\u2581w{number}" for number in range(vocabulary - len(special + letters)))]
    keys = {
        "general.architecture": "bert",
        "bert.context_length": context,
        "bert.embedding_length": width,
        "bert.block_count": layers,
        "bert.feed_forward_length": feed_forward,
        "bert.attention.head_count": heads,
        "bert.attention.layer_norm_epsilon": 1e-12,
        "bert.attention.causal": False,
        "bert.pooling_type": 1,
        "tokenizer.ggml.model": "bert",
        "tokenizer.ggml.tokens": all_words,
        "tokenizer.ggml.token_type": [3] * len(special) + [1] * (vocabulary - len(special)),
        "tokenizer.ggml.token_type_count": 2,
        "tokenizer.ggml.padding_token_id": 0,
        "tokenizer.ggml.unknown_token_id": 1,
        "tokenizer.ggml.cls_token_id": 2,
        "tokenizer.ggml.bos_token_id": 2,
        "tokenizer.ggml.seperator_token_id": 3,
        "tokenizer.ggml.mask_token_id": 4,
    }
    tensors = {
        "token_embd.weight": [width, vocabulary],
        "token_types.weight": [width, 2],
        "position_embd.weight": [width, context],
    }

    def layer(name: str, rows: int, columns: int | None = None) -> None:
        tensors[f"{name}.weight"] = [rows] if columns is None else [columns, rows]
        tensors[f"{name}.bias"] = [rows]

    layer("token_embd_norm", width)
    for number in range(layers):
        block = f"blk.{number}"
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            layer(f"{block}.{name}", width, width)
        layer(f"{block}.attn_output_norm", width)
        layer(f"{block}.ffn_up", feed_forward, width)
        layer(f"{block}.ffn_down", width, feed_forward)
        layer(f"{block}.layer_output_norm", width)
    return keys, tensors


def lora(products: Mapping[str, tuple[int, int]], rank: int) -> tuple[dict[str, Any], Any]:
    """Keys and tensors of an adapter for these matrices: columns and rows of each by its name."""
    keys = {
        "general.type": "adapter",
        "adapter.type": "lora",
        "general.architecture": "llama",
        "adapter.lora.alpha": float(rank),
    }
    tensors = {}
    for name, (columns, rows) in products.items():
        tensors[f"{name}.weight.lora_a"] = [columns, rank]
        tensors[f"{name}.weight.lora_b"] = [rank, rows]
    return keys, tensors


def header(keys: Mapping[str, Any], tensors: Mapping[str, Sequence[int]]) -> tuple[bytes, int]:
    """The header of a file with these tensors, of 32-bit numbers, and how many bytes their data has."""
    made = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(keys))
    made += b"".join(_text(name) + _value(value) for name, value in keys.items())
    offset = 0
    for name, shape in tensors.items():
        made += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset)
        count = 4
        for size in shape:
            count *= size
        offset += -(-count // ALIGNMENT) * ALIGNMENT
    return made + bytes(-len(made) % ALIGNMENT), offset


def file(keys: Mapping[str, Any], tensors: Mapping[str, Sequence[int]]) -> bytes:
    """The whole file; its weights are zeros."""
    head, data = header(keys, tensors)
    return head + bytes(data)


def write(path: Path, keys: Mapping[str, Any], tensors: Mapping[str, Sequence[int]], number: float = 0.01) -> Path:
    """Writes it, with this number for all weights."""
    head, data = header(keys, tensors)
    path.write_bytes(head + struct.pack("<f", number) * (data // 4))
    return path


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def _value(of: Any) -> bytes:
    if isinstance(of, bool):
        return struct.pack("<IB", 7, of)
    if isinstance(of, str):
        return struct.pack("<I", 8) + _text(of)
    if isinstance(of, float):
        return struct.pack("<If", 6, of)
    if isinstance(of, int):
        return struct.pack("<II", 4, of)
    kind, form = {str: (8, ""), float: (6, "f"), int: (5, "i")}[type(of[0])]
    body = b"".join(map(_text, of)) if kind == 8 else struct.pack(f"<{len(of)}{form}", *of)
    return struct.pack("<IIQ", 9, kind, len(of)) + body
