"""What happens to output that nobody takes, and how usage errors read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Begun, Cli, Terminal, trillm

FULL = Path("/dev/full")


def lost(arguments: list[str], environment: dict[str, str], where: str) -> tuple[int, str]:
    """The exit code and standard error of a command whose standard output is redirected."""
    shell = ["sh", "-c", f'"$@" {where}', "sh", *arguments]
    done = subprocess.run(shell, stdin=subprocess.DEVNULL, env=environment, stderr=subprocess.PIPE, check=False)
    return done.returncode, done.stderr.decode()


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "MODEL", "hello", "-n", "2"),
        ("run", "MODEL", "hello", "-n", "2", "--json"),
        ("run", "no-such-model", "hello", "--json"),
        ("embed", "MODEL", "hello"),
        ("show", "MODEL"),
        ("list", "--json"),
        ("doctor", "--json"),
        ("--version",),
        ("--help",),
        ("run", "--help"),
    ],
)
def test_a_full_device_is_one_line(tiny_model: Path, environment: dict[str, str], arguments: tuple[str, ...]) -> None:
    command = trillm(*(str(tiny_model) if word == "MODEL" else word for word in arguments))
    code, error = lost(command, environment, ">/dev/full")
    assert code == 1
    assert error.startswith("error: ")
    assert "No space left on device" in error
    assert error.count("\n") == 1
    assert lost(command, environment, ">/dev/full 2>/dev/full") == (1, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "MODEL", "hello", "-n", "2"),
        ("run", "MODEL", "hello", "-n", "2", "--json"),
        ("embed", "MODEL", "hello"),
        ("list", "--json"),
        ("--version",),
        ("--help",),
        ("run", "--help"),
        (),
    ],
)
@pytest.mark.parametrize("others", ["", "<&-"])
def test_a_closed_output_is_one_line(
    tiny_model: Path, environment: dict[str, str], arguments: tuple[str, ...], others: str
) -> None:
    command = trillm(*(str(tiny_model) if word == "MODEL" else word for word in arguments))
    code, error = lost(command, environment, f">&- {others}")
    assert (code, error) == (1, "error: cannot write to standard output: Bad file descriptor\n")


def test_no_file_takes_the_place_of_a_closed_output(environment: dict[str, str]) -> None:
    """What the native half prints would be written into it."""
    code = (
        "import os, trillm.cli\n"
        "trillm.cli.main(['list', '--json'])\n"
        "assert os.path.samestat(os.fstat(1), os.stat(os.devnull))\n"
        "assert os.path.samestat(os.fstat(2), os.stat(os.devnull))\n"
        "assert os.open('/', os.O_RDONLY) not in (1, 2)\n"
    )
    command = [sys.executable, "-c", code]
    assert lost(command, environment, ">&- 2>&- <&-") == (0, "")
    assert lost(command, environment, ">&- 2>&-") == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--json"),
        ("doctor",),
        ("--version",),
        ("doctor", "--json"),
        ("--help",),
        ("run", "--help"),
        (),
    ],
)
def test_a_pipe_that_nobody_reads_is_quiet(begun: Begun, arguments: tuple[str, ...]) -> None:
    with begun(*arguments) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait() == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "x", "--nope"), "--nope"),
        (("run", "x", "--raw", "--system", "y"), "--system"),
        (("embed",), "MODEL"),
        (("pull", "x", "y"), "y"),
        (("list", "y"), "y"),
        (("show",), "REFERENCE"),
        (("rm",), "REFERENCE"),
        (("update", "--nope"), "--nope"),
        (("history",), "REFERENCE"),
        (("rollback",), "REFERENCE"),
        (("verify", "--nope"), "--nope"),
        (("gc", "--keep", "0"), "--keep"),
        (("import",), "PATH"),
        (("convert", "x"), "DST"),
        (("convert", "x", "", "--to", "gguf", "--dtype", "f32"), "DST"),
        (("plan", "x", "--parallel", "0"), "--parallel"),
        (("doctor", "y"), "y"),
        (("nothing",), "nothing"),
    ],
)
def test_usage_errors_are_documents_where_one_was_asked_for(cli: Cli, arguments: tuple[str, ...], words: str) -> None:
    result = cli(*arguments, "--json")
    assert (result.code, result.err) == (2, "")
    error = json.loads(result.out)["error"]
    assert error["code"] == "usage"
    assert words in error["message"]
    assert "--help" in error["hint"]


def test_a_word_behind_two_dashes_asks_for_no_document(cli: Cli) -> None:
    result = cli("list", "--", "--json")
    assert (result.code, result.out) == (2, "")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ("convert", "a", "b", "--to", "foo", "--dtype", "bf16"),
            "Invalid value for '--to': 'foo' is not one of 'safetensors', 'gguf'",
        ),
        (("convert", "a", "b", "--to", "gguf"), "Missing option '--dtype'. Choose from: bf16, f16, f32"),
        (("gc", "--keep", "x"), "Invalid value for '--keep': expected a whole number, found 'x'"),
        (("gc", "--keep", "0"), "Invalid value for '--keep': expected a whole number, 1 to 4294967295, found '0'"),
        (
            ("gc", "--keep", "9" * 5000),
            f"Invalid value for '--keep': expected a whole number, 1 to 4294967295, found '{'9' * 200}…'",
        ),
        (("run", "m", "p", "-t", "hot"), "Invalid value for '--temperature' / '-t': expected a number, found 'hot'"),
    ],
)
def test_usage_errors_are_for_people(cli: Cli, arguments: tuple[str, ...], expected: str) -> None:
    result = cli(*arguments)
    assert result.code == 2
    assert result.err.splitlines()[0] == f"error: {expected}"


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        (
            "run smollm2 What is -5 plus 3",
            "if -5 belongs to PROMPT, put it behind --, or into quotes with the words before it: "
            "trillm run MODEL -- PROMPT; else see trillm run --help",
        ),
        ("run smollm2 -5", "if -5 belongs to PROMPT, put it behind --"),
        ("run smollm2 what does ls -la do", "if -l belongs to PROMPT, put it behind --"),
        ("run smollm2 what does --9 do", "if --9 belongs to PROMPT, put it behind --"),
        ("embed all-minilm a -1", "if -1 belongs to TEXT, put it behind --"),
        ("import -x.gguf", "if -x belongs to PATH, put it behind --: trillm import -- PATH; else"),
        ("convert -a b", "if -a belongs to DST, put it behind --: trillm convert SRC -- DST; else"),
        ("run smollm2 --temprature 1 hi", "see trillm run --help"),
        ("list -x", "see trillm list --help"),
        ("-x", "see trillm --help"),
    ],
)
def test_words_that_look_like_options_have_a_place(cli: Cli, line: str, hint: str) -> None:
    result = cli(*line.split())
    assert (result.code, result.out) == (2, "")
    assert result.err.splitlines()[1].startswith(f"hint: {hint}")


def test_words_behind_two_hyphens_are_words(tiny_model: Path) -> None:
    options = ("--threads", "1", "-t", "0", "-n", "5", "--ignore-eos")
    lines = [
        [*trillm(), "run", str(tiny_model), *options, *words] for words in (["--", "What", "is", "-5"], ["What is -5"])
    ]
    done = [subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout for line in lines]
    assert done[0] == done[1]


@pytest.mark.parametrize("command", ["run", "embed", "pull", "list", "convert"])
def test_help_shows_flags_as_flags(cli: Cli, command: str, environment: dict[str, str]) -> None:
    environment["COLUMNS"] = "200"
    result = cli(command, "--help")
    assert result.code == 0
    assert "--json" in result.out
    assert "bool" not in result.out.lower()


@pytest.mark.parametrize("arguments", [(), ("--help",), ("run", "--help")])
@pytest.mark.parametrize("setting", [{"TERM": None}, {"TERM": ""}, {"TERM": "dumb"}, {"NO_COLOR": "1"}, {}])
def test_help_is_plain_on_terminals_that_want_it_so(
    terminal: Terminal, environment: dict[str, str], setting: dict[str, str | None], arguments: tuple[str, ...]
) -> None:
    for name, value in setting.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    shown = terminal(*arguments).read()
    assert "Usage" in shown
    assert ("\x1b" in shown) == (setting == {})


@pytest.mark.parametrize("setting", [{"TERM": "dumb"}, {"NO_COLOR": "1"}, {}], ids=str)
def test_no_escape_sequences_where_they_mean_nothing(
    cli: Cli, environment: dict[str, str], setting: dict[str, str]
) -> None:
    environment.update(setting)
    done = cli("run", "--help")
    assert done.code == 0
    assert "\x1b" not in done.out + done.err
