"""What is taken for a value, and what is said of a keyword argument that does not exist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

__all__ = ["known", "plain", "unexpected"]

PEERS = {
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


Kind = Literal["LoadParams", "GenerateParams", "ChatParams", "EmbedParams", "TextParams"]


def known(kind: Kind) -> frozenset[str]:
    """The arguments that there are of a kind."""
    from trillm import types

    parameters = getattr(types, kind)
    names: frozenset[str] = parameters.__required_keys__ | parameters.__optional_keys__
    return names


def unexpected(kind: Kind, name: str) -> TypeError:
    """The error for an argument that none of a kind is called, with the one that was probably meant."""
    from difflib import get_close_matches

    names = known(kind)
    meant = PEERS.get(name) or next(iter(get_close_matches(name, sorted(names), 1)), None)
    advice = f"did you mean {meant!r}?" if meant in names else f"trillm.types.{kind} lists those there are"
    return TypeError(f"unexpected keyword argument {name!r}: {advice}")


def plain(value: object) -> Any:
    """What `json` does not know, as what it knows: other mappings, numbers and arrays of numpy, models of pydantic."""
    if isinstance(value, Mapping):
        return dict(value)
    for method in ("tolist", "model_dump"):
        if callable(convert := getattr(value, method, None)):
            return convert()
    raise TypeError(f"an object of type {type(value).__name__}")
