"""`import trillm` costs little: it brings in only what every program needs, and does nothing else."""

from __future__ import annotations

import pytest

from .program import output

HEAVY = [
    "numpy",
    "asyncio",
    "logging",
    "typer",
    "rich",
    "http",
    "ssl",
    "subprocess",
    "importlib.metadata",
    "typing_extensions",
]
"""Modules that some of trillm's calls need."""


def test_only_what_is_needed_comes_in() -> None:
    loaded = output("import sys, trillm; print(*sys.modules)").split()
    assert "trillm._core" in loaded
    assert not set(HEAVY) & set(loaded)


def test_what_comes_in_is_a_short_list() -> None:
    """A module that is new here is to be there on purpose."""
    program = """
    import sys
    import __future__, atexit, collections.abc, logging, os, typing, weakref
    before = set(sys.modules)
    import trillm
    print(*(set(sys.modules) - before - {"_interpreters", "_xxsubinterpreters"}))
    """
    loaded = output(program).split()
    assert all(name.split(".")[0] == "trillm" for name in loaded), loaded
    assert not [name for name in loaded if name.startswith(("trillm.cli", "trillm.hub"))]


def test_nothing_is_said_and_nothing_is_set() -> None:
    program = """
    import logging, signal, sys, threading, warnings
    def state():
        root = logging.getLogger()
        return (root.handlers[:], root.level, signal.getsignal(signal.SIGINT), threading.active_count(),
            warnings.filters[:], sys.excepthook, sys.path[:], logging.getLogger("trillm").level)
    before = state()
    import trillm
    print(state() == before)
    """
    assert output(program) == "True\n"


def test_a_tokenizer_needs_no_numpy_either() -> None:
    program = """
    import sys, trillm
    try:
        trillm.Tokenizer("/none.gguf")
    except trillm.errors.ModelNotFound:
        print("numpy" in sys.modules)
    """
    assert output(program) == "False\n"


def test_modules_that_cost_time_are_there_when_they_are_asked_for() -> None:
    program = """
    import sys, trillm
    assert "trillm.hub" not in sys.modules and {"hub", "types"} <= set(dir(trillm))
    print(trillm.hub.fetch.__name__, trillm.types.GenerateParams.__name__)
    try:
        trillm.hubb
    except AttributeError as error:
        print(error)
    """
    assert output(program) == "fetch GenerateParams\nmodule 'trillm' has no attribute 'hubb'\n"


@pytest.mark.parametrize("first", ["pass", "import trillm"])
def test_a_subinterpreter_is_told_at_once(first: str) -> None:
    """Whether the main interpreter has it or not; and the process ends."""
    program = f"""
    {first}
    code = "try: import trillm" + chr(10) + "except ImportError as error: print(error, flush=True)"
    try:
        import _interpreters as interpreters
        interpreters.exec(interpreters.create("legacy"), code)
    except ImportError:
        import _xxsubinterpreters as interpreters
        interpreters.run_string(interpreters.create(), code)
    """
    said = output(program)
    assert "trillm works in the main interpreter alone" in said
    assert said.count("\n") == 1
