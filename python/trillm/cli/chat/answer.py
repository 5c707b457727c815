"""An answer on its way to the terminal, and how fast it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trillm.cli.output import write

if TYPE_CHECKING:
    from trillm import Completion, Stream

__all__ = ["show", "statistics"]


def show(stream: Stream, said: list[str], *, end_line: bool = True) -> None:
    """Prints an answer as it is generated, and ends its line if asked to.

    What was printed is put into `said`, whatever happens.
    """
    try:
        with stream:
            for piece in stream:
                said.append(piece.text)
                write(piece.text)
    finally:
        if end_line and not "".join(said).endswith("\n"):
            write("\n")


def statistics(completion: Completion) -> str:
    """How fast it was."""
    usage, timings = completion.usage, completion.timings
    computed = usage.prompt_tokens - usage.cached_tokens
    # The first token comes with the end of the prompt; the time is that of the others.
    return (
        f"prompt {usage.prompt_tokens} tokens ({usage.cached_tokens} cached) in {timings.prefill:.2f} s"
        f"{_rate(computed, timings.prefill)}; answer {usage.completion_tokens} tokens in {timings.decode:.2f} s"
        f"{_rate(usage.completion_tokens - 1, timings.decode)}; ended by {completion.finish_reason}"
    )


def _rate(tokens: int, seconds: float) -> str:
    return f" ({tokens / seconds:.1f}/s)" if tokens > 0 and seconds > 0 else ""
