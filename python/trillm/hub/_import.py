"""Models that are on this machine already, taken into the store without a copy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from trillm._core import Reference, Store, choose
from trillm._keywords import advising
from trillm._reference import at_home
from trillm.errors import InvalidRequest, ModelNotFound
from trillm.hub._flight import share
from trillm.hub._job import Job
from trillm.hub._named import beside, named_by
from trillm.hub._options import FORMATS, QUANTIZATIONS, Options

if TYPE_CHECKING:
    from trillm._core import Choice, Manifest
    from trillm.hub._progress import Report
    from trillm.types import Link


@advising
def import_model(
    path: str | bytes | Path,
    *,
    name: str | None = None,
    link: Link = "auto",
    store: Store | None = None,
    progress: Report | None = None,
) -> tuple[Manifest, Link | None]:
    """Takes a model file, or the model in a folder, into the store as ``local:NAME``; says how it was linked.

    Each byte is read once, for its digest. ``link`` is the way in: `"reflink"` shares the blocks until one side is
    written, `"hardlink"` is a second name for the file, `"reference"` remembers where the file is, `"copy"` copies;
    `"auto"` takes the first of these three that the file system can do, and never copies. A file that is changed later
    is found out and refused. What the store had already is linked in no way: `None`.

    Raises `ModelNotFound`, `InvalidRequest`, `StoreError`.
    """
    place = at_home(path)
    if not place:
        raise InvalidRequest("the path is empty, expected that of a model", "invalid_parameter")
    path = Path(place).absolute()
    store = Store() if store is None else store
    chosen = _choose(path)
    wanted = Reference(at_home(f"local:{path.stem if name is None and path.is_file() else name or path.name}"))
    job = Job(store, wanted, Options())
    return share((store.root, wanted.text, path, link), job, lambda job: _import(job, path, chosen, link), progress)


class _Chosen(NamedTuple):
    """The files that belong together: their paths in a folder, their names in the model, and the one to open."""

    folder: Path
    files: list[tuple[str, str]]
    open: str | None


def _choose(path: Path) -> _Chosen:
    if path.is_dir():
        folder, wanted = path, None
    elif path.is_file():
        folder, wanted = path.parent, path.name
    else:
        raise ModelNotFound(f"there is no file or folder {path}", "model_not_found", "check the path")
    if wanted is not None:
        _check_name(wanted)
    files = [file for file in sorted(folder.rglob("*") if wanted is None else folder.iterdir()) if file.is_file()]
    listed = [(file.relative_to(folder).as_posix(), file.stat().st_size) for file in files]
    return _with_named(folder, choose(listed, wanted, FORMATS, QUANTIZATIONS))


def _with_named(folder: Path, choice: Choice) -> _Chosen:
    """The chosen files, with what they name beside themselves."""
    files = {name: path for path, name in choice.files}
    for path, name in choice.files:
        for other in named_by(folder / path, name):
            source = beside(path, other)
            if not (folder / source).is_file():
                raise ModelNotFound(
                    f"{folder / path} names {other}, which is not beside it",
                    "model_not_found",
                    "put it there, or fetch the whole model again",
                )
            files.setdefault(beside(name, other), source)
    opened = choice.open
    if len(choice.files) == 1 < len(files):
        opened = choice.files[0][1]
    return _Chosen(folder, [(path, name) for name, path in files.items()], opened)


def _check_name(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(name).decode(errors="replace")
        raise InvalidRequest(
            f"the name of the file {shown} is not UTF-8, as names in the store are",
            "invalid_file_name",
            "rename it, or load it where it is",
        ) from None


def _import(job: Job, path: Path, chosen: _Chosen, link: Link) -> tuple[Manifest, Link | None]:
    files = []
    ways: set[Link | None] = set()
    for origin, name in chosen.files:
        source = chosen.folder / origin
        with job.meter("verifying", name, source.stat().st_size) as meter:
            sha256, size, how = job.store.import_file(source, link)
            meter.add(size)
        ways.add(how)
        files.append({"name": name, "sha256": sha256, "size": size, "origin": None if origin == name else origin})
    model = {
        "reference": job.wanted.text,
        "source": {"kind": "import", "path": str(path)},
        "files": files,
        "open": chosen.open,
    }
    # Small files may go another way than the weights; the answer is about the weakest.
    weakest: tuple[Link, ...] = ("copy", "reference", "hardlink", "reflink")
    return job.put(model), next((way for way in weakest if way in ways), None)
