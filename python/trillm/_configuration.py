"""A router's options in a file, TOML or JSON, or in a mapping. What they mean is not known here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from trillm._params import shown
from trillm._reference import a_path, at_home
from trillm.errors import InvalidRequest, MissingDependency

__all__ = ["PATHS", "VARIABLE", "read"]

VARIABLE = "TRILLM_CONFIG"
"""Names the file where a program names none."""

PATHS = ("models_directory", "cache_directory")
"""Options that are paths. Those of a file are relative to it: it means the same from wherever a program is started."""

_MOST = 1 << 20
"""Bytes: a configuration is written by hand."""


def read(config: str | bytes | os.PathLike[str] | Mapping[str, Any] | None) -> tuple[str, Mapping[str, Any]]:
    """What a configuration says, and what errors call it. Without one it is `TRILLM_CONFIG`, if that is set.

    Raises `InvalidRequest` for what cannot be read, and `MissingDependency` for TOML where Python cannot read it.
    """
    if isinstance(config, Mapping):
        return "config", config
    if config is None:
        config = os.environ.get(VARIABLE)
        if not config:
            return "", {}
    path = at_home(a_path("config", config, "the path of a TOML or JSON file, or a mapping"))
    name = f"{path!r}"
    ending = os.path.splitext(path)[1].lower()  # noqa: PTH122
    if ending not in (".toml", ".json"):
        raise InvalidRequest(f"{name} ends in {ending!r}, expected .toml or .json", "invalid_parameter")
    said = _parsed(name, ending, _text(name, path))
    if not isinstance(said, dict):
        raise InvalidRequest(f"{name} is a {type(said).__name__}, expected names and values", "invalid_parameter")
    folder = os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120
    for option in PATHS:
        if isinstance(said.get(option), str) and said[option]:
            said[option] = os.path.join(folder, at_home(said[option]))  # noqa: PTH118
    return name, said


def _text(name: str, path: str) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            content = file.read(_MOST + 1)
    except OSError as error:
        hint = f"give the path of a TOML or JSON file as `config`, or by the variable {VARIABLE}"
        said = f"the configuration {name} cannot be read: {error.strerror}"
        raise InvalidRequest(said, "invalid_parameter", hint) from None
    if len(content) > _MOST:
        raise InvalidRequest(f"{name} has more than {_MOST} bytes, expected a configuration", "invalid_parameter")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        said = f"{name} is not UTF-8 text: byte {error.start} is 0x{content[error.start]:02x}"
        raise InvalidRequest(said, "invalid_parameter") from None


def _parsed(name: str, ending: str, text: str) -> object:
    try:
        return _json(text) if ending == ".json" else _toml(text)
    except (ValueError, RecursionError) as error:
        kind = ending[1:].upper()
        raise InvalidRequest(f"{name} is not valid {kind}: {error}", "invalid_parameter") from None


def _json(text: str) -> object:
    import json

    return json.loads(text, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, which may say a name twice: one of the two values would be dropped."""
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            raise ValueError(f"{shown(name)} is there twice")
        made[name] = value
    return made


def _toml(text: str) -> object:
    try:
        import tomllib
    except ModuleNotFoundError:
        hint = "write it as JSON, or use Python 3.11 or newer"
        raise MissingDependency("Python 3.10 cannot read TOML", "missing_dependency", hint) from None
    return tomllib.loads(text)
