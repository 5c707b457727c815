"""Runs benchmarks by name; see README.md beside this file."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from protocol import HEADER

NAMES = [
    *("decode", "prefill", "streams", "gap", "prefix", "overhead", "startup", "memory"),
    *("bf16_decode", "bf16_prefill", "bf16_streams", "load", "mapped", "embed"),
    *("onnx_decode", "onnx_prefill", "onnx_streams", "onnx_overhead", "onnx_memory"),
    *("download", "tokenize", "two_models"),
]


def machine() -> str:
    """The machine, in a line."""
    facts = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    values = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in facts)}
    flags = set(values.get("flags", "").split())
    vector = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8") if flag in flags]
    gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    name = values.get("model name", platform.machine())
    return f"{os.cpu_count()} × {name} ({' '.join(vector)}), {gib:.0f} GiB, load before {load}"


def main() -> None:
    """Runs what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=" ".join(NAMES))
    parser.add_argument("--blocks", type=int, default=7, help="blocks of peer, ours, ours, peer")
    parser.add_argument("--record", action="store_true", help="append to RESULTS.md")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(NAMES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    for name in arguments.names or NAMES:
        described = machine()
        rows = [row.row() for row in importlib.import_module(f"bench_{name}").run(arguments.blocks)]
        table = "\n".join([HEADER, *rows])
        print(table, flush=True)
        if arguments.record:
            record(name, described, table)


def record(name: str, described: str, table: str, command_line: str | None = None) -> None:
    """Appends a table to RESULTS.md."""
    root = Path(__file__).parent
    command = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, cwd=root, check=True).stdout.strip()
    today = datetime.now(timezone.utc).date().isoformat()
    with (root / "RESULTS.md").open("a", encoding="utf-8") as results:
        how = f"{described}; `python benches/{command_line or f'run.py {name}'}`"
        results.write(f"\n## {name}, {today}, at {commit}\n\n{how}\n\n{table}\n")


if __name__ == "__main__":
    main()
