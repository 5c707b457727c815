"""The library of ONNX Runtime: where it is found, and that a program needs nothing else of the Python package.

A process has one runtime, so what is tried here is tried in processes of their own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .program import compiled, output, run

TinyOnnx = Callable[..., Path]

FIND = """
import os, sys
os.environ.pop("ORT_DYLIB_PATH", None)
sys.path[:0] = sys.argv[1:]
from trillm import _runtime
print(_runtime.library())
assert "onnxruntime" not in sys.modules
"""

TELL = """
import os, sys
import trillm
from trillm import _runtime
from trillm.errors import EngineError

def tell(**options):
    with trillm.Model(sys.argv[1], threads=1, **options) as model:
        return model.generate("the man", max_tokens=9, temperature=0, ignore_eos=True).token_ids

def fails(**options):
    try:
        tell(**options)
    except EngineError as error:
        assert error.code == "engine_failed", error.code
        assert "install the Python package onnxruntime" in error.hint
        return str(error)
"""


def package(folder: Path, *libraries: str) -> Path:
    """A package by the name of ONNX Runtime's, which ends a program that imports it; the folder to look for it in."""
    inside = folder / "onnxruntime" / "capi"
    inside.mkdir(parents=True)
    (inside.parent / "__init__.py").write_text("raise SystemExit('imported')")
    for name in libraries:
        (inside / name).touch()
    return folder


# Finding it.


def test_the_package_that_is_installed_is_found() -> None:
    library = Path(output(FIND).strip())
    assert library.is_file()
    assert library.parent.name == "capi"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["libonnxruntime.so.1.9.0", "libonnxruntime.so.1.23.2"], "libonnxruntime.so.1.23.2"),
        (["libonnxruntime.so.1.23.2", "libonnxruntime_providers_shared.so"], "libonnxruntime.so.1.23.2"),
        (["libonnxruntime.1.23.2.dylib", "libonnxruntime.1.9.dylib"], "libonnxruntime.1.23.2.dylib"),
        (["onnxruntime.dll", "onnxruntime_providers_shared.dll"], "onnxruntime.dll"),
    ],
    ids=str,
)
def test_the_newest_library_counts(tmp_path: Path, names: list[str], expected: str) -> None:
    found = Path(output(FIND, package(tmp_path, *names)).strip())
    assert found == tmp_path / "onnxruntime" / "capi" / expected


def test_a_package_without_a_library_is_none(tmp_path: Path) -> None:
    assert output(FIND, package(tmp_path, "onnxruntime_pybind11_state.so")) == "None\n"
    (tmp_path / "onnxruntime.py").touch()
    (tmp_path / "onnxruntime").rename(tmp_path / "other")
    assert output(FIND, tmp_path) == "None\n"


def test_what_is_no_package_is_none() -> None:
    put = "import sys, types; sys.modules['onnxruntime'] = types.SimpleNamespace(__spec__=None)"
    program = f"{put}\n{FIND}".replace('assert "onnxruntime" not in sys.modules', "")
    assert output(program) == "None\n"


def test_the_environment_counts_first_and_is_read_each_time(tmp_path: Path) -> None:
    program = """
    import os, sys
    sys.path.insert(0, sys.argv[1])
    from trillm import _runtime
    for name in ("/one.so", "/other.so", ""):
        os.environ["ORT_DYLIB_PATH"] = name
        print(_runtime.library())
    """
    found = output(program, package(tmp_path, "onnxruntime.dll")).splitlines()
    assert found == ["/one.so", "/other.so", str(tmp_path / "onnxruntime" / "capi" / "onnxruntime.dll")]


def test_a_package_may_be_installed_meanwhile(tmp_path: Path) -> None:
    program = """
    import os, sys
    from importlib import invalidate_caches
    os.environ.pop("ORT_DYLIB_PATH", None)
    folder, there = sys.argv[1:]
    sys.path.insert(0, folder)
    from trillm import _runtime
    print(_runtime.library())
    os.rename(folder + "/onnxruntime", folder + "/none")
    sys.path[0] = there
    invalidate_caches()
    print(_runtime.library())
    """
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    here, there = package(tmp_path / "here"), package(tmp_path / "there", "onnxruntime.dll")
    assert output(program, here, there).splitlines() == [
        "None",
        str(there / "onnxruntime" / "capi" / "onnxruntime.dll"),
    ]


# Loading it.


def test_a_program_does_not_import_the_package(tiny_onnx: TinyOnnx) -> None:
    program = """
assert "onnxruntime" not in sys.modules
print(len(tell()), [name for name in sys.modules if name.split(".")[0] == "onnxruntime"])
"""
    assert output(TELL + program, tiny_onnx("grown")) == "9 []\n"


def test_only_what_needs_it_looks_for_it(tiny_model: Path, tiny_onnx: TinyOnnx) -> None:
    program = """
    import sys, trillm
    for path in sys.argv[1:]:
        trillm.load(path, threads=1).close()
        print("trillm._runtime" in sys.modules)
    """
    assert output(program, tiny_model, tiny_onnx("grown")) == "False\nTrue\n"


@pytest.mark.parametrize("first", ["trillm", "onnxruntime"])
def test_the_package_works_in_the_same_process(tiny_onnx: TinyOnnx, first: str) -> None:
    """Whichever comes first: both give the same token, and again when the other one was there."""
    program = (
        TELL
        + """
def theirs():
    import numpy, onnxruntime
    session = onnxruntime.InferenceSession(sys.argv[1] + "/model.onnx", providers=["CPUExecutionProvider"])
    ids = numpy.array([prompt], numpy.int64)
    positions = numpy.arange(len(prompt), dtype=numpy.int64)[None]
    feeds = dict(input_ids=ids, attention_mask=numpy.ones_like(ids), position_ids=positions)
    return int(session.run(["logits"], feeds)[0][0, -1].argmax())

def ours():
    return tell()[0]

prompt = trillm.Tokenizer(sys.argv[1]).encode("the man")
order = [ours, theirs] if sys.argv[2] == "trillm" else [theirs, ours]
said = [each() for each in order * 2]
assert len(set(said)) == 1, said
print("the same")
"""
    )
    # The package may write what it thinks of the machine to standard error.
    done = run(program, tiny_onnx("no-cache"), first)
    assert (done.code, done.out) == (0, "the same\n"), done


def test_a_missing_library_is_an_error_and_not_the_end(tiny_onnx: TinyOnnx, tmp_path: Path) -> None:
    """Named as an option or in the environment; what the next one loads works."""
    program = """
missing = sys.argv[2]
assert missing in fails(runtime_library=missing)
os.environ["ORT_DYLIB_PATH"] = missing
assert missing in fails()
del os.environ["ORT_DYLIB_PATH"]
print(len(tell()))
"""
    assert output(TELL + program, tiny_onnx("grown"), tmp_path / "lib.so") == "9\n"


def test_what_is_no_library_is_an_error(tiny_onnx: TinyOnnx, tmp_path: Path) -> None:
    file = tmp_path / "lib.so"
    file.write_text("no library")
    assert output(TELL + "assert sys.argv[2] in fails(runtime_library=sys.argv[2])", tiny_onnx("grown"), file) == ""


def test_no_library_at_all_says_what_to_do(tiny_onnx: TinyOnnx, tmp_path: Path) -> None:
    program = """
os.environ.pop("ORT_DYLIB_PATH", None)
sys.path.insert(0, sys.argv[2])
said = fails()
assert "was not found" in said, said
"""
    assert output(TELL + program, tiny_onnx("grown"), package(tmp_path)) == ""


def test_a_process_has_one_library(tiny_onnx: TinyOnnx, tmp_path: Path) -> None:
    """The same by another name is the same; another one is refused, and what runs goes on."""
    program = """
expected = tell(runtime_library=_runtime.library())
assert tell(runtime_library=sys.argv[2]) == expected
open(sys.argv[3], "w").close()
said = fails(runtime_library=sys.argv[3])
assert "already" in said and sys.argv[3] in said, said
assert tell() == expected
"""
    link = tmp_path / "link.so"
    link.symlink_to(output(FIND).strip())
    assert output(TELL + program, tiny_onnx("grown"), link, tmp_path / "other.so") == ""


SLOW = r"""
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Says that it is being loaded, and goes on when it may. */
__attribute__((constructor)) static void wait(void) {
    char go;
    close(open(getenv("BEGUN"), O_WRONLY));
    int from = open(getenv("GO_ON"), O_RDONLY);
    while (read(from, &go, 1) < 0) {}
}
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes")
def test_a_library_that_is_a_pipe_or_a_folder_is_not_waited_for(tiny_onnx: TinyOnnx, tmp_path: Path) -> None:
    program = """
pipe = os.path.join(sys.argv[2], "pipe")
os.mkfifo(pipe)
for path in (pipe, sys.argv[2]):
    assert f"from {path}: not a regular file" in fails(runtime_library=path)
    os.environ["ORT_DYLIB_PATH"] = path
    assert f"from {path}: not a regular file" in fails()
print("not waited")
"""
    assert output(TELL + program, tiny_onnx("grown"), tmp_path) == "not waited\n"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_child_that_is_forked_while_the_library_is_loaded_does_not_wait_for_it(
    tiny_onnx: TinyOnnx, tmp_path: Path
) -> None:
    """By a library that takes as long as it is told to: neither it nor the right one can be loaded in the child."""
    library = compiled(SLOW, tmp_path)
    program = """
import signal, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)
slow = sys.argv[2]
for name in ("BEGUN", "GO_ON"):
    os.environ[name] = os.path.join(os.path.dirname(slow), name)
    os.mkfifo(os.environ[name])
said = []
loading = threading.Thread(target=lambda: said.append(fails(runtime_library=slow)))
loading.start()
os.close(os.open(os.environ["BEGUN"], os.O_RDONLY))
if (child := os.fork()) == 0:
    signal.alarm(20)
    for options in ({}, {"runtime_library": slow}):
        assert "was forked while its parent loaded" in fails(**options)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
os.close(os.open(os.environ["GO_ON"], os.O_WRONLY))
loading.join()
# It was none, and the parent can load the right one, and a child of it use that.
assert slow in said[0], said
expected = tell()
if (child := os.fork()) == 0:
    assert tell() == expected
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print("both well")
"""
    assert output(TELL + program, tiny_onnx("grown"), library) == "both well\n"


def test_other_formats_need_no_library(tiny_model: Path, tmp_path: Path) -> None:
    """Even where one is named by the environment; to name one for them is a mistake."""
    program = """
os.environ.pop("ORT_DYLIB_PATH", None)
sys.path.insert(0, sys.argv[2])
print(len(tell()))
os.environ["ORT_DYLIB_PATH"] = "/nonexistent/lib.so"
print(len(tell()))
try:
    tell(runtime_library="/nonexistent/lib.so")
except trillm.errors.Unsupported as error:
    print(error.code)
"""
    assert output(TELL + program, tiny_model, package(tmp_path)) == "9\n9\nunsupported\n"


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what is mapped")
def test_the_library_is_loaded_with_the_first_model(tiny_onnx: TinyOnnx) -> None:
    program = (
        TELL
        + """
def mapped():
    with open("/proc/self/maps") as maps:
        return os.path.realpath(_runtime.library()) in maps.read()

print(mapped())
trillm.Tokenizer(sys.argv[1]).encode("the man")
print(mapped())
tell()
print(mapped())
"""
    )
    assert output(program, tiny_onnx("grown")).split() == ["False", "False", "True"]


# What it does besides.

QUIET = """
import os, sys, threading
import trillm

def threads():
    return len(os.listdir("/proc/self/task"))

before = threads()
with trillm.load(sys.argv[1], threads=1) as model:
    model.generate("the man", max_tokens=2)
print(threads() - before)
"""


def test_it_reports_to_nobody(tiny_onnx: TinyOnnx) -> None:
    # Libraries since 1.29 start a thread that sends reports to their maker.
    assert output(QUIET, tiny_onnx("grown")) == "0\n"
