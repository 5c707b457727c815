"""What an option does not take is an error of usage, whoever finds it: the command line, or the model."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import trillm
from trillm.cli import app
from trillm.errors import InvalidRequest

from .conftest import Cli

LARGEST = 2**32 - 1

WRONG = [
    ("-t", "101", "'--temperature' / '-t'", "0 to 100"),
    ("-t", "-1", "'--temperature' / '-t'", "0 to 100"),
    ("-t", "inf", "'--temperature' / '-t'", "0 to 100"),
    ("--top-p", "2", "'--top-p'", "0 to 1"),
    ("--min-p", "-0.5", "'--min-p'", "0 to 1"),
    ("--top-k", str(LARGEST + 1), "'--top-k'", f"a whole number, 0 to {LARGEST}"),
    ("--seed", "9" * 23, "'--seed'", "a whole number, 0 to 2**64 - 1"),
    ("--seed", "-1", "'--seed'", "a whole number, 0 to 2**64 - 1"),
    ("-n", str(LARGEST + 1), "'--max-tokens' / '-n'", f"a whole number, 1 to {LARGEST}, or fit"),
    ("-n", "0", "'--max-tokens' / '-n'", f"a whole number, 1 to {LARGEST}, or fit"),
    ("--threads", "9999", "'--threads'", "a whole number, 1 to 512"),
    ("--threads", "0", "'--threads'", "a whole number, 1 to 512"),
    ("--context", str(LARGEST + 1), "'--context'", "a whole number, 1 to 1073741824"),
]


@pytest.mark.parametrize(("option", "value", "name", "expected"), WRONG)
def test_a_number_out_of_bounds_is_usage_before_a_model_is_looked_for(
    cli: Cli, option: str, value: str, name: str, expected: str
) -> None:
    # What the fixture adds is a part of the prompt.
    result = cli("run", "hf:org/none", "--raw", option, value, "--", "hi")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        f"error: Invalid value for {name}: expected {expected}, found '{value}'\nhint: see trillm run --help\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--stop", ""),
            "Invalid value for '--stop': expected strings of at least one character, found an empty string",
        ),
        (("--stop", "x") * 17, "Invalid value for '--stop': expected at most 16 strings, found 17 strings"),
        (("--engine", "lama"), "Invalid value for '--engine': there is no engine called \"lama\": this build has "),
    ],
)
def test_what_the_model_refuses_of_an_option_is_usage_too(
    cli: Cli, tiny_model: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = cli("run", tiny_model, "--raw", "hi", *arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: {message}")
    assert result.err.endswith("\nhint: see trillm run --help\n")
    document = cli("run", tiny_model, "--raw", "hi", *arguments, "--json")
    assert (document.code, document.err) == (2, "")
    error = json.loads(document.out)["error"]
    assert (error["code"], error["hint"]) == ("usage", "see trillm run --help")
    assert error["message"].startswith(message)


def test_an_engine_that_there_is_not_is_usage_for_vectors_too(cli: Cli, tiny_model: Path) -> None:
    result = cli("embed", tiny_model, "hi", "--engine", "lama")
    assert result.code == 2
    assert result.err.startswith("error: Invalid value for '--engine': ")


def test_no_prompt_at_all_is_usage_with_a_template_or_without(cli: Cli, tiny_folder: Path, tmp_path: Path) -> None:
    """A model that puts a token before a text can go on from that; one that does not has nothing to continue."""
    folder = shutil.copytree(tiny_folder, tmp_path / "bare")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer | {"post_processor": None}))
    for raw, message in (
        ((), "PROMPT is blank, and standard input is empty"),
        (("--raw",), "PROMPT is empty, expected"),
    ):
        result = cli("run", folder, *raw, "")
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith(f"error: {message}")


def test_what_a_model_cannot_do_is_no_usage(cli: Cli, tiny_model: Path) -> None:
    for arguments in (("--engine", "candle"), ("--context", "1"), ("-n", "100000")):
        assert cli("run", tiny_model, "--raw", "hi", *arguments).code == 1


def test_the_bounds_of_options_are_those_of_the_model(tiny_model: Path) -> None:
    """Options have their own, so that what is mistyped costs no loading."""
    import typer.main

    run = typer.main.get_command(app).commands["run"]  # type: ignore[attr-defined]
    bounds = {param.name: (param.min, param.max) for param in run.params if getattr(param, "max", None) is not None}
    assert set(bounds) == {"temperature", "top_p", "top_k", "min_p", "seed", "context", "threads"}
    with trillm.load(tiny_model, threads=1) as model:

        def ask(name: str, value: float) -> object:
            params: dict[str, Any] = {name: value}
            if name in ("context", "threads"):
                return trillm.load(tiny_model, **params)
            return model.generate([5], max_tokens=1, **params)

        for name, (least, most) in bounds.items():
            for value in (least - 1, most + 1):
                with pytest.raises(InvalidRequest, match=rf"^{name} is .*, expected .*{least:g} to {said(most)}$"):
                    ask(name, value)
            if name not in ("context", "threads"):
                ask(name, least)
                ask(name, most)


def said(number: float) -> str:
    return re.escape("2**64 - 1" if number == 2**64 - 1 else f"{number:.0f}")
