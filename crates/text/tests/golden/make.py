"""Writes renderings.json: what Python's Jinja makes of real chat templates, as transformers calls it.

    pip install jinja2
    python make.py ../../../../../shared/data/chat-templates renderings.json

The templates are other people's work and stay where they are; the file keeps their names and checksums, the
conversations, and the expected output (only its length and SHA-256 where it is long).

`strftime_now` gives its format in brackets, so that the output does not depend on the day.
"""

import hashlib
import json
import pathlib
import sys
from typing import ClassVar

import jinja2
import jinja2.ext
import jinja2.nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

LONGEST = 400

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": 'Weather <now> & "soon", for a città',
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "The city's name"},
                    "days": {"type": "integer", "minimum": 1, "default": 1.5},
                    "units": {"type": "string", "enum": ["metric", "imperial"]},
                    "tags": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["city"],
            },
        },
    }
]

USER = {"role": "user", "content": "What is 2 + 2? <b>Really</b> & truly?"}
ASSISTANT = {"role": "assistant", "content": "It is 4.\n"}
SYSTEM = {"role": "system", "content": "You are terse.  "}
THOUGHT = {"role": "assistant", "content": "<think>\nTwo and two.\n</think>\n\nIt is 4."}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {
            "id": "call12345",
            "type": "function",
            "function": {"name": "get_weather", "arguments": {"city": "Zürich", "days": 2, "exact": True, "x": None}},
        }
    ],
}
RESULT = {"role": "tool", "name": "get_weather", "tool_call_id": "call12345", "content": '{"sky": "clear"}'}
PARTS = {"role": "user", "content": [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]}

CASES = {
    "user": {"messages": [USER]},
    "user, no prompt": {"messages": [USER], "add_generation_prompt": False},
    "system": {"messages": [SYSTEM, USER]},
    "turns": {"messages": [SYSTEM, USER, ASSISTANT, {"role": "user", "content": "  And 3 + 3?\n"}]},
    "turns, no prompt": {"messages": [USER, ASSISTANT], "add_generation_prompt": False},
    "thought": {"messages": [USER, THOUGHT, USER]},
    "tools": {"messages": [SYSTEM, USER], "tools": TOOLS},
    "tool result": {"messages": [USER, CALL, RESULT], "tools": TOOLS},
    "tool answer": {"messages": [USER, CALL, RESULT, ASSISTANT, USER], "tools": TOOLS},
    "no thinking": {"messages": [USER], "variables": {"enable_thinking": False}},
    "parts": {"messages": [PARTS]},
    "empty": {"messages": []},
}


class Generation(jinja2.ext.Extension):
    """The `{% generation %}` tag, which marks what to train on; here only a block."""

    tags: ClassVar[set[str]] = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("body"), [], [], body).set_lineno(line)

    @staticmethod
    def body(caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def strftime_now(pattern):
    return "[" + pattern + "]"


def environment():
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = strftime_now
    return env


def joined(messages):
    """Lists of parts as text, one line each."""

    def text(content):
        return "\n".join(part["text"] for part in content) if isinstance(content, list) else content

    return [{**message, "content": text(message.get("content"))} for message in messages]


def expect(template, case):
    found = render(template, case)
    if case["messages"] == [PARTS] and ("One." not in found.get("text", "") or "'type'" in found["text"]):
        # The template knows nothing of parts: trillm gives it text then, where transformers prints a list or fails.
        found = render(template, {**case, "messages": joined(case["messages"])})
    return shorten(found)


def render(template, case):
    arguments = {
        # As transformers 5.24 does: what is null is absent.
        "messages": [{key: value for key, value in each.items() if value is not None} for each in case["messages"]],
        "tools": case.get("tools"),
        "documents": None,
        "add_generation_prompt": case.get("add_generation_prompt", True),
        "bos_token": "<s>",
        "eos_token": "</s>",
        **case.get("variables", {}),
    }
    try:
        text = template.render(**arguments)
    except jinja2.exceptions.TemplateError as error:
        # An error of Jinja's own kind that a template raised; UndefinedError and its like are subclasses.
        kind = "refused" if type(error) is jinja2.exceptions.TemplateError else "failed"
        return {kind: str(error)}
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {error}"}
    return {"text": text}


def shorten(found):
    text = found.get("text", "").encode()
    if len(text) <= LONGEST:
        return found
    return {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest(), "end": found["text"][-60:]}


def main(folder, out):
    templates = {}
    for path in sorted(pathlib.Path(folder).rglob("*.jinja*")):
        source = path.read_bytes()
        template = environment().from_string(source.decode())
        templates[str(path.relative_to(folder))] = {
            "sha256": hashlib.sha256(source).hexdigest(),
            "expected": {name: expect(template, case) for name, case in CASES.items()},
        }
    golden = {"cases": CASES, "templates": templates}
    pathlib.Path(out).write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
