"""What is read from Linux, from files that look like its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from trillm.cli import machine


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(machine, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path / "cgroup")
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "meminfo").write_text("MemTotal:       8000000 kB\nMemAvailable:    4000000 kB\n")
    return tmp_path


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.usefixtures("system")
def test_memory() -> None:
    assert machine.memory_total() == 8_000_000 * 1024
    assert machine.memory_available() == 4_000_000 * 1024
    assert machine.memory_limit() is None


def test_the_tightest_group_counts(system: Path) -> None:
    put(system / "proc/self/cgroup", "0::/a/b\n")
    put(system / "cgroup/a/b/memory.max", "max\n")
    put(system / "cgroup/a/memory.max", "1000000\n")
    assert machine.memory_limit() == 1_000_000


def test_a_container_sees_its_limit_at_the_root(system: Path) -> None:
    put(system / "proc/self/cgroup", "0::/kubepods/not/here\n")
    put(system / "cgroup/memory.max", "2000000\n")
    assert machine.memory_limit() == 2_000_000


def test_the_first_version_of_groups(system: Path) -> None:
    put(system / "proc/self/cgroup", "3:cpu,cpuacct:/x\n2:memory:/x\n0::/\n")
    put(system / "cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    assert machine.memory_limit() is None
    put(system / "cgroup/memory/x/memory.limit_in_bytes", "3000000\n")
    assert machine.memory_limit() == 3_000_000


def test_processors(system: Path) -> None:
    put(
        system / "proc/cpuinfo",
        "processor\t: 0\nmodel name\t: A Chip 3000\nflags\t\t: fpu avx avx2\n\nprocessor\t: 1\n",
    )
    assert machine.cpu_model() == "A Chip 3000"
    assert machine.cpu_flags() == {"fpu", "avx", "avx2"}
    put(system / "proc/cpuinfo", "")
    assert machine.cpu_flags() is None
    assert machine.cpu_model()
