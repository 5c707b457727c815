"""Processes that die, disks that fail, and crowds: the store stays right, and what had arrived is not fetched again.

`TRILLM_ROUNDS=1000` makes it a soak.
"""

from __future__ import annotations

import errno
import hashlib
import os
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import Hub
from pullers import Outcome, Pullers, pullers, shim
from trillm._core import CHUNK, Store

ROUNDS = int(os.environ.get("TRILLM_ROUNDS", "0"))

REFERENCE = "hf:org/tiny:model.safetensors"

WEIGHTS = random.Random(1).randbytes(9 * CHUNK + 12345)
"""Enough for several connections."""

FILES = {"config.json": b'{"model_type": "llama"}', "tokenizer.json": b"{}", "model.safetensors": WEIGHTS}

CONNECTIONS = 4


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    server = Hub()
    server.add("org/tiny", FILES)
    yield server
    server.close()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="module")
def parent(hub: Hub, library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pullers]:
    with pullers(_environment(hub, tmp_path_factory.mktemp("home")), library) as started:
        yield started


def _environment(hub: Hub, home: Path) -> dict[str, str]:
    """A user with nothing on this machine."""
    return {
        **dict.fromkeys(("HUGGINGFACE_TOKEN", "HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HTTP_PROXY"), ""),
        "HF_TOKEN_PATH": "/nowhere",
        "HF_ENDPOINT": hub.url,
        "NO_PROXY": "127.0.0.1",
        "HOME": str(home),
        "HF_HOME": str(home / "hf"),
        "OLLAMA_MODELS": str(home / "ollama"),
    }


def _order(store: Path, **more: object) -> dict[str, object]:
    options = {"retry_attempts": 0, "connections": CONNECTIONS}
    return {"reference": REFERENCE, "store": str(store), "options": options, **more}


def _left(root: Path) -> int:
    """Bytes of the weights that are still to come, as the journal of the last attempt says."""
    if Store(root).has(_digest(), len(WEIGHTS)):
        return 0
    sizes = {index: len(WEIGHTS[index * CHUNK : (index + 1) * CHUNK]) for index in range(-(-len(WEIGHTS) // CHUNK))}
    for journal in root.glob("partials/*/*/journal"):
        header, *lines = journal.read_text().split("\n")
        if f'"size":{len(WEIGHTS)}' in header:
            # What follows the last line break was cut.
            for line in lines[:-1]:
                sizes.pop(int(line.split()[0]), None)
    return sum(sizes.values())


def _blobs_are_right(root: Path) -> None:
    """Whatever happened: all that is visible is right."""
    store = Store(root)
    models, problems = store.list()
    assert problems == []
    for model in models:
        assert store.verify(model.reference) == []


def _sent(hub: Hub) -> int:
    """Bytes of large files sent so far. The server may still be sending to one that died."""
    before = -1
    while before != hub.storage.sent:
        before = hub.storage.sent
        time.sleep(0.05)
    return before


def _goes_on(parent: Pullers, hub: Hub, root: Path) -> None:
    """A new pull succeeds, and fetches nothing that was there."""
    left = _left(root)
    before = _sent(hub)
    again = parent.pull(**_order(root))
    assert again.code == 0, again
    assert (Path(again.said["path"]) / "model.safetensors").read_bytes() == WEIGHTS, again
    assert _sent(hub) - before == left
    _blobs_are_right(root)
    # A journal may stay of one that was killed after its data became the blob; a collection takes it.
    assert not list(root.glob("partials/*/*/data"))


def _digest() -> str:
    return hashlib.sha256(WEIGHTS).hexdigest()


@pytest.fixture(scope="module")
def operations(parent: Pullers, tmp_path_factory: pytest.TempPathFactory) -> int:
    """File operations of one whole pull."""
    whole = parent.pull(**_order(tmp_path_factory.mktemp("whole"), at=10**9))
    assert "path" in whole.said, whole
    count = int(whole.said["operations"])
    assert count > 100
    return count


@pytest.mark.timeout(3600)
def test_a_process_may_be_killed_at_any_file_operation(
    parent: Pullers, hub: Hub, operations: int, tmp_path: Path
) -> None:
    draw = random.Random(ROUNDS)
    killed = 0
    for _ in range(ROUNDS or 16):
        root = tmp_path / "store"
        # Again and again, until it gets through: each time a little further.
        for _ in range(draw.randint(1, 3)):
            outcome = parent.pull(**_order(root, at=draw.randint(1, operations)))
            killed += outcome.code == -9
            assert outcome.code == -9 or "path" in outcome.said, outcome
            _blobs_are_right(root)
        _goes_on(parent, hub, root)
        shutil.rmtree(root)
    assert killed > (ROUNDS or 16) // 2


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("stays", [True, False])
def test_any_file_operation_may_fail(
    parent: Pullers, hub: Hub, operations: int, tmp_path: Path, *, error: int, stays: bool
) -> None:
    draw = random.Random(error * 2 + stays)
    for _ in range(ROUNDS // 4 or 6):
        root = tmp_path / "store"
        at = draw.randint(1, operations)
        outcome = parent.pull(**_order(root, at=at, error=error, stays=int(stays)))
        assert outcome.code == 0, outcome
        # Some operations are only for convenience, and may fail.
        assert "path" in outcome.said or _is_typed(outcome, full=error == errno.ENOSPC), (at, outcome)
        _blobs_are_right(root)
        _goes_on(parent, hub, root)
        shutil.rmtree(root)


def _is_typed(outcome: Outcome, *, full: bool) -> bool:
    kind, code, _ = outcome.said["error"]
    return kind == "StoreError" and code in ({"disk_full"} if full else {"store_io"})


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("locks", [True, False], ids=["", "with file locks that everyone gets"])
def test_a_crowd_downloads_once(
    hub: Hub, library: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, locks: bool
) -> None:
    environment = _environment(hub, tmp_path_factory.mktemp("home"))
    with pullers(environment, library, locks=locks) as parent:
        for _ in range((ROUNDS and 20) or 1):
            root = tmp_path / "store"
            before = hub.storage.sent
            outcomes = parent.pull_together([_order(root)] * 32)
            assert all("path" in outcome.said for outcome in outcomes), outcomes
            assert hub.storage.sent - before <= 1.1 * len(WEIGHTS)
            _blobs_are_right(root)
            shutil.rmtree(root)
