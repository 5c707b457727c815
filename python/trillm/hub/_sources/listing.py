"""What a repository of the hub has, read from what the hub says about it."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trillm._core import is_file_name
from trillm.hub._failure import download_failed

_log = logging.getLogger("trillm.hub")

GIT = re.compile(r"[0-9a-f]{40}")
"""How git names a commit, or the content of a file."""

SHA256 = re.compile(r"[0-9a-f]{64}")
"""How large-file storage names content."""


@dataclass(frozen=True)
class Entry:
    """One file of a repository."""

    path: str
    size: int | None
    """In bytes, where known."""
    sha256: str | None
    """Of files in large-file storage."""
    git: str | None
    """Of all others: git's name for the content."""
    here: Path | None = None
    """Where it lies on this machine, if what the hub calls its content is not known."""


@dataclass(frozen=True)
class Listing:
    """A repository at one commit."""

    commit: str
    files: tuple[Entry, ...]
    licence: str | None = None
    gated: bool = False
    """Whether its files are given only to those who accepted its conditions."""


def read(body: bytes, repo: str) -> Listing:
    """A listing out of the hub's answer. Raises `DownloadError` if that holds anything else."""
    try:
        answer: Any = json.loads(body)
        gated = bool(answer.get("gated"))
        commit = answer["sha"]
        if not GIT.fullmatch(commit):
            raise ValueError("the commit is not 40 hexadecimal digits")
        entries = [_entry(sibling) for sibling in answer["siblings"]]
        licence = _licence(answer.get("cardData"))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise download_failed(
            f"what the hub says about {repo} is not a listing: {_said(error)}",
            "check the address of the hub (HF_ENDPOINT), and whether the network wants a login first",
        ) from None
    sound = tuple(entry for entry in entries if is_file_name(entry.path))
    for path in sorted({entry.path for entry in entries}.difference(entry.path for entry in sound)):
        _log.warning("%s lists a file named %r, which is left out", repo, path[:200])
    return Listing(commit, sound, licence, gated)


def _said(error: Exception) -> str:
    """What is wrong with an answer, in words."""
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError | RecursionError):
        return "it is no JSON"
    if isinstance(error, KeyError):
        return f"it has no {str(error)[:100]}"
    return str(error)[:100] if type(error) is ValueError else "a part of it is of another kind"


def _entry(sibling: Any) -> Entry:
    path, size, large = sibling["rfilename"], sibling.get("size"), sibling.get("lfs")
    sha256 = None if large is None else large["sha256"]
    git = sibling.get("blobId") if large is None else None
    if not isinstance(path, str) or not (size is None or (type(size) is int and 0 <= size < 1 << 63)):
        raise ValueError("a file without a name, or of no size")
    if sha256 is not None and not SHA256.fullmatch(sha256):
        raise ValueError("a sha256 is not 64 hexadecimal digits")
    if git is not None and not GIT.fullmatch(git):
        raise ValueError("a git id is not 40 hexadecimal digits")
    return Entry(path, size, sha256, git)


def _licence(card: Any) -> str | None:
    """As the model's card names it: SPDX but for the case, where it is a usual one."""
    if not isinstance(card, dict):
        return None
    name = card.get("license")
    if name == "other":
        name = card.get("license_name")
    return name[:100] if isinstance(name, str) and name.isprintable() else None
