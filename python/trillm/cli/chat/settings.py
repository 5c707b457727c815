"""`/set`: how answers are generated.

The model itself checks values, so that a range is written in one place and an error reads alike everywhere; the texts
here are what `/set` lists. Left out is what a conversation cannot show (`logprobs`) or has no use for (`priority`,
`cache_salt`, and how text prompts are read).
"""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

from trillm._params import PEERS, known
from trillm.cli.numbers import whole_number
from trillm.errors import ContextOverflow, InvalidRequest

if TYPE_CHECKING:
    from trillm import Model

__all__ = ["DEFAULTS", "EXPECTED", "parsed"]

EXPECTED = {
    "max_tokens": 'a whole number, 1 to 4294967295, or "fit"',
    "temperature": "0 to 100",
    "top_k": "a whole number, 0 to 4294967295",
    "top_p": "0 to 1",
    "min_p": "0 to 1",
    "typical_p": "0 to 1",
    "repetition_penalty": "0.01 to 100",
    "presence_penalty": "-2 to 2",
    "frequency_penalty": "-2 to 2",
    "repeat_last_n": "a whole number, 0 to 4294967295",
    "logit_bias": 'token ids and numbers: {"42": -1.5}',
    "seed": "a whole number, 0 to 2**64 - 1",
    "stop": 'a text, or a list of texts: ["\\n\\n", "END"]',
    "ignore_eos": "on or off",
    "timeout": "seconds, more than 0",
}
"""The parameters, and what each may be."""

_WORDS = {"on": True, "off": False, "true": True, "false": False, "yes": True, "no": False}

DEFAULTS = ("default", "none", "null")
"""Any of them undoes a choice."""


def parsed(llm: Model, name: str, text: str) -> Any:
    """The value that a text stands for; `None` for the default."""
    wanted = name.replace("-", "_").lower()
    if wanted not in EXPECTED:
        raise _unknown(name, wanted)
    if text.lower() in DEFAULTS:
        return None
    value = _value(wanted, text)
    _check(llm, wanted, value)
    return value


def _unknown(name: str, wanted: str) -> InvalidRequest:
    meant = PEERS.get(wanted, wanted)
    close = [meant] if meant in EXPECTED else difflib.get_close_matches(wanted, EXPECTED, 3)
    if wanted not in EXPECTED and wanted in known("ChatParams") | known("GenerateParams"):
        hint = f"{wanted} is none of a conversation: the Python API has it"
    elif meant == "context":
        hint = "the context is set when a model is loaded: trillm run MODEL --context N"
    else:
        hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(EXPECTED)}"
    return InvalidRequest(f"no parameter {name}", "invalid_parameter", hint)


def _value(name: str, text: str) -> Any:
    if name == "ignore_eos":
        return _WORDS.get(text.lower(), text)
    try:
        value = json.loads(text, parse_int=whole_number)
    except (ValueError, RecursionError):
        return text
    if name == "stop" and not isinstance(value, str | list):
        return text
    if name == "logit_bias" and isinstance(value, dict):
        return {whole_number(key) if key.isdecimal() else key: bias for key, bias in value.items()}
    return value


def _check(llm: Model, name: str, value: Any) -> None:
    """Raises what a request with it would: this one is too long to run, so that it ends with its checks."""
    try:
        llm.stream([0] * (llm.context + 1), **{name: value}).close()
    except ContextOverflow:
        return
    except InvalidRequest as error:
        hint = None if EXPECTED[name] in str(error) else f"{name} is {EXPECTED[name]}"
        raise InvalidRequest(str(error), error.code, hint) from None
