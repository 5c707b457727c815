"""Chat templates against Jinja2 as transformers sets it up: `just fuzz templates --rounds 1000`.

Half of the cases are published templates (from `shared/data/chat-templates` beside the repository, if it is there) on
random conversations, odd ones among them; the others are made from a grammar of what Jinja2 has, on values of every
type. Both sides render each case. A difference is another text, or none where Jinja2 makes one. A conversation may also
be alike in another form, which ours gives to a template that fails on the first or shows no content of its kind. Where
Jinja2 fails on a made template, ours may be more lenient; what ours does not know it may refuse by its name; and texts
that show Python's insides are not compared. Those cases are counted.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent))

from jinja_grammar import Maker

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

BATCH = 500
SHOWN = 40
REPORTED = 10_000

_INSIDES = re.compile(
    r"<(class|bound|built-in|function|TemplateReference|Namespace|jinja2|transformers)|Markup\(|b'|range\(\d+, ",
    re.IGNORECASE,
)
"""What Python prints of types, methods and bytes."""

_ADDRESS = re.compile(r" at 0x[0-9a-f]+", re.IGNORECASE)

_UNKNOWN = re.compile(r"unknown (filter|method|function|test)|is unknown|has no method named|has no place for")


def published() -> list[tuple[str, str]]:
    """Templates of models; the date in them is their format, so that both sides agree."""
    shared = Path(os.environ.get("TRILLM_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    files = sorted((shared / "data/chat-templates").rglob("*.jinja"))
    return [(file.name, file.read_text().replace("strftime_now(", "'[{}]'.format(")) for file in files]


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
                [case["messages"] if "raw" in case else _normalize_chat_messages(case["messages"])],
                tools=case["tools"],
                chat_template=case["template"],
                add_generation_prompt=case["add_generation_prompt"],
                **{**case["special"], **case["variables"]},
            )
            answer = {"text": rendered[0]}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


class Renderer:
    """A program that renders: a line of JSON in, a line of JSON out. One that ends is started again."""

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def answers(self, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What it makes of cases; a case at which it ended is a crash."""
        found: list[dict[str, Any]] = []
        while len(found) < len(cases):
            writer = threading.Thread(target=self.write, args=(cases[len(found) :],))
            writer.start()
            while len(found) < len(cases) and (line := self.out.readline()):
                found.append(json.loads(line))
            writer.join()
            if len(found) < len(cases):
                found.append({"crash": f"ended with {self.process.wait()}"})
                self.start()
        return found

    @property
    def out(self) -> IO[str]:
        assert self.process.stdout
        return self.process.stdout

    def write(self, cases: list[dict[str, Any]]) -> None:
        assert self.process.stdin
        # Whoever reads notices that the program ended.
        with contextlib.suppress(BrokenPipeError):
            for case in cases:
                self.process.stdin.write(json.dumps(case) + "\n")
            self.process.stdin.flush()

    def end(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def cases(rng: random.Random, rounds: int) -> Iterator[dict[str, Any]]:
    maker, templates = Maker(rng), published()
    for number in range(rounds):
        if templates and number % 2:
            name, template = rng.choice(templates)
            yield maker.conversation() | {"name": name, "template": template}
        else:
            yield maker.made()


def forms(case: dict[str, Any]) -> list[dict[str, Any]]:
    """The same conversation in the other forms that ours gives to a template, where it takes or shows no other."""

    def formed(arguments: Callable[[Any], Any], content: Callable[[Any], Any]) -> dict[str, Any]:
        messages = json.loads(json.dumps(case["messages"]))
        for message in messages:
            for call in message.get("tool_calls") or []:
                call["function"]["arguments"] = arguments(call["function"]["arguments"])
            if "content" in message:
                message["content"] = content(message["content"])
        return case | {"messages": messages}

    def text(value: Any) -> Any:
        return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value

    def joined(content: Any) -> Any:
        return "\n".join(part["text"] for part in content) if isinstance(content, list) else content

    def parts(content: Any) -> Any:
        return [{"type": "text", "text": content}] if isinstance(content, str) else content

    def same(value: Any) -> Any:
        return value

    def filled(content: Any) -> Any:
        return "" if content is None else content

    contents: list[Callable[[Any], Any]] = [same, filled, joined, parts]
    contents += [lambda content: joined(filled(content)), lambda content: parts(filled(content))]
    made = [formed(arguments, content) for arguments in (same, text) for content in contents]
    # Content that is null stays, which transformers takes away.
    raw = [formed(arguments, content) for arguments in (same, text) for content in (same, joined, parts)]
    return made + [other | {"raw": True} for other in raw]


def verdict(case: dict[str, Any], our: dict[str, Any], their: dict[str, Any]) -> str:
    """What two answers are to each other."""
    if "crash" in our:
        return "CRASH"
    if "text" not in their:
        return "both fail" if "error" in our else "only Jinja2 fails"
    if _ADDRESS.sub("", our.get("text", "")) == _ADDRESS.sub("", their["text"]) and "text" in our:
        return "alike"
    if _INSIDES.search(their["text"]) or "__class__" in case["template"]:
        return "Python's insides"
    return "refused by name" if _UNKNOWN.search(our.get("error", "")) else "DIFFERENT"


def main() -> None:
    from environment import ROOT, arguments, reference_python

    given = arguments(__doc__)
    ours = [str(ROOT / "target/debug/examples/render")]
    theirs = [str(reference_python()), __file__, "--reference"]
    build = ["cargo", "build", "--locked", "-q", "-p", "trillm-text", "--example", "render"]
    subprocess.run(build, cwd=ROOT, check=True)
    counts: Counter[str] = Counter()
    made = cases(given.random, given.rounds)
    begun = time.monotonic()
    our_renderer, their_renderer = Renderer(ours), Renderer(theirs)
    with ThreadPoolExecutor(2) as both:
        while batch := list(itertools.islice(made, BATCH)):
            found = both.map(lambda renderer, batch=batch: renderer.answers(batch), (our_renderer, their_renderer))
            for case, our, their in zip(batch, *found, strict=True):
                kind = verdict(case, our, their)
                if kind in ("DIFFERENT", "only Jinja2 fails") and "name" in case:
                    texts = [answer.get("text") for answer in their_renderer.answers(forms(case))]
                    kind = "alike in another form" if our.get("text", "") in texts else "DIFFERENT"
                counts[kind] += 1
                if kind in ("DIFFERENT", "CRASH") and counts[kind] <= SHOWN:
                    shown = case | {"template": ""} if "name" in case else case["template"]
                    print(json.dumps(shown, ensure_ascii=False))
                    print(f"   ours {json.dumps(our)}\n theirs {json.dumps(their)}", flush=True)
            if sum(counts.values()) % REPORTED == 0:
                print(f"{sum(counts.values())} rounds, {dict(counts)}", file=sys.stderr, flush=True)
    our_renderer.end()
    their_renderer.end()
    seconds = time.monotonic() - begun
    print(f"{sum(counts.values())} rounds in {seconds:.0f} s")
    print(", ".join(f"{kind}: {count}" for kind, count in sorted(counts.items())))
    sys.exit(1 if counts["DIFFERENT"] or counts["CRASH"] else 0)


if __name__ == "__main__":
    reference() if "--reference" in sys.argv else main()
