"""Errors: every native code has a class of its own, and keeps what it says on its way to another process."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest
import trillm
from sources import ROOT, error_codes
from trillm import errors
from trillm.errors import TrillmError

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, TrillmError)]


def python_classes() -> dict[str, str]:
    """The name of Python's class for each of Rust's: the compiler sees to it that none is without."""
    text = (ROOT / "crates" / "py" / "src" / "errors.rs").read_text()
    return dict(re.findall(r'Class::(\w+) => "(\w+)"', text))


def test_every_class_of_the_native_half_is_one_of_ours() -> None:
    classes = python_classes()
    assert len(classes) == len(set(classes.values()))
    assert all(issubclass(getattr(errors, name), TrillmError) for name in classes.values())


def test_every_code_has_one_class() -> None:
    codes = error_codes()
    assert len(codes) > 70
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", code) for code in codes)
    assert set(codes.values()) == python_classes().keys()


def test_every_class_is_public() -> None:
    assert {value.__name__ for value in CLASSES} == set(errors.__all__)
    assert list(errors.__all__) == sorted(errors.__all__)


def test_every_class_is_raised_for_something() -> None:
    raised = {getattr(errors, name) for name in python_classes().values()}
    # Downloads and imports are Python's.
    own = {errors.DownloadError, errors.MissingDependency}
    assert {value for value in CLASSES if value not in raised} == {TrillmError} | own


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
