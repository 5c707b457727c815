"""What other programs keep on this machine: the cache of ``huggingface_hub``, and Ollama's models.

Both name content by its digest, so what is there is found by that alone, read once to see that it is right, and taken
into the store without a copy. Where a cache was copied without its links the digests are lost, and its files are taken
as they are. They are only ever read; :func:`publish` adds to the hub's cache when asked to.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import sys
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from trillm._core import is_file_name
from trillm._keywords import advising
from trillm.errors import InvalidRequest, ModelNotFound, StoreError
from trillm.hub._failure import not_written
from trillm.hub._network.transfer import transfer_all
from trillm.hub._sources.listing import GIT

if TYPE_CHECKING:
    from trillm._core import Manifest, Store
    from trillm.hub._job import Job
    from trillm.hub._network.client import Client
    from trillm.hub._remote import RemoteFile

_log = logging.getLogger("trillm.hub")

_LARGE = re.compile(
    r"\.(7z|arrow|bin|bz2|ckpt|ftz|gguf|gz|h5|joblib|mlmodel|model|msgpack|np[yz]|onnx(_data)?|ot|parquet|pb|pickle|pkl"
    r"|pth?|rar|safetensors|tar|tflite|tgz|wasm|xz|zip|zst)"
)
"""Endings that repositories of the hub keep in large-file storage by default, and ``gguf``, which is too large not to
be there."""

_LARGE_SIZE = 10 << 20
"""Bytes. The hub takes nothing larger outside of large-file storage."""

_FICLONE = 0x40049409
"""Linux: makes one file share the blocks of another."""


def gather(job: Job, client: Client, files: Sequence[RemoteFile]) -> list[tuple[str, int]]:
    """Brings files into the store, and gives the sha256 and size of each. Those on this machine need no connection.

    Raises as :func:`transfer_all` does.
    """
    found = [adopt(job, file) for file in files]
    missing = [file for file, blob in zip(files, found, strict=True) if blob is None]
    arrived = iter(transfer_all(job, client, missing))
    return [blob or next(arrived) for blob in found]


def adopt(job: Job, file: RemoteFile) -> tuple[str, int] | None:
    """Takes a file into the store that is on this machine already; returns its sha256 and size.

    What is there but is not what it should be stays as it is, is warned about, and does not count.
    """
    if file.sha256 is not None and file.size is not None and job.store.has(file.sha256, file.size):
        return file.sha256, file.size
    path = find(file)
    if path is None:
        return None
    with job.meter("verifying", file.name, file.size) as meter:
        try:
            sha256, size, _ = job.store.import_file(path, sha256=file.sha256, git=file.git)
        except StoreError as error:
            _log.warning("%s is not used for %s: %s", path, file.name, error)
            return None
        meter.add(size)
    return sha256, size


def find(file: RemoteFile) -> Path | None:
    """Where another program has this file: by its digest, where that is known."""
    digest = file.sha256 or file.git
    if digest is None:
        return file.here
    places = list(hub_cache().glob(f"models--*/blobs/{digest}"))
    if file.sha256 is not None:
        places += [folder / "blobs" / f"sha256-{digest}" for folder in ollama_folders()]
    for place in places:
        try:
            # Either program may keep a link there.
            path = place.resolve(strict=True)
            size = path.stat().st_size
        except (OSError, RuntimeError):
            # Not there, not for us to read, or a link to itself.
            continue
        if path.is_file() and file.size in {None, size}:
            return path
    return None


def hub_cache() -> Path:
    """The cache of ``huggingface_hub``, as the environment says now; that library reads it once, when imported."""
    set_to = next(
        (os.environ[name] for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") if os.environ.get(name)), None
    )
    if set_to is None:
        caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        set_to = (os.environ.get("HF_HOME") or f"{caches}/huggingface") + "/hub"
    return _home(os.path.expandvars(set_to))


def _home(path: str) -> Path:
    """With `~` as the user's home, if there is one."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - that of pathlib raises without one


def ollama_folders() -> list[Path]:
    """Where Ollama keeps models: the user's own, and those of its service."""
    set_to = os.environ.get("OLLAMA_MODELS")
    own = Path(set_to) if set_to else _home("~/.ollama/models")
    # Where its service for all users has them on Linux.
    return [own, Path("/usr/share/ollama/.ollama/models")]


def folder_name(repo: str) -> str:
    """Where the hub's cache has a repository."""
    return "--".join(["models", *repo.split("/")])


@advising
def publish(store: Store, manifest: Manifest, cache_dir: str | Path | None = None) -> Path:
    """Adds a model that came from the hub to the cache of ``huggingface_hub``, which then takes it as its own download.

    The files share their blocks with the store, or are the same files, where the disk can do that; else they are
    copied. What is in the cache already stays as it is, but the branch or tag then leads to this commit. Returns the
    folder of this commit.

    Which name the hub has for a file's content depends on whether it is in large-file storage, which the store does not
    know: the hub's usual rule decides. Where a repository has another one, the file is found all the same, and is only
    not shared with other commits.

    Raises `InvalidRequest` for models from elsewhere, `StoreError` if the cache cannot be written.
    """
    model = json.loads(manifest.model)
    source = model["source"]
    if source["kind"] != "hugging_face":
        raise InvalidRequest(
            f"{manifest.reference} came from {manifest.source}, expected a repository of the Hugging Face hub",
            "invalid_parameter",
            "only models that were pulled as hf:ORG/REPO have a place in its cache",
        )
    commit, revision = source["commit"], source["revision"]
    folder = (hub_cache() if cache_dir is None else Path(cache_dir)) / folder_name(source["repo"])
    snapshot: Path = folder / "snapshots" / commit
    try:
        for file in model["files"]:
            path = file.get("origin") or file["name"]
            if not (is_file_name(path) and is_file_name(revision) and GIT.fullmatch(commit)):
                raise InvalidRequest(f"{path!r} of {revision!r} cannot be in a cache", "invalid_parameter")
            blob = store.root / "blobs" / "sha256" / file["sha256"]
            _place(blob, folder / "blobs" / _etag(blob, path, file), snapshot / path)
        if revision != commit:
            _into_place(folder / "refs" / revision, lambda temporary: temporary.write_text(commit))
    except FileNotFoundError as error:
        raise ModelNotFound(
            f"{manifest.reference} lacks a file: {error.filename}", "model_not_found", "trillm verify --repair mends it"
        ) from None
    except OSError as error:
        raise not_written(folder, error, "set HF_HUB_CACHE to a folder of your own with enough space") from error
    return snapshot


def _etag(blob: Path, path: str, file: dict[str, str | int]) -> str:
    """What the hub calls the content."""
    size = int(file["size"])
    if size > _LARGE_SIZE or _LARGE.fullmatch(PurePosixPath(path).suffix):
        return str(file["sha256"])
    digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    digest.update(blob.read_bytes())
    return digest.hexdigest()


def _place(source: Path, blob: Path, link: Path) -> None:
    if not blob.exists():
        _into_place(blob, lambda temporary: _clone(source.resolve(strict=True), temporary))
    link.parent.mkdir(parents=True, exist_ok=True)
    if not os.path.lexists(link):
        try:
            link.symlink_to(os.path.relpath(blob, link.parent))
        except FileExistsError:
            # Somebody else was faster.
            return


def _into_place(path: Path, make: Callable[[Path], object]) -> None:
    """Makes a file under another name first: nobody finds half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        make(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _clone(source: Path, target: Path) -> None:
    """Shares blocks if the disk can, so that writing to one does not change the other; else it is the same file."""
    if sys.platform == "linux":
        import fcntl

        with source.open("rb") as file, target.open("xb") as new:
            try:
                fcntl.ioctl(new, _FICLONE, file.fileno())
                return
            except OSError:
                target.unlink()
    try:
        target.hardlink_to(source)
    except OSError:
        # Another disk, or one that has no links.
        shutil.copyfile(source, target)
