"""The machine, as far as the standard library knows it. What cannot be found out is `None`."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

__all__ = ["cpu_flags", "cpu_model", "cpus", "memory_available", "memory_limit", "memory_total"]

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")


def cpu_model() -> str:
    """The processor's own name for itself."""
    found = re.search(r"^model name\s*:\s*(.+)$", _read(_PROC / "cpuinfo"), re.MULTILINE)
    return found[1] if found else platform.processor() or platform.machine()


def cpu_flags() -> set[str] | None:
    """The processor's features, in Linux' names: `avx2`, `asimd`."""
    found = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", _read(_PROC / "cpuinfo"), re.MULTILINE)
    return set(found[1].split()) if found else None


def cpus() -> int | None:
    """Logical processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def memory_total() -> int | None:
    """Bytes of memory."""
    return _meminfo("MemTotal") or _pages("SC_PHYS_PAGES")


def memory_available() -> int | None:
    """Bytes that can be had without swapping."""
    return _meminfo("MemAvailable") or _pages("SC_AVPHYS_PAGES")


def memory_limit() -> int | None:
    """Bytes that this process' control groups allow: the kernel kills for more, however much memory there is."""
    limits = []
    for line in _read(_PROC / "self" / "cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        if not controllers:
            root, file = _CGROUPS, "memory.max"
        elif "memory" in controllers.split(","):
            root, file = _CGROUPS / "memory", "memory.limit_in_bytes"
        else:
            continue
        # Each group above it limits it too. In a container the path may be the host's: then the root is the limit.
        folder = root / group.lstrip("/")
        for place in (folder, *folder.parents):
            if place.is_relative_to(root) and (text := _read(place / file).strip()).isdecimal():
                limits.append(int(text))
    total = memory_total()
    # Version 1 says "no limit" by a number beyond any machine.
    return min((limit for limit in limits if total is None or limit < total), default=None)


def _meminfo(name: str) -> int | None:
    found = re.search(rf"^{name}:\s+(\d+) kB$", _read(_PROC / "meminfo"), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _pages(name: str) -> int | None:
    try:
        return os.sysconf(name) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
