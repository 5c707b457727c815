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

CHANGED = {*"\u30fb\uff65"}
"""Parts of names since Unicode 15.1, and not before."""


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


@pytest.mark.parametrize("method", [*KINDS.split(), *CASES.split()])
def test_a_method_of_texts_is_pythons(model: trillm.Model, method: str) -> None:
    every = characters()
    assert len(every) > 60_000
    template = "{%% for c in messages[0].content %%}{{ c.%s() }}|{{ ('a' + c + 'b').%s() }}\n{%% endfor %%}"
    wrong = []
    for start in range(0, len(every), AT_ONCE):
        part = [c for c in every[start : start + AT_ONCE] if c not in CHANGED]
        text = "".join(part)
        shown = model.render_chat([{"role": "user", "content": text}], template=template % (method, method))
        expected = [f"{getattr(c, method)()}|{getattr(f'a{c}b', method)()}\n" for c in part]
        if shown != "".join(expected):
            # One by one, for those that differ.
            for character, line in zip(part, expected, strict=True):
                said = model.render_chat([{"role": "user", "content": character}], template=template % (method, method))
                if said != line:
                    wrong.append((hex(ord(character)), said, line))
                    if len(wrong) > 20:
                        break
    assert wrong == []
