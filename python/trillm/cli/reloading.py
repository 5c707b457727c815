"""SIGHUP to a server that no terminal holds: its configuration is read again, and what changed is said."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING

from trillm.cli.output import complain, failure, say
from trillm.errors import TrillmError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from trillm import LLMRouter

__all__ = ["on_hangup"]


@contextmanager
def on_hangup(router: LLMRouter) -> Iterator[None]:
    """While inside, SIGHUP reads the router's configuration again.

    At a terminal it means that this was closed, and ends the program as ever; so does one that is ignored stay so.
    """
    if any(os.isatty(descriptor) for descriptor in (0, 1, 2)) or not hasattr(signal, "SIGHUP"):
        yield
        return
    before = signal.getsignal(signal.SIGHUP)
    if before == signal.SIG_IGN:
        yield
        return

    def reload(_number: int, _frame: FrameType | None) -> None:
        try:
            _reload(router)
        except (TrillmError, OSError) as error:
            message, _, hint = failure(error)
            complain(f"nothing was changed: {message}", hint)

    signal.signal(signal.SIGHUP, reload)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _reload(router: LLMRouter) -> None:
    """Sets what the configuration says now, and says what that changed."""
    from trillm._options import RouterOptions

    now, before = RouterOptions.of({}), router.options
    names = [field.name for field in fields(RouterOptions)]
    changed = {name: getattr(now, name) for name in names if getattr(now, name) != getattr(before, name)}
    # An option that is not set any more has a default, but for those whose default is that there is no bound.
    unset = [name for name, value in changed.items() if value is None]
    for name in unset:
        del changed[name]
    late = router.update_config(**changed)["loaded_before"]
    for name, value in changed.items():
        say(f"{name} is {value!r} now; it was {getattr(before, name)!r}")
    for name in unset:
        say(f"{name} stays {getattr(before, name)!r}: it is not set any more, which counts from the next start")
    if late:
        say(f"loaded before, and as they were: {', '.join(late)}")
    if not changed and not unset:
        say("nothing has changed in the configuration")
