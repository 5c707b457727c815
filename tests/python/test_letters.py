"""Methods of texts in a chat template, for every character: they are those of the Python that runs this."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
import trillm

KINDS = "isalpha isalnum isdecimal isdigit isnumeric isidentifier isprintable isspace isupper islower istitle isascii"
CASES = "upper lower title capitalize swapcase casefold strip"

AT_ONCE = 4000
"""Characters of a rendering, whose steps are counted."""

CHANGED = {*"\u30fb\uff65\u0295\u10fc\ua7f2\ua7f3\ua7f4\uab69\ua7d3\ua7d5\u019b\u0264"}
"""Of another kind, or with a capital, since Unicode 15 or later, and not before."""


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Iterator[trillm.Model]:
    with trillm.load(tiny_model, threads=1) as model:
        yield model


def characters() -> list[str]:
    """Those that this Python knows; of the largest blocks, in which all are alike, those alone that are numbers."""
    every = (chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000)
    alike = [(0x3500, 0x4D00), (0xAD00, 0xD700), (0x20000, 0x2A000), (0x2A700, 0x2F7FF), (0x30000, 0x3FFFF)]

    def is_wanted(character: str) -> bool:
        code = ord(character)
        numbered = character.isnumeric() or not any(first < code < last for first, last in alike)
        return numbered and unicodedata.category(character) not in ("Cn", "Co")

    return [character for character in every if is_wanted(character)]


@pytest.mark.parametrize("methods", [KINDS.split(), CASES.split()], ids=["kinds", "cases"])
def test_methods_of_texts_are_pythons(model: trillm.Model, methods: list[str]) -> None:
    every = [character for character in characters() if character not in CHANGED]
    assert len(every) > 60_000
    calls = " ~ '|' ~ ".join(f"c.{method}() ~ ('a' ~ c ~ 'b').{method}()" for method in methods)
    template = "{% for c in messages[0].content %}{{ " + calls + " }}\ue000{% endfor %}"
    wrong = []
    for start in range(0, len(every), AT_ONCE):
        part = every[start : start + AT_ONCE]
        shown = model.render_chat([{"role": "user", "content": "".join(part)}], template=template)
        for character, found in zip(part, shown.removesuffix("\ue000").split("\ue000"), strict=True):
            expected = "|".join(f"{getattr(character, m)()}{getattr(f'a{character}b', m)()}" for m in methods)
            if found != expected:
                wrong.append((hex(ord(character)), found, expected))
    assert wrong == []
