"""Checkpoints of PyTorch that were made to do harm: they are refused, and nothing of theirs is run.

They are handed over as bytes. Nothing here unpickles them, and neither does what is tested.
"""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import trillm
from sources import error_codes
from trillm.errors import ModelFormatError

from .helpers import SMALL_FILES, failing
from .program import output


def test_a_pickle_that_asks_for_more_than_tensors(tiny_folder: Path, tmp_path: Path) -> None:
    """Written by hand: `os.system("true")`, as PyTorch before 1.6 would have run it."""
    for name in SMALL_FILES:
        shutil.copy(tiny_folder / name, tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.")
    with failing(ModelFormatError, "forbidden_global", r"os\.system") as caught:
        trillm.load(tmp_path)
    assert caught.value.hint is not None
    assert "safetensors" in caught.value.hint


LOADING = """
    import json, os, sys, time
    import trillm

    good, *folders = sys.argv[1:]
    # Whatever a load needs comes in now.
    trillm.load(good, threads=1).close()
    modules, environment, events = set(sys.modules), dict(os.environ), []
    sys.addaudithook(lambda event, arguments: events.append(f"{event} {arguments!r}"[:200]))
    found = []
    for folder in folders:
        began = time.monotonic()
        try:
            trillm.load(folder, threads=1)
            found.append(("loaded", "", "", 0))
        except trillm.errors.TrillmError as error:
            found.append((type(error).__name__, error.code, str(error), time.monotonic() - began))
    seen = list(events)
    try:
        children = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        children = None
    print(json.dumps({
        "found": found,
        "events": seen,
        "modules": sorted(set(sys.modules) - modules),
        "children": children,
        "environment": dict(os.environ) == environment,
    }))
"""
"""Loads folders, and says what came of it and what Python saw happen: an import, an `open`, a call of `exec`, `compile`
or `os.system`, a process, a socket are all events."""


def members(shared: Path) -> dict[str, bytes]:
    """Every hostile file by name, as bytes."""
    files = {path.name: path.read_bytes() for path in sorted((shared / "pytorch" / "micro-lm").glob("*.pth"))}
    assert len(files) == 2
    with tarfile.open(shared / "malformed" / "HOSTILE-picklescan-fixtures.tar.gz") as archive:
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            files[Path(member.name).name] = file.read()
    return files


GLOBALS = {
    "Base.pth": "esp32_llm.model.ESP32LLMConfig",
    "Pico.pth": "esp32_llm.model.ESP32LLMConfig",
    "malicious0.pkl": "__builtin__.globals",
    "malicious1.zip": "builtins.eval",
    "malicious1_crc.zip": "builtins.eval",
    "malicious10.pkl": "__builtin__.exec",
    "malicious11.pkl": "os.system",
    "malicious-invalid-bytes.pkl": "os.system",
    "malicious2_v0.pkl": "posix.system",
    "malicious2_v4.pkl": "posix.system",
    "malicious6.pkl": "requests.api.get",
    "malicious23.pkl": "os.system",
    "GHSA-vqmv-47xg-9wpr.pkl": "pty.spawn",
    "pytorch_magic_bypass.pt": "__builtin__.eval",
    "sys_module_override_sploit.pkl": "torch._utils._rebuild_tensor",
    "type-confusion-exploit.pkl": "os.system",
    "cloudpickle_codeinjection.pkl": "cloudpickle.cloudpickle._make_function",
}
"""What some of them would have Python call."""


def test_hostile_pickles_are_refused_and_nothing_of_theirs_is_run(
    shared: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    files = members(shared)
    assert len(files) > 100
    folders = []
    for number, content in enumerate(files.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in SMALL_FILES:
            shutil.copy(tiny_folder / name, folder)
        (folder / "pytorch_model.bin").write_bytes(content)
        folders.append(folder)
    report = json.loads(output(LOADING, tiny_folder, *folders))

    assert report["events"] == []
    assert report["modules"] == []
    assert report["children"] is None
    assert report["environment"]
    named = 0
    for (name, content), (error, code, message, seconds) in zip(files.items(), report["found"], strict=True):
        assert error in ("ModelFormatError", "Unsupported"), (name, content[:80], error, message)
        assert code in error_codes()
        assert seconds < 2, name
        assert "\n" not in message
        named += code == "forbidden_global"
        if name in GLOBALS:
            assert (code, GLOBALS[name] in message) == ("forbidden_global", True), (name, message)
    # The rest are harmless pickles and arrays, and archives that are refused before a pickle is looked at.
    assert named > 80
