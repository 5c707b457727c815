"""A router's download that a task waits for and wants no more."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import trillm
from trillm._core import CHUNK, Store
from web import Fault, Request, Web


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> Iterator[Web]:
    """A server with a model, and more behind it than one chunk."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Web() as server:
        server.put("/model.gguf", padded(tiny_model), etag='"one"')
        yield server


def padded(model: Path) -> bytes:
    """What is behind the weights nobody reads."""
    return model.read_bytes() + bytes(2 * CHUNK)


def test_a_download_that_nobody_waits_for_ends_and_goes_on_the_next_time(
    web: Web, tiny_model: Path, tmp_path: Path
) -> None:
    whole = padded(tiny_model)
    reference = f"{web.url}/model.gguf#sha256={hashlib.sha256(whole).hexdigest()}"
    store = Store(tmp_path / "store")
    halted = True

    def stalls(request: Request) -> Fault | None:
        # The first chunk comes, and then nothing.
        return Fault(stall=5) if halted and not request.headers.get("Range", "").startswith("bytes=0-") else None

    web.faults = stalls

    async def main() -> None:
        nonlocal halted
        with trillm.LLMRouter(cache_directory=store.root, threads=1) as router:
            task = asyncio.create_task(router.aload_model(reference))
            while sum(request.sent for request in web.asked()) < CHUNK:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            while router.stats()["models"]:
                await asyncio.sleep(0.01)
            # Nothing of it counts as there.
            assert store.list() == ([], [])
            halted = False
            before = len(web.asked())
            model = await router.aload_model(reference)
            assert model.info.engine == "llama"
            again = [request.headers.get("Range", "") for request in web.asked()[before:]]
            assert any(wanted.startswith(f"bytes={CHUNK}-") for wanted in again), again

    asyncio.run(main())
