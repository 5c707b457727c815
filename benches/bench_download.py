"""A download of one gibibyte from this machine, against curl and huggingface_hub; what verifying costs; memory."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from models import MADE
from protocol import Comparison, compare
from worker_web import COMMIT

SIZE = 1 << 30

HERE = Path(__file__).parent


class _Worker:
    """One who downloads, in a process that has imported what it needs."""

    def __init__(self, stack: ExitStack, who: str, url: str, sha256: str) -> None:
        folder = MADE / "download" / who
        command = [sys.executable, str(HERE / "worker_download.py"), who, url, sha256, str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        stack.callback(self._process.communicate)

    def __call__(self) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # What the run before left to be written must not slow this one down.
        os.sync()
        print(file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())


def _curl(url: str, *, durable: bool) -> float:
    target = MADE / "download" / "curl"
    target.unlink(missing_ok=True)
    os.sync()
    start = time.perf_counter()
    subprocess.run(["curl", "--silent", "--fail", "--output", target, url], check=True)
    if durable:
        subprocess.run(["sync", target], check=True)
    return time.perf_counter() - start


def _content() -> tuple[Path, str]:
    """The file served: in memory, so that only what receives it uses the disk."""
    path = Path("/dev/shm/trillm-download")
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(SIZE >> 20):
            piece = os.urandom(1 << 20)
            digest.update(piece)
            file.write(piece)
    return path, digest.hexdigest()


def run(blocks: int) -> Iterator[Comparison]:
    """Seconds, so that less is better; the goal 0.95 of a speed is 1.05 of a time."""
    (MADE / "download").mkdir(parents=True, exist_ok=True)
    path, sha256 = _content()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, MADE / "download", ignore_errors=True)
        stack.callback(path.unlink)
        for delay, where in ((0.0, "no delay"), (0.015, "30 ms round trip")):
            command = [sys.executable, str(HERE / "worker_web.py"), str(path), sha256, str(delay)]
            server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            stack.callback(server.communicate)
            assert server.stdout is not None
            url = f"http://127.0.0.1:{int(server.stdout.readline())}/org/model/resolve/{COMMIT}/model.gguf"
            ours = _Worker(stack, "ours", url, sha256)
            peer = _Worker(stack, "huggingface_hub", url, sha256)
            goal = "≤ 1.05"
            yield compare(
                f"1 GiB, {where}, against curl, both on the disk",
                "s",
                ours,
                partial(_curl, url, durable=True),
                goal=goal,
                blocks=blocks,
            )
            yield compare(
                f"1 GiB, {where}, against curl, which leaves it in memory",
                "s",
                ours,
                partial(_curl, url, durable=False),
                goal=goal,
                blocks=blocks,
            )
            yield compare(
                f"1 GiB, {where}, against huggingface_hub, which leaves it in memory",
                "s",
                ours,
                peer,
                goal=goal,
                blocks=blocks,
            )
            unverified = _Worker(stack, "unverified", url, sha256)
            yield compare(f"1 GiB, {where}, verified against not", "s", ours, unverified, goal="≤ 1.03", blocks=blocks)
            if not delay:
                memory = _Worker(stack, "memory", url, sha256)
                yield compare(
                    "memory of a process that downloads 1 GiB, against 64 MB",
                    "B",
                    memory,
                    lambda: 64e6,
                    goal="≤ 1",
                    blocks=1,
                )
