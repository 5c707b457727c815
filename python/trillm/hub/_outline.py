"""What a model is that is not on this machine: outlines of its files, in a folder of their own, which goes away again.

An outline is a file of which only the header was fetched; behind that it is empty, and takes no room. The readers that
loading asks read it as they would read the file, so that there is one rule for what is here and what is not. Small
files, graphs among them, are fetched whole, into the store, where a later download finds them. Of a package the files
are parts of one archive, which is read where it lies.

Where more than a header is needed, or where a source gives files as a whole only, that is an error: a whole model is
never fetched to say what it would take.
"""

from __future__ import annotations

import re
import shutil
import threading
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from trillm._core import HuggingFace, Pypi, header_bytes, is_file_name, is_model_name, write_outline
from trillm.errors import TrillmError, Unsupported
from trillm.hub._failure import TransientError, download_failed, may_pass, not_written
from trillm.hub._flight import share
from trillm.hub._job import Job
from trillm.hub._named import beside, named_by
from trillm.hub._network.crew import Crew
from trillm.hub._network.part import SMALL as _SMALL
from trillm.hub._network.part import part
from trillm.hub._network.place import ChangedError, Place
from trillm.hub._network.retries import limits, retrying
from trillm.hub._pull import ask
from trillm.hub._sources import packaged
from trillm.hub._sources.caches import find, gather

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from typing_extensions import Self

    from trillm._core import Reference, Store
    from trillm.hub._network.client import Client
    from trillm.hub._options import Options
    from trillm.hub._remote import Plan, RemoteFile

__all__ = ["Outline", "outline", "smaller"]

_HEADER = 128 << 20
"""Bytes of the longest header that is fetched. The largest vocabularies take some 20 MB."""

_LONGEST = 64 << 20
"""Bytes of the longest file beside the weights that is fetched. The longest tokenizers have half of that."""

_LONGEST_GRAPH = 16 << 20
"""Bytes of the longest graph that is fetched. Without their weights, those of large models have a few MB."""

_GRAPH = ".onnx"
"""How a graph ends."""

_DATA = re.compile(r"\.onnx[._]data")
"""What is in the name of a file that a graph has its weights in, if it does not name it otherwise."""

_WEIGHTS = (".bin", ".pt", ".pth")
"""How weights end whose names could be those of other files, too."""


class Outline:
    """A model's files in outline. They are there until it is closed."""

    def __init__(self, reference: Reference, folder: TemporaryDirectory[str], opened: str, download: int) -> None:
        self._reference = reference
        self._folder = folder
        self.path = Path(folder.name, opened)
        """What stands for the model: a file, or a folder."""
        self.download = download
        """Bytes that are not on this machine yet."""

    @contextmanager
    def named(self) -> Iterator[None]:
        """Has errors say the reference where they would say where the outlines are."""
        try:
            yield
        except TrillmError as error:
            message, name = str(error), self._reference.text
            if error.code == "needs_download":
                raise _needed(name, message) from None
            message = message.replace(str(self.path), name).replace(self._folder.name, name)
            raise type(error)(message, error.code, error.hint) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


def outline(wanted: Reference, store: Store, options: Options) -> Outline:
    """Fetches the headers of a model's files, and the small ones.

    Raises `Unsupported` where that does not suffice, and as `fetch` does.
    """
    # For this caller alone: what it is given goes away with it.
    return share(object(), Job(store, wanted, options), _draw, None)


def smaller(wanted: Reference, store: Store, options: Options) -> list[tuple[str, int]]:
    """The same model in fewer bytes, as its source has it: references, and bytes. The largest come first.

    Raises as `fetch` does.
    """
    if not isinstance(wanted.source, HuggingFace):
        return []
    job = Job(store, wanted, options)

    def look(job: Job) -> list[tuple[str, int]]:
        # It is not worth waiting for.
        with job.once():
            try:
                return list(ask(job)[1].smaller())
            except TransientError as failed:
                raise failed.error from None

    return share(object(), job, look, None)


def _draw(job: Job) -> Outline:
    return retrying(job, lambda: _attempt(job))


def _attempt(job: Job) -> Outline:
    if isinstance(job.wanted.source, Pypi):
        client, plan = packaged.ask(job, lambda why: _needed(job.wanted.text, why))
    else:
        client, plan = ask(job)
    try:
        folder = TemporaryDirectory(prefix="plan-", dir=job.store.staging)
    except OSError as error:
        raise not_written(job.store.staging, error, "set LOCAL_CACHE_DIR to a folder of your own") from error
    try:
        drawing = _Drawing(job, client, Path(folder.name))
        drawing.draw(plan)
        download = drawing.download if plan.whole is None else plan.whole
        return Outline(job.wanted, folder, drawing.opened(plan), download)
    except OSError as error:
        folder.cleanup()
        raise not_written(folder.name, error, "free some space, or set LOCAL_CACHE_DIR to another disk") from error
    except BaseException:
        folder.cleanup()
        raise


class _Drawing:
    """The outlines of one model, as they are made."""

    def __init__(self, job: Job, client: Client, folder: Path) -> None:
        self._job = job
        self._client = client
        self._folder = folder
        self._names: set[str] = set()
        self._missing: dict[str, int] = {}
        """Bytes of each content that was not on this machine before."""
        self._lock = threading.Lock()

    @property
    def download(self) -> int:
        """Bytes of all that would have to be downloaded."""
        return sum(self._missing.values())

    def draw(self, plan: Plan) -> None:
        """All files of the model, and those that they name."""
        whole = [file for file in plan.files if self._is_whole(file)]
        self._bring(whole)
        data, shards = self._named(plan, whole)
        rest = {file.name: file for file in plan.files if file.name not in self._names} | shards
        data |= {name: file for name, file in rest.items() if _DATA.search(name)}
        for file in data.values():
            self._empty(file)
        self._sketch([file for name, file in rest.items() if name not in data])

    def opened(self, plan: Plan) -> str:
        """Which file stands for the model; none if it is the folder. As the store has it."""
        if plan.open is not None:
            return plan.open
        return plan.files[0].name if len(plan.files) == 1 else ""

    def _is_whole(self, file: RemoteFile) -> bool:
        """Whether a file is fetched whole: not if that could be much."""
        name, size = file.name, file.size
        if size is None or _DATA.search(name):
            return False
        if size <= _SMALL:
            return True
        if name.endswith(_GRAPH):
            if size > _LONGEST_GRAPH:
                raise self._needed(f"the graph {name} has {size} bytes, with its weights among them")
            return True
        if is_model_name(name) or name.endswith(_WEIGHTS):
            return False
        if size > _LONGEST:
            raise self._needed(f"{name} has {size} bytes, and what it says does not show at its beginning")
        return True

    def _bring(self, files: Sequence[RemoteFile]) -> None:
        for file in files:
            self._count(file, file.size or 0)
        # What nobody has named by its content is no blob that a later download would find.
        unnamed = [file for file in files if file.pieces is not None and file.sha256 is None and file.git is None]
        for file in unnamed:
            assert file.pieces is not None
            data = b"".join(file.pieces(self._client.running, 0, file.size or 0))
            self._at(file).write_bytes(data)
        files = [file for file in files if file not in unnamed]
        blobs = gather(self._job, self._client, files)
        for file, (sha256, _) in zip(files, blobs, strict=True):
            try:
                # No link: until a manifest says that it is needed, the blob may go away.
                shutil.copyfile(self._job.store.root / "blobs" / "sha256" / sha256, self._at(file))
            except FileNotFoundError:
                raise may_pass(f"{file.name} was removed from the store just now", "try again") from None

    def _named(self, plan: Plan, files: Sequence[RemoteFile]) -> tuple[dict[str, RemoteFile], dict[str, RemoteFile]]:
        """What graphs name, which are files without headers; and what indexes do."""
        known = {file.name: file for file in plan.files}
        data: dict[str, RemoteFile] = {}
        shards: dict[str, RemoteFile] = {}
        for file in files:
            named = data if file.name.endswith(_GRAPH) else shards
            for other in named_by(self._folder / file.name, file.name):
                name = beside(file.name, other)
                if name not in known and plan.beside is not None:
                    known[name] = plan.beside(beside(file.origin or file.name, other), name)
                if name in known and name not in self._names:
                    named[name] = known[name]
        return data, shards

    def _empty(self, file: RemoteFile) -> None:
        """A file without a header: how long it is, is all that is read of it."""
        size = file.size
        if size is None:
            raise self._needed(f"its source does not say how long {file.name} is")
        if size <= _SMALL:
            self._bring([file])
            return
        self._count(file, size)
        write_outline(self._at(file), b"", size)

    def _sketch(self, files: Sequence[RemoteFile]) -> None:
        """Those with headers, some at a time."""
        waiting = list(files)
        crew = Crew(self._client.running)
        client = self._client.within(crew)

        def work() -> None:
            while True:
                try:
                    file = waiting.pop()
                except IndexError:
                    return
                self._outline(client, file)

        crew.run([work] * min(self._job.options.parallel_downloads, len(files)))

    def _outline(self, client: Client, file: RemoteFile) -> None:
        here = self._here(file)
        if here is not None:
            self._at(file).symlink_to(here)
            return
        header, size = self._header(client, file)
        self._count(file, size)
        write_outline(self._at(file), header, size)

    def _header(self, client: Client, file: RemoteFile) -> tuple[bytes, int]:
        """What is read of a file before its weights are, and how long the file is."""
        place = Place(file)
        for _ in range(limits.restarts + 1):
            try:
                return self._grown(client, place)
            except ChangedError:
                place.forget()
        raise download_failed(
            f"{file.name} keeps changing while its header is fetched", "try again when its source is done with it"
        )

    def _grown(self, client: Client, place: Place) -> tuple[bytes, int]:
        name = place.file.name
        header, wanted = b"", _SMALL
        while True:
            header += retrying(client.running, lambda: part(client, place, len(header), wanted, self._needed))  # noqa: B023
            size = place.size
            assert size is not None
            if len(header) >= size:
                return header, size
            found = header_bytes(header, size)
            if found is None:
                raise self._needed(f"what {name} is does not show at its beginning")
            wanted, is_all = found
            if is_all and len(header) >= wanted:
                return header[:wanted], size
            if wanted > _HEADER:
                raise self._needed(f"the header of {name} has at least {wanted} bytes")

    def _at(self, file: RemoteFile) -> Path:
        """Where it is to lie."""
        if not is_file_name(file.name):
            raise self._needed(f"{file.name!r} is no name that a file of a model may have")
        self._names.add(file.name)
        path = self._folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _here(self, file: RemoteFile) -> Path | None:
        """Where it lies on this machine: in the store, or in the cache of another program."""
        if file.sha256 is not None and file.size is not None and self._job.store.has(file.sha256, file.size):
            return self._job.store.root / "blobs" / "sha256" / file.sha256
        return find(file)

    def _count(self, file: RemoteFile, size: int) -> None:
        """Counts in what would have to be downloaded: the same content once."""
        if self._here(file) is not None:
            return
        with self._lock:
            self._missing[file.sha256 or file.git or file.name] = size

    def _needed(self, why: str) -> Unsupported:
        return _needed(self._job.wanted.text, why)


def _needed(reference: str, why: str) -> Unsupported:
    return Unsupported(
        f"{reference} cannot be planned for before it is downloaded: {why}",
        "needs_download",
        f"download it first: trillm pull {reference}",
    )
