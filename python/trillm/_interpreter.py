"""Importing this raises `ImportError` in a subinterpreter; the package does so first of all.

A subinterpreter shares its process with others and ends before it. The native part is made once for a process, and
threads that it starts would outlive the subinterpreter: its end would wait for them for ever.
"""

from __future__ import annotations

try:
    import _interpreters as interpreters  # type: ignore[import-not-found]
except ImportError:
    # Before 3.13.
    import _xxsubinterpreters as interpreters  # type: ignore[import-not-found]

if interpreters.get_current() != interpreters.get_main():
    msg = (
        "trillm works in the main interpreter alone, and this is a subinterpreter:"
        " import it in the main one, or use processes (multiprocessing with the 'spawn' method)"
    )
    raise ImportError(msg, name="trillm")
