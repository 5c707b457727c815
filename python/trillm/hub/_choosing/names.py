"""Which names the store takes for files of a model."""

from __future__ import annotations

import re

_LONGEST = 1024
"""Bytes of a name."""

_LONGEST_PART = 255
"""Bytes of what is between slashes."""

_PART = re.compile(r"(?:[^\x00-\x1f\x7f-\x9f\ud800-\udfff\\/:*?\"<>|])*(?<![. ])", re.DOTALL)


def is_file_name(name: str) -> bool:
    """The rules of crates/store/src/name.rs, for those who would rather know beforehand: the store is the judge."""
    parts = name.split("/")
    return all(part and _PART.fullmatch(part) for part in parts) and (
        len(name.encode()) <= _LONGEST and max(len(part.encode()) for part in parts) <= _LONGEST_PART
    )
