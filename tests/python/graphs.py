"""BERT as an ONNX graph, as `torch.onnx` exports it, written by the standard library alone.

The weights are those of `sentences.py`, so what sentence-transformers makes with a folder there is what the graph must
make. Protocol buffers: <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>.
"""

from __future__ import annotations

import json
import struct
from math import sqrt
from pathlib import Path
from typing import Any

from .sentences import read_header

__all__ = ["write_graph"]

F32, I64 = 1, 7


def number(field: int, value: int) -> bytes:
    """A whole number in a message."""
    return varint(field << 3) + varint(value & (1 << 64) - 1)


def varint(value: int) -> bytes:
    """Seven bits at a time."""
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def chunk(field: int, value: bytes | str) -> bytes:
    """A text or a message in a message."""
    data = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(data)) + data


def attribute(name: str, value: float | list[int]) -> bytes:
    """An attribute of a node."""
    if isinstance(value, list):
        return chunk(1, name) + b"".join(number(8, item) for item in value) + number(20, 7)
    if isinstance(value, int):
        return chunk(1, name) + number(3, value) + number(20, 2)
    return chunk(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, 1)


def port(name: str, kind: int, shape: list[int | str]) -> bytes:
    """An input or output."""
    dimensions = b"".join(chunk(1, chunk(2, it) if isinstance(it, str) else number(1, it)) for it in shape)
    return chunk(1, name) + chunk(2, chunk(1, number(1, kind) + chunk(2, dimensions)))


class Graph:
    """Nodes and weights, and the next free name."""

    def __init__(self) -> None:
        self.nodes: list[bytes] = []
        self.tensors: list[bytes] = []

    def tensor(self, name: str, kind: int, shape: list[int], data: bytes) -> str:
        """A weight."""
        dimensions = b"".join(number(1, length) for length in shape)
        self.tensors.append(dimensions + number(2, kind) + chunk(8, name) + chunk(9, data))
        return name

    def integers(self, *values: int) -> str:
        """A list of whole numbers."""
        name = f"integers {len(self.tensors)}"
        return self.tensor(name, I64, [len(values)], struct.pack(f"<{len(values)}q", *values))

    def float(self, value: float) -> str:
        """One number."""
        return self.tensor(f"float {len(self.tensors)}", F32, [], struct.pack("<f", value))

    def apply(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """A node; gives the name of its output."""
        output = output or f"value {len(self.nodes)}"
        node = b"".join(chunk(1, name) for name in inputs) + chunk(2, output) + chunk(4, kind)
        self.nodes.append(node + b"".join(chunk(5, attribute(*pair)) for pair in attributes.items()))
        return output

    def model(self, inputs: list[bytes], output: bytes) -> bytes:
        """The file."""
        parts = [(1, self.nodes), (5, self.tensors), (11, inputs), (12, [output])]
        graph = b"".join(chunk(field, item) for field, items in parts for item in items) + chunk(2, "main")
        return number(1, 8) + chunk(2, "tests") + chunk(7, graph) + chunk(8, chunk(1, "") + number(2, 17))


class Bert:
    """The network, from its weights."""

    def __init__(self, folder: Path, kinds: bool) -> None:
        self.config = json.loads((folder / "config.json").read_text())
        header, data = read_header(folder / "model.safetensors")
        self.graph = Graph()
        self.kinds = kinds
        self.shapes = {}
        for name, entry in header.items():
            raw = data[slice(*entry["data_offsets"])]
            if entry["dtype"] == "BF16":
                raw = b"".join(b"\0\0" + raw[at : at + 2] for at in range(0, len(raw), 2))
            plain, shape = name.removeprefix("bert."), entry["shape"]
            if name.endswith("weight") and len(shape) == 2 and "embeddings" not in name:
                # Matrices are multiplied with from the right here.
                rows, columns = shape
                places = [4 * (row * columns + column) for column in range(columns) for row in range(rows)]
                raw, shape = b"".join(raw[at : at + 4] for at in places), [columns, rows]
            self.shapes[plain] = shape
            self.graph.tensor(plain, F32, shape, raw)

    def linear(self, values: str, name: str) -> str:
        """A matrix, and what is added."""
        return self.graph.apply("Add", self.graph.apply("MatMul", values, f"{name}.weight"), f"{name}.bias")

    def norm(self, values: str, name: str) -> str:
        """A norm of the last dimension."""
        epsilon = self.config["layer_norm_eps"]
        weights = (f"{name}.weight", f"{name}.bias")
        return self.graph.apply("LayerNormalization", values, *weights, axis=-1, epsilon=float(epsilon))

    def embedded(self) -> str:
        """The sum of what each token is, where it stands and which text it is of."""
        graph, table = self.graph, "embeddings.{}_embeddings.weight"
        rows = self.shapes[table.format("position")][0]
        places = graph.tensor("places", I64, [1, rows], struct.pack(f"<{rows}q", *range(rows)))
        length = graph.apply("Gather", graph.apply("Shape", "input_ids"), graph.integers(1), axis=0)
        places = graph.apply("Slice", places, graph.integers(0), length, graph.integers(1))
        if self.kinds:
            kinds = "token_type_ids"
        else:
            zeros = graph.tensor("no kinds", I64, [1, rows], bytes(8 * rows))
            kinds = graph.apply("Slice", zeros, graph.integers(0), length, graph.integers(1))
        looked_up = [
            graph.apply("Gather", table.format(name), index, axis=0)
            for name, index in [("word", "input_ids"), ("token_type", kinds), ("position", places)]
        ]
        summed = graph.apply("Add", graph.apply("Add", *looked_up[:2]), looked_up[2])
        return self.norm(summed, "embeddings.LayerNorm")

    def layer(self, hidden: str, prefix: str, mask: str) -> str:
        """Attention, and what comes after it."""
        graph, heads = self.graph, self.config["num_attention_heads"]
        size = self.config["hidden_size"] // heads

        def split(name: str, order: list[int]) -> str:
            values = self.linear(hidden, f"{prefix}.attention.self.{name}")
            cut = graph.apply("Reshape", values, graph.integers(0, 0, heads, size))
            return graph.apply("Transpose", cut, perm=order)

        scores = graph.apply("MatMul", split("query", [0, 2, 1, 3]), split("key", [0, 2, 3, 1]))
        scores = graph.apply("Add", graph.apply("Mul", scores, graph.float(1 / sqrt(size))), mask)
        mixed = graph.apply("MatMul", graph.apply("Softmax", scores, axis=-1), split("value", [0, 2, 1, 3]))
        joined = graph.apply("Transpose", mixed, perm=[0, 2, 1, 3])
        joined = graph.apply("Reshape", joined, graph.integers(0, 0, heads * size))
        output = f"{prefix}.attention.output"
        hidden = self.norm(graph.apply("Add", self.linear(joined, f"{output}.dense"), hidden), f"{output}.LayerNorm")
        inner = self.linear(hidden, f"{prefix}.intermediate.dense")
        # GELU by the error function.
        error = graph.apply("Erf", graph.apply("Mul", inner, graph.float(sqrt(0.5))))
        inner = graph.apply(
            "Mul", graph.apply("Mul", inner, graph.float(0.5)), graph.apply("Add", error, graph.float(1))
        )
        inner = self.linear(inner, f"{prefix}.output.dense")
        return self.norm(graph.apply("Add", inner, hidden), f"{prefix}.output.LayerNorm")

    def hidden(self) -> str:
        """The last hidden state."""
        graph = self.graph
        counts = graph.apply("Cast", "attention_mask", to=F32)
        off = graph.apply("Mul", graph.apply("Sub", graph.float(1), counts), graph.float(-1e9))
        mask = graph.apply("Unsqueeze", off, graph.integers(1, 2))
        hidden = self.embedded()
        for index in range(self.config["num_hidden_layers"]):
            hidden = self.layer(hidden, f"encoder.layer.{index}", mask)
        return hidden


def write_graph(folder: Path, kinds: bool = True, texts: str | None = None, scores: str = "logits") -> None:
    """Puts a graph in the place of a folder's weights.

    It gives `last_hidden_state`, scores by that name if the weights have labels, or the mean over tokens by the name
    `texts`.
    """
    bert = Bert(folder, kinds)
    hidden, width = bert.hidden(), bert.config["hidden_size"]
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if kinds else [])]
    inputs = [port(name, I64, ["batch", "sequence"]) for name in names]
    if "classifier.weight" in bert.shapes:
        first = bert.graph.apply("Gather", hidden, bert.graph.tensor("first", I64, [], bytes(8)), axis=1)
        pooled = bert.graph.apply("Tanh", bert.linear(first, "pooler.dense"))
        labels = bert.linear(pooled, "classifier")
        bert.graph.apply("Identity", labels, output=scores)
        output = port(scores, F32, ["batch", bert.shapes["classifier.bias"][0]])
    elif texts:
        graph = bert.graph
        counts = graph.apply("Cast", "attention_mask", to=F32)
        row, column = (graph.apply("Unsqueeze", counts, graph.integers(axis)) for axis in (1, 2))
        total, count = graph.apply("MatMul", row, hidden), graph.apply("MatMul", row, column)
        graph.apply("Reshape", graph.apply("Div", total, count), graph.integers(0, width), output=texts)
        output = port(texts, F32, ["batch", width])
    else:
        bert.graph.apply("Identity", hidden, output="last_hidden_state")
        output = port("last_hidden_state", F32, ["batch", "sequence", width])
    (folder / "model.onnx").write_bytes(bert.graph.model(inputs, output))
    (folder / "model.safetensors").unlink()
