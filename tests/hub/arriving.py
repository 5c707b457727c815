"""What the tests of all sources share: a download to be made, what goes wrong with it, and what arrived."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from trillm._core import Manifest, Reference, Store
from trillm.errors import TrillmError
from trillm.hub import Options
from trillm.hub._job import Job
from trillm.hub._network.retries import limits
from trillm.hub._pull import pull
from web import Fault, Request, Web

ROUNDS = int(os.environ.get("TRILLM_ROUNDS", "2"))

FAULTS: dict[str, Callable[[Random, int], Fault]] = {
    "cut": lambda random, size: Fault(cut=random.randrange(-1, size)),
    "reset": lambda random, size: Fault(cut=random.randrange(-1, size), reset=True),
    "stall": lambda random, size: Fault(stall=random.randrange(-1, size)),
    "drip": lambda random, _: Fault(drip=random.uniform(0.001, 0.01)),
    "flip": lambda random, size: Fault(flip=random.randrange(size)),
    "longer": lambda random, size: Fault(longer=random.randrange(1, size)),
    "shorter": lambda random, size: Fault(longer=-random.randrange(1, size)),
    "whole": lambda _, __: Fault(whole=True),
    "chunked": lambda random, size: Fault(chunked=True, cut=random.choice([None, random.randrange(size)])),
    "packed": lambda _, __: Fault(packed=True),
    "etag": lambda random, _: Fault(headers={"ETag": f'"{random.random()}"'}),
    "no etag": lambda _, __: Fault(headers={"ETag": None, "X-Linked-Etag": None}),
    "range": lambda random, size: Fault(headers={"Content-Range": f"bytes {random.randrange(size)}-{size}/{size + 1}"}),
    "loop": lambda _, __: Fault(status=302, headers={"Location": ""}),
    "refusal": lambda random, _: Fault(status=random.choice([401, 403, 404, 416])),
    "busy": lambda random, _: Fault(status=random.choice([429, 503]), headers={"Retry-After": "0"}),
    "broken": lambda random, _: Fault(status=random.choice([500, 502, 504])),
}
"""What goes wrong at random places of a body of some size."""

BREAKS = {
    "cut before": Fault(cut=-1),
    "cut in": Fault(cut=10),
    "reset": Fault(cut=10, reset=True),
    "stalls": Fault(stall=10),
    "stalls before": Fault(stall=-1),
    "too long": Fault(longer=10),
    "429": Fault(status=429),
    "500": Fault(status=500),
    "503": Fault(status=503),
}
"""What a small answer shows to be broken by itself."""


def be_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives up sooner than is right for a network, so that tests are quick."""
    for name, value in {"backoff": 0.005, "stall": 0.2, "slowest": 1 << 20}.items():
        monkeypatch.setattr(limits, name, value)
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "0.2")


def arrives_or_says_why(fault: str, store: Store, reference: str, hosts: list[Web], expected: dict[str, bytes]) -> None:
    """Something goes wrong with a random request, or from then on with each: the right bytes arrive, or a typed error.

    Nothing wrong is visible, and once nothing goes wrong any more, it arrives.
    """
    for round_ in range(ROUNDS):
        random = Random(f"{fault} {round_}")
        made = FAULTS[fault](random, max(map(len, expected.values())))
        when, always = random.randrange(6), random.random() < 0.3
        seen: list[Request] = []

        def break_one(
            request: Request, made: Fault = made, when: int = when, always: bool = always, seen: list[Request] = seen
        ) -> Fault | None:
            seen.append(request)
            return made if len(seen) - 1 == when or (always and len(seen) > when) else None

        for host in hosts:
            host.faults = break_one
        with contextlib.suppress(TrillmError):
            assert content(pull(Job(store, Reference(reference), Options(retry_attempts=2)))) == expected
        for blob in (store.root / "blobs" / "sha256").iterdir():
            assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
        for host in hosts:
            host.break_next()
        # A connection that was kept may be one that stalls.
        assert content(pull(Job(store, Reference(reference), Options(retry_attempts=1)))) == expected
        store.remove(Reference(reference).text)


def job(store: Store, reference: str, **options: Any) -> Job:
    """A download that gives up at once."""
    return Job(store, Reference(reference), Options(retry_attempts=0, **options))


def with_odd_weights(graph: Path, folder: Path) -> Path:
    """A copy of a graph with weights in `model.onnx.data`, which it now calls by a name that says nothing."""
    odd = "odd/weights.bin"
    shutil.copytree(graph, folder)
    (folder / "odd").mkdir()
    (folder / "model.onnx.data").rename(folder / odd)
    model = folder / "model.onnx"
    model.write_bytes(model.read_bytes().replace(b"model.onnx.data", odd.encode()))
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    """What is in a folder and below it."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def content(manifest: Manifest) -> dict[str, bytes]:
    """What the store has under each name, checked against its own digests."""
    folder = manifest.path if manifest.path.is_dir() else manifest.path.parent
    found = {name: (folder / name).read_bytes() for name, _, _ in manifest.files}
    digests = {name: (hashlib.sha256(data).hexdigest(), len(data)) for name, data in found.items()}
    assert digests == {name: (digest, size) for name, digest, size in manifest.files}
    return found
