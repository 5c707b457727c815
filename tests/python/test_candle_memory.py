"""Weights stay in the file: they cost no memory of a process's own, and all processes share one copy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is told apart by what Linux says of it")

MEGABYTE = 1 << 20

LAYERS, KV_HEADS, HEAD, CONTEXT = 7, 4, 64, 512
CACHE = 2 * LAYERS * KV_HEADS * HEAD * CONTEXT * 2
"""Bytes of keys and values in 16 bits."""


@pytest.fixture(scope="module")
def large(write_model: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 200 MB."""
    folder = tmp_path_factory.mktemp("large")
    shape = {"layers": LAYERS, "width": 1024, "heads": 1024 // HEAD, "kv-heads": KV_HEADS, "feed-forward": 4096}
    options = [part for name, size in shape.items() for part in (f"--{name}", str(size))]
    write_model("random", folder, "--format", "huggingface", "--type", "bf16", "--vocabulary", "2000", *options)
    assert weights(folder) > 200 * MEGABYTE
    return folder


def weights(folder: Path) -> int:
    return (folder / "model.safetensors").stat().st_size


PROGRAM = f"""
    import sys, trillm

    def load(path, **options):
        model = trillm.load(path, context={CONTEXT}, threads=2, **options)
        # All weights are touched, as one token goes through all of them.
        assert len(model.generate([280], max_tokens=4, temperature=0, ignore_eos=True).token_ids) == 4
        return model

    small, path, copy = sys.argv[1:]
    # What the first model of a process brings in: threads, modules, stacks.
    load(small).close()
    print("ready", flush=True)
    input()
    model = load(path, copy=copy == "copy")
    print(model.info.weights, flush=True)
    input()
"""


class Loader:
    """A process that is ready to load a model."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def load(self) -> str:
        """Has it loaded and run; how its weights are held."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._line()

    def memory(self, file: str, field: str) -> int:
        """What the system says of it, in bytes."""
        lines = Path(f"/proc/{self._process.pid}/{file}").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith(f"{field}:"))
        return int(line.split()[1]) * 1024

    def own(self) -> int:
        """Memory that is no file's."""
        return self.memory("status", "RssAnon")

    def share(self) -> int:
        """Its memory, of which each page counts as divided among all processes that have it."""
        return self.memory("smaps_rollup", "Pss")


@contextmanager
def loader(small: Path, large: Path, how: str = "map") -> Iterator[Loader]:
    command = [sys.executable, "-c", dedent(PROGRAM), str(small), str(large), how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Loader(process)
        finally:
            process.kill()


def test_a_loaded_model_costs_its_cache_and_little_more(tiny_folder: Path, large: Path) -> None:
    with loader(tiny_folder, large) as process:
        before = process.own()
        assert process.load() == "mapped"
        grown = process.own() - before
    assert grown <= 20 * MEGABYTE + CACHE, f"{grown / MEGABYTE:.1f} MiB"


def test_a_copy_costs_what_it_holds(tiny_folder: Path, large: Path) -> None:
    """So the test above would see one."""
    with loader(tiny_folder, large, "copy") as process:
        before = process.own()
        assert process.load() == "read"
        assert process.own() - before > 0.9 * weights(large)


def test_a_second_process_adds_next_to_nothing(tiny_folder: Path, large: Path) -> None:
    with loader(tiny_folder, large) as first, loader(tiny_folder, large) as second:
        first.load()
        before = first.share() + second.share()
        assert second.load() == "mapped"
        added = first.share() + second.share() - before
    # Its cache is its own; the pages of the file are there already.
    assert added <= 0.05 * weights(large), f"{added / MEGABYTE:.1f} MiB"
