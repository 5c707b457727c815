"""Errors: every native code has a class of its own, and keeps what it says on its way to another process."""

from __future__ import annotations

import inspect
import pickle
import re
from pathlib import Path

import pytest
import trillm
from trillm import _core, errors
from trillm.errors import TrillmError

CRATES = Path(__file__).resolve().parents[2] / "crates"

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, TrillmError)]


def native_codes() -> set[str]:
    """The codes in the Rust sources: what `fn code` of each error returns."""
    codes: set[str] = set()
    for crate in ("core", "formats", "text", "tokenizer", "store", "convert", "trillm"):
        for source in (CRATES / crate).rglob("*.rs"):
            for body in re.findall(r"\n    fn code\(&self\).*?\n    }\n", source.read_text(), re.DOTALL):
                codes |= set(re.findall(r'=> "(\w+)"', body))
    return codes


def test_every_code_has_a_class() -> None:
    for code, name in _core.error_codes().items():
        assert re.fullmatch("[a-z]+(_[a-z]+)*", code)
        assert issubclass(getattr(errors, name), TrillmError), code


def test_every_code_in_the_sources_is_known() -> None:
    codes = native_codes()
    assert len(codes) > 20
    assert not codes - _core.error_codes().keys()


def test_every_class_is_public() -> None:
    assert {value.__name__ for value in CLASSES} == set(errors.__all__)
    assert list(errors.__all__) == sorted(errors.__all__)


def test_every_class_is_raised_for_something() -> None:
    raised = {getattr(errors, name) for name in _core.error_codes().values()}
    assert {value for value in CLASSES if value not in raised} == {TrillmError}


@pytest.mark.parametrize("kind", CLASSES)
def test_errors_cross_process_borders(kind: type[TrillmError]) -> None:
    error = kind("what happened", "its_code", "what to do")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        copy = pickle.loads(pickle.dumps(error, protocol))
        assert type(copy) is kind
        assert (str(copy), copy.code, copy.hint) == ("what happened", "its_code", "what to do")


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_says_what_it_means(kind: type[TrillmError]) -> None:
    assert kind.__doc__
    assert kind.__module__ == "trillm.errors"


def test_native_errors_cross_process_borders(llm: trillm.Model) -> None:
    with pytest.raises(errors.ContextOverflow) as caught:
        llm.generate("the", max_tokens=10**6)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is errors.ContextOverflow
    assert (str(copy), copy.code, copy.hint) == (str(caught.value), "context_overflow", caught.value.hint)


def test_a_message_is_one_line(llm: trillm.Model) -> None:
    with pytest.raises(TrillmError) as caught:
        llm.generate("the", temperature=-1)
    assert str(caught.value) == "temperature is -1, expected 0 to 100"
    assert caught.value.hint is None
