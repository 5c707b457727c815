"""Settings for a machine: the table that people know, and why each value is what it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
import trillm
from trillm import HardwareProfile, PerformanceOptimizer
from trillm._hardware import Device, MainMemory, Processors
from trillm._options import RouterOptions
from trillm.errors import InvalidRequest

GIB = 1 << 30


def machine(
    usable: int = 4, cores: int | None = None, available: int | None = 16 * GIB, gpus: tuple[str, ...] = ()
) -> HardwareProfile:
    processors = Processors("A Chip", "x86_64", usable, cores, None, None, ())
    memory = MainMemory(64 * GIB, available, None, None, None)
    return HardwareProfile(processors, memory, tuple(Device(gpu, "a GPU", "gpu", GIB, GIB) for gpu in gpus))


@pytest.mark.parametrize(
    ("available", "context", "quantization"),
    [
        (0, 2048, "Q4_K_M"),
        (4 * GIB - 1, 2048, "Q4_K_M"),
        (4 * GIB, 4096, "Q4_K_M"),
        (8 * GIB - 1, 4096, "Q4_K_M"),
        (8 * GIB, 8192, "Q8_0"),
        (None, 2048, "Q4_K_M"),
    ],
)
def test_memory_decides_of_context_and_quantization(available: int | None, context: int, quantization: str) -> None:
    settings = PerformanceOptimizer(machine(available=available)).optimal_settings()
    assert (settings.context, settings.quantization) == (context, quantization)


@pytest.mark.parametrize(
    ("usable", "cores", "threads"), [(2, 2, 2), (8, 4, 4), (2, 16, 2), (6, None, 6), (64, 32, 8), (64, None, 8)]
)
def test_threads_are_cores_and_at_most_eight(usable: int, cores: int | None, threads: int) -> None:
    assert PerformanceOptimizer(machine(usable, cores)).optimal_settings().threads == threads


@pytest.mark.parametrize(
    ("gpus", "device", "least"),
    [((), "cpu", 1), (("MTL0",), "mps", 4), (("Metal",), "mps", 4), (("Vulkan0", "CUDA0"), "cuda", 8)],
)
def test_a_gpu_decides_of_device_and_batch(gpus: tuple[str, ...], device: str, least: int) -> None:
    settings = PerformanceOptimizer(machine(gpus=gpus)).optimal_settings()
    assert settings.device == device
    # The table is the floor.
    assert settings.batch >= least
    assert settings.engine == "llama"


def test_what_is_no_gpu_is_none() -> None:
    blas = replace(machine(), devices=(Device("BLAS", "a library", "accelerator", 0, 0),))
    assert PerformanceOptimizer(blas).optimal_settings().device == "cpu"


def test_each_value_has_a_line_with_its_reason() -> None:
    optimizer = PerformanceOptimizer(machine(16, 8, 6 * GIB))
    settings = optimizer.optimal_settings()
    lines = optimizer.explain().splitlines()
    names = ["threads", "device", "context", "batch", "quantization", "engine"]
    assert [line.split(" = ")[0] for line in lines] == names == list(settings.reasons)
    for name, line in zip(names, lines, strict=True):
        assert line == f"{name} = {getattr(settings, name)}: {settings.reasons[name]}"
    assert "8 physical cores" in settings.reasons["threads"]
    assert "6.0 GiB" in settings.reasons["context"]
    assert json.loads(json.dumps(settings.to_dict()))["reasons"]["device"] == settings.reasons["device"]


def test_this_machine_is_looked_at_unless_a_profile_is_given() -> None:
    given = machine(3)
    assert PerformanceOptimizer(given).analyze() is given
    optimizer = PerformanceOptimizer()
    assert optimizer.analyze().cpu.usable <= len(os.sched_getaffinity(0))
    assert optimizer.optimal_settings().threads <= min(len(os.sched_getaffinity(0)), 8)
    wrong: Any = "fast"
    with pytest.raises(InvalidRequest, match=r"profile is of type str, expected a trillm\.HardwareProfile or None"):
        PerformanceOptimizer(wrong)


def test_limits_of_this_process_count() -> None:
    """One processor, and less than four GiB of addresses."""
    program = """
import os, trillm
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
settings = trillm.PerformanceOptimizer().optimal_settings()
print(settings.threads, settings.context, settings.quantization)
"""
    limited = ["bash", "-c", 'ulimit -v 3000000; exec "$0" "$@"', sys.executable, "-c", program]
    done = subprocess.run(limited, capture_output=True, text=True, check=True)
    assert done.stdout == "1 2048 Q4_K_M\n"


def test_what_is_applied_is_what_models_are_loaded_with(tiny_model: Any) -> None:
    class Router:
        options = RouterOptions.of({})

        def update_config(self, **given: Any) -> None:
            self.options = self.options.changed(**given)

    router = Router()
    settings = PerformanceOptimizer(machine(1, 1, 2 * GIB)).apply(router)
    assert settings == PerformanceOptimizer(machine(1, 1, 2 * GIB)).optimal_settings()
    params = router.options.load_params({}, engine="llama")
    assert params == {"engine": "llama", "device": "cpu", "threads": 1, "context": 2048, "parallel": settings.batch}
    with trillm.load(tiny_model, **params) as model:
        assert model.context == 2048


def test_it_is_not_imported_before_it_is_asked_for() -> None:
    program = "import sys, trillm; print('dataclasses' in sys.modules, 'PerformanceOptimizer' in dir(trillm))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"
