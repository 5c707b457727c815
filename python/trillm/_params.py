"""What is taken for a value, and what is said of a keyword argument that does not exist."""

from __future__ import annotations

from collections import UserString
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Literal

from trillm._later import Later

__all__ = ["PEERS", "culprit", "known", "meant", "plain", "shown", "unexpected"]

PEERS = {
    "batch_size": "batch",
    "context_length": "context",
    "context_size": "context",
    "inter_op_num_threads": "inter_threads",
    "intra_op_num_threads": "threads",
    "load_in_4bit": "quantize",
    "load_in_8bit": "quantize",
    "max_completion_tokens": "max_tokens",
    "max_length": "max_tokens",
    "max_model_len": "context",
    "max_new_tokens": "max_tokens",
    "max_num_seqs": "parallel",
    "n_batch": "batch",
    "n_ctx": "context",
    "n_gpu_layers": "gpu_layers",
    "n_parallel": "parallel",
    "n_predict": "max_tokens",
    "n_threads": "threads",
    "n_ubatch": "ubatch",
    "num_ctx": "context",
    "num_gpu": "gpu_layers",
    "num_predict": "max_tokens",
    "num_thread": "threads",
    "quantization": "quantize",
    "repeat_penalty": "repetition_penalty",
    "stop_sequences": "stop",
    "system_prompt": "system",
    "temp": "temperature",
    "top_logprobs": "logprobs",
    "type_k": "cache_type",
    "type_v": "cache_type",
    "use_mlock": "mlock",
    "use_mmap": "mmap",
}
"""What other programs call it: those that people come from."""


Kind = Literal["LoadParams", "GenerateParams", "ChatParams", "EmbedParams", "TextParams", "EncodeParams"]


_OWNERS: dict[tuple[Kind, ...], str] = {
    ("LoadParams",): "load",
    ("GenerateParams", "ChatParams"): "generate and chat",
    ("GenerateParams",): "generate",
    ("ChatParams",): "chat",
    ("TextParams",): "embed and score",
    ("EmbedParams",): "embed",
    ("EncodeParams",): "tokenize and encode",
}
"""What takes them. Those that others have too come before the others."""


def known(kind: Kind) -> frozenset[str]:
    """The arguments that there are of a kind."""
    with Later("trillm.types"):
        from trillm import types

    parameters = getattr(types, kind)
    names: frozenset[str] = parameters.__required_keys__ | parameters.__optional_keys__
    return names


def unexpected(kind: Kind, name: str) -> TypeError:
    """The error for an argument that none of a kind is called, with the one that was probably meant."""
    return TypeError(f"unexpected keyword argument {name!r}: {meant(kind, name)}")


def meant(kind: Kind, name: str) -> str:
    """What to say of a name that none of a kind has: the one that was probably meant."""
    with Later("difflib"):
        from difflib import get_close_matches

    names = known(kind)
    ours = PEERS.get(name, name)
    owner = next((owner for kinds, owner in _OWNERS.items() if all(ours in known(other) for other in kinds)), None)
    if ours in names:
        return f"did you mean {ours!r}?"
    if owner is not None:
        return f"{ours!r} is one of {owner}"
    if kind == "LoadParams" and (found := _of_download(name)):
        return found
    if close := get_close_matches(name, sorted(names), 1):
        return f"did you mean {close[0]!r}?"
    return f"trillm.types.{kind} lists those there are"


def _of_download(name: str) -> str | None:
    """What to say of an argument of loading that has to do with how models come here."""
    with Later("trillm.hub"):
        from difflib import get_close_matches

        from trillm.hub import Options

    if name == "download":
        return "'download' is one of trillm.load, for names; a path needs none"
    if get_close_matches(name, ["download"], 1):
        return "did you mean 'download'?"
    if name in Options.__dataclass_fields__:
        return f"{name!r} is one of trillm.hub.Options: download={{{name!r}: …}}"
    return None


def shown(given: object) -> str:
    """A value in a message. Python does not write whole numbers of any length."""
    try:
        return f"{given!r:.60}"
    except ValueError:
        return "a number of thousands of digits"


def plain(value: object) -> Any:
    """What `json` does not know, as what it knows: other mappings and sequences, what numpy has, models of pydantic."""
    if isinstance(value, Mapping):
        return dict(value)
    for method in ("tolist", "model_dump"):
        if callable(convert := getattr(value, method, None)):
            return convert()
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview | UserString):
        return list(value)
    raise TypeError(f"an object of type {type(value).__name__}")


_DEEPEST = 100
"""Lists and mappings in each other: the native half reads a few more."""


def culprit(
    place: str, value: object, expected: str = "text, numbers, lists and mappings", around: tuple[int, ...] = ()
) -> tuple[str, str, str] | None:
    """The first part of a value that JSON cannot say, or that is no Unicode: where it is, what it is, what would do.

    `expected` is what the whole was to be.
    """
    if isinstance(value, str):
        lone = next((index for index, character in enumerate(value) if "\ud800" <= character <= "\udfff"), None)
        found = f"a text with a lone surrogate at index {lone}"
        return None if lone is None else (place, found, 'Unicode: text.encode(errors="replace").decode()')
    if isinstance(value, int) and not -(1 << 127) <= value < 1 << 128:
        return place, f"a whole number of {value.bit_length()} bits", "-2**127 to 2**128 - 1, or its digits as text"
    if value is None or isinstance(value, int):
        return None
    if isinstance(value, float):
        return None if isfinite(value) else (place, str(value), "a finite number")
    if id(value) in around:
        return place, "a value that contains itself", "one that ends"
    if len(around) == _DEEPEST:
        return f"{place[:60]}…", f"within {_DEEPEST} lists and mappings", "fewer of them in each other"
    around = (*around, id(value))
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str | int | float | None):
                return place, f"a mapping with the key {key!r}", "keys that are text"
            below = culprit(f"a key of {place}", key) or culprit(f"{place}[{key!r}]", item, around=around)
            if below:
                return below
        return None
    if isinstance(value, list | tuple):
        parts = (culprit(f"{place}[{index}]", item, around=around) for index, item in enumerate(value))
        return next((below for below in parts if below), None)
    try:
        return culprit(place, plain(value), expected, around)
    except TypeError as error:
        return place, str(error), expected
