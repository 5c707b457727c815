"""What a configuration says of engines and models, as `trillm.load` takes it.

Other programs' names for the same are taken, engines' names too (`PEERS` in `_params.py` and `ALIASES` here have them).
What cannot be done as it is said is an error that says what to do instead: nothing is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from trillm import _core
from trillm._params import PEERS, known, meant, shown
from trillm.errors import InvalidRequest, Unsupported
from trillm.types import LoadParams

__all__ = [
    "FORMATS",
    "check",
    "computed_there",
    "device_named",
    "engine_named",
    "invalid",
    "layered",
    "settings_of",
]

ALIASES = {"ggml": "llama", "node-llama-cpp": "llama", "torch": "candle"}
"""Engines as other programs call them."""

FORMATS = {"llama": ("gguf",), "candle": ("safetensors", "pytorch"), "onnx": ("onnx",)}
"""What each engine runs."""

DEVICES = ("auto", "cpu", "cuda", "mps")

_GPUS = {"cuda": "cuda", "mps": "metal"}
"""Devices that are a GPU of one kind, and the feature of a build that uses it."""

_QUANTIZED = {"4bit": "q4_k", "8bit": "q8_0", "int4": "q4_k", "int8": "q8_0"}

_GRAPH = "session_options"
"""A mapping of its own within settings, as ONNX Runtime's bindings have it; and what may stand in it:"""

_OF_GRAPHS = {
    "execution_mode",
    "graph_optimization_level",
    "inter_op_num_threads",
    "inter_threads",
    "intra_op_num_threads",
    "prepack",
}

_OWN = {"dtype", _GRAPH, "torch_dtype", "verbose"}
"""Settings of other programs that are no parameter here."""

_OPPOSED = ({"mmap", "copy"}, {"device", "gpu_layers"})
"""Parameters that say the same in two ways: who says one of them has said all."""


def invalid(name: str, given: object, expected: str) -> InvalidRequest:
    """The error for a value that means nothing."""
    return InvalidRequest(f"{name} is {shown(given)}, expected {expected}", "invalid_parameter")


def engine_named(place: str, given: object) -> str:
    """`"auto"`, or the name that an engine has here."""
    engine = ALIASES.get(given, given) if isinstance(given, str) else None
    if engine != "auto" and engine not in _core.engines():
        raise invalid(place, given, ", ".join(("auto", *_core.engines(), *ALIASES)))
    return engine


def device_named(place: str, given: object) -> str:
    """What to compute on."""
    if not isinstance(given, str) or given not in DEVICES:
        raise invalid(place, given, ", ".join(DEVICES))
    return given


def settings_of(place: str, given: object) -> LoadParams:
    """One mapping of settings. `place` is what errors call it: `engines.llama`, `settings`."""
    made: dict[str, Any] = {}
    said: dict[str, str] = {}
    for name, value in _flat(place, given):
        for ours, theirs in _meant(place, name, value).items():
            if ours in made and repr(made[ours]) != repr(theirs):
                raise invalid(f"{place}.{name}", value, f"what {place}.{said[ours]} says, which means the same")
            made[ours], said[ours] = theirs, name
    params = cast("LoadParams", made)
    check(params, {ours: f"{place}.{name}" for ours, name in said.items()})
    return params


def check(params: LoadParams, places: Mapping[str, str]) -> None:
    """Raises what loading would raise for these, each parameter by the name that it was given by."""
    native = {name: value for name, value in params.items() if name != "device" or value not in _GPUS}
    try:
        _core.check_load_params(**cast("LoadParams", native))
    except InvalidRequest as error:
        message = str(error)
        found = re.match(r"[a-z_]+", message)
        if found and found[0] in places:
            message = places[found[0]] + message[found.end() :]
        raise InvalidRequest(message, error.code, error.hint) from None


def layered(*layers: LoadParams) -> LoadParams:
    """Settings of several, those that count most at the end."""
    made: dict[str, Any] = {}
    for layer in layers:
        for names in _OPPOSED:
            if not names.isdisjoint(layer):
                made = {name: value for name, value in made.items() if name not in names}
        made |= layer
    return cast("LoadParams", made)


def computed_there(params: LoadParams, engine: str | None) -> LoadParams:
    """The same, once it is sure that the GPU which is asked for will be used.

    Raises `Unsupported` where it is not there, or the engine would leave it alone.
    """
    device = cast("str", params.get("device"))
    if device not in _GPUS:
        return params
    if engine == "onnx":
        hint = 'name a provider instead: `providers=["CUDAExecutionProvider"]`, and `device="cpu"`'
        raise Unsupported(f"device is {device!r}, which ONNX Runtime has as a provider", "unsupported", hint)
    if engine == "candle":
        hint = 'set `device="cpu"` for this engine, or take the model as GGUF, which llama.cpp runs'
        raise Unsupported(f"device is {device!r}, and candle computes on processors alone", "unsupported", hint)
    gpus = [it["name"] for it in _core.doctor().get("llama", {}).get("devices", ()) if it["kind"] == "gpu"]
    if not any(_core.device_of(gpu) == device for gpu in gpus):
        hint = f'use `device="auto"`; llama.cpp uses such a GPU in a build with the feature {_GPUS[device]}'
        found = ", ".join(gpus) or "none"
        raise Unsupported(f"device is {device!r}, and the GPUs that this build can use are: {found}", "no_device", hint)
    return params | {"device": "auto"}


def _flat(place: str, given: object) -> Iterator[tuple[str, Any]]:
    """Names and values, those of `session_options` among them."""
    if not isinstance(given, Mapping):
        raise invalid(place, given, "a mapping of names to values")
    for name, value in given.items():
        if name != _GRAPH:
            yield name, value
        elif isinstance(value, Mapping):
            for inner in value:
                if inner not in _OF_GRAPHS:
                    expected = f"some of {', '.join(sorted(_OF_GRAPHS))}"
                    raise invalid(f"a name in {place}.{_GRAPH}", inner, expected)
            yield from value.items()
        elif value is not None:
            raise invalid(f"{place}.{_GRAPH}", value, "a mapping of names to values")


def _meant(place: str, name: object, value: Any) -> dict[str, Any]:
    """What a setting means: a parameter of `trillm.load`, or none."""
    if not isinstance(name, str):
        raise invalid(f"a name in {place}", name, "a text")
    where = f"{place}.{name}"
    if name in ("verbose", "load_in_8bit", "load_in_4bit") and not isinstance(value, bool | None):
        raise invalid(where, value, "True or False")
    if name == "verbose":
        if value:
            hint = 'the program\'s own logging shows it: `logging.getLogger("trillm").setLevel(logging.DEBUG)`'
            raise Unsupported(f"{where} is True, and what engines say goes to Python's logging", "unsupported", hint)
        return {}
    if name in ("dtype", "torch_dtype"):
        if value is not None and not (isinstance(value, str) and value == "auto"):
            hint = "leave it out; `trillm convert --dtype` writes another type, `quantize` makes weights smaller"
            said = f"{where} is {shown(value)}, and weights have the type that their file has"
            raise Unsupported(said, "unsupported", hint)
        return {}
    ours = PEERS.get(name, name)
    if ours not in known("LoadParams"):
        snake = _snake(name)
        is_known = snake in _OWN or PEERS.get(snake, snake) in known("LoadParams")
        hint = f"did you mean {snake!r}?" if is_known else meant("LoadParams", snake)
        raise InvalidRequest(f"{place} has {name!r}, which is no setting of a model", "invalid_parameter", hint)
    if name.startswith("load_in_"):
        value = _QUANTIZED[name.removeprefix("load_in_")] if value else None
    if value is None or (ours == "threads" and isinstance(value, str) and value == "auto"):
        return {}
    if ours == "quantize" and isinstance(value, str):
        value = _QUANTIZED.get(value, value)
    if ours == "engine":
        value = engine_named(where, value)
    if ours == "device":
        value = device_named(where, value)
    return {ours: value}


def _snake(name: str) -> str:
    """`contextSize` as names are written here. It is not taken, for times in such configurations are milliseconds."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
