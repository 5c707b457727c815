"""PEP 517 backend: maturin, plus the native build tools that a bare machine lacks.

bindgen needs libclang; llama.cpp needs cmake, and ninja where there is no make. They come from the Python index as
build requirements. pip builds in a throw-away environment whose path changes on every run, and both bindgen and cmake
remember the paths of their tools, so the tools are copied to `target/build-tools`, a path that stays. Otherwise every
second `pip install .` would compile llama.cpp again, or fail on a vanished ninja.

Plain cargo uses the same copies (`.cargo/config.toml`). `python tools/build_backend.py` makes them without pip.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

TOOLS = Path(__file__).resolve().parent.parent / "target" / "build-tools"
LIBCLANG = "libclang==18.1.1"
# The compiler's own headers that llama.cpp's interface includes; libclang comes without.
HEADERS = ["stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "float.h", "limits.h"]


def _missing() -> list[str]:
    wanted = [] if (TOOLS / "lib" / "libclang.so").exists() else [LIBCLANG]
    if shutil.which("cmake") is None and not (TOOLS / "bin" / "cmake").exists():
        wanted.append("cmake==4.4.4")
    if shutil.which("make") is None and not (TOOLS / "bin" / "ninja").exists():
        wanted.append("ninja==1.13.2")
    return wanted


def _package(name: str) -> Path | None:
    spec = find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def prepare() -> None:
    """Copies the tools this environment has to their lasting place, and puts them on the path."""
    clang = _package("clang")
    if clang is not None and not (TOOLS / "lib" / "libclang.so").exists():
        (TOOLS / "lib").mkdir(parents=True, exist_ok=True)
        for library in (clang / "native").glob("libclang.*"):
            shutil.copy(library, TOOLS / "lib")
    for name in ("cmake", "ninja"):
        # Not only where it is missing on the path: pip's throw-away environment, where it came to, is on the path too.
        package = _package(name)
        if package is None or (TOOLS / "bin" / name).exists():
            continue
        if (package / "data").exists():
            shutil.copytree(package / "data", TOOLS, dirs_exist_ok=True)
        elif program := shutil.which(name):
            (TOOLS / "bin").mkdir(parents=True, exist_ok=True)
            shutil.copy(program, TOOLS / "bin")
    if not (TOOLS / "include").exists():
        (TOOLS / "include").mkdir(parents=True)
        answer = subprocess.run(
            [os.environ.get("CC", "cc"), "-print-file-name=include"], capture_output=True, text=True, check=True
        )
        for header in HEADERS:
            source = Path(answer.stdout.strip()) / header
            if source.exists():
                shutil.copy(source, TOOLS / "include")
        # gcc's own stdint.h includes this by its name.
        wrapped = Path(answer.stdout.strip()) / "stdint-gcc.h"
        if wrapped.exists():
            shutil.copy(wrapped, TOOLS / "include")
    os.environ["PATH"] = f"{TOOLS / 'bin'}{os.pathsep}{os.environ['PATH']}"
    if shutil.which("make") is None:
        os.environ.setdefault("CMAKE_GENERATOR", "Ninja")


def _requires(settings: dict[str, Any] | None = None) -> list[str]:
    import maturin

    return [*maturin.get_requires_for_build_wheel(settings), *_missing()]


get_requires_for_build_wheel = _requires
get_requires_for_build_editable = _requires
get_requires_for_build_sdist = _requires


def build_wheel(directory: str, settings: dict[str, Any] | None = None, metadata: str | None = None) -> str:
    """PEP 517."""
    import maturin

    prepare()
    return str(maturin.build_wheel(directory, settings, metadata))


def build_editable(directory: str, settings: dict[str, Any] | None = None, metadata: str | None = None) -> str:
    """PEP 660."""
    import maturin

    prepare()
    return str(maturin.build_editable(directory, settings, metadata))


def build_sdist(directory: str, settings: dict[str, Any] | None = None) -> str:
    """PEP 517."""
    import maturin

    return str(maturin.build_sdist(directory, settings))


def prepare_metadata_for_build_wheel(directory: str, settings: dict[str, Any] | None = None) -> str:
    """PEP 517."""
    import maturin

    prepare()
    return str(maturin.prepare_metadata_for_build_wheel(directory, settings))


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


if __name__ == "__main__":
    for requirement in _missing():
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", requirement], check=True)
    prepare()
