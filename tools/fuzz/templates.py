"""Chat templates against Jinja2 as transformers sets it up: `just fuzz templates --rounds 1000`.

Half of the cases are published templates (from `shared/data/chat-templates` beside the repository, if it is there) on
random conversations; the others are made from a grammar of what Jinja2 has, on values of every type. Both sides render
each case. A difference is another text, or none where Jinja2 makes one. Where Jinja2 fails, ours may be more lenient;
what ours does not know it may refuse by its name; and texts that show Python's insides are not compared. Those cases
are counted.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent))

from jinja_grammar import Maker

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

BATCH = 500
SHOWN = 40

_INSIDES = re.compile(
    r" at 0x|dict_(keys|values|items)\(|<class|range\(|<TemplateReference|<Namespace|Markup\(|b'", re.IGNORECASE
)
"""What Python prints of generators, views, types and bytes."""

_UNKNOWN = re.compile(r"unknown (filter|method|function|test)|has no method named|'!'")


def published() -> list[str]:
    """Templates of models; the date in them is their format, so that both sides agree."""
    shared = Path(os.environ.get("TRILLM_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    files = sorted((shared / "data/chat-templates").rglob("*.jinja"))
    return [file.read_text().replace("strftime_now(", "'[{}]'.format(") for file in files]


def reference() -> None:
    """Renders as transformers does: a line of JSON in, a line of JSON out."""
    from transformers.utils.chat_template_utils import (  # type: ignore[import-not-found]
        _normalize_chat_messages,
        render_jinja_template,
    )

    for line in sys.stdin:
        case = json.loads(line)
        try:
            rendered, _ = render_jinja_template(
                [_normalize_chat_messages(case["messages"])],
                tools=case["tools"],
                chat_template=case["template"],
                add_generation_prompt=case["add_generation_prompt"],
                **{**case["special"], **case["variables"]},
            )
            answer = {"text": rendered[0]}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


def answers(command: list[str], cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a program that renders makes of cases."""
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    done = subprocess.run(command, input=lines, stdout=subprocess.PIPE, text=True, check=False)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    if len(found) < len(cases):
        raise SystemExit(f"{command[0]} ended with {done.returncode} at: {json.dumps(cases[len(found)])}")
    return found


def cases(rng: random.Random, rounds: int) -> Iterator[dict[str, Any]]:
    maker, templates = Maker(rng), published()
    for number in range(rounds):
        if templates and number % 2:
            yield maker.conversation() | {"template": rng.choice(templates)}
        else:
            yield maker.made()


def verdict(our: dict[str, Any], their: dict[str, Any]) -> str:
    """What two answers are to each other."""
    if "text" not in their:
        return "both fail" if "error" in our else "only Jinja2 fails"
    if our == their:
        return "alike"
    if _INSIDES.search(their["text"]):
        return "Python's insides"
    return "refused by name" if _UNKNOWN.search(our.get("error", "")) else "DIFFERENT"


def main() -> None:
    from environment import ROOT, arguments, reference_python

    given = arguments(__doc__)
    ours = [str(ROOT / "target/debug/examples/render")]
    theirs = [str(reference_python()), __file__, "--reference"]
    build = ["cargo", "build", "--locked", "-q", "-p", "trillm-text", "--example", "render"]
    subprocess.run(build, cwd=ROOT, check=True)
    made = list(cases(given.random, given.rounds))
    counts: Counter[str] = Counter()
    for start in range(0, len(made), BATCH):
        batch = made[start : start + BATCH]
        for case, our, their in zip(batch, answers(ours, batch), answers(theirs, batch), strict=True):
            kind = verdict(our, their)
            counts[kind] += 1
            if kind == "DIFFERENT" and counts[kind] <= SHOWN:
                shown = case["template"] if len(case["template"]) < 500 else case
                print(json.dumps(shown, ensure_ascii=False))
                print(f"   ours {json.dumps(our)}\n theirs {json.dumps(their)}")
    print(", ".join(f"{kind}: {count}" for kind, count in sorted(counts.items())))
    sys.exit(1 if counts["DIFFERENT"] else 0)


if __name__ == "__main__":
    reference() if "--reference" in sys.argv else main()
