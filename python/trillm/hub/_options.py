"""Where models come from and how they are fetched: what a user may set."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from trillm.errors import InvalidRequest

FORMATS = ("gguf", "onnx", "safetensors", "pytorch")
"""What we can run, the best first: what is smallest and fastest for its quality."""

QUANTIZATIONS = ("Q4_K_M", "Q8_0", "F16")
"""As GGUF files call them, the best first."""

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
"""Variables that forbid connections, as `huggingface_hub` has them."""

_TRUE = {"1", "on", "true", "yes"}


@dataclass(frozen=True, slots=True)
class Source:
    """A place that models come from."""

    base_url: str | None = None
    """Instead of the usual address: a mirror, or a server of one's own."""
    token: str | None = field(default=None, repr=False)
    """Sent to that address and nowhere else. Line breaks around it, as files of secrets have them, do not count."""

    def __post_init__(self) -> None:
        token = None if self.token is None else self.token.strip()
        if token is not None and not (token.isascii() and token.isprintable()):
            # Not shown: it is a secret all the same.
            raise InvalidRequest("a token for downloads has characters that no token has", "invalid_parameter")
        object.__setattr__(self, "token", token or None)


@dataclass(frozen=True, slots=True)
class Options:
    """How models are chosen and downloaded."""

    sources: Mapping[str, Source] = field(default_factory=lambda: MappingProxyType({}))
    """`"huggingface"` and `"ollama"`: another address, or a token. Without a token of its own Hugging Face's is
    `HUGGINGFACE_TOKEN`, or what `huggingface_hub` finds (`HF_TOKEN`, a stored login); its address is `HF_ENDPOINT`."""
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
        known = {"huggingface", "ollama"}
        if unknown := sorted(set(self.sources) - known):
            raise _invalid(f"a source named {unknown[0]!r}", f"one of {', '.join(sorted(known))}")
        for name in ("preferred_formats", "quantization_preference"):
            if isinstance(getattr(self, name), str):
                raise _invalid(f"{name} {getattr(self, name)!r}", "a tuple of names")
        if unknown := sorted(set(self.preferred_formats) - set(FORMATS)):
            raise _invalid(f"a preferred format {unknown[0]!r}", f"some of {', '.join(FORMATS)}")
        for name, least, most in (("retry_attempts", 0, 100), ("parallel_downloads", 1, 64), ("connections", 1, 64)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise _invalid(f"{name} {value}", f"{least} to {most}")
        if self.download_timeout is not None and not self.download_timeout > 0:
            raise _invalid(f"download_timeout {self.download_timeout}", "seconds, more than 0")

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
        return self.offline or any(os.environ.get(name, "").lower() in _TRUE for name in OFFLINE)


def _invalid(found: str, expected: str) -> InvalidRequest:
    return InvalidRequest(f"the options for downloads have {found}, expected {expected}", "invalid_parameter")
