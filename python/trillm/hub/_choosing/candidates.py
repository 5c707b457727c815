"""The models in a repository, by the names of its files: which belong together, and which may be chosen unasked."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from trillm.hub._choosing.companions import MODULE
from trillm.hub._choosing.quantization import quantization_of

_SHARD = re.compile(r"(?P<stem>.*)-(?P<number>[0-9]{1,6})-of-(?P<count>[0-9]{1,6})")

_DATA = re.compile(r"(?P<graph>.*\.onnx)[._]data(?:[._]?[0-9]+)?")
"""Weights of a graph in a file of their own: `model.onnx_data`, `model.onnx_data_1`, `model.onnx.data`."""

_NO_MODEL = re.compile(r"mmproj|imatrix|(?:^|[-_.])(?:draft|vocab)(?:[-_.]|$)", re.IGNORECASE)
"""GGUF files beside models: projectors of images, statistics for quantizing, drafts of a larger model's text."""

_PARTIAL = re.compile(r"adapter_|consolidated")
"""Weights that need others, or are in a layout of their publisher's own."""

_LEFT_BEHIND = re.compile(r"training_args|optimizer|scheduler|rng_state")
"""What trainers leave beside the weights."""

_GRAPHS = ("model", "decoder_model_merged", "decoder_model", "decoder_with_past_model")
"""Names of graphs that write text, the best first. The merged one can do what the two after it do."""

_NO_DECODER = re.compile(r"(?:encoder|vision|audio|embed_tokens|.*_encoder)(?:[-_.]|$)", re.IGNORECASE)
"""Graphs that are parts of a model and cannot write text."""

_ACCELERATORS = {"cuda", "directml", "dml", "gpu", "npu", "qnn", "rocm", "tensorrt", "trt", "webgpu"}
"""Words in the names of folders with graphs for one kind of device."""


@dataclass(frozen=True)
class Candidate:
    """A model: one file, or all that belong to one."""

    format: str
    files: tuple[str, ...]
    """Paths in the repository, all in one folder; the first is the one to open."""
    by_folder: bool = False
    """Whether the folder alone leads to it, since its files have the usual names."""
    quantization: str | None = None
    usual: bool = True
    """Whether it may be chosen unasked."""
    rank: int = 0
    """The smaller, the better, where all else is equal."""
    missing: str | None = None
    """A path that should be in the repository and is not."""

    @property
    def folder(self) -> str:
        """Where it lies: `""` is the repository itself."""
        return posixpath.dirname(self.files[0])


def candidates(paths: Collection[str]) -> list[Candidate]:
    """All models; a file with weights is in at least one of them."""
    # As keys, so that looking one up among ten thousand costs nothing.
    folders: dict[str, dict[str, None]] = defaultdict(dict)
    for path in sorted(paths):
        folders[posixpath.dirname(path)][path] = None
    found: list[Candidate] = []
    graphs: list[Candidate] = []
    for files in folders.values():
        found.extend(_gguf(files))
        graphs.extend(_graphs(files))
        found.extend(_checkpoints(files, "safetensors", ".safetensors", "model"))
        found.extend(_checkpoints(files, "pytorch", ".bin", "pytorch_model"))
        # The originals of some publishers. Where no index names them, each is a model of its own.
        found.extend(Candidate("pytorch", (path,), usual=False) for path in files if path.endswith((".pt", ".pth")))
    general = {graph for graph in graphs if graph.usual and not _ACCELERATORS & _words(graph.folder)}
    if general:
        graphs = [replace(graph, usual=graph in general) for graph in graphs]
    return found + graphs


def parts_of(model: Candidate) -> list[str]:
    """The files that a model should have by the numbers in its files' names, there or not.

    Where an index is there, that says it.
    """
    stem, ending = posixpath.splitext(model.files[0])
    shard = _SHARD.fullmatch(stem)
    if shard is None or model.missing is None:
        return []
    count, width = int(shard["count"]), len(shard["number"])
    parts = [f"{shard['stem']}-{number:0{width}}-of-{shard['count']}{ending}" for number in range(1, count + 1)]
    return parts if model.format == "gguf" else [*parts, _index(shard["stem"], ending)]


def _index(stem: str, ending: str) -> str:
    return f"{stem}{ending}.index.json"


def _words(text: str) -> set[str]:
    return set(re.split(r"[-_./]", text.lower()))


@dataclass(frozen=True)
class _Set:
    """One file, or all that are numbered together."""

    stem: str
    """The name without folder, number and ending."""
    files: tuple[str, ...]
    missing: str | None
    """The first that is not there."""
    several: bool


def _sets(files: Collection[str], ending: str) -> list[_Set]:
    """The files of one folder that have this ending, each alone or with the others of its set."""
    found: list[_Set] = []
    numbered: dict[tuple[str, str, int], dict[int, str]] = defaultdict(dict)
    for path in files:
        if not path.endswith(ending):
            continue
        stem = path.removesuffix(ending)
        shard = _SHARD.fullmatch(stem)
        if shard is not None and 1 <= int(shard["number"]) <= int(shard["count"]):
            numbered[shard["stem"], shard["count"], len(shard["number"])][int(shard["number"])] = path
        else:
            found.append(_Set(posixpath.basename(stem), (path,), None, False))
    for (stem, count, width), parts in numbered.items():
        absent = next((number for number in range(1, int(count) + 1) if number not in parts), None)
        missing = None if absent is None else f"{stem}-{absent:0{width}}-of-{count}{ending}"
        whole = tuple(path for _, path in sorted(parts.items()))
        found.append(_Set(posixpath.basename(stem), whole, missing, int(count) > 1))
    return found


def _gguf(files: Collection[str]) -> Iterator[Candidate]:
    for one in _sets(files, ".gguf"):
        folder = posixpath.basename(posixpath.dirname(one.files[0]))
        quantization = quantization_of(one.stem, "gguf") or quantization_of(folder, "gguf")
        # A dialect of a quantization comes after the plain one.
        rank = int(re.search(r"(?:^|[-_.])UD-", one.stem) is not None)
        usual = _NO_MODEL.search(one.stem) is None
        yield Candidate("gguf", one.files, False, quantization, usual, rank, one.missing)


def _graphs(files: Collection[str]) -> Iterator[Candidate]:
    owners: dict[str, list[str]] = {path: [] for path in files if path.endswith(".onnx")}
    # Some tools name the data of `model.onnx` after the model; it may be any graph's.
    orphans: list[str] = []
    for path in files:
        data = _DATA.fullmatch(path)
        if data is not None:
            owners.get(data["graph"], orphans).append(path)
    ranks = {graph: _rank(posixpath.basename(graph).removesuffix(".onnx")) for graph in owners}
    best = min((rank for rank in ranks.values() if rank is not None), default=None)
    for graph, own in owners.items():
        rank = ranks[graph]
        # Its own name says it, or that of a folder.
        said = (quantization_of(part, "onnx") for part in reversed(graph.removesuffix(".onnx").split("/")))
        quantization = next((name for name in said if name is not None), None)
        usual = rank is not None and rank == best
        yield Candidate("onnx", (graph, *own, *orphans), False, quantization, usual, rank or 0)


def _rank(name: str) -> int | None:
    """How a graph compares to others of its folder; `None` for what cannot write text."""
    for rank, known in enumerate(_GRAPHS):
        if re.match(rf"{known}(?:[-_.]|$)", name):
            return rank
    return None if _NO_DECODER.match(name) else len(_GRAPHS)


def _checkpoints(files: Collection[str], kind: str, ending: str, name: str) -> Iterator[Candidate]:
    """Weights of one folder. Which of them the folder stands for is what crates/formats/src/weights.rs says."""
    sets = [one for one in _sets(files, ending) if _LEFT_BEHIND.match(one.stem) is None]
    whole = [one for one in sets if _PARTIAL.match(one.stem) is None]
    main = _main(files, whole, kind, ending, name) if whole else None
    if main is not None:
        yield main
    taken = set() if main is None else set(main.files)
    yield from (_other(files, one, kind, ending) for one in sets if one.files[0] not in taken)


def _main(files: Collection[str], sets: list[_Set], kind: str, ending: str, name: str) -> Candidate | None:
    """The model that a folder stands for."""
    folder = posixpath.dirname(sets[0].files[0])
    usual = MODULE.fullmatch(posixpath.basename(folder)) is None
    single = posixpath.join(folder, name + ending)
    if single in files:
        return Candidate(kind, (single,), True, usual=usual)
    index = _index(posixpath.join(folder, name), ending)
    named = [one for one in sets if one.stem == name and one.several]
    # An upload with another number of shards may have left the rest of an older one.
    parts = [one for one in named if one.missing is None] or named or sets
    if index in files:
        # Without a numbered set it may name any.
        missing = next((one.missing for one in parts if one.missing is not None), None)
        shards = tuple(path for one in parts for path in one.files)
        return Candidate(kind, (index, *shards), True, usual=usual, missing=missing)
    if len(parts) > 1:
        return None
    (only,) = parts
    if only.several:
        return Candidate(kind, only.files, True, usual=usual, missing=only.missing or index)
    return Candidate(kind, only.files, True, usual=usual) if kind == "safetensors" else None


def _other(files: Collection[str], one: _Set, kind: str, ending: str) -> Candidate:
    """Weights that their folder does not stand for."""
    if not one.several:
        return Candidate(kind, one.files, kind == "safetensors", usual=False)
    index = _index(posixpath.join(posixpath.dirname(one.files[0]), one.stem), ending)
    if index in files:
        return Candidate(kind, (index, *one.files), usual=False, missing=one.missing)
    return Candidate(kind, one.files, usual=False, missing=one.missing or index)
