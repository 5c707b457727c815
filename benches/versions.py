"""An earlier build of trillm, whose checkout is named, against the present one.

`git worktree add ../before COMMIT` makes the checkout, and `just dev` in it its extension.
Both run by the same Python, each measurement in a fresh process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench_load import READY
from bench_startup import MEASURE
from models import smollm2, smollm2_bf16, smollm2_onnx
from peers import ROOT, THREADS
from protocol import HEADER, Comparison, compare
from run import machine

DECODE = """
import sys
from pathlib import Path
from bench_decode import decode_speed
print(decode_speed(Path(sys.argv[1])))
"""

STREAMS = """
import sys
from functools import partial
import trillm
from bench_streams import TOKENS, our_client
from ours import STREAMS, together
with trillm.Model(sys.argv[1], threads=int(sys.argv[2]), parallel=STREAMS) as llm:
    print(together(partial(our_client, llm), TOKENS))
"""

PAUSE = """
import sys
import trillm
from bench_gap import our_pause
with trillm.Model(sys.argv[1], threads=int(sys.argv[2]), context=8192) as llm:
    print(our_pause(llm))
"""

PREFIX = """
import sys
import trillm
from bench_prefix import CLIENTS, PREFIX, at_once, in_turn
from ours import any_tokens
with trillm.Model(sys.argv[1], threads=int(sys.argv[2]), context=8192, parallel=CLIENTS) as llm:
    prefixes = [any_tokens(PREFIX) for _ in range(4)]
    in_turn(llm, prefixes)
    print(at_once(llm, prefixes))
"""


def measured(build: Path, program: str, *arguments: object) -> float:
    """What a program prints that imports the trillm of this checkout."""
    path = os.pathsep.join([str(build / "python"), str(Path(__file__).parent)])
    answer = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(answer.stdout)


def rows(before: Path, blocks: int) -> Iterator[Comparison]:
    """Decoding and loading by each engine, what the scheduler does on one of them, and the import."""
    models = {"GGUF": smollm2(), "bf16": smollm2_bf16(), "ONNX fp32": smollm2_onnx("plain")}

    def row(what: str, unit: str, program: str, *arguments: object) -> Comparison:
        now, then = (partial(measured, build, program, *arguments) for build in (ROOT, before))
        return compare(what, unit, now, then, goal="1, within noise", blocks=blocks)

    for form, path in models.items():
        yield row(f"decode {form}", "tokens/s", DECODE, path)
        yield row(f"load {form}", "s", READY, path, THREADS)
    yield row("eight streams GGUF", "tokens/s", STREAMS, models["GGUF"], THREADS)
    yield row("longest pause GGUF", "s", PAUSE, models["GGUF"], THREADS)
    yield row("first token GGUF, prefix shared, eight clients at once", "s", PREFIX, models["GGUF"], THREADS)
    yield row("import trillm", "ms", MEASURE)


def main() -> None:
    """Prints a table in which the peer is the earlier build."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path, help="a checkout of the earlier build, with its extension in place")
    parser.add_argument("--blocks", type=int, default=7, help="blocks of before, now, now, before")
    arguments = parser.parse_args()
    print(machine(), HEADER, sep="\n\n", flush=True)
    for row in rows(arguments.before.resolve(), arguments.blocks):
        print(row.row(), flush=True)


if __name__ == "__main__":
    main()
