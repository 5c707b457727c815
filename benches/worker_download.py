"""Downloads one file over and over, as a process of its own: each line of standard input is one download.

`python worker_download.py WHO URL SHA256 FOLDER`, where WHO is `ours`, `unverified` (the same transfer, into a plain
file that nobody hashes) or `huggingface_hub`. Answers with seconds, for `memory` with the most memory used, in bytes.
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from worker import serve
from worker_web import COMMIT


class _Plain:
    """Takes what a transfer writes into the store, and only writes it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def has(self, *_: object) -> bool:
        return False

    def partial(self, _key: str, size: int, **_expected: object) -> _PlainPartial:
        return _PlainPartial(self._path, size)

    @property
    def root(self) -> Path:
        return self._path.parent


class _PlainPartial:
    def __init__(self, path: Path, size: int) -> None:
        self.size = size
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.truncate(self._file, size)
        self._writers: list[_PlainWriter] = []

    def missing(self) -> list[tuple[int, int]]:
        written = sum(writer.position - writer.start for writer in self._writers)
        return [(0, self.size)] if written < self.size else []

    def writer(self, at: int) -> _PlainWriter:
        self._writers.append(_PlainWriter(self._file, at))
        return self._writers[-1]

    def commit(self) -> tuple[str, int]:
        os.fsync(self._file)
        os.close(self._file)
        return "", self.size


class _PlainWriter:
    def __init__(self, file: int, position: int) -> None:
        self._file = file
        self.start = self.position = position

    def write(self, data: bytes) -> None:
        self.position += os.pwrite(self._file, data, self.position)


def _ours(url: str, sha256: str, folder: Path) -> float:
    from trillm import hub
    from trillm._core import Store

    store = Store(folder)
    start = time.perf_counter()
    hub.fetch(f"{url}#sha256={sha256}", store=store)
    return time.perf_counter() - start


def _unverified(url: str, sha256: str, folder: Path) -> float:
    from trillm._core import Reference
    from trillm.hub import Options
    from trillm.hub._job import Job
    from trillm.hub._network.client import Client
    from trillm.hub._network.transfer import transfer_all
    from trillm.hub._sources.url import plan

    folder.mkdir(exist_ok=True)
    store: Any = _Plain(folder / "plain")
    start = time.perf_counter()
    job = Job(store, Reference(f"{url}#sha256={sha256}"), Options())
    client = Client(job, {})
    transfer_all(job, client, plan(job, client).files)
    return time.perf_counter() - start


def _huggingface_hub(url: str, _sha256: str, folder: Path) -> float:
    import huggingface_hub

    endpoint = url.partition("/org/")[0]
    start = time.perf_counter()
    huggingface_hub.hf_hub_download(
        "org/model", "model.gguf", revision=COMMIT, cache_dir=folder, endpoint=endpoint, token=False
    )
    return time.perf_counter() - start


def _load() -> Callable[[], float]:
    who, url, sha256, folder = sys.argv[1:]
    download = {"ours": _ours, "memory": _ours, "unverified": _unverified, "huggingface_hub": _huggingface_hub}[who]

    def measure() -> float:
        shutil.rmtree(folder, ignore_errors=True)
        seconds = download(url, sha256, Path(folder))
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0 if who == "memory" else seconds

    return measure


serve(_load)
