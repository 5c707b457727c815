"""Random texts through our tokenizers, against llama.cpp (every pre-tokenizer) and the library tokenizers.

With the library, texts of tokens are compared too: of those of a text, and of random ones.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import trillm
from environment import ROOT, arguments, reference_python

RULES = 80
"""Vocabularies that the comparison with llama.cpp makes, about: each gets its share of the rounds."""

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
PATTERNS = [
    rf"{CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}|{REST}",
    rf"{CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}|{REST}",
    rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{CONTRACTIONS}?|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{CONTRACTIONS}?"
    rf"|\p{{N}}{{1,3}}|{REST}",
    rf"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{{L}}\p{{N}}]?+\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]++[\r\n]*|\s*[\r\n]|{REST}",
]

KINDS = "aZé\u0301ßЯя中あア한กا४7½Ⅷ²_-'\"!/\\|~^$€+=<>()[]{}.,;:"
KINDS += "。，！—…«»😀\u200d\ufe0f\u00a0\u3000\u2028\t\n\r \x0b\0\x7fʰǅ"
PHRASES = ["'s", "'LL", "don't", "  ", "\n\n", "\r\n", " \n", "123", "1,234.5", "Hello", "HELLO", " the", "ing", "==",
           "<|endoftext|>", "</s>", "▁", "中文", "한국어", "<0x41>", "``", "''", "[SEP]", "##", "e\u0301", "क्षि",
           "before", "speak", " citizens", "against", "unbelievable"]  # fmt: skip

LETTERS = "İßǄ①ﬁ™…\u200b\u1e9b\u0323한ｶﾞن\u064e\ufffdＡ０漢\u0345ﷺ"
"""Characters that normalizers change."""

REFERENCE = Path(__file__).with_name("tokenizer_reference.py")


def text(numbers: random.Random) -> str:
    """A short text with some of all that pre-tokenizers tell apart."""
    parts = []
    for _ in range(numbers.randint(0, 12)):
        kind = numbers.randrange(4)
        if kind == 0:
            parts.append(numbers.choice(PHRASES))
        elif kind == 1:
            parts.append(numbers.choice(KINDS + LETTERS) * numbers.randint(1, 9))
        elif kind == 2:
            parts.append("".join(numbers.choices(KINDS + LETTERS, k=numbers.randint(1, 6))))
        else:
            parts.append(chr(numbers.randint(32, 126)))
    return "".join(parts)


def files(shared: Path, scratch: Path) -> Iterator[Path]:
    """Real files of `tokenizer.json`, the first of them cut by the patterns of others, and forms of other models."""
    first = shared / "tokenizers" / "gpt2" / "tokenizer.json"
    yield from (first, shared / "tokenizers" / "phi3" / "tokenizer.json")
    for number, pattern in enumerate(PATTERNS):
        file: dict[str, Any] = json.loads(first.read_text(encoding="utf-8"))
        split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
        level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
        file["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, level]}
        file["normalizer"] = {"type": "NFC"} if number % 2 else None
        path = scratch / f"{number}.json"
        path.write_text(json.dumps(file), encoding="utf-8")
        yield path
    numbers = random.Random(0)
    learned = scratch / "text"
    english = (shared / "text" / "tinyshakespeare.txt").read_text(encoding="utf-8")
    learned.write_text(english + "\n".join(text(numbers) for _ in range(20_000)), encoding="utf-8")
    forms = scratch / "forms"
    forms.mkdir()
    command = [str(reference_python()), str(REFERENCE), "forms", str(learned), str(forms)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield from sorted(forms.iterdir())


def library_differences(rounds: int, numbers: random.Random, shared: Path) -> int:
    """Compares `rounds` texts with the library, and says which differ."""
    differences = 0
    with tempfile.TemporaryDirectory() as scratch:
        paths = list(files(shared, Path(scratch)))
        for path in paths:
            ours = trillm.Tokenizer(path)
            command = [str(reference_python()), str(REFERENCE), "answer", str(path)]
            pipe = subprocess.PIPE
            with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as library:
                assert library.stdin is not None
                assert library.stdout is not None
                for number in range(2 * (rounds // len(paths) + 1)):
                    case: str | list[int] = text(numbers)
                    if number % 2:
                        case = [numbers.randrange(ours.vocabulary) for _ in range(numbers.randint(0, 9))]
                    print(json.dumps(case), file=library.stdin, flush=True)
                    expected, decoded = json.loads(library.stdout.readline())
                    found = case
                    if isinstance(case, str):
                        found = ours.encode(case, add_special=False, parse_special=True)
                    # Of real files we call tokens special that the library does not.
                    if found != expected or (path.parent.name == "forms" and ours.decode(expected) != decoded):
                        differences += 1
                        print(f"{path.name}: {case!r}: {found}, expected {expected}")
                        print(f"   decoded to {ours.decode(expected)!r}, expected {decoded!r}")
                library.stdin.close()
    return differences


def main() -> None:
    """Runs both, and ends with 1 if anything differs."""
    asked = arguments(__doc__)
    each = asked.rounds // RULES + 1
    environment = {**os.environ, "TRILLM_ROUNDS": str(each), "TRILLM_SEED": str(asked.seed)}
    command = ["cargo", "test", "--locked", "--workspace", "--test", "it", "--", "llama_cpps"]
    failed = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode != 0
    print(f"llama.cpp: {each} texts for each vocabulary, {'differences above' if failed else 'no difference'}")
    shared = Path(os.environ.get("TRILLM_SHARED", ROOT.parent / "shared")) / "data"
    if shared.is_dir():
        differences = library_differences(asked.rounds, asked.random, shared)
        print(f"tokenizers: {asked.rounds} texts, {differences} differences")
        failed |= differences > 0
    else:
        print(f"tokenizers: skipped, there is no shared data ({shared})")
    sys.exit(failed)


if __name__ == "__main__":
    main()
