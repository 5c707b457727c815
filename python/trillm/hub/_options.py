"""Where models come from and how they are fetched: what a user may set."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from operator import index
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from trillm._keywords import advising
from trillm._params import shown
from trillm._reference import at_home
from trillm.errors import InvalidRequest

T = TypeVar("T")

FORMATS = ("gguf", "onnx", "safetensors", "pytorch")
"""What we can run, the best first: what is smallest and fastest for its quality."""

QUANTIZATIONS = ("Q4_K_M", "Q8_0", "F16")
"""As GGUF files call them, the best first."""

SOURCES = ("huggingface", "ollama")
"""Those that may be set."""

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
"""Variables that forbid connections. As `huggingface_hub` has it, the first that is set counts."""

_TRUE = {"1", "on", "true", "yes"}


@dataclass(frozen=True, slots=True)
class Source:
    """A place that models come from."""

    base_url: str | None = None
    """Instead of the usual address: a mirror, or a server of one's own."""
    token: str | None = field(default=None, repr=False)
    """Sent to that address and nowhere else. Line breaks around it, as files of secrets have them, do not count."""

    def __post_init__(self) -> None:
        for name in ("base_url", "token"):
            value = getattr(self, name)
            if not isinstance(value, str | None):
                # Not shown, either: it may be a secret.
                raise InvalidRequest(
                    f"{name} of a source for downloads is of type {type(value).__name__}, expected a text",
                    "invalid_parameter",
                )
        token = None if self.token is None else self.token.strip()
        if token is not None and not (token.isascii() and token.isprintable()):
            # Not shown: it is a secret all the same.
            raise InvalidRequest("a token for downloads has characters that no token has", "invalid_parameter")
        object.__setattr__(self, "token", token or None)


@dataclass(frozen=True, slots=True)
class Options:
    """How models are chosen and downloaded."""

    sources: Mapping[str, Source] = field(default_factory=lambda: MappingProxyType({}))
    """`"huggingface"` and `"ollama"`: another address, or a token; a mapping of the two will do. Without a token of
    its own Hugging Face's is `HUGGINGFACE_TOKEN`, or what `huggingface_hub` finds (`HF_TOKEN`, a stored login); its
    address is `HF_ENDPOINT`."""
    preferred_formats: tuple[str, ...] = FORMATS
    """Which format to take of a repository that has several, the best first."""
    quantization_preference: tuple[str, ...] = QUANTIZATIONS
    """Which quantization to take of a repository that has several, the best first."""
    download_timeout: float | None = None
    """Seconds that a whole download may take; no limit if `None`. One that stands still fails long before."""
    retry_attempts: int = 3
    """How often a request that failed is made again before the download fails. Progress starts the count anew."""
    parallel_downloads: int = 2
    """Files of one model that are fetched at the same time."""
    connections: int = 4
    """Connections for one large file, where the server can send parts."""
    models_directory: Path | None = None
    """A folder in which a bare name may be a file or folder; `LOCAL_MODELS_DIR` if `None`."""
    offline: bool = False
    """Opens no connection: what is not on this machine is an error."""

    def __post_init__(self) -> None:
        for each in fields(self):
            # As everywhere: `None` is what there is anyway.
            if getattr(self, each.name) is None and each.default is not None:
                self._set(each.name, each.default if each.default_factory is MISSING else each.default_factory())
        self._set("sources", _sources(self.sources))
        for name, known in (("preferred_formats", FORMATS), ("quantization_preference", None)):
            self._set(name, _names(name, getattr(self, name), known))
        for name, least, most in (("retry_attempts", 0, 100), ("parallel_downloads", 1, 64), ("connections", 1, 64)):
            self._set(name, _count(name, getattr(self, name), least, most))
        self._set("download_timeout", _seconds(self.download_timeout))
        if self.models_directory is not None:
            self._set("models_directory", _folder(self.models_directory))
        if not isinstance(self.offline, bool):
            raise _invalid(f"offline {shown(self.offline)}", "True or False")

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @classmethod
    def of(cls, given: object) -> Options:
        """What is given for options: themselves, a mapping of names to values, or `None` for those there are anyway.

        Raises `InvalidRequest`, and `TypeError` for a name that none of them has.
        """
        if isinstance(given, cls):
            return given
        return _made(cls, {} if given is None else given, "the options for downloads are", "trillm.hub.Options")

    def source(self, name: str) -> Source:
        """What is set for a source, the environment included."""
        source = self.sources.get(name, Source())
        if name == "huggingface" and source.token is None:
            source = replace(source, token=os.environ.get("HUGGINGFACE_TOKEN") or None)
        return source

    @property
    def key(self) -> Hashable:
        """The same for options that mean the same."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return (*(values | {"sources": tuple(sorted(self.sources.items(), key=lambda item: item[0]))}).values(),)

    def without_network(self) -> Options:
        """The same, offline."""
        return replace(self, offline=True)

    @property
    def no_network(self) -> bool:
        """Whether connections are forbidden, here or by the environment."""
        said = next(filter(None, map(os.environ.get, OFFLINE)), "")
        return self.offline or said.lower() in _TRUE


def _made(kind: Callable[..., T], given: object, what: str, expected: str) -> T:
    """One of a kind by a mapping of names to values."""
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        # Not shown: it may be a token.
        raise InvalidRequest(
            f"{what} of type {type(given).__name__}, expected {expected}, or a mapping of names to values",
            "invalid_parameter",
        )
    return kind(**given)


def _sources(given: object) -> Mapping[str, Source]:
    if not isinstance(given, Mapping):
        raise _invalid(f"sources of type {type(given).__name__}", "a mapping of names to sources")
    if unknown := [name for name in given if name not in SOURCES]:
        raise _invalid(f"a source named {unknown[0]!r}", f"one of {', '.join(SOURCES)}")
    made = {
        name: source
        if isinstance(source, Source)
        else _made(Source, source, f"the source {name} is", "trillm.hub.Source")
        for name, source in given.items()
    }
    return MappingProxyType(made)


def _names(name: str, given: object, known: Collection[str] | None) -> tuple[str, ...]:
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        raise _invalid(f"{name} {shown(given)}", "a tuple of names")
    for each in given:
        if not isinstance(each, str) or (known is not None and each not in known):
            raise _invalid(f"{name} with {shown(each)}", f"some of {', '.join(known or QUANTIZATIONS)}")
    return tuple(given)


def _count(name: str, given: Any, least: int, most: int) -> int:
    try:
        # The whole numbers of numpy are some, too; `True` is none.
        value = None if isinstance(given, bool) else index(given)
    except TypeError:
        value = None
    if value is None or not least <= value <= most:
        raise _invalid(f"{name} {shown(given)}", f"{least} to {most}")
    return value


def _seconds(given: Any) -> float | None:
    if given is None:
        return None
    try:
        value = None if isinstance(given, bool | str | bytes) else float(given)
    except (TypeError, ValueError, OverflowError):
        value = None
    if value is None or not value > 0:
        raise _invalid(f"download_timeout {shown(given)}", "seconds, more than 0")
    return value


def _folder(given: object) -> Path:
    if not isinstance(given, str | bytes | os.PathLike) or not os.fspath(given):
        raise _invalid(f"models_directory {shown(given)}", "a path")
    return Path(at_home(given))


def _invalid(found: str, expected: str) -> InvalidRequest:
    return InvalidRequest(f"the options for downloads have {found}, expected {expected}", "invalid_parameter")


for _kind in (Source, Options):
    _kind.__init__ = advising(_kind.__init__)  # type: ignore[method-assign]
