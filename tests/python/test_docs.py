"""Examples in docstrings: those that need no model run, and the others are at least Python."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable
from types import ModuleType

import pytest
import trillm
from trillm import types

MODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(trillm.__path__, "trillm.")
    # Importing the first would run the program.
    if name not in ("trillm.__main__", "trillm._core")
]


def examples(module: ModuleType) -> list[doctest.DocTest]:
    return [test for test in doctest.DocTestFinder().find(module) if test.examples]


@pytest.mark.parametrize("name", ["trillm", *MODULES])
def test_examples(name: str) -> None:
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(verbose=False)
    for test in examples(module):
        for example in test.examples:
            ast.parse(example.source)
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


@pytest.mark.parametrize("name", ["trillm", *MODULES])
def test_every_module_says_what_it_is_for(name: str) -> None:
    assert importlib.import_module(name).__doc__


def test_there_are_examples() -> None:
    found = [test.name for name in ("trillm", "trillm._model") for test in examples(importlib.import_module(name))]
    assert "trillm" in found
    assert "trillm._model.Model.generate" in found


def test_every_public_thing_is_described() -> None:
    public = [getattr(trillm, name) for name in trillm.__all__ if not name.startswith("_")]
    undescribed = [thing for thing in public if not thing.__doc__]
    members = [getattr(trillm.Model, name) for name in dir(trillm.Model) if not name.startswith("_")]
    assert undescribed + [member for member in members if not member.__doc__] == []


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (trillm.load, types.LoadParams.__annotations__.keys()),
        (trillm.Model.generate, types.GenerateParams.__annotations__.keys()),
        (trillm.Model.chat, types.ChatParams.__annotations__.keys() - types.GenerateParams.__annotations__.keys()),
    ],
)
def test_help_lists_the_parameters(function: Callable[..., object], parameters: Iterable[str]) -> None:
    said = set(re.findall(r"`(\w+)`", (function.__doc__ or "").partition("Raises")[0]))
    assert set(parameters) <= said
