"""Which files of a repository make the model that is wanted.

Nothing is fetched or read here: the names of files say enough, and the formats' readers check the rest when the model
is opened. Names are a stranger's: those that the store would refuse are treated as if they were not there.
"""

from __future__ import annotations

import math
import posixpath
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from fnmatch import fnmatchcase

from trillm.errors import ModelNotFound
from trillm.hub._choosing.candidates import Candidate, candidates
from trillm.hub._choosing.companions import companions, templates_of
from trillm.hub._choosing.names import is_file_name
from trillm.hub._choosing.quantization import bits, graphs_like, is_quantization, normal
from trillm.hub._options import FORMATS, QUANTIZATIONS

_TITLES = {"gguf": "GGUF", "onnx": "ONNX", "safetensors": "safetensors", "pytorch": "PyTorch"}
_QUANTIZED = ("gguf", "onnx")
"""Formats whose files say in their names how they are quantized."""

_LISTED = 10
"""Files that an error lists."""


@dataclass(frozen=True)
class RepoFile:
    """A file of a repository."""

    path: str
    size: int | None
    """In bytes, where it is known."""


@dataclass(frozen=True)
class Preferences:
    """What to take of a repository that has several models."""

    formats: tuple[str, ...] = FORMATS
    """The best first; a format that is not among them is not taken."""
    quantizations: tuple[str, ...] = QUANTIZATIONS
    """The best first, as GGUF files are called; any other is taken only where none of these is there."""


@dataclass(frozen=True)
class Choice:
    """The files of a model."""

    files: list[tuple[str, str]]
    """Their paths in the repository, and their names inside the model."""
    open: str | None
    """The name of the one to open; `None` for the folder, or the only file."""
    why: str
    """What was chosen out of what, and by which preference; a sentence for people."""


def choose(files: Sequence[RepoFile], wanted: str | None, preferences: Preferences) -> Choice:
    """The files to fetch.

    ``wanted`` is a path, a folder (`/` at its end), a pattern (`*`, `?`, `[`) or a quantization; `None` leaves it to
    the preferences. A path of one part of a model is the whole model. Raises `ModelNotFound`.
    """
    sizes = {file.path: file.size for file in files if is_file_name(file.path)}
    repository = _Repository(sizes, templates_of(sizes), sorted(candidates(sizes), key=_order))
    if wanted is None:
        return _unasked(repository, preferences)
    if wanted in sizes:
        return _by_path(repository, wanted)
    if wanted.endswith("/"):
        return _by_folder(repository, wanted)
    if any(wildcard in wanted for wildcard in "*?["):
        return _by_pattern(repository, wanted)
    if is_quantization(wanted):
        return _by_quantization(repository, wanted, preferences)
    raise repository.nothing(f"the repository has no file {wanted}")


def _order(model: Candidate) -> tuple[int, int, bool, int, str]:
    path = model.files[0]
    return model.rank, path.count("/"), model.missing is not None, len(path), path


@dataclass(frozen=True)
class _Repository:
    sizes: Mapping[str, int | None]
    templates: Sequence[str]
    models: Sequence[Candidate]
    """Those that are better where all else is equal come first."""

    def usual(self, *formats: str) -> list[Candidate]:
        """The models in these formats that may be chosen unasked."""
        return [model for model in self.models if model.usual and model.format in formats]

    def size(self, model: Candidate) -> int | None:
        """Bytes of all its files, where they are known."""
        sizes = [self.sizes[path] for path in model.files]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None

    def nothing(self, message: str, there: Sequence[str] = ()) -> ModelNotFound:
        """The error for what is not there."""
        there = there or [model.files[0] for model in self.models if model.usual] or sorted(self.sizes)
        more = len(there) - _LISTED
        listed = ", ".join(there[:_LISTED]) + (f" and {more} more" if more > 0 else "")
        return ModelNotFound(message, "model_not_found", f"there is: {listed or 'no file at all'}")

    def check(self, model: Candidate) -> None:
        """Raises if a part is missing."""
        if model.missing is not None:
            raise self.nothing(f"{model.files[0]} needs {model.missing}, which the repository does not have")


def _unasked(repository: _Repository, preferences: Preferences) -> Choice:
    found = [kind for kind in preferences.formats if repository.usual(kind)]
    if not found:
        others = [kind for kind in _TITLES if repository.usual(kind)]
        but = f", only in {_either(others)}" if others else ""
        raise repository.nothing(f"the repository has no model in {_either(preferences.formats)}{but}")
    model, reason = _best(repository, repository.usual(found[0]), preferences)
    if len(found) > 1:
        reason += f"; preferred_formats has {_TITLES[found[0]]} before {_either(found[1:])}"
    return _whole(repository, model, reason)


def _best(repository: _Repository, models: list[Candidate], preferences: Preferences) -> tuple[Candidate, str]:
    """The model to take of several in one format, and why."""
    kind = models[0].format
    title = _TITLES[kind]
    if len(models) == 1:
        return models[0], f"the only model in {title}"
    among = f"of {len(models)} models in {title}"
    if kind not in _QUANTIZED:
        return models[0], f"{among} the one in the outermost folder"
    for preferred in preferences.quantizations:
        for way in graphs_like(preferred) if kind == "onnx" else (normal(preferred),):
            fitting = [model for model in models if model.quantization == way]
            if fitting:
                said = f"{among} {_one(fitting)} with {way or 'no quantization in its name'}"
                like = "" if way == normal(preferred) else f"for {preferred} "
                return fitting[0], f"{said}, {like}by quantization_preference"
    among += f" none with {_either(preferences.quantizations)} (quantization_preference), so"
    plain = [model for model in models if model.quantization is None]
    if kind == "onnx" and plain:
        return plain[0], f"{among} {_one(plain)} with no quantization in its name"
    enough = [model for model in models if bits(model.quantization) >= 4]
    if enough:
        model = min(enough, key=lambda model: (repository.size(model) or math.inf, bits(model.quantization)))
        return model, f"{among} the smallest with at least four bits ({model.quantization})"
    return max(models, key=lambda model: repository.size(model) or 0), f"{among} the largest"


def _by_path(repository: _Repository, wanted: str) -> Choice:
    model = next((model for model in repository.models if wanted in model.files), None)
    if model is None:
        return _choice({posixpath.basename(wanted): wanted}, None, f"{wanted}: as asked for")
    return _whole(repository, model, "as asked for")


def _by_quantization(repository: _Repository, wanted: str, preferences: Preferences) -> Choice:
    for kind in sorted(_QUANTIZED, key=(*preferences.formats, *_QUANTIZED).index):
        models = repository.usual(kind)
        # A dialect, `UD-Q4_K_XL`, is asked for by its whole name.
        plain = wanted.rpartition("-")[2]
        fitting = [model for model in models if model.quantization == normal(plain)]
        if plain != wanted:
            fitting = [model for model in fitting if wanted.lower() in model.files[0].lower()]
        if fitting:
            reason = f"of {len(models)} models in {_TITLES[kind]} {_one(fitting)} with {wanted}, as asked for"
            return _whole(repository, fitting[0], reason)
    there = [model.quantization for model in repository.usual(*_QUANTIZED) if model.quantization is not None]
    raise repository.nothing(f"the repository has no model with {wanted}", sorted(set(there)))


def _by_folder(repository: _Repository, wanted: str) -> Choice:
    names = {path.removeprefix(wanted): path for path in repository.sizes if path.startswith(wanted)}
    if not names:
        raise repository.nothing(f"the repository has no folder {wanted}")
    models = [model for model in repository.models if f"{model.folder}/".startswith(wanted)]
    return _choice(names, _opened(repository, models, wanted), f"{wanted}: all of its {_files(names)}, as asked for")


def _by_pattern(repository: _Repository, wanted: str) -> Choice:
    matching = [
        path for path in repository.sizes if fnmatchcase(path, wanted) or fnmatchcase(posixpath.basename(path), wanted)
    ]
    if not matching:
        raise repository.nothing(f"no file of the repository fits {wanted}")
    names = {path: path for path in matching}
    # A pattern for small files is none for the weights that an index among them names.
    weights = {path for path in matching if not path.endswith(".json")}
    models = [model for model in repository.models if not weights.isdisjoint(model.files)]
    for model in models:
        names.update((path, path) for path in model.files)
        for name, path in _small(repository, model).items():
            names.setdefault(posixpath.join(model.folder, name), path)
    why = f"{wanted}: {len(matching)} of {_files(repository.sizes)}, as asked for"
    return _choice(names, _opened(repository, models, ""), why)


def _opened(repository: _Repository, models: Sequence[Candidate], prefix: str) -> str | None:
    """Which file to open of those that keep their places below ``prefix``."""
    models = [model for model in models if model.usual] or models
    if len(models) != 1:
        return None
    (model,) = models
    if model.usual:
        repository.check(model)
    name = model.files[0].removeprefix(prefix)
    return None if model.by_folder and "/" not in name else name


def _whole(repository: _Repository, model: Candidate, reason: str) -> Choice:
    """A model with its small files, without the folders it lies in."""
    repository.check(model)
    names = {posixpath.basename(path): path for path in model.files}
    for name, path in _small(repository, model).items():
        names.setdefault(name, path)
    opened = None if model.by_folder else posixpath.basename(model.files[0])
    return _choice(names, opened, f"{model.files[0]}: {reason}")


def _small(repository: _Repository, model: Candidate) -> dict[str, str]:
    # A GGUF file has everything in it.
    return {} if model.format == "gguf" else companions(model.folder, repository.sizes, repository.templates)


def _choice(names: Mapping[str, str], opened: str | None, why: str) -> Choice:
    return Choice([(path, name) for name, path in names.items()], None if len(names) == 1 else opened, why)


def _one(fitting: Sequence[Candidate]) -> str:
    return "the one" if len(fitting) == 1 else f"the first of {len(fitting)}"


def _either(words: Sequence[str]) -> str:
    words = [_TITLES.get(word, word) for word in words]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _files(names: Sized) -> str:
    return f"{len(names)} file" + "s" * (len(names) != 1)
