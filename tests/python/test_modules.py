"""Models of sentence-transformers whose parts lie anywhere: pulled and imported, their vectors stay the same."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trillm
from arriving import files_of
from hub_server import Hub
from huggingface_hub import constants, snapshot_download
from trillm._core import Store
from trillm.errors import ModelFormatError, ModelNotFound
from trillm.hub import fetch, import_model

from .graphs import write_graph
from .sentences import CASES, base, put_checkpoint, write

GOLDEN = json.loads((Path(__file__).parent / "sentences.json").read_text(encoding="utf-8"))

CASE = next(case for case in CASES if case.name == "dense-two")
"""A network, a Pooling, two Dense and a Normalize."""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    for name in ("HUGGINGFACE_TOKEN", "HF_TOKEN", "HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", "/nowhere")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    server = Hub()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    yield server
    server.close()


def usual(folder: Path) -> None:
    write(CASE, folder)


def renamed(folder: Path) -> None:
    """Parts in folders whose names say nothing, one of them deep."""
    write(CASE, folder)
    places = {"1_Pooling": "pooling", "2_Dense": "layers/dense", "3_Dense": "projection"}
    (folder / "layers").mkdir()
    text = (folder / "modules.json").read_text()
    for old, new in places.items():
        (folder / old).rename(folder / new)
        text = text.replace(f'"{old}"', f'"{new}"')
    (folder / "modules.json").write_text(text)


def old(folder: Path) -> None:
    """The network in a folder of its own, as the library wrote it once."""
    write(dataclasses.replace(CASE, path="0_Transformer"), folder)


def odd(folder: Path) -> None:
    """The same, in a folder that is called anything, with a part in PyTorch's format."""
    write(dataclasses.replace(CASE, path="encoder/net", saved="bin"), folder)


def beside_pytorch(folder: Path, older: bool = False) -> None:
    """A part in a format that is preferred to the network's."""
    renamed(folder)
    # Of 16 bits, those that are missing are zeros.
    wide = {
        name: ("F32", shape, b"".join(b"\0\0" + data[at : at + 2] for at in range(0, len(data), 2)))
        for name, (_, shape, data) in base(CASE.base)[1].items()
    }
    put_checkpoint(folder / "pytorch_model.bin", wide, turned=False, older=older)
    (folder / "model.safetensors").unlink()


def beside_older(folder: Path) -> None:
    """The same, with the network in the form before PyTorch 1.6, where nothing is aligned."""
    beside_pytorch(folder, older=True)


FORMS: list[Callable[[Path], None]] = [usual, renamed, old, odd, beside_pytorch, beside_older]


def check(path: Path) -> None:
    with trillm.load(str(path), threads=1) as model:
        vectors = model.embed(CASE.texts, normalize=False, **CASE.call)
    assert np.allclose(vectors, np.array(GOLDEN["vectors"][CASE.name], dtype=np.float32), atol=2e-5)


@pytest.mark.parametrize("form", FORMS)
def test_a_model_is_pulled_with_all_parts_that_it_lists(
    form: Callable[[Path], None], hub: Hub, store: Store, tmp_path: Path
) -> None:
    form(tmp_path / "model")
    check(tmp_path / "model")
    files = files_of(tmp_path / "model")
    hub.add("org/model", {**files, "README.md": b"a card", "other/config.json": b"{}"})
    assert files_of(fetch("hf:org/model", store=store)) == files


@pytest.mark.parametrize(("form", "network"), [(old, "0_Transformer"), (odd, "encoder/net"), (renamed, "")])
def test_the_words_of_a_model_are_where_its_network_is(
    form: Callable[[Path], None], network: str, tmp_path: Path
) -> None:
    form(tmp_path / "model")
    whole, part = trillm.Tokenizer(tmp_path / "model"), trillm.Tokenizer(tmp_path / "model" / network)
    ids = whole.encode("a dog sat on the mat")
    assert len(ids) > 5
    assert part.encode("a dog sat on the mat") == ids


@pytest.mark.parametrize("form", FORMS)
def test_a_model_is_imported_with_all_parts_that_it_lists(
    form: Callable[[Path], None], store: Store, tmp_path: Path
) -> None:
    form(tmp_path / "model")
    manifest, _ = import_model(tmp_path / "model", name="model", store=store)
    assert files_of(manifest.path) == files_of(tmp_path / "model")
    check(manifest.path)


@pytest.mark.parametrize("form", [usual, renamed])
def test_a_file_of_weights_is_imported_with_the_parts_beside_it(
    form: Callable[[Path], None], store: Store, tmp_path: Path
) -> None:
    form(tmp_path / "model")
    (tmp_path / "model" / "other").mkdir()
    (tmp_path / "model" / "other" / "config.json").write_text("{}")
    manifest, _ = import_model(tmp_path / "model" / "model.safetensors", name="model", store=store)
    assert "other/config.json" not in {name for name, _, _ in manifest.files}
    check(manifest.path)


@pytest.mark.parametrize("form", FORMS)
def test_offline_the_parts_come_from_the_cache_or_are_missed(
    form: Callable[[Path], None], hub: Hub, store: Store, tmp_path: Path
) -> None:
    form(tmp_path / "model")
    hub.add("org/model", files_of(tmp_path / "model"))
    snapshot = Path(snapshot_download("org/model", cache_dir=tmp_path / "hub", endpoint=hub.url, token=False))
    hub.close()
    listed = [module["path"] for module in json.loads((snapshot / "modules.json").read_text())]
    link = (snapshot / listed[2] / "config.json").readlink()
    (snapshot / listed[2] / "config.json").unlink()
    with pytest.raises(trillm.errors.DownloadError, match=f"^{listed[2]}/config.json is not on this machine"):
        fetch("hf:org/model", store=store, offline=True)
    (snapshot / listed[2] / "config.json").symlink_to(link)
    check(fetch("hf:org/model", store=store, offline=True))


@pytest.mark.parametrize("path", ["../model/1_Pooling", "/etc", "a/../../b", "C:\\x"])
def test_a_part_that_would_lie_elsewhere_is_refused(path: str, hub: Hub, store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    usual(folder)
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["path"] = path
    (folder / "modules.json").write_text(json.dumps(modules))
    hub.add("org/model", files_of(folder))
    calls: list[Callable[[], Any]] = [
        lambda: fetch("hf:org/model", store=store),
        lambda: import_model(folder, name="model", store=store),
        lambda: import_model(folder / "model.safetensors", name="model", store=store),
        lambda: trillm.load(str(folder)),
    ]
    for call in calls:
        with pytest.raises(
            ModelFormatError, match=r"the key path holds .*, expected a path below the folder"
        ) as caught:
            call()
        assert caught.value.code == "invalid_key"
    assert store.list() == ([], [])


def test_a_list_that_is_none_is_for_whoever_opens_the_model(hub: Hub, store: Store, tmp_path: Path) -> None:
    usual(tmp_path / "model")
    (tmp_path / "model" / "modules.json").write_text("no list")
    hub.add("org/model", files_of(tmp_path / "model"))
    path = fetch("hf:org/model", store=store)
    with pytest.raises(ModelFormatError, match=r"modules\.json"):
        trillm.load(str(path))


@pytest.mark.parametrize("form", [renamed, old])
def test_a_model_whose_parts_lie_anywhere_says_what_a_conversion_leaves_out(
    form: Callable[[Path], None], store: Store, tmp_path: Path
) -> None:
    """Wherever the parts lie, and wherever the model: the same words."""
    said = []
    usual(tmp_path / "usual")
    form(tmp_path / "model")
    manifest, _ = import_model(tmp_path / "model", name="model", store=store)
    for place in (tmp_path / "usual", tmp_path / "model", manifest.path):
        try:
            said.append(
                str(trillm._core.convert(place, tmp_path / "made.gguf", to="gguf", dtype="f32", overwrite=True))
            )
        except trillm.errors.TrillmError as error:
            said.append(str(error).replace(str(place), "here").replace("0_Transformer/", ""))
    assert said == [said[0]] * 3


def test_a_small_file_by_its_own_name_is_alone(hub: Hub, store: Store, tmp_path: Path) -> None:
    usual(tmp_path / "model")
    hub.add("org/model", files_of(tmp_path / "model"))
    assert fetch("hf:org/model:modules.json", store=store).name == "modules.json"
    with pytest.raises(ModelNotFound):
        fetch("hf:org/model:none.json", store=store)


def test_lists_of_other_models_do_not_matter(hub: Hub, store: Store, tmp_path: Path) -> None:
    """A repository of several models, each with its list."""
    renamed(tmp_path / "one")
    old(tmp_path / "two")
    files = {f"{place}/{name}": data for place in ("one", "two") for name, data in files_of(tmp_path / place).items()}
    hub.add("org/models", files)
    check(fetch("hf:org/models:one/model.safetensors", store=store))
    check(fetch("hf:org/models:two/0_Transformer/model.safetensors", store=store))
    check(fetch("hf:org/models:two/", store=store))
    shutil.rmtree(tmp_path / "two")


# Graphs, in a folder of their own below the rest.


def graph(folder: Path) -> None:
    """The network as a graph, in a folder `onnx`."""
    renamed(folder)
    write_graph(folder)
    (folder / "onnx").mkdir(exist_ok=True)
    for file in folder.glob("*.onnx*"):
        file.rename(folder / "onnx" / file.name)


def with_own_small_files(folder: Path) -> None:
    """The same, with tokenizer and configuration beside the graph, and those of something else above."""
    graph(folder)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.move(folder / name, folder / "onnx" / name)
    (folder / "generation_config.json").write_text('{"temperature": 0.1}')
    (folder / "merges.txt").write_text("of something else")


@pytest.mark.parametrize("place", ["", "onnx", "onnx/model.onnx", "onnx/../onnx/model.onnx"])
@pytest.mark.parametrize("form", [graph, with_own_small_files])
def test_a_graph_is_imported_with_what_loading_it_finds_above(
    form: Callable[[Path], None], place: str, store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    form(folder)
    (folder / "notes.txt").write_text("mine")
    check(folder / place)
    manifest, _ = import_model(folder / place, name="model", store=store)
    names = {name for name, _, _ in manifest.files}
    parts = {"pooling/config.json", "layers/dense/config.json", "layers/dense/model.safetensors"}
    assert {"model.onnx", "config.json", "tokenizer.json", "modules.json", *parts} <= names
    assert "notes.txt" not in names
    # Loading looks into one of both folders for the small files.
    assert place == "" or names.isdisjoint({"generation_config.json", "merges.txt"})
    check(manifest.path)


def test_a_graph_that_writes_is_imported_with_what_loading_it_finds_above(
    store: Store, tiny_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_onnx("grown"), tmp_path / "model")
    (folder / "onnx").mkdir()
    for file in folder.glob("*.onnx*"):
        file.rename(folder / "onnx" / file.name)
    (folder / "generation_config.json").write_text('{"temperature": 0.25}')
    (folder / "chat_template.jinja").write_text("{{ messages[0].content }}")
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "short.jinja").write_text("{{ messages[0].content }}")
    for number, place in enumerate([folder / "onnx", folder / "onnx" / "model.onnx", folder]):
        manifest, _ = import_model(place, name=f"m{number}", store=store)
        with trillm.load(str(place), threads=1) as there, trillm.load(str(manifest.path), threads=1) as here:
            assert here.info.defaults == there.info.defaults
            assert here.info.defaults["temperature"]["value"] == 0.25
            assert here.info.chat_templates == there.info.chat_templates
            assert "short" in here.info.chat_templates
            expected = there.generate("hello", max_tokens=4, temperature=0).token_ids
            assert here.generate("hello", max_tokens=4, temperature=0).token_ids == expected


def test_a_folder_is_imported_as_the_model_that_loading_it_takes(
    store: Store, tiny_folder: Path, tiny_model: Path, tiny_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    """Whatever format is preferred of a repository."""
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    shutil.copy(tiny_model, folder / "x-Q4_K_M.gguf")
    shutil.copytree(tiny_onnx("grown"), folder / "onnx")
    manifest, _ = import_model(folder, name="model", store=store)
    assert trillm._core.inspect(manifest.path).format == trillm._core.inspect(folder).format == "safetensors"
    graphs = shutil.copytree(tiny_onnx("grown"), tmp_path / "graphs")
    shutil.copy(graphs / "model.onnx", graphs / "model_q4.onnx")
    manifest, _ = import_model(graphs, name="graphs", store=store)
    assert {name for name, _, _ in manifest.files if name.endswith(".onnx")} == {"model.onnx"}
    (tmp_path / "several").mkdir()
    for name in ("x-Q8_0.gguf", "x-Q4_K_M.gguf"):
        shutil.copy(tiny_model, tmp_path / "several" / name)
    manifest, _ = import_model(tmp_path / "several", name="several", store=store)
    assert [name for name, _, _ in manifest.files] == ["x-Q4_K_M.gguf"]
