"""Names of quantizations, as publishers put them into the names of files."""

from __future__ import annotations

import re

_OF_GGUF = (
    r"IQ[1-4]_(?:XXS|XS|S|M|NL)|Q[2-8]_K(?:_(?:XXS|XS|S|M|L|XL))?|Q[1-8]_[01](?:_[48]_[48])?|TQ[12]_0"
    r"|MXFP4|NVFP4|BF16|FP?16|FP?32"
)
_OF_GRAPHS = r"Q4F16|BNB4|U?INT[48]|QU?INT8|QUANTIZED|Q[48]|BF16|F(?:P|LOAT)?16|F(?:P|LOAT)?32"
_ANY = re.compile(f"(?:(?:UD|i1)-)?(?:{_OF_GGUF}|{_OF_GRAPHS})", re.IGNORECASE)
_IN = {
    kind: re.compile(rf"(?<![A-Za-z0-9])(?:{known})(?![A-Za-z0-9])", re.IGNORECASE)
    for kind, known in (("gguf", _OF_GGUF), ("onnx", _OF_GRAPHS))
}
_SAME = {"FP16": "F16", "FLOAT16": "F16", "FP32": "F32", "FLOAT32": "F32"}

_FOUR_BITS = ("Q4", "Q4F16", "BNB4", "INT4", "UINT4")
_EIGHT_BITS = ("INT8", "QUANTIZED", "UINT8", "Q8", "QINT8", "QUINT8")


def normal(name: str) -> str:
    """The one way of writing a quantization: upper case, and `F16` for `fp16`."""
    return _SAME.get(name.upper(), name.upper())


def is_quantization(text: str) -> bool:
    """Whether this is a quantization's name, or that of its dialect, and nothing else."""
    return _ANY.fullmatch(text) is not None


def quantization_of(name: str, kind: str) -> str | None:
    """The quantization that the name of a `"gguf"` or `"onnx"` file says.

    Of several the last, since what is before may belong to the model's name. Dialects (`UD-`, `i1-`) are no part of it.
    """
    found = _IN[kind].findall(name)
    return normal(found[-1]) if found else None


def bits(quantization: str | None) -> int:
    """Bits of most weights, without their scales; 0 where the name says nothing."""
    if quantization == "QUANTIZED":
        # Exporters of graphs write it for 8.
        return 8
    number = re.search(r"[0-9]+", quantization or "")
    return int(number[0]) if number else 0


def graphs_like(preferred: str) -> tuple[str | None, ...]:
    """The ways to quantize a graph that come nearest to a GGUF file's, the best first.

    `None` is a graph whose name says nothing: as a rule its weights have 32 bits.
    """
    preferred = normal(preferred)
    if preferred == "F32":
        return ("F32", None)
    return (preferred, *{4: _FOUR_BITS, 8: _EIGHT_BITS}.get(bits(preferred), ()))
