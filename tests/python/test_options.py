"""A router's options: where they come from, what they may be, and what a model is loaded with by them."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trillm
from trillm._options import APPLIES, RouterOptions
from trillm.errors import InvalidRequest, TrillmError, Unsupported
from trillm.hub import Source


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRILLM_CONFIG", "LOCAL_MODELS_DIR", "LOCAL_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


# Where they come from.


def test_what_nobody_says_is_the_default() -> None:
    options = RouterOptions.of({})
    assert (options.response_cache, options.preferred) == (0, None)
    assert options.limits() == {"models": 3, "size": None, "idle": 300.0, "patience": 60.0, "pressure": True}
    assert options.load_params({}, engine="llama") == {"engine": "llama"}
    assert options.load_params({}, engine=None) == {}
    hub = options.hub()
    assert hub == trillm.hub.Options()
    assert (hub.offline, hub.retry_attempts, hub.parallel_downloads) == (False, 3, 2)
    assert (options.cache_directory, options.models_directory) == (None, None)


TOML = """
models_directory = "models"
cache_directory = "/var/cache/models"
download_on_demand = false
default_engine = "node-llama-cpp"
device = "cpu"
threads = 2
cache_size = "4GB"
max_models_loaded = 5
unload_idle_time = 12.5
unload_under_pressure = false
room_timeout = 7
response_cache = "64 MiB"
batch_size = 3
context_length = 256
preferred_formats = ["onnx"]
quantization_preference = ["Q8_0"]
download_timeout = 9
retry_attempts = 1
parallel_downloads = 4

[engines.node-llama-cpp]
use_mlock = true

[engines.onnx.session_options]
graph_optimization_level = "basic"

[download_sources.huggingface]
base_url = "https://hub.example"
token = "hf_secret"
"""


@pytest.mark.parametrize("ending", ["toml", "json"])
@pytest.mark.parametrize("by", ["argument", "variable", "mapping"])
def test_a_configuration_says_any_of_them(
    ending: str, by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tomllib

    said = tomllib.loads(TOML)
    assert said.keys() == {each.name for each in fields(RouterOptions)}
    file = written(tmp_path / f"router.{ending}", TOML if ending == "toml" else json.dumps(said))
    if by == "variable":
        monkeypatch.setenv("TRILLM_CONFIG", str(file))
    options = RouterOptions.of({}, {"argument": file, "variable": None, "mapping": said}[by])
    folder = Path("models") if by == "mapping" else tmp_path / "models"
    assert (options.models_directory, options.cache_directory) == (folder, Path("/var/cache/models"))
    assert options.limits() == {"models": 5, "size": 4 * 10**9, "idle": 12.5, "patience": 7.0, "pressure": False}
    assert (options.response_cache, options.preferred) == (64 << 20, "llama")
    hub = options.hub()
    assert (hub.models_directory, hub.offline) == (folder, True)
    assert (hub.preferred_formats, hub.quantization_preference) == (("onnx",), ("Q8_0",))
    assert (hub.download_timeout, hub.retry_attempts, hub.parallel_downloads) == (9.0, 1, 4)
    assert hub.source("huggingface") == Source("https://hub.example", "hf_secret")
    assert "hf_secret" not in repr(options)
    everywhere = {"device": "cpu", "threads": 2, "parallel": 3, "context": 256}
    assert options.load_params({}, engine="llama") == {"engine": "llama", "mlock": True} | everywhere
    assert (
        options.load_params({}, engine="onnx")
        == {
            "engine": "onnx",
            "graph_optimization_level": "basic",
        }
        | everywhere
    )


def test_arguments_go_before_a_file_and_that_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = written(tmp_path / "variable.toml", "threads = 1\nmax_models_loaded = 1")
    file = written(tmp_path / "file.toml", "threads = 2\nmax_models_loaded = 2")
    monkeypatch.setenv("TRILLM_CONFIG", str(variable))
    assert RouterOptions.of({}).threads == 1
    options = RouterOptions.of({"threads": 3, "max_models_loaded": None}, file)
    assert (options.threads, options.max_models_loaded) == (3, 2)
    monkeypatch.setenv("TRILLM_CONFIG", "")
    assert RouterOptions.of({}).threads == "auto"
    # What the environment says of folders is read where they are needed.
    (tmp_path / "tiny.gguf").touch()
    monkeypatch.setenv("LOCAL_MODELS_DIR", str(tmp_path))
    hub = RouterOptions.of({}).hub()
    assert trillm.hub.resolve("tiny.gguf", options=hub).path == tmp_path / "tiny.gguf"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.toml", "threads = ", r"a\.toml' is not valid TOML"),
        ("a.toml", "threads = 1\nthreads = 2", r"a\.toml' is not valid TOML"),
        ("a.json", "{", r"a\.json' is not valid JSON"),
        ("a.json", '{"threads": 1, "threads": 2}', r"a\.json' is not valid JSON: 'threads' is there twice"),
        ("a.json", "[1]", r"a\.json' is a list, expected names and values"),
        ("a.json", "[" * 100_000, r"a\.json' is not valid JSON"),
        ("a.yaml", "threads: 1", r"a\.yaml' ends in '\.yaml', expected \.toml or \.json"),
        ("a.json", " " * (1 << 20) + "{}", r"a\.json' has more than 1048576 bytes, expected a configuration"),
        ("a.toml", "threads = 0", r"a\.toml': threads is 0, expected a whole number, 1 to 512$"),
        ("a.toml", "engines.torch.threads = 'x'", r"a\.toml': engines\.torch\.threads is 'x', expected a whole"),
        ("a.toml", "engines.torch.dtype = 'float16'", r"a\.toml': engines\.torch\.dtype is 'float16', and weights"),
        ("a.toml", "download_sources.github.token = 'x'", r"a\.toml': .* a source named 'github', expected one of"),
        ("a.toml", "[download_sources.ollama]\nbaseURL = 'x'", r"a\.toml': .*'baseURL': did you mean 'base_url'\?"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_wrong_in_a_file_names_the_file_and_the_key(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises((InvalidRequest, Unsupported), match=said):
        RouterOptions.of({}, written(tmp_path / name, text))


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidRequest, match=r"none\.toml' cannot be read: No such file") as caught:
        RouterOptions.of({}, tmp_path / "none.toml")
    assert caught.value.hint
    assert "TRILLM_CONFIG" in caught.value.hint
    (tmp_path / "folder.json").mkdir()
    monkeypatch.setenv("TRILLM_CONFIG", str(tmp_path / "folder.json"))
    with pytest.raises(InvalidRequest, match=r"folder\.json' cannot be read: Is a directory"):
        RouterOptions.of({})
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    with pytest.raises(InvalidRequest, match=r"latin\.toml' is not UTF-8 text: byte 5 is 0xe9"):
        RouterOptions.of({}, tmp_path / "latin.toml")
    wrong: Any = 5
    with pytest.raises(InvalidRequest, match="config is 5, expected the path of a TOML or JSON file, or a mapping"):
        RouterOptions.of({}, wrong)


def test_what_is_no_option_names_the_one_that_is_meant() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'max_model_loaded': did you mean 'max_models_"):
        RouterOptions.of({"max_model_loaded": 1})
    with pytest.raises(TypeError, match="unexpected keyword argument 'thread': did you mean 'threads'"):
        RouterOptions.of({}).changed(thread=1)
    for name, meant in [
        ("thread", "did you mean 'threads'?"),
        ("modelsDirectory", "did you mean 'models_directory'?"),
        # The one that is in other units there.
        ("unloadIdleTime", "did you mean 'unload_idle_time'? It is in seconds."),
        ("downloadTimeout", "did you mean 'download_timeout'? It is in seconds."),
    ]:
        with pytest.raises(InvalidRequest, match=f"config has '{name}', which is no option") as caught:
            RouterOptions.of({}, {name: 300_000})
        assert caught.value.hint == meant


# What they may be.


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("4GB", 4 * 10**9),
        ("4 gb", 4 * 10**9),
        ("512 MiB", 512 * 2**20),
        ("1.5GiB", 3 * 2**29),
        ("4096", 4096),
        ("1 B", 1),
        (2**40, 2**40),
        (np.int64(7), 7),
        ("unlimited", None),
    ],
)
def test_sizes(text: object, count: int | None) -> None:
    assert RouterOptions.of({"cache_size": text}).limits()["size"] == count


@pytest.mark.parametrize(("given", "seconds"), [(0, 0.0), (1.5, 1.5), ("never", math.inf), (math.inf, math.inf)])
def test_times_until_a_model_goes(given: object, seconds: float) -> None:
    assert RouterOptions.of({"unload_idle_time": given}).limits()["idle"] == seconds


def test_any_number_of_models() -> None:
    options = RouterOptions.of({"max_models_loaded": "unlimited"})
    assert options.limits()["models"] is None
    # Also when something else changes.
    assert options.changed(threads=2).limits()["models"] is None
    assert options.changed(max_models_loaded=2).limits()["models"] == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"threads": 513}, r"^threads is 513, expected 1 to 512$"),
        ({"threads": True}, r"^threads is True, expected a whole number, 1 to 512$"),
        ({"threads": "two"}, r"^threads is 'two', expected a whole number"),
        ({"batch_size": 0}, r"^batch_size is 0, expected a whole number, 1 to 256$"),
        ({"context_length": "4k"}, r"^context_length is '4k', expected a whole number, 1 to 1073741824$"),
        ({"device": "gpu"}, r"^device is 'gpu', expected auto, cpu, cuda, mps$"),
        ({"device": ["cpu"]}, r"^device is \['cpu'\], expected auto"),
        ({"default_engine": "vllm"}, r"^default_engine is 'vllm', expected auto, llama, candle, onnx, ggml, node-"),
        ({"cache_size": "4 Gb/s"}, r"^cache_size is '4 Gb/s', expected bytes, 1 or more: .* \"4GB\""),
        ({"cache_size": 0}, r"^cache_size is 0, expected bytes"),
        ({"cache_size": 4.5}, r"^cache_size is 4\.5, expected bytes"),
        ({"response_cache": "unlimited"}, r"^response_cache is 'unlimited', expected bytes, 1 or more: .* or \"off\"$"),
        ({"response_cache": True}, r"^response_cache is True, expected bytes"),
        ({"response_cache": -1}, r"^response_cache is -1, expected bytes"),
        ({"max_models_loaded": 0}, r"^max_models_loaded is 0, expected a whole number, 1 or more, or \"unlimited\"$"),
        ({"unload_idle_time": -1}, r"^unload_idle_time is -1, expected seconds, 0 or more, or \"never\"$"),
        ({"unload_idle_time": math.nan}, r"^unload_idle_time is nan, expected seconds"),
        ({"unload_under_pressure": 1}, r"^unload_under_pressure is 1, expected True or False$"),
        ({"room_timeout": "never"}, r"^room_timeout is 'never', expected seconds, 0 or more$"),
        ({"download_on_demand": "yes"}, r"^download_on_demand is 'yes', expected True or False$"),
        ({"models_directory": 5}, r"^models_directory is 5, expected a path$"),
        ({"cache_directory": ""}, r"^cache_directory is '', expected a path$"),
        ({"retry_attempts": -1}, r"retry_attempts -1, expected 0 to 100"),
        ({"preferred_formats": ["zip"]}, r"preferred_formats with 'zip', expected some of"),
        ({"engines": ["llama"]}, r"^engines is \['llama'\], expected a mapping of engines to their settings$"),
        ({"engines": {"vllm": {}}}, r"^a name in engines is 'vllm', expected auto, llama"),
        ({"engines": {"ggml": {}, "llama": {}}}, r"^a name in engines is 'llama', expected each engine once$"),
        ({"engines": {"llama": 5}}, r"^engines\.llama is 5, expected a mapping of names to values$"),
        ({"engines": {"ggml": {"use_mmap": 2}}}, r"^engines\.ggml\.use_mmap is 2, expected True or False$"),
        ({"engines": {"llama": {5: 2}}}, r"^a name in engines\.llama is 5, expected a text$"),
        (
            {"engines": {"llama": {"batch": 8, "batch_size": 9}}},
            r"^engines\.llama\.batch_size is 9, expected what engines\.llama\.batch says, which means the same$",
        ),
        ({"engines": {"onnx": {"session_options": 1}}}, r"^engines\.onnx\.session_options is 1, expected a mapping"),
        (
            {"engines": {"onnx": {"session_options": {"mlock": True}}}},
            r"^a name in engines\.onnx\.session_options is 'mlock', expected some of execution_mode, graph_",
        ),
        ({"engines": {"torch": {"load_in_8bit": "yes"}}}, r"^engines\.torch\.load_in_8bit is 'yes', expected True or"),
        ({"engines": {"torch": {"quantization": "3bit"}}}, r"^engines\.torch\.quantization is .*3bit.*, expected q8_0"),
        ({"engines": {"llama": {"engine": "onnx"}}}, r"^engines\.llama\.engine is 'onnx', expected none"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_wrong_value_says_what_was_expected(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said) as caught:
        RouterOptions.of(given)
    assert caught.value.code == "invalid_parameter"


def test_a_number_that_python_does_not_write_is_refused_too() -> None:
    for name in ("cache_size", "response_cache", "max_models_loaded", "unload_idle_time"):
        with pytest.raises(InvalidRequest, match=f"^{name} is a number of thousands of digits, expected"):
            RouterOptions.of({name: 10**5000})


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("contextSize", "did you mean 'context_size'?"),
        ("useMlock", "did you mean 'use_mlock'?"),
        ("sessionOptions", "did you mean 'session_options'?"),
        ("use_mlok", "did you mean 'mlock'?"),
        ("temperature", "'temperature' is one of generate and chat"),
    ],
)
def test_what_is_no_setting_names_the_one_that_is_meant(name: str, hint: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: RouterOptions.of({"engines": {"llama": {name: 1}}}),
        lambda: RouterOptions.of({}).load_params({name: 1}, engine="llama"),
    ]
    for call in calls:
        with pytest.raises(InvalidRequest, match=rf"(engines\.llama|settings) has '{name}', which is no setting") as it:
            call()
        assert it.value.hint == hint


# What models are loaded with.


def test_the_settings_of_a_model_go_before_those_of_its_engine_and_of_all() -> None:
    options = RouterOptions.of(
        {
            "threads": 1,
            "context_length": 1024,
            "batch_size": 2,
            "engines": {"ggml": {"threads": 2, "context_size": 2048, "use_mmap": False, "batch_size": 64}},
        }
    )
    assert options.load_params({"n_ctx": 512, "parallel": 5}, engine="node-llama-cpp") == {
        "engine": "llama",
        "threads": 2,
        "context": 512,
        "parallel": 5,
        "batch": 64,
        "mmap": False,
    }
    everywhere = {"threads": 1, "context": 1024, "parallel": 2}
    assert options.load_params({}, engine="candle") == {"engine": "candle"} | everywhere
    # Which engine it is may be said by the model's own settings.
    assert options.load_params({"engine": "ggml"}, engine=None)["batch"] == 64
    assert options.load_params({"threads": "auto"}, engine=None) == everywhere
    with pytest.raises(InvalidRequest, match=r"settings\.engine is 'torch', expected llama, which runs the model"):
        options.load_params({"engine": "torch"}, engine="llama")


def test_who_says_one_of_two_opposites_has_said_both() -> None:
    options = RouterOptions.of({"device": "cpu", "engines": {"llama": {"mmap": True}}})
    assert options.load_params({"copy": True, "gpu_layers": 4}, engine="llama") == {
        "engine": "llama",
        "copy": True,
        "gpu_layers": 4,
    }
    for settings in ({"copy": True, "mmap": True}, {"device": "cpu", "gpu_layers": 1}):
        with pytest.raises(InvalidRequest, match=r"^settings\.(copy|gpu_layers) is (True|1), expected"):
            options.load_params(settings, engine="llama")


def test_each_call_gives_parameters_of_its_own() -> None:
    options = RouterOptions.of({"engines": {"llama": {"lora": []}}})
    options.load_params({}, engine="llama")["threads"] = 7
    assert options.load_params({}, engine="llama") == {"engine": "llama", "lora": []}


def test_a_context_for_all_is_no_longer_than_a_model_was_trained_for() -> None:
    options = RouterOptions.of({"context_length": 8192})
    assert options.load_params({}, engine="candle", trained=512)["context"] == 512
    assert options.load_params({}, engine="candle", trained=32768)["context"] == 8192
    assert options.load_params({"context": 1024}, engine="candle", trained=512)["context"] == 1024


def test_the_names_of_other_programs_load_what_ours_do(tiny_model: Path, write_model: Any, tmp_path: Path) -> None:
    options = RouterOptions.of(
        {
            "threads": 1,
            "engines": {
                "node-llama-cpp": {"use_mmap": False, "use_mlock": False, "verbose": False, "context_size": 300},
                "torch": {"load_in_8bit": True, "dtype": "auto", "torch_dtype": "auto"},
            },
        }
    )
    with trillm.load(tiny_model, **options.load_params({"batch_size": 64}, engine="ggml")) as model:
        assert model.context == 300
        assert "mapped" not in model.info.weights
    shape = ("--layers", "2", "--width", "256", "--heads", "4", "--kv-heads", "2", "--feed-forward", "512")
    write_model("tiny", tmp_path, "--format", "huggingface", *shape)
    for settings, kind in [({}, "q8_0"), ({"quantization": "4bit"}, "q4_k"), ({"quantize": "q8_0"}, "q8_0")]:
        with trillm.load(tmp_path, **options.load_params(settings, engine="torch")) as model:
            assert model.info.quantization == f"F32 quantized to {kind}"


def test_session_options_are_those_of_onnx_runtime(tiny_onnx: Callable[..., Path]) -> None:
    options = RouterOptions.of(
        {
            "engines": {
                "onnx": {
                    "providers": ["CPUExecutionProvider"],
                    "session_options": {
                        "execution_mode": "sequential",
                        "graph_optimization_level": "all",
                        "intra_op_num_threads": 1,
                    },
                }
            }
        }
    )
    params = options.load_params({}, engine="onnx")
    assert params == {
        "engine": "onnx",
        "providers": ["CPUExecutionProvider"],
        "execution_mode": "sequential",
        "graph_optimization_level": "all",
        "threads": 1,
    }
    with trillm.load(tiny_onnx("grown"), **params) as model:
        assert model.generate("the", max_tokens=2, ignore_eos=True).usage.completion_tokens == 2
    missing = options.load_params({"providers": ["NoSuchProvider"]}, engine="onnx")
    with pytest.raises(Unsupported, match="NoSuchProvider"):
        trillm.load(tiny_onnx("grown"), **missing)
    with pytest.raises(InvalidRequest, match=r"settings\.execution_mode is .*random.*, expected sequential or"):
        options.load_params({"session_options": {"execution_mode": "random"}}, engine="onnx")


@pytest.mark.parametrize(
    ("settings", "engine", "said", "hint"),
    [
        ({"torch_dtype": "float16"}, "torch", "weights have the type that their file has", "trillm convert --dtype"),
        ({"dtype": "float16"}, None, "weights have the type that their file has", "`quantize`"),
        ({"verbose": True}, "llama", "what engines say goes to Python's logging", "setLevel"),
        ({"device": "cuda"}, "candle", "candle computes on processors alone", '`device="cpu"`'),
        ({"device": "cuda"}, "onnx", "ONNX Runtime has as a provider", "CUDAExecutionProvider"),
    ],
)
def test_what_cannot_be_done_says_what_to_do(
    settings: dict[str, Any], engine: str | None, said: str, hint: str
) -> None:
    with pytest.raises(Unsupported, match=said) as caught:
        RouterOptions.of({}).load_params(settings, engine=engine)
    assert caught.value.hint
    assert hint in caught.value.hint


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_gpu_that_is_not_there_is_an_error(device: str) -> None:
    here = {trillm._core.device_of(it.name) for it in trillm.HardwareProfile.detect().devices}
    options = RouterOptions.of({"device": device})
    if device in here:
        assert options.load_params({}, engine="llama")["device"] == "auto"
        return
    with pytest.raises(Unsupported, match=f"^device is '{device}', and the GPUs that this build can use are: ") as it:
        options.load_params({}, engine="llama")
    assert it.value.code == "no_device"
    assert options.load_params({"device": "cpu"}, engine="llama")["device"] == "cpu"


def test_the_example_of_other_programs_is_taken_but_for_what_nobody_could_do() -> None:
    engines: dict[str, dict[str, Any]] = {
        "node-llama-cpp": {"threads": 8, "use_mlock": True, "use_mmap": True, "verbose": False},
        "onnx": {
            "providers": ["CPUExecutionProvider"],
            "session_options": {"execution_mode": "sequential", "graph_optimization_level": "all"},
        },
        "torch": {"device": "cpu", "quantization": "8bit"},
    }
    options = RouterOptions.of({"engines": engines, "default_engine": "torch"})
    assert options.load_params({}, engine="llama") == {"engine": "llama", "threads": 8, "mlock": True, "mmap": True}
    assert options.load_params({}, engine="torch") == {"engine": "candle", "device": "cpu", "quantize": "q8_0"}
    engines["torch"]["dtype"] = "float16"
    with pytest.raises(Unsupported, match=r"^engines\.torch\.dtype is 'float16'"):
        RouterOptions.of({"engines": engines})


def test_the_engine_that_is_preferred_decides_between_formats() -> None:
    def formats(**given: Any) -> tuple[str, ...]:
        return RouterOptions.of(given).hub().preferred_formats

    assert formats() == formats(default_engine="auto") == ("gguf", "onnx", "safetensors", "pytorch")
    assert formats(default_engine="torch") == ("safetensors", "pytorch", "gguf", "onnx")
    assert formats(default_engine="onnx") == ("onnx", "gguf", "safetensors", "pytorch")
    assert formats(default_engine="torch", preferred_formats=["onnx"]) == ("onnx",)


# What changes.


def test_every_option_says_when_a_change_applies() -> None:
    assert list(APPLIES) == [each.name for each in fields(RouterOptions)]
    assert {name for name, when in APPLIES.items() if when == "at once"} == {
        "cache_size",
        "max_models_loaded",
        "unload_idle_time",
        "unload_under_pressure",
        "room_timeout",
        "response_cache",
    }


def test_changed_options_are_others_and_checked() -> None:
    options = RouterOptions.of({"threads": 2, "engines": {"ggml": {"threads": 1}}, "cache_directory": "/a"})
    assert options.changed(response_cache="off").response_cache == 0
    made = options.changed(threads="auto", cache_size="1GB", device=None)
    assert (made.threads, made.limits()["size"], made.device) == ("auto", 10**9, "auto")
    assert (options.threads, options.cache_size) == (2, None)
    assert made.load_params({}, engine="llama")["threads"] == 1
    with pytest.raises(InvalidRequest, match="threads is 0"):
        options.changed(threads=0)
    assert options.changed(cache_directory="/a") == options
    with pytest.raises(InvalidRequest, match="cache_directory cannot change while a router runs") as caught:
        options.changed(cache_directory="/b")
    assert caught.value.hint
    with pytest.raises(AttributeError):
        options.threads = 3  # type: ignore[misc]


def test_a_home_is_a_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert RouterOptions.of({"models_directory": "~/models"}).models_directory == tmp_path / "models"
    file = written(tmp_path / "router.toml", 'models_directory = "~/models"\ncache_directory = "../cache"')
    options = RouterOptions.of({}, file)
    assert options.models_directory == tmp_path / "models"
    assert options.cache_directory is not None
    assert os.path.normpath(options.cache_directory) == str(tmp_path.parent / "cache")
    with pytest.raises(TrillmError, match="a lone surrogate at index"):
        RouterOptions.of({"cache_directory": "/\ud800"})
