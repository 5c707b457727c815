//! Texts in templates as Python has them, each with the answer that transformers 5.24 gives on Python 3.11.
#![allow(clippy::unwrap_used)]
#![expect(clippy::unicode_not_nfc, reason = "what becomes capital has accents of its own")]

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

#[test]
fn fields_of_format_are_pythons() {
    all_alike(
        render,
        &[
            (
                "{{ '{:=6}|{:=+6}|{:06}|{:+07.2f}|{:*=8}|{:=6}'.format(-5, 5, -5, 3.14159, -5.5, 'x' | length) }}",
                "-    5|+    5|-00005|+003.14|-****5.5|     1",
            ),
            ("{{ '{0.real}|{0.imag}|{0.numerator}|{0.denominator}|{1.real}'.format(5, 2.5) }}", "5|0|5|1|2.5"),
            ("{{ '{0.a}|{0[a]}|{0[b]}|{1[1]}|{1[-1]}'.format({'a': 1, 'items': 2}, ['x', 'y']) }}", "1|1||y|"),
            (
                "{{ '{:,}|{:_}|{:_x}|{:08,}|{:09,}|{:012,.2f}|{:_b}'.format(1234567, 1234567, 1234567, 1234, 1234, 1234.5, 1000) }}",
                "1,234,567|1_234_567|12_d687|0,001,234|0,001,234|0,001,234.50|11_1110_1000",
            ),
            (
                "{{ '{:#x}|{:#o}|{:#b}|{:#X}|{:#010x}|{:<#6x}|{:^+9d}|{: d}'.format(255, 8, 5, 255, 255, 255, 42, 42) }}",
                "0xff|0o10|0b101|0XFF|0x000000ff|0xff  |   +42   | 42",
            ),
            (
                "{{ '{:e}|{:.3e}|{:E}|{:g}|{:.3g}|{:G}|{:#g}|{:#.0f}|{:#.0e}'.format(12345.678, 12345.678, 0.00001234, 1e20, 1234.5, 1e-7, 1.5, 3.0, 3.0) }}",
                "1.234568e+04|1.235e+04|1.234000E-05|1e+20|1.23e+03|1E-07|1.50000|3.|3.e+00",
            ),
            (
                "{{ '{:.3}|{:.3}|{:.3}|{:.1}|{:10.4}|{:.2}'.format(1234.5, 1.0, 123.0, 100.0, 3.14159, 0.00001) }}",
                "1.23e+03|1.0|1.23e+02|1e+02|     3.142|1e-05",
            ),
            (
                "{{ '{}|{:5}|{:#}|{:#}'.format(1e16, 1.0, 1e16, 2.0) }} {{ '{:z.1f}|{:z}|{:.1f}'.format(-0.01, -0.0, -0.01) }}",
                "1e+16|  1.0|1.e+16|2.0 0.0|0.0|-0.0",
            ),
            (
                "{{ '{:5}|{:<5}|{:d}|{:x}|{:.1f}|{:%}'.format(true, false, true, true, true, true) }}",
                "    1|0    |1|1|1.0|100.000000%",
            ),
            (
                "{{ '{:%}|{:.1%}|{:08.1%}|{:+.0%}|{:>9.2%}'.format(0.25, 0.256, 0.5, 0.5, 0.123456) }}",
                "25.000000%|25.6%|00050.0%|+50%|   12.35%",
            ),
            (
                "{% set x = 1e308 %}{% set x = x * 10 %}{{ '{:f}|{:F}|{:08}|{:+}|{:e}|{:08,}|{:#}'.format(x, -x, x, x, x - x, x, x) }}",
                "inf|-INF|00000inf|+inf|nan|00000inf|inf",
            ),
            (
                "{{ '{:c}|{:5c}|{:<3c}|{:n}|{:n}'.format(97, 9731, 98, 12345, 1234567.5) }}",
                "a|    ☃|b  |12345|1.23457e+06",
            ),
            (
                "{{ '{:05}|{:<05}|{:x<5}|{:^5}|{:>5.2}|{:s}|{:.0}'.format('ab', 'ab', 'ab', 'ab', 'abc', 'ab', 'ab') }}",
                "ab000|ab000|abxxx| ab  |   ab|ab|",
            ),
            (
                "{{ '{:{}}|{:{w}.{p}f}|{!r:>6}|{:{{}'.format('a', 4, 2.5, 'b', 1, w=7, p=2) if false else '{:{}}|{:{w}.{p}f}|{!r:>6}'.format('a', 4, 2.5, 'b', w=7, p=2) }}",
                "a   |   2.50|   'b'",
            ),
            (
                "{{ '{:,}|{:,.3f}|{:15,}|{:<15,}|{:,}'.format(-1234567, -1234567.8912, 1234567, 1234567, 999) }}",
                "-1,234,567|-1,234,567.891|      1,234,567|1,234,567      |999",
            ),
            (
                "{{ '%#x %#o %#.0f %#.0e %#g %g %+.3d % d %05d %-5d| %5.1f %c %c %i %u %e' % (255, 8, 3.0, 3.0, 1.5, 1e20, 7, 7, -7, 7, 2.25, 97, 'b', 3.9, 4, 12345.678) }}",
                "0xff 0o10 3. 3.e+00 1.50000 1e+20 +007  7 -0007 7    |   2.2 a b 3 4 1.234568e+04",
            ),
            (
                "{{ '%r %a %s %.2s %5s %-5s| %(a)s' % {'a': 1} if false else '%r %a %s %.2s %5s %-5s|' % ('é', 'é', 1.0, 'abc', 'x', 'y') }} {{ '%#g %g %G %#.3g' % (0.0, 0.0, 1e-10, 100.0) }}",
                r"'é' '\xe9' 1.0 ab     x y    | 0.00000 0 1E-10 100.",
            ),
        ],
    );
}

#[test]
fn characters_are_translated() {
    all_alike(
        render,
        &[
            (
                "{{ 'hello'.translate(''.maketrans('el', 'ip')) }} {{ 'hello'.translate(''.maketrans('', '', 'l')) }} {{ 'hello'.translate({104: 'J', 108: none, 111: 48}) }}",
                "hippo heo Je0",
            ),
            (
                "{{ ''.maketrans('ab', 'cd', 'x') }} {{ ''.maketrans({'a': 'xy', 98: none}) }} {{ 'abc'.translate(''.maketrans({'a': 'xy', 98: none})) }}",
                "{97: 99, 98: 100, 120: None} {97: 'xy', 98: None} xyc",
            ),
            ("{{ 'abc'.translate({}) }} {{ 'ab'.translate('x' * 97 ~ 'yz') }}", "abc yz"),
        ],
    );
}

#[test]
fn long_chains_are_no_deeper_than_short_ones() {
    all_alike(
        render,
        &[
            ("{{ 'a' ~ 1 ~ 2.0 ~ none ~ [1] ~ 2 * 3 ~ -1 ~ 'b' }}", "a12.0None[1]6-1b"),
            ("{{ 1 + 2 ~ 3 + 4 if false else 'x' ~ 1 == 'x1' }} {{ ('a' ~ 'b') ~ 'c' }}", "True abc"),
            (
                "{{ 1 == 1 == 1 }} {{ 2 == 2 == 2 }} {{ 1 == 1 != 2 }} {{ 1 < 2 == 2 }} {{ 'a' in 'ab' in ['ab'] }} {{ 1 == 1 in [1] }} {{ 2 in [2] == true }} {{ 3 not in [1] != 2 }}",
                "True True True True True True False True",
            ),
        ],
    );
    // Jinja2 bears any number of these, and 190 of the others.
    for (operator, count) in [("~", 5000), ("<=", 1000), ("==", 1000), ("+", 190), ("and", 190), ("*", 190), ("%", 190)]
    {
        let chain = vec!["1"; count].join(&format!(" {operator} "));
        let expected = match operator {
            "~" => "1".repeat(count),
            "+" => count.to_string(),
            "%" => "0".into(),
            "<=" | "==" => "True".into(),
            _ => "1".into(),
        };
        assert_eq!(render(&format!("{{{{ {chain} }}}}")), Ok(expected), "{operator}");
    }
    assert_eq!(render(&format!("{{{{ 'a'{} }}}}", " | string".repeat(190))).as_deref(), Ok("a"));
}

#[test]
fn with_takes_values_apart() {
    all_alike(
        render,
        &[
            (
                "{% with a, b = (1, 2) %}{{ a }}{{ b }}{% endwith %} {% with (a, b) = (1, 2) %}{{ a }}{{ b }}{% endwith %} {% with c = 0, a, b = 'xy' %}{{ a }}{{ b }}{{ c }}{% endwith %}",
                "12 12 xy0",
            ),
            (
                "{% set a = 5 %}{% with a, b = (1, a), c = a %}{{ a }}{{ b }}{{ c }}{% endwith %}{{ a }} {% with (a, b), c = ((1, 2), 3) %}{{ a }}{{ b }}{{ c }}{% endwith %}",
                "1555 123",
            ),
            (
                "{% with a, (b, c) = (1, (2, 3)), d = 4 %}{{ a }}{{ b }}{{ c }}{{ d }}{% endwith %} {% set (a, b) = 'xy' %}{{ a }}{{ b }} {% set a, (b, c) = 'x', ('y', 'z') %}{{ a }}{{ b }}{{ c }} {% for a, (b, c) in [(1, ('x', 'y'))] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
                "1234 xy xyz 1xy",
            ),
        ],
    );
}

#[test]
fn what_python_refuses_is_refused() {
    for source in [
        "{{ '{:5s}'.format(1) }}",
        "{{ '{:d}'.format('x') }}",
        "{{ '{:=5}'.format('x') }}",
        "{{ '{:+}'.format('x') }}",
        "{{ '{:,_}'.format(1) }}",
        "{{ '{:.2d}'.format(1) }}",
        "{{ '{:d}'.format(1.5) }}",
        "{{ '{:,x}'.format(1) }}",
        "{{ '{:5}'.format(none) }}",
        "{{ '{:5}'.format([1]) }}",
        "{{ '{:,}'.format('x') }}",
        "{{ '{:zd}'.format(1) }}",
        "{{ '{:+c}'.format(97) }}",
        "{{ '{:.}'.format(1.5) }}",
        "{{ '{:5 }'.format(1) }}",
        "{{ ''.maketrans('ab', 'c') }}",
        "{{ ''.maketrans({'ab': 1}) }}",
        "{{ ''.maketrans('ab') }}",
        "{{ 'a'.translate({97: 1.5}) }}",
        "{{ 'a'.translate() }}",
        "{% with a, b %}{% endwith %}",
        "{% with a, b = 1 %}{% endwith %}",
        "{% with a = 1, b %}{% endwith %}",
        "{% with a, b = (1, 2, 3) %}{% endwith %}",
    ] {
        assert!(render(source).is_err(), "{source}");
    }
}
