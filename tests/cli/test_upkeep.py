"""`trillm import history rollback update verify gc`, with models of this machine."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from trillm._core import CHUNK, Store
from web import Web

from .conftest import Cli

WEIGHTS = random.Random(4).randbytes(2 * CHUNK + 9)


@pytest.fixture
def web(environment: dict[str, str]) -> Iterator[Web]:
    """A server with one file, which is no model."""
    environment["NO_PROXY"] = "127.0.0.1"
    with Web() as server:
        server.put("/model.gguf", WEIGHTS, etag='"one"')
        yield server


@pytest.fixture
def name(web: Web) -> str:
    return f"{web.url}/model.gguf"


def blob(environment: dict[str, str], name: str) -> Path:
    store = Store(environment["LOCAL_CACHE_DIR"])
    [(_, sha256, _)] = store.history(name)[0][0].files
    return store.root / "blobs" / "sha256" / sha256


def test_import_makes_no_copy(cli: Cli, tiny_model: Path, environment: dict[str, str]) -> None:
    result = cli("import", tiny_model, "--name", "mine", "--link", "reference")
    assert (result.code, result.out) == (0, "local:mine (reference)\n"), result.err
    assert blob(environment, "local:mine").is_symlink()
    answer = cli("run", "local:mine", "hello", "--max-tokens", "1")
    assert answer.code == 0, answer.err
    document = json.loads(cli("import", tiny_model, "--name", "again", "--json").out)
    assert document["reference"] == "local:again"
    missing = cli("import", "nowhere.gguf")
    assert (missing.code, missing.out) == (1, "")


def test_what_of_a_folder_is_left_out_is_said(cli: Cli, tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "old").mkdir(parents=True)
    for name in ("main.gguf", "old/a.gguf"):
        (folder / name).symlink_to(tiny_model)
    result = cli("import", folder, "--name", "mine", "--link", "reference", "--json")
    assert (result.code, json.loads(result.out)["left_out"]) == (0, ["old/a.gguf"])
    assert "left out: old/a.gguf" in result.err
    alone = cli("import", folder / "main.gguf", "--name", "alone", "--link", "reference", "--json")
    assert (json.loads(alone.out)["left_out"], "old/a.gguf" in alone.err) == ([], False)


def test_the_choice_is_printed(cli: Cli, tiny_folder: Path) -> None:
    result = cli("import", tiny_folder, "--name", "folder")
    assert result.code == 0, result.err
    assert "model.safetensors" in result.err


def test_from_update_to_rollback(cli: Cli, web: Web, name: str) -> None:
    assert cli("pull", name).code == 0
    assert cli("update", name).out == f"{name} is up to date\n"
    web.put("/model.gguf", WEIGHTS[::-1], etag='"two"')
    updated = cli("update")
    assert updated.out.splitlines() == [f"{name} is generation 2 now, from {name}", "  changed model.gguf"]
    head, newest, oldest = cli("history", name).out.splitlines()
    assert head.split() == ["GENERATION", "DIGEST", "ADDED", "SIZE", "SOURCE"]
    assert newest.startswith("2 *")
    assert oldest.startswith("1  ")
    assert cli("rollback", name).out.startswith(f"{name} is generation 1 again, sha256:")
    refused = cli("rollback", name)
    assert refused.code == 1
    assert refused.err.endswith(f"\nhint: see them with: trillm history {name}\n")
    generations = json.loads(cli("history", name, "--json").out)["generations"]
    assert [(entry["generation"], entry["in_use"]) for entry in generations] == [(2, False), (1, True)]
    pinned = cli("rm", f"{name}@{generations[0]['digest']}")
    assert (pinned.code, pinned.out) == (1, "")
    assert cli("rollback", name, generations[0]["digest"]).code == 0
    collected = cli("gc", "--keep", "1")
    assert f"forgot {name} sha256:{generations[1]['digest'][7:19]}" in collected.out
    assert "freed 8.4 MB: 1 files" in collected.out
    assert len(json.loads(cli("history", name, "--json").out)["generations"]) == 1
    assert json.loads(cli("gc", "--json").out)["freed"] == 0


def test_from_damage_to_repair(cli: Cli, web: Web, name: str, environment: dict[str, str]) -> None:
    pulled = cli("pull", name)
    assert pulled.code == 0
    # It is kept as its source has it, and is no model.
    assert re.search(r"^note: .*: expected a model .*, found bytes ", pulled.err, re.MULTILINE)
    assert cli("verify").out == f"{name}: right\n"
    file = blob(environment, name)
    file.chmod(0o644)
    file.write_bytes(WEIGHTS[:CHUNK] + b"?" + WEIGHTS[CHUNK + 1 :])
    damaged = cli("verify", name)
    assert damaged.code == 1
    assert damaged.out.startswith(f"{name}: damaged: model.gguf ")
    assert damaged.out.endswith(f"; bytes {CHUNK} to {2 * CHUNK - 1}\n")
    [found] = json.loads(cli("verify", "--json").out)["damaged"]
    assert found["ranges"] == [[CHUNK, 2 * CHUNK]]
    repaired = cli("verify", "--repair")
    assert repaired.code == 0, repaired.err
    assert web.requests[-1].headers["Range"] == f"bytes={CHUNK}-{2 * CHUNK - 1}"
    assert file.read_bytes() == WEIGHTS
    assert cli("verify").code == 0


def test_what_is_loaded_is_not_collected(cli: Cli, tiny_model: Path, environment: dict[str, str]) -> None:
    assert cli("import", tiny_model, "--name", "mine", "--link", "copy").code == 0
    script = "import sys, trillm; llm = trillm.load('local:mine', threads=1); print('up', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    alarm = threading.Timer(60, holder.kill)
    alarm.start()
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"up\n"
    file = blob(environment, "local:mine")
    assert cli("rm", "local:mine").out == "removed local:mine, freed 0 B\n"
    assert file.exists()
    holder.communicate()
    alarm.cancel()


def test_an_alias_of_the_users_own(cli: Cli, tiny_model: Path, environment: dict[str, str], tmp_path: Path) -> None:
    environment["TRILLM_ALIASES"] = str(tmp_path / "aliases.toml")
    (tmp_path / "aliases.toml").write_text(f'mine = "{tiny_model}"\n')
    assert cli("run", "mine", "hello", "--max-tokens", "1").code == 0
    (tmp_path / "aliases.toml").write_text("mine = 3\n")
    wrong = cli("run", "mine", "hello")
    assert wrong.code == 1
    assert "aliases" in wrong.err
    # Whatever needs no alias is as it was; what is known in spite of it is, with a word about it.
    path = cli("run", tiny_model, "hello", "--max-tokens", "1")
    assert (path.code, path.err.count("aliases")) == (0, 0)
    shown = cli("show", "smollm2", "--json")
    assert json.loads(shown.out)["error"]["code"] == "model_not_found"
    assert shown.err.startswith("warning: ")
    assert shown.err.count("line 1") == 1


def test_the_users_own_folder_of_models(
    cli: Cli, tiny_model: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "mine.gguf").symlink_to(tiny_model)
    environment["LOCAL_MODELS_DIR"] = str(folder)
    assert cli("run", "mine", "hello", "--max-tokens", "1").code == 0
    assert str(folder / "mine.gguf") in cli("list").out
    [model] = json.loads(cli("list", "--json").out)["models"]
    assert (model["format"], model["file"], model["digest"]) == ("gguf", "mine.gguf", None)
