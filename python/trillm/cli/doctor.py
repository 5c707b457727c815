"""`trillm doctor`: what this build, this machine and the store look like, and what is wrong with them."""

from __future__ import annotations

import platform
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from trillm import _core, _runtime
from trillm._hardware import HardwareProfile, profile
from trillm.cli.output import failing_clearly, print_columns, print_json, say, size
from trillm.errors import TrillmError

__all__ = ["command"]

_LOW_DISK = 2 * 10**9
"""Bytes: less does not hold a useful model."""

_LOW_MEMORY = 10**9
"""Bytes: less does not run one."""

_BUSY = 0.25
"""The share of time in which somebody waits for a processor; beside one busy program it is more."""


def command(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False) -> None:
    """Reports on this installation and this machine. Paste it into bug reports."""
    with failing_clearly(as_json=as_json):
        report = _report()
        if as_json:
            print_json(report)
            return
        print_columns(_rows(report))
        for warning in report["warnings"]:
            say(f"warning: {warning}")


def _report() -> dict[str, Any]:
    native = _core.doctor()
    machine = profile(native.get("llama", {}).get("devices", ()))
    report: dict[str, Any] = {
        **native,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
        "cpu": asdict(machine.cpu),
        "memory": asdict(machine.memory),
        "warnings": _warnings_about_machine(native, machine),
    }
    if "onnx" in native["engines"]:
        report["onnx"] = _onnx(report["warnings"])
    report["store"] = _store(report["warnings"])
    return report


def _warnings_about_machine(native: dict[str, Any], machine: HardwareProfile) -> list[str]:
    warnings = []
    flags, waiting, available = machine.cpu.flags, machine.cpu.waiting, machine.memory.available
    if not native["engines"]:
        warnings.append("no engine was compiled in: no model can run")
    if flags is not None and machine.cpu.architecture in ("x86_64", "AMD64"):
        compiled = {feature.lower() for feature in native.get("llama", {}).get("features", ())}
        if "avx2" not in flags:
            warnings.append("this processor has no AVX2: models run several times slower than on one that has")
        elif compiled and "avx2" not in compiled:
            warnings.append("this processor has AVX2, but llama was compiled without it: reinstall from source")
    if waiting is not None and waiting > _BUSY:
        warnings.append(
            f"programs waited for a processor in {waiting:.0%} of the last 10 seconds: GGUF models may run several "
            "times faster with --threads 1 while that is so"
        )
    if available is not None and available < _LOW_MEMORY:
        warnings.append(f"only {size(available)} of memory can be used")
    return warnings


def _onnx(warnings: list[str]) -> dict[str, str | None]:
    """ONNX Runtime's library, and the version of the package that it is in; what is wrong is added to `warnings`."""
    from importlib import metadata

    library = _runtime.library()
    if library is not None and not Path(library).is_file():
        warnings.append(f"ORT_DYLIB_PATH names {library}, which is no file: no ONNX model can run")
    version = None
    # Of a library from elsewhere only loading it would tell.
    if library is not None and _runtime.named() is None:
        names = metadata.packages_distributions().get(_runtime.PACKAGE, [])
        version = ", ".join(sorted({metadata.version(name) for name in names})) or None
    return {"library": library, "version": version}


def _store(warnings: list[str]) -> dict[str, Any] | None:
    """The store, if it can be used; what is wrong with it is added to `warnings`."""
    try:
        store = _core.Store()
        models, problems = store.list()
    except TrillmError as error:
        warnings.append(f"the store cannot be used: {error}")
        return None
    warnings += problems
    free = shutil.disk_usage(store.root).free
    if free < _LOW_DISK:
        warnings.append(f"only {size(free)} free on the disk of the store")
    # Two models may share a file.
    files = {sha256: length for model in models for _, sha256, length in model.files}
    return {"path": str(store.root), "models": len(models), "size": sum(files.values()), "free": free}


def _runtime_row(onnx: dict[str, str | None] | None) -> str:
    if onnx is None:
        return ""
    if onnx["library"] is None:
        return f"missing, so that no ONNX model can run: pip install {_runtime.PACKAGE}"
    return f"{onnx['version'] or 'of unknown version'} ({onnx['library']})"


def _memory_row(memory: dict[str, Any]) -> str:
    parts = [f"{size(memory[name])} {name}" for name in ("total", "available") if memory[name] is not None]
    if memory["limit"] is not None:
        parts.append(f"{size(memory['limit'])} limit ({memory['limit_source']})")
    if memory["bandwidth"] is not None:
        parts.append(f"read at {memory['bandwidth'] / 1e9:.3g} GB/s")
    return ", ".join(parts)


def _caches_row(caches: list[dict[str, int]]) -> str:
    return ", ".join(f"L{cache['level']} {size(cache['bytes'])} for {cache['shared']}" for cache in caches)


def _rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    cpu, memory, store = report["cpu"], report["memory"], report["store"]
    llama = report.get("llama", {})
    rows = [
        ("trillm", report["version"]),
        ("python", report["python"]),
        ("platform", report["platform"]),
        ("build", " ".join(f"{name}={value}" for name, value in report["build"].items())),
        ("cpu", f"{cpu['model'] or 'unknown'} ({cpu['architecture']}), {cpu['usable']} usable"),
        ("caches", _caches_row(cpu["caches"])),
        ("engines", ", ".join(report["engines"])),
        ("llama features", " ".join(llama.get("features", ()))),
        (
            "llama devices",
            ", ".join(f"{device['name']} ({device['description']})" for device in llama.get("devices", ())),
        ),
        ("onnxruntime", _runtime_row(report.get("onnx"))),
        ("threads", str(report["threads"])),
        ("memory", _memory_row(memory)),
    ]
    if store is not None:
        rows.append(
            ("store", f"{store['path']}: {store['models']} models, {size(store['size'])}, {size(store['free'])} free")
        )
    return [(name, value) for name, value in rows if value]
