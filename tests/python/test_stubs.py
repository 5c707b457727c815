"""`_core.pyi` says what `_core` is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


# No name that anybody uses: PyO3 makes it for `from trillm._core import *`.
ALLOWED = r"trillm\._core\.__all__"


@pytest.mark.timeout(300)
def test_the_stub_is_true(tmp_path: Path) -> None:
    allowed = tmp_path / "allowed.txt"
    allowed.write_text(ALLOWED)
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "trillm._core", "--allowlist", allowed],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(ROOT / "python")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
