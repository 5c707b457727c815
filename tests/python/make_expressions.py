"""Writes what the library tokenizers makes of regular expressions, for the tests of `crates/tokenizer/src/oniguruma`.

    python -m pip install tokenizers
    python tests/python/make_expressions.py

It asks about every character of Unicode for each set, which takes some minutes.
Never run this to make a failing test pass.
"""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Regex
from tokenizers.pre_tokenizers import Split  # type: ignore[import-not-found]

REFERENCE = Path(__file__).parents[2] / "crates" / "tokenizer" / "src" / "oniguruma" / "reference.json"

ALL = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)

POSIX = "alnum alpha ascii blank cntrl digit graph lower print punct space upper word xdigit"
PROPERTIES = """
Alnum Alpha ASCII Blank Cntrl Digit Graph Lower Print Punct Space Upper Word XDigit PosixPunct Any Assigned Cs L Lu Ll
LC M N Nd P S Z C Cn Cf Co Letter Uppercase_Letter ^L ^Alnum Han Latin Greek Common Inherited Alphabetic White_Space
Emoji Extended_Pictographic Ideographic Dash Math XID_Start IDC InLatin1Supplement In_Greek_and_Coptic
InCJKUnifiedIdeographs InHangulSyllables
"""
OTHERS = r"""
\P{^L} \P{Graph} \p{uppercase-letter} [\p{^L}] [\P{Word}] [^\w] [\w&&[^\d_]] [\w&&\d] [^\W] [a\w] . (?m:.) (?m).
(?mi-x:.) (?m-m:.) [a-z--b] [a-z~~b] [a-c-e] [a-z&&b-y&&c-x] [^a-z&&[^b]] []a] [^]a] [a-c[x-z]] [^a-c[x-z]] [^a[^b]]
[a-z--[aeiou]] [a-z-[aeiou]] [a-[b]] [[a]--[b]] [ac-[^b]d] [+--[x]] [a-[b]-[c]] []-a] []-[b]] [^]-a]
[a&&] [&&a] [^a&&a] [[:alpha]] [a[:^space:]] [[:space:]\h] [\d-] (?W)\w (?W)\W (?W)[\w] (?W)[[:word:]] (?W)\p{Word}
(?W)[[:alpha:]] (?D)\d (?D)[[:digit:]] (?S)\s (?P)\w (?P)\D (?P)\s (?P)\p{Alpha} (?P)\p{Punct} (?P)\p{L} (?D)\p{Nd}
(?W-W)\w (?P)(?-W)\w (?i)\p{Lu} (?i)[\p{Lu}] (?i)\P{Lu} (?i)[[:upper:]] (?i)[^[:upper:]] (?i)[a-z] (?i)[^a-z] (?i)k
(?i)ǆ \101 \012 \0 [\0-\7] \cA \C-a [\cA-\cC] \c? \x4 \x{41} \u00e9 \o{101} \e \a [\b] \k \m \T [\R] \- \' \é
"""

SETS = [
    *(f"[[:{name}:]]" for name in POSIX.split()),
    *(f"[[:^{name}:]]" for name in POSIX.split()),
    *(f"(?P)[[:{name}:]]" for name in POSIX.split()),
    *(rf"\p{{{name}}}" for name in PROPERTIES.split()),
    *(rf"\{letter}" for letter in "wWdDsShHNO"),
    *(rf"[\{letter}]" for letter in "wWdDsShH"),
    *OTHERS.split(),
]

PIECES = [
    (r"a(?i)b|c", "aB C aC ab"),
    (r"(?i)k|s(?-i)x|y", "Kk sx sX y Y"),
    (r"(a(?i)b)c", "aBc aBC"),
    (r"\b.", "a¼a ²x"),
    (r"\B.", "a¼a ²x"),
    (r"\w+", "a¼a ²x"),
    (r"(?W:\b).", "aéa"),
    (r"\R", "a\r\nb\n\rc\u2028"),
    (r"\R\n", "a\r\nb"),
    (r"(?x)a b\ c # d", "abc ab cab c"),
    ("(?x)a #b\n c", "ac"),
    (r"(?x: a ) b", "a b"),
    (r"(?x)[ a] +", "a  b"),
    (r"a{2}*b", "aaaab b aab ab"),
    (r"a**b", "aaab b"),
    (r"a+*b", "aab b"),
    (r"a?*b", "aab b"),
    (r"a++*b", "aab b"),
    (r"a??b", "ab"),
    (r"a{,2}b", "aaab b"),
    (r"a{2}?b", "aab ab b"),
    (r"a{2,}?b", "aaab"),
    (r"a{1,2}+b", "aaaab"),
    (r"a{2}{2}", "aaaa aaa"),
    (r"\p{N}{1,3}+|b", "1234567b"),
    (r"x{ 2}", "x{ 2}xx"),
    (r"a{x}|{,}", "a{x}{,}"),
    (r"(?m:a.).", "a\n\nb"),
    (r"(?m)^a.b$", "a\nb"),
    (r"^|b$", "a\n\nb\nb"),
    (r"a(?#b\)c)d", "ad"),
    (r"(?i)\p{Lu}a", "AA aA"),
    (r"(?P)[[:upper:]]+|\d", "AÉ٣3"),
    (r"\pL", "pL l"),
    (r"\0123", "\n3"),
    (r"[[:alpha:]]+|[[:punct:]]+", "naïve, x+y=½"),
]


def left(expression: str) -> tuple[int, int]:
    """Of all characters those that are not matched: how many, and the sum of the squares of their codes."""
    rest = "".join(piece for piece, _ in Split(Regex(expression), "removed").pre_tokenize_str(ALL))
    return len(rest), sum(code * code for code in map(ord, rest))


def pieces(expression: str, text: str) -> list[str]:
    return [piece for piece, _ in Split(Regex(expression), "isolated").pre_tokenize_str(text)]


def main() -> None:
    lines = [f"    {json.dumps(expression)}: {json.dumps(left(expression))}" for expression in dict.fromkeys(SETS)]
    rows = [f"    {json.dumps([*case, pieces(*case)])}" for case in PIECES]
    body = '{\n  "characters": {\n' + ",\n".join(lines) + '\n  },\n  "pieces": [\n' + ",\n".join(rows) + "\n  ]\n}\n"
    REFERENCE.write_text(body, encoding="utf-8")


if __name__ == "__main__":
    main()
