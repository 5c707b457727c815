//! Texts in templates as Python has them, each with the answer that transformers 5.24 gives on Python 3.11.
#![allow(clippy::unwrap_used)]

mod common;

use common::{all_alike, render};

#[test]
fn characters_are_of_the_kinds_that_python_knows() {
    all_alike(
        render,
        &[
            (
                "{% for c in ['三', 'ः', 'ⓐ', '²', 'Ⅷ', '٣', '½', 'ƻ', '拾', '〥', 'ª', '़'] %}{{ [c.isalpha(), c.isalnum(), c.isnumeric(), c.isdigit(), c.isdecimal()] | map('int') | join }} {% endfor %}",
                "11100 00000 00000 01110 01100 01111 01100 11000 11100 01100 11000 00000 ",
            ),
            (
                "{% for s in ['aः', 'aⓐ', 'a·b', '·a', '℘', 'ª1', 'ﹰ', 'aำ', 'ำ', 'a᧚', 'a²', '_', ''] %}{{ s.isidentifier() | int }}{% endfor %}",
                "1010110101010",
            ),
            (
                r"{% for c in ['\u0378', '\u2028', '\u00ad', '\u0300', '😀', '\u3000', ' ', ''] %}{{ c.isprintable() | int }}{% endfor %} {{ ['\u2028a', '\u0378'] }}",
                r"00011011 ['\u2028a', '\u0378']",
            ),
            ("{{ 'one, ⓐtwo; ः3-4' | wordcount }} {{ 'ⓐb' | wordcount }}", "4 1"),
        ],
    );
}

#[test]
fn capitals_are_where_python_has_them() {
    all_alike(
        render,
        &[
            (
                "{{ 'ᾳ ᾲ ᾷ ᾀx ῼ ŉ ﬃ ა ǆ'.title() }} {{ 'ᾳ ᾲ ᾷ ᾀx ῼ ŉ ﬃ ა ǆ'.title() | map('length') | list | length }}",
                "ᾼ Ὰͅ ᾼ͂ ᾈx ῼ ʼN Ffi ა ǅ 24",
            ),
            (
                "{{ 'aΣ'.swapcase() }} {{ 'Σ'.swapcase() }} {{ 'ΑΣ ΣΑ'.swapcase() }} {{ 'ǅ ǆ Ǆ ᾼ ᾳ ß ŉ ⓐ Ⅷ'.swapcase() }}",
                "Aς σ ας σα ǅ Ǆ ǆ ᾼ ΑΙ SS ʼN Ⓐ ⅷ",
            ),
            (
                "{{ 'aΣ'.capitalize() }} {{ 'ΑΣ ΑΣΑ'.capitalize() }} {{ 'ǆa'.capitalize() }} {{ 'İI'.capitalize() }} {{ 'ßA'.capitalize() }} {{ 'ᾳA'.capitalize() }}",
                "Aς Ας ασα ǅa İi Ssa ᾼa",
            ),
            ("{{ 'İΣ aΣ. Σ'.title() }}|{{ ''.title() }}|{{ ''.capitalize() }}|{{ ''.swapcase() }}", "İς Aς. Σ|||"),
        ],
    );
}

