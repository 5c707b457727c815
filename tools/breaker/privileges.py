"""Being held to limits that the system spares root: on how many threads a user has."""

from __future__ import annotations

import ctypes
import os
import struct

__all__ = ["mind_limits"]

_VERSION = 0x20080522
_EXEMPT = 1 << 21 | 1 << 24
"""CAP_SYS_ADMIN and CAP_SYS_RESOURCE."""


def mind_limits() -> bool:
    """Makes this thread, and those it starts, those of a user of their own, with root's files.

    Whether it was root: other users may have more threads, elsewhere.
    """
    if os.getuid() != 0:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    head = struct.pack("Ii", _VERSION, 0)
    held = ctypes.create_string_buffer(24)
    os.setresuid(600_000 + os.getpid(), 0, 0)
    if libc.capget(head, held) != 0:
        raise OSError(ctypes.get_errno(), "capget")
    effective, *rest = struct.unpack("6I", held.raw)
    if libc.capset(head, struct.pack("6I", effective & ~_EXEMPT, *rest)) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    return True
