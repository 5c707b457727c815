"""The map of the guide names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_every_row_names_a_test_that_is_there() -> None:
    rows = [
        line
        for line in (ROOT / "docs/guide-map.md").read_text().splitlines()
        if re.match(r"\| (?!in the guide)\S", line)
    ]
    tests = "\n".join(path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.py")))
    known = set(re.findall(r"^(?:async )?def (test_\w+)\(", tests, re.MULTILINE))
    named = [re.findall(r"`(test_\w+)`", row.split("|")[-2]) for row in rows]
    assert len(rows) > 45
    assert [row for row, names in zip(rows, named, strict=True) if not names or not known.issuperset(names)] == []
