"""What may be set for a router: each option once, with its meaning, unit and default.

An option comes from a keyword argument, else from a file (`config`, or `TRILLM_CONFIG`), else from the environment
(`LOCAL_MODELS_DIR`, `LOCAL_CACHE_DIR`, and what `trillm.hub.Options` names), else it has its default. `None` is what
there is anyway, here as everywhere. An option that is itself a mapping or a list is taken whole from where it is found.

Names of the JavaScript program that some of these options come from (`unloadIdleTime`) are refused, with the name here:
its times are milliseconds, and a file that was copied would keep models for days.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from math import inf, isnan
from operator import index
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, cast

from trillm._configuration import read
from trillm._keywords import meant, unexpected
from trillm._params import shown
from trillm._reference import a_path, at_home
from trillm._settings import (
    FORMATS,
    check,
    computed_there,
    device_named,
    engine_named,
    invalid,
    layered,
    settings_of,
)
from trillm.errors import InvalidRequest, Unsupported
from trillm.hub import Options

if TYPE_CHECKING:
    from trillm.hub import Source
    from trillm.types import LoadParams

__all__ = ["APPLIES", "RouterOptions"]

When = Literal["at once", "to the next download", "to the next load", "to a new router"]

APPLIES: Mapping[str, When] = MappingProxyType(
    {
        "models_directory": "to the next load",
        "cache_directory": "to a new router",
        "download_on_demand": "to the next download",
        "default_engine": "to the next load",
        "device": "to the next load",
        "threads": "to the next load",
        "cache_size": "at once",
        "max_models_loaded": "at once",
        "unload_idle_time": "at once",
        "unload_under_pressure": "at once",
        "room_timeout": "at once",
        "response_cache": "at once",
        "batch_size": "to the next load",
        "context_length": "to the next load",
        "engines": "to the next load",
        "download_sources": "to the next download",
        "preferred_formats": "to the next download",
        "quantization_preference": "to the next download",
        "download_timeout": "to the next download",
        "retry_attempts": "to the next download",
        "parallel_downloads": "to the next download",
    }
)
"""To what an option applies that is changed while a router runs. Models that are loaded stay as they were loaded."""

_UNITS = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
}

_BYTES = {unit.lower(): factor for unit, factor in _UNITS.items()} | {"": 1}

_UNLIMITED = "unlimited"

_OFF = "off"

_IN_SECONDS = ("download_timeout", "room_timeout", "unload_idle_time")


@dataclass(frozen=True, slots=True)
class RouterOptions:
    """Options of a router, checked."""

    models_directory: Path | None = None
    """A folder of one's own, in which a bare name may be a file or folder. Default: `LOCAL_MODELS_DIR`, else none.

    In a file, a path is relative to that file.
    """
    cache_directory: Path | None = None
    """The store, where downloads are kept. Default: `LOCAL_CACHE_DIR`, else the folder of the user's caches."""
    download_on_demand: bool = True
    """Fetch a model that is not here; without it, that is an error. Default true."""
    default_engine: str = "auto"
    """Which engine to prefer where a source, or a folder of this machine, has a model in several formats: `"llama"`
    (GGUF), `"candle"` (safetensors), `"onnx"`; also by the names `"node-llama-cpp"`, `"ggml"`, `"torch"`. Default
    `"auto"`: of a source, as `preferred_formats` says; of a folder, the one that was measured fastest here, which
    `router.explain` shows.

    A file runs by the engine of its format, whatever is preferred; to insist on one, name it where a model is loaded.
    """
    device: str = "auto"
    """What to compute on: `"auto"` (default: a GPU if this build can use one), `"cpu"`, or `"cuda"` or `"mps"`, which
    are an error where such a GPU is not there or the engine of a model does not use it."""
    threads: int | Literal["auto"] = "auto"
    """Compute threads of each model. Default `"auto"`: one for each physical core."""
    cache_size: int | None = None
    """Bytes that all loaded models may take: a number, or a text such as `"4GB"` or `"512 MiB"`. kB, MB and GB are
    powers of 1000, KiB, MiB and GiB of 1024. Default `"unlimited"`: a model is refused if memory would not suffice."""
    max_models_loaded: int | None = 3
    """How many models may be loaded at once; `"unlimited"` for any number. Default 3."""
    unload_idle_time: float = 300.0
    """Seconds until a model is unloaded that nobody uses: 0 for at once, `"never"` or infinity for never. Default 300.
    """
    unload_under_pressure: bool = True
    """Unload models that nobody uses while memory is short, the one used least recently first. Default true.

    It is short when less than a sixteenth (at most 1 GiB) is free of the machine's memory or of a control group's, and
    until an eighth (at most 2 GiB) is; or when something waits for memory in 20 % of the time, and until that is 10 %.
    It is looked at every two seconds while a model is loaded, where the system tells it (Linux). A model that is used
    or pinned stays.
    """
    room_timeout: float = 60.0
    """Seconds that a request waits for the room of models that others use, before it fails. Default 60."""
    response_cache: int = 0
    """Bytes of answers that are kept for requests that are equal to earlier ones in all that was given, and say by
    `temperature=0` or a `seed` that their answer can be repeated: a number, or a text as for `cache_size`. Default
    `"off"`, which is 0.

    Of `generate` and `chat`, not of streams; `Completion.cached` says of an answer that it was kept, and
    `router.stats()["response_cache"]` how many were. A model that is unloaded takes its answers along.
    """
    batch_size: int | None = None
    """Requests of one model that run at once; what `trillm.load` calls `parallel`. Default: 8.

    In the settings of an engine or a model, `batch_size` is what llama.cpp calls so: the most tokens in one step.
    """
    context_length: int | None = None
    """Tokens in the cache of each model, for all its requests together. Default: as trained, at most 4096."""
    engines: Mapping[str, LoadParams] = field(default_factory=lambda: MappingProxyType({}))
    """Settings for the models of one engine, by its name or one of those above: a mapping of what `trillm.load` takes
    (`threads`, `mlock`, `mmap`, `providers`, …), also by names of other programs: `use_mlock`, `use_mmap`,
    `context_size`, `session_options`, `quantization="8bit"`. They go before the options above, and the settings of one
    model go before both."""
    download_sources: Mapping[str, Source | Mapping[str, str | None]] | None = None
    """`"huggingface"` and `"ollama"`, each a `trillm.hub.Source` or its `base_url` and `token`."""
    preferred_formats: Sequence[str] | None = None
    """Which format to take of a source that has several, the best first. Default: GGUF, ONNX, safetensors, PyTorch;
    the formats of `default_engine` come before, if one is named."""
    quantization_preference: Sequence[str] | None = None
    """Which quantization to take of a source that has several, the best first. Default: Q4_K_M, Q8_0, F16."""
    download_timeout: float | None = None
    """Seconds that a whole download may take. Default: no limit; one that stands still fails long before."""
    retry_attempts: int | None = None
    """How often a request that failed is made again before a download fails. Default 3."""
    parallel_downloads: int | None = None
    """Files of one model that are fetched at the same time. Default 2."""

    def __post_init__(self) -> None:
        for name, read_option in _READERS.items():
            # `None` is a limit that there is not, or what the environment says.
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, read_option(name, given))
        check(self._of_all(), _OF_ALL)
        options = self.hub()
        checked = {
            "download_sources": options.sources,
            "preferred_formats": options.preferred_formats,
            "quantization_preference": options.quantization_preference,
        }
        for name, value in checked.items():
            # Out of reach of whoever gave it, and without tokens where it is shown.
            if getattr(self, name) is not None:
                object.__setattr__(self, name, value)

    @classmethod
    def of(
        cls,
        given: Mapping[str, Any],
        config: str | bytes | PathLike[str] | Mapping[str, Any] | None = None,
    ) -> RouterOptions:
        """The options by keyword arguments, then by a configuration: a file, `TRILLM_CONFIG`, or a mapping.

        Raises `TypeError` for a keyword argument that is no option, `InvalidRequest` and `Unsupported` for values; and
        for what a configuration has, whose name the message begins with.
        """
        arguments = _said(given)
        source, content = read(config)
        if unknown := next((name for name in content if name not in _NAMES), None):
            raise _unknown(source, unknown)
        said = {name: value for name, value in content.items() if value is not None}
        if said:
            # Alone, so that an error is told of who made it.
            try:
                cls(**said)
            except (InvalidRequest, Unsupported) as error:
                raise type(error)(f"{source}: {error}", error.code, error.hint) from None
            except TypeError as error:
                raise InvalidRequest(f"{source}: {error}", "invalid_parameter") from None
        return cls(**said | arguments)

    def changed(self, **given: Any) -> RouterOptions:
        """The same but for these; `APPLIES` says when each of them counts. `None` changes nothing.

        Raises as `of` does, and `InvalidRequest` for another `cache_directory`.
        """
        made = replace(self, **_said(given))
        if made.cache_directory != self.cache_directory:
            hint = "make another LLMRouter for it"
            raise InvalidRequest("cache_directory cannot change while a router runs", "invalid_parameter", hint)
        return made

    def hub(self) -> Options:
        """What of it is about downloads."""
        formats = self.preferred_formats
        if formats is None and self.default_engine != "auto":
            own = FORMATS[self.default_engine]
            formats = (*own, *(it for it in Options().preferred_formats if it not in own))
        return Options.of(
            {
                "models_directory": self.models_directory,
                "preferred_formats": formats,
                "quantization_preference": self.quantization_preference,
                "download_timeout": self.download_timeout,
                "retry_attempts": self.retry_attempts,
                "parallel_downloads": self.parallel_downloads,
                "offline": not self.download_on_demand,
                "sources": self.download_sources,
            }
        )

    def limits(self) -> dict[str, Any]:
        """What may be in memory, as the native pool takes it.

        Bytes in `size`, seconds in `idle` and `patience`; `pressure` is whether models go when memory is short.
        """
        return {
            "models": self.max_models_loaded,
            "size": self.cache_size,
            "idle": self.unload_idle_time,
            "patience": self.room_timeout,
            "pressure": self.unload_under_pressure,
        }

    @property
    def preferred(self) -> str | None:
        """The engine to take where there are several; `None` if none is preferred."""
        return None if self.default_engine == "auto" else self.default_engine

    def asked(self, settings: Mapping[str, Any]) -> LoadParams:
        """What is asked of whichever engine will run a model: its own settings over those for all models.

        Where it is computed is left out: another engine would not be the better for it.
        """
        made = layered(self._of_all(), settings_of("settings", settings))
        made.pop("device", None)
        return made

    def load_params(
        self, settings: Mapping[str, Any], *, engine: str | None = None, trained: int | None = None
    ) -> LoadParams:
        """What `trillm.load` is given for a model: its own settings, then those of its engine, then the options.

        `engine` is who will run it, as its format says, unless its settings name one. While that is not known, settings
        of engines are left out. A model trained on sequences of `trained` tokens gets no longer context by an option,
        which is meant for all models; its own settings are taken as they are.

        Raises `InvalidRequest`, and `Unsupported` for what the engine or this machine cannot do.
        """
        own = settings_of("settings", settings)
        runs = "auto" if engine is None else engine_named("engine", engine)
        wanted = own.pop("engine", "auto")
        if "auto" not in (runs, wanted) and runs != wanted:
            raise invalid("settings.engine", settings["engine"], f"{runs}, which runs the model")
        runs = wanted if runs == "auto" else runs
        shared = layered(self._of_all(), self.engines.get(runs, {}))
        if trained and (context := shared.get("context")):
            shared["context"] = min(context, trained)
        made = layered(shared, own)
        if runs != "auto":
            made["engine"] = runs
        return computed_there(made, made.get("engine"))

    def _of_all(self) -> LoadParams:
        """What models of all engines are loaded with."""
        said = {ours: getattr(self, name) for ours, name in _OF_ALL.items()}
        return cast("LoadParams", {ours: value for ours, value in said.items() if value not in (None, "auto")})


_OF_ALL = {"threads": "threads", "parallel": "batch_size", "context": "context_length", "device": "device"}
"""What `trillm.load` calls them."""

_NAMES = [each.name for each in fields(RouterOptions)]


def _said(given: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments that say something."""
    for name in given:
        if name not in _NAMES:
            raise unexpected(name, _NAMES)
    return {name: value for name, value in given.items() if value is not None}


def _unknown(source: str, name: object) -> InvalidRequest:
    """The error for what a configuration has and is no option."""
    hint = meant(name, _NAMES) if isinstance(name, str) else f"there are {', '.join(_NAMES)}"
    if any(hint == f"did you mean {known!r}?" for known in _IN_SECONDS):
        hint += " It is in seconds."
    return InvalidRequest(f"{source} has {shown(name)}, which is no option", "invalid_parameter", hint)


def _flag(name: str, given: object) -> bool:
    if not isinstance(given, bool):
        raise invalid(name, given, "True or False")
    return given


def _folder(name: str, given: Any) -> Path:
    if not (found := at_home(a_path(name, given, "a path"))):
        raise invalid(name, given, "a path")
    return Path(found)


def _whole(given: object) -> int | None:
    """A whole number, those of numpy too; `True` is none."""
    try:
        return None if isinstance(given, bool) else index(cast("Any", given))
    except TypeError:
        return None


def _models(name: str, given: object) -> int | None:
    if isinstance(given, str) and given == _UNLIMITED:
        return None
    value = _whole(given)
    if value is None or not 1 <= value < 1 << 32:
        raise invalid(name, given, f'a whole number, 1 or more, or "{_UNLIMITED}"')
    return value


def _size(name: str, given: object) -> int | None:
    if isinstance(given, str) and given == _UNLIMITED:
        return None
    return _bytes_in(name, given, _UNLIMITED)


def _answers(name: str, given: object) -> int:
    if (isinstance(given, str) and given == _OFF) or _whole(given) == 0:
        return 0
    return _bytes_in(name, given, _OFF)


def _bytes_in(name: str, given: object, otherwise: str) -> int:
    value = _whole(given)
    if isinstance(given, str) and (found := re.fullmatch(r"(\d{1,15}(?:\.\d{1,15})?)\s*([A-Za-z]*)", given.strip())):
        factor = _BYTES.get(found[2].lower())
        value = None if factor is None else int(float(found[1]) * factor)
    if value is None or not 1 <= value < 1 << 64:
        expected = f'bytes, 1 or more: a number, a text such as "4GB" or "512 MiB", or "{otherwise}"'
        raise invalid(name, given, expected)
    return value


def _seconds(never: str = "") -> Callable[[str, object], float]:
    def checked(name: str, given: object) -> float:
        if never and isinstance(given, str) and given == never:
            return inf
        try:
            value = -1.0 if isinstance(given, bool | str | bytes) else float(cast("Any", given))
        except (TypeError, ValueError, OverflowError):
            value = -1.0
        if isnan(value) or value < 0:
            raise invalid(name, given, "seconds, 0 or more" + f', or "{never}"' * bool(never))
        return value

    return checked


def _engines(name: str, given: object) -> Mapping[str, LoadParams]:
    if not isinstance(given, Mapping):
        raise invalid(name, given, "a mapping of engines to their settings")
    made: dict[str, LoadParams] = {}
    for called, settings in given.items():
        engine = engine_named(f"a name in {name}", called)
        if engine == "auto" or engine in made:
            raise invalid(f"a name in {name}", called, "each engine once")
        made[engine] = settings_of(f"{name}.{called}", settings)
        if made[engine].pop("engine", engine) != engine:
            raise invalid(f"{name}.{called}.engine", settings["engine"], "none: the settings are those of an engine")
    return MappingProxyType(made)


_READERS: Mapping[str, Callable[[str, Any], object]] = {
    "models_directory": _folder,
    "cache_directory": _folder,
    "download_on_demand": _flag,
    "default_engine": engine_named,
    "device": device_named,
    "cache_size": _size,
    "max_models_loaded": _models,
    "unload_idle_time": _seconds("never"),
    "unload_under_pressure": _flag,
    "room_timeout": _seconds(),
    "response_cache": _answers,
    "engines": _engines,
}
"""How options are read. Numbers that `trillm.load` takes are read as it reads them, and options of downloads by
`trillm.hub.Options`."""
