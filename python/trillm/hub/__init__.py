"""Brings models to this machine: whatever a reference stands for, :func:`fetch` returns where it can be opened."""

from trillm.hub._fetch import fetch
from trillm.hub._progress import Phase, Progress

__all__ = ["Phase", "Progress", "fetch"]
