"""Models that are on this machine already, taken into the store without a copy."""

from __future__ import annotations

import logging
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from trillm._core import ModuleList, Reference, Store, file_name_fault, inspect, is_model_name, opened
from trillm._keywords import advising
from trillm._reference import a_path, at_home
from trillm.errors import InvalidRequest, ModelNotFound, StoreError, TrillmError
from trillm.hub._flight import share
from trillm.hub._job import Job
from trillm.hub._lists import NAME, choose_by_lists
from trillm.hub._named import beside, named_by
from trillm.hub._options import FORMATS, QUANTIZATIONS, Options
from trillm.hub._readable import check
from trillm.hub._report import checked

if TYPE_CHECKING:
    from trillm._core import Choice, Manifest
    from trillm.hub._progress import Report
    from trillm.types import Link

_log = logging.getLogger("trillm.hub")

_SHOWN = 10
"""Names of files that a line has."""


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

    Of a folder with several models, it is the outermost, and of those the preferred one; what else there is, is logged.
    Each byte is read once, for its digest. ``link`` is the way in: `"reflink"` shares the blocks until one side is
    written, `"hardlink"` is a second name for the file, `"reference"` remembers where the file is, `"copy"` copies;
    `"auto"` takes the first of these three that the file system can do, and never copies. A file that is changed later
    is found out and refused. What the store had already is linked in no way: `None`. What loading would refuse for what
    its files say is refused before anything is kept.

    Raises `ModelNotFound`, `ModelFormatError`, `Unsupported`, `InvalidRequest`, `StoreError`.
    """
    done = imported(path, name=name, link=link, store=store, progress=progress)
    return done.manifest, done.link


class Imported(NamedTuple):
    """What came of it."""

    manifest: Manifest
    link: Link | None
    left_out: list[str]
    """Files of the folder that was given which are models by their names, and not this one."""


def imported(
    path: str | bytes | Path,
    *,
    name: str | None = None,
    link: Link = "auto",
    store: Store | None = None,
    progress: Report | None = None,
) -> Imported:
    """As :func:`import_model`, and says what was left out."""
    place = at_home(a_path("the path", path, "that of a model"))
    if not place:
        raise InvalidRequest("the path is empty, expected that of a model", "invalid_parameter")
    path = Path(place).absolute()
    if ".." in path.parts:
        # What lies above is looked at, too.
        path = path.resolve()
    progress = checked(progress)
    store = Store() if store is None else store
    chosen = _choose(path)
    wanted = _reference(path, name)
    job = Job(store, wanted, Options())
    manifest, how = share(
        (store.root, wanted.text, path, link), job, lambda job: _import(job, path, chosen, link), progress
    )
    return Imported(manifest, how, chosen.left_out)


def _reference(path: Path, name: str | None) -> Reference:
    if name:
        return Reference(at_home(f"local:{name}"))
    name = path.stem if path.is_file() else path.name
    try:
        return Reference(at_home(f"local:{name}"))
    except InvalidRequest:
        raise InvalidRequest(
            f"{path.name!r} makes no name for a model: expected 1 to 100 letters, digits and - _ . that begin with a "
            "letter or digit",
            "invalid_reference",
            "say with `name` what to call it",
        ) from None


class _Chosen(NamedTuple):
    """The files that belong together: their paths in a folder, their names in the model, and the one to open."""

    folder: Path
    files: list[tuple[str, str]]
    open: str | None
    left_out: list[str]


def _choose(path: Path) -> _Chosen:
    _check_there(path)
    _check(path)
    folder, wanted, files = _around(path)
    listed, nameless = [], []
    for file in files:
        name = file.relative_to(folder).as_posix()
        fault = file_name_fault(name)
        if fault is None:
            listed.append((name, file.stat().st_size))
        # Who names a file asks for no other.
        elif is_model_name(name) and path.is_dir():
            _log.warning("%s is left out, since no model's file can be called so in the store: %s", _shown(name), fault)
            nameless.append(_shown(name))
    chosen = _with_named(folder, _of_outermost(folder, listed, wanted))
    if path.is_file():
        return chosen
    taken = {origin for origin, _ in chosen.files}
    left_out = [name for name, _ in listed if is_model_name(name) and name not in taken]
    if left_out:
        _log.info("left out: %s", _few(left_out))
    return chosen._replace(left_out=left_out + nameless)


def _of_outermost(folder: Path, listed: list[tuple[str, int]], wanted: str | None) -> Choice:
    """The choice among the models that lie outermost: loading the folder looks no deeper where there is one."""
    depths = sorted({name.count("/") for name, _ in listed if is_model_name(name)})
    # A file that is wanted may lie anywhere.
    for depth in depths[:-1] if wanted is None else []:
        there = [(name, size) for name, size in listed if not is_model_name(name) or name.count("/") <= depth]
        with suppress(ModelNotFound):
            return _among(folder, there, None)
    return _among(folder, listed, wanted)


def _among(folder: Path, listed: list[tuple[str, int]], wanted: str | None) -> Choice:
    return choose_by_lists(
        listed,
        wanted,
        folder.joinpath,
        formats=FORMATS,
        quantizations=QUANTIZATIONS,
        place=f"the folder {folder}",
    )


def _around(path: Path) -> tuple[Path, str | None, list[Path]]:
    """The folder that all of a model is in, the file to take of it, if that is known, and what may belong to it.

    That is what loading the path would look at, or everything, where nothing could be loaded as it lies.
    """
    own = path if path.is_dir() else path.parent
    files = _below(own) if path.is_dir() else _beside(own)
    try:
        found = opened(path)
    except TrillmError:
        found = None
    if found is None:
        return own, None if path.is_dir() else path.name, files
    file, small, modules = found
    # A graph may have the rest of its model in the folder above.
    above = own.parent
    if _is_same(small, above):
        return above, file.relative_to(above).as_posix(), _beside(above) + files
    if _is_same(modules, above):
        about_texts = [path for path in _beside(above, named=False) if _is_about_texts(path, above)]
        return above, file.relative_to(above).as_posix(), about_texts + files
    return own, file.relative_to(own).as_posix(), files


def _is_same(folder: Path, other: Path) -> bool:
    return folder == other or folder.resolve() == other.resolve()


def _is_about_texts(path: Path, folder: Path) -> bool:
    """Whether this says how texts become vectors."""
    return path.parent != folder or path.name == NAME or "sentence_" in path.name


def _below(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.rglob("*")) if file.is_file()]


def _beside(folder: Path, *, named: bool = True) -> list[Path]:
    """The files of a folder, and of those below it that the rest of a model may lie in; not what else is there.

    ``named`` takes chat templates with a name along.
    """
    below = ["additional_chat_templates"] if named else []
    if (folder / NAME).is_file():
        below += ModuleList(folder / NAME, NAME).folders
    folders = [folder, *(folder / name for name in below if (folder / name).is_dir())]
    return [file for place in folders for file in sorted(place.iterdir()) if file.is_file()]


def _with_named(folder: Path, choice: Choice) -> _Chosen:
    """The chosen files, with what they name beside themselves."""
    files = {name: path for path, name in choice.files}
    for path, name in choice.files:
        for other in named_by(folder / path, name):
            source = beside(path, other)
            if not (folder / source).is_file():
                if path.endswith(".json"):
                    # An index of shards: loading has its own words for it.
                    inspect(folder / path)
                raise ModelNotFound(
                    f"{folder / path} names {other}, which is not beside it",
                    "model_not_found",
                    "put it there, or fetch the whole model again",
                )
            files.setdefault(beside(name, other), source)
    opened = choice.open
    if len(choice.files) == 1 < len(files):
        opened = choice.files[0][1]
    return _Chosen(folder, [(path, name) for name, path in files.items()], opened, [])


def _check_there(path: Path) -> None:
    """Raises `ModelNotFound` for what is neither a file nor a folder, `StoreError` for what cannot be looked at."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise ModelNotFound(f"there is no file or folder {path}", "model_not_found", "check the path") from None
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}", "read_failed") from None
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise ModelNotFound(f"{path} is not a regular file", "not_a_file", "give a file or a folder")


def _check(path: Path) -> None:
    """Raises `InvalidRequest` for what the store cannot remember, or cannot call a file."""
    hint = "rename it, or load it where it is"
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise InvalidRequest(
            f"{_shown(path)} has a name that is not UTF-8, as names in the store are", "invalid_file_name", hint
        ) from None
    fault = file_name_fault(path.name) if path.is_file() else None
    if fault is not None:
        raise InvalidRequest(
            f"no model's file can be called {path.name!r} in the store: {fault}", "invalid_file_name", hint
        )


def _few(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


def _shown(path: Path | str) -> str:
    return os.fsencode(path).decode(errors="replace")


def _import(job: Job, path: Path, chosen: _Chosen, link: Link) -> tuple[Manifest, Link | None]:
    own = path if path.is_dir() else path.parent
    files = []
    ways: set[Link | None] = set()
    check(chosen.folder, chosen.files, chosen.open)
    for origin, name in chosen.files:
        source = chosen.folder / origin
        with job.meter("verifying", name, source.stat().st_size) as meter:
            sha256, size, how = job.store.import_file(source, link)
            meter.add(size)
        ways.add(how)
        # From where the path leads to, so that it is found again.
        place = Path(os.path.relpath(source, own)).as_posix()
        files.append({"name": name, "sha256": sha256, "size": size, "origin": None if place == name else place})
    model = {
        "reference": job.wanted.text,
        "source": {"kind": "import", "path": str(path)},
        "files": files,
        "open": chosen.open,
    }
    # Small files may go another way than the weights; the answer is about the weakest.
    weakest: tuple[Link, ...] = ("copy", "reference", "hardlink", "reflink")
    return job.put(model), next((way for way in weakest if way in ways), None)
