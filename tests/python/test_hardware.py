"""The machine as a value."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import trillm
from trillm import HardwareProfile


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCAL_CACHE_DIR", str(tmp_path))
    return tmp_path


def test_the_machine_as_this_process_may_use_it() -> None:
    found = HardwareProfile.detect()
    # A quota may allow less.
    assert 1 <= found.cpu.usable <= len(os.sched_getaffinity(0))
    assert found.cpu.cores is None or 1 <= found.cpu.cores <= found.cpu.usable
    meminfo = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    assert found.memory.total == int(meminfo["MemTotal"].split()[0]) * 1024
    assert found.memory.available is not None
    assert 0 < found.memory.available <= found.memory.total
    assert all(device.kind in ("gpu", "accelerator") for device in found.devices)


def test_a_limit_of_this_process_is_seen_and_named() -> None:
    program = "import trillm; memory = trillm.HardwareProfile.detect().memory; print(memory.limit, memory.limit_source)"
    limited = ["bash", "-c", 'ulimit -v 3000000; exec "$0" "$@"', sys.executable, "-c", program]
    done = subprocess.run(limited, capture_output=True, text=True, check=True)
    assert done.stdout == f"{3_000_000 * 1024} RLIMIT_AS\n"


def test_bandwidth_is_measured_once_and_kept(store: Path) -> None:
    first = HardwareProfile.detect().memory.bandwidth
    assert first is not None
    assert 1e8 < first < 1e13
    key, speed = (store / "bandwidth").read_text().splitlines()
    assert trillm.__version__ in key
    assert float(speed) == pytest.approx(first, abs=1)
    (store / "bandwidth").write_text(f"{key}\n123456789\n")
    assert HardwareProfile.detect().memory.bandwidth == 123456789
    (store / "bandwidth").write_text(f"another machine\n{speed}\n")
    again = HardwareProfile.detect().memory.bandwidth
    assert again is not None
    assert (store / "bandwidth").read_text() == f"{key}\n{again:.0f}\n"


def test_bandwidth_where_there_is_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LOCAL_CACHE_DIR", str(tmp_path / "file"))
    assert HardwareProfile.detect().memory.bandwidth is not None


def test_it_is_a_value() -> None:
    found = HardwareProfile.detect()
    assert pickle.loads(pickle.dumps(found)) == copy.deepcopy(found) == found
    assert json.loads(json.dumps(found.to_dict()))["cpu"]["usable"] == found.cpu.usable
    with pytest.raises(AttributeError, match="usable"):
        found.cpu.usable = 3  # type: ignore[misc]


def test_is_not_imported_before_it_is_asked_for() -> None:
    program = "import sys, trillm; print('dataclasses' in sys.modules, 'HardwareProfile' in dir(trillm))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"
