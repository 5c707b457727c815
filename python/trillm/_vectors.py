"""What goes with arrays of vectors and scores: numpy before, and what was cut to fit after."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from warnings import warn as _warn

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["TruncationWarning", "bring_numpy", "warn"]


def bring_numpy() -> None:
    """Imports numpy, if it is there; the native half says so if it is not.

    Not there, for that is Python code which native code would run: the interpreter ends a daemon thread in the middle
    of Python code as it exits, and below native code that ends the process.
    """
    with suppress(ImportError):
        import numpy  # noqa: F401


class TruncationWarning(UserWarning):
    """Texts were cut to fit, as asked by `truncate`; `cut` has the tokens left out, by the index of each such text."""

    def __init__(self, cut: dict[int, int]) -> None:
        texts = "1 text was" if len(cut) == 1 else f"{len(cut)} texts were"
        super().__init__(f"{texts} cut to fit, {sum(cut.values())} tokens left out: {_listed(cut)}")
        self.cut = cut

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.cut,))


def warn(cuts: Sequence[tuple[int, int]]) -> None:
    """Warns, whoever called the method that calls this."""
    if cuts:
        _warn(TruncationWarning(dict(cuts)), stacklevel=3)


def _listed(cut: dict[int, int], most: int = 5) -> str:
    shown = [f"{tokens} of text {index}" for index, tokens in list(cut.items())[:most]]
    return ", ".join(shown + ["…"] * (len(cut) > most))
