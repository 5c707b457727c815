"""Measures of engines as bars, drawn by matplotlib into a file.

By its figures alone, and not by `pyplot`: that looks for a display, and keeps what it drew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trillm._later import Later
from trillm.errors import MissingDependency

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trillm._benchmark import EngineResult

__all__ = ["SUFFIXES", "Chart"]

SUFFIXES = (".png", ".svg", ".pdf")
"""What files are called by what they hold."""


class Chart:
    """A file to draw to."""

    def __init__(self, path: Path) -> None:
        """Raises `MissingDependency` if there is nothing to draw by."""
        try:
            with Later("matplotlib"):
                from matplotlib import rc_context
                from matplotlib.figure import Figure
        except ImportError as error:
            raise MissingDependency(
                f"a plot is drawn by matplotlib, which cannot be imported: {error}",
                "missing_dependency",
                "install it: pip install 'trillm[plot]'",
            ) from None
        self._path = path
        # In a file of vectors, words stay words: they can be searched and read out.
        self._settings = rc_context({"svg.fonttype": "none", "pdf.fonttype": 42})
        self._figure = Figure(figsize=(12, 4), layout="constrained")

    def draw(self, title: str, results: Sequence[EngineResult]) -> None:
        """Writes it: speed, time to load, memory. What is not known of an engine has no bar."""
        panels = [
            ("tokens/s", [(it.engine, it.tokens_per_second) for it in results]),
            ("load time, s", [(it.engine, it.load_time) for it in results]),
            ("private memory, MB", [(it.engine, _megabytes(it.peak_private_bytes)) for it in results]),
        ]
        with self._settings:
            # The name of a model is no formula, whatever is in it.
            self._figure.suptitle(title, parse_math=False)
            for axes, (label, values) in zip(self._figure.subplots(1, len(panels)), panels, strict=True):
                known = [(engine, value) for engine, value in values if value is not None]
                drawn = axes.bar([engine for engine, _ in known], [value for _, value in known])
                axes.bar_label(drawn, fmt="{:.3g}")
                axes.set_title(label)
                # Room above for the numbers, and beside so that a single bar is one.
                axes.margins(y=0.15)
                axes.set_xlim(-1, len(known))
            self._figure.savefig(self._path, format=self._path.suffix[1:].lower())


def _megabytes(count: int | None) -> float | None:
    return None if count is None else count / 1e6
