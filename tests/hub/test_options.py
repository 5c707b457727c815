"""What a user may set for downloads, in whatever form it is given, and what is said of what is wrong in it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import trillm
from trillm import hub
from trillm._core import Store
from trillm.errors import InvalidRequest
from trillm.hub import Options, Source


def test_options_may_be_a_mapping(tmp_path: Path, tiny_model: Path) -> None:
    given = {
        "sources": {"huggingface": {"base_url": "https://mirror.example", "token": "secret"}},
        "preferred_formats": ["onnx"],
        "retry_attempts": np.int64(1),
        "download_timeout": np.float32(2.5),
        "connections": None,
        "models_directory": str(tmp_path),
    }
    options = Options.of(MappingProxyType(given))
    assert options == Options(
        sources={"huggingface": Source("https://mirror.example", "secret")},
        preferred_formats=("onnx",),
        retry_attempts=1,
        download_timeout=2.5,
        models_directory=tmp_path,
    )
    assert Options.of(options) is options
    assert Options.of(None) == Options.of({}) == Options()
    assert hash(options.key) == hash(Options.of(given).key)
    assert pickle.loads(pickle.dumps(Source("https://mirror.example"))) == Source("https://mirror.example")
    (tmp_path / "own.gguf").write_bytes(tiny_model.read_bytes())
    with trillm.load("own", download={"models_directory": tmp_path}, threads=1) as llm:
        assert llm.info.path == str(tmp_path / "own.gguf")
    unset: list[Any] = [None, {}, Options()]
    for nothing in unset:
        trillm.load(tiny_model, download=nothing, threads=1).close()
        assert hub.fetch(str(tiny_model), options=nothing) == tiny_model


@pytest.mark.parametrize(
    ("hub_offline", "transformers_offline", "expected"),
    [
        (None, "1", True),
        ("", "1", True),
        ("0", "1", False),
        ("1", "0", True),
        ("no", "yes", False),
        ("True", None, True),
        ("y", None, False),
        (None, None, False),
    ],
)
def test_the_variable_of_the_hub_goes_before_that_of_transformers(
    monkeypatch: pytest.MonkeyPatch, hub_offline: str | None, transformers_offline: str | None, expected: bool
) -> None:
    """As `huggingface_hub` 2.4 and `transformers` 5.24 have it: `constants.HF_HUB_OFFLINE` under these settings."""
    for name, value in (("HF_HUB_OFFLINE", hub_offline), ("TRANSFORMERS_OFFLINE", transformers_offline)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert Options().no_network is expected
    assert Options(offline=True).no_network


@pytest.mark.parametrize("wrong", [5, "x", b"x", [], ["offline"], True, object(), Source(), {1: 2}])
def test_what_are_no_options_is_refused(tiny_model: Path, tmp_path: Path, wrong: Any) -> None:
    store = Store(tmp_path / "store")
    calls: list[Callable[[], object]] = [
        lambda: trillm.load(tiny_model, download=wrong),
        lambda: trillm.load(tiny_model, download=wrong, tokenizer=str(tiny_model)),
        lambda: hub.fetch(str(tiny_model), options=wrong),
        lambda: hub.resolve(str(tiny_model), options=wrong),
        lambda: hub.update("hf:a/b", options=wrong, store=store),
        lambda: hub.repair("hf:a/b", [], options=wrong, store=store),
    ]
    for call in calls:
        with pytest.raises(InvalidRequest, match=r"expected trillm\.hub\.Options, or a mapping"):
            call()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"sources": 5}, "sources of type int, expected a mapping of names to sources"),
        ({"sources": {"huggingface": "hf_secret"}}, "the source huggingface is of type str, expected trillm.hub.Sou"),
        ({"sources": {"huggingface": {"token": 5}}}, "token of a source for downloads is of type int, expected a text"),
        ({"sources": {5: {}}}, "a source named 5, expected one of huggingface, ollama"),
        ({"preferred_formats": "gguf"}, "preferred_formats 'gguf', expected a tuple of names"),
        ({"preferred_formats": 5}, "preferred_formats 5, expected a tuple of names"),
        ({"preferred_formats": ["ggml"]}, "preferred_formats with 'ggml', expected some of gguf"),
        ({"quantization_preference": [4]}, "quantization_preference with 4, expected some of Q4_K_M"),
        ({"retry_attempts": True}, "retry_attempts True, expected 0 to 100"),
        ({"retry_attempts": 2**70}, "retry_attempts 1180591620717411303424, expected 0 to 100"),
        ({"connections": "4"}, "connections '4', expected 1 to 64"),
        ({"download_timeout": "5"}, "download_timeout '5', expected seconds, more than 0"),
        ({"download_timeout": float("nan")}, "download_timeout nan, expected seconds, more than 0"),
        ({"download_timeout": 10**400}, "download_timeout 1000"),
        ({"models_directory": 5}, "models_directory 5, expected a path"),
        ({"models_directory": ""}, "models_directory '', expected a path"),
        ({"offline": "no"}, "offline 'no', expected True or False"),
        ({"retry_attempts": 10**5000}, "retry_attempts a number of thousands of digits, expected 0 to"),
        ({"download_timeout": -(10**5000)}, "download_timeout a number of thousands of digits, expected seconds"),
    ],
)
def test_values_that_mean_nothing(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(InvalidRequest):
        Options(**options)
    with pytest.raises(InvalidRequest) as caught:
        Options.of(options)
    assert expected in str(caught.value)
    assert "secret" not in str(caught.value)


LIBRARY: Any = trillm
"""Without its types, which refuse all of this."""


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda _: LIBRARY.hub.Options(retrys=3), "'retrys': did you mean 'retry_attempts'?"),
        (lambda _: LIBRARY.hub.Options(timeout=3), "'timeout': did you mean 'download_timeout'?"),
        (lambda _: Options.of({"retry_atempts": 3}), "'retry_atempts': did you mean 'retry_attempts'?"),
        (lambda _: LIBRARY.hub.Options(nonsense=3), "'nonsense': there are sources, preferred_formats, "),
        (lambda _: LIBRARY.hub.Source(url="x"), "'url': did you mean 'base_url'?"),
        (lambda _: LIBRARY.hub.Options(sources={"huggingface": {"tokn": "x"}}), "'tokn': did you mean 'token'?"),
        (lambda _: LIBRARY.hub.fetch("x", optons={}), "'optons': did you mean 'options'?"),
        (lambda _: LIBRARY.hub.resolve("x", progres=print), "'progres': did you mean 'progress'?"),
        (lambda _: LIBRARY.hub.update("x", stor=None), "'stor': did you mean 'store'?"),
        (lambda _: LIBRARY.hub.repair("x", [], option=None), "'option': did you mean 'options'?"),
        (lambda _: LIBRARY.hub.import_model("x", nme="y"), "'nme': did you mean 'name'?"),
        (lambda _: LIBRARY.hub.publish(None, None, cachedir="y"), "'cachedir': did you mean 'cache_dir'?"),
        (lambda _: LIBRARY.hub.available(models_dir="y"), "'models_dir': did you mean 'models_directory'?"),
        (lambda path: LIBRARY.load(path, downlod={}), "'downlod': did you mean 'download'?"),
        (lambda path: LIBRARY.load(path, offline=True), "'offline': 'offline' is one of trillm.hub.Options: downl"),
        (lambda path: LIBRARY.Model(path, download={}), "'download': 'download' is one of trillm.load, for names"),
        (lambda _: LIBRARY.LLMRouter(cache_dir="x"), "'cache_dir': did you mean 'cache_directory'?"),
        (lambda _: LIBRARY.LLMRouter(retries=1), "'retries': did you mean 'retry_attempts'?"),
    ],
)
def test_a_misspelt_name_is_told_the_one_that_was_meant(
    tiny_model: Path, call: Callable[[Path], object], expected: str
) -> None:
    with pytest.raises(TypeError) as caught:
        call(tiny_model)
    assert str(caught.value).startswith(f"unexpected keyword argument {expected}")
