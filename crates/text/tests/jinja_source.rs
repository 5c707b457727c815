//! Sources that minijinja reads otherwise than Jinja2, each with the answer that transformers 5.24 gives.
#![allow(clippy::unwrap_used)]

mod common;

use common::render;

fn all_alike(cases: &[(&str, &str)]) {
    common::all_alike(render, cases);
}

#[test]
fn with_gives_all_names_at_once() {
    all_alike(&[
        ("{% set x = 1 %}{% with x = 2, y = x %}{{ x }}{{ y }}{% endwith %}{{ x }}", "211"),
        ("{% with a = 1, b = a %}{{ a }}[{{ b }}]{% endwith %}", "1[]"),
        (
            "{% set a = 'x' %}{%- with a = a ~ '1', b = a ~ '2' -%} {{ a }} {{ b }} {%- with a = b, b = a %}{{ a }}{{ b }}{% endwith %}{% endwith %}",
            "x1 x2x2x1",
        ),
        ("{% set a = 9 %}{% with (a, b) = (1, 2), c = a %}{{ a }}{{ b }}{{ c }}{% endwith %}", "129"),
        ("{% with a = [1, 2], b = {'k': (1, 2)} %}{{ a[0] }}{{ b.k[1] }}{% endwith %}", "12"),
    ]);
}

#[test]
fn signs_and_blocks() {
    all_alike(&[
        (
            "{{ +5 }} {{ 1 + +1 }} {{ 1 - +1 }} {{ -true }} {{ +false }} {{ - true + 1 }} {{ [+1, -1] }} {{ 2 ** -1 }} {{ 3 - - 2 }} {{ (+5)|string }}",
            "5 2 0 -1 0 0 [1, -1] 0.5 5 5",
        ),
        ("{% block b %}x{% endblock %}{{ self['b']() }}{{ self.b() }}", "xxx"),
        ("{% for i in [1, 2] %}{% block b scoped %}{{ i }}{% endblock %}{% endfor %}{{ self.b() }}|", "12|"),
    ]);
}

#[test]
fn texts_have_the_escapes_of_python() {
    all_alike(&[
        (
            "{{ 'a\\/b' }}|{{ '\\U0001F600' }}|{{ '\\a' == '\\x07' }}|{{ '\\v' == '\\x0b' }}|{{ '\\101\\60\\0601' }}|{{ '\\q' }}|{{ \"\\\"\\'\" }}|{{ '\\\\n' }}|{{ '\\\\' }}|{{ '\\x41\\u00e9' }}",
            "a\\/b|😀|True|True|A001|\\q|\"'|\\n|\\|Aé",
        ),
        (
            "{% set x = \"a\\\nb\" %}{{ x }} {% if '\\x25}' == '%}' %}y{% endif %} {{ {'\\x61': '\\t'}['a'] == '\t' }}",
            "ab y True",
        ),
        ("{{ '\\377' == 'ÿ' }} {{ '\\8' }} {{ ['\\n\\'\"\\\\'] }} {{ 'a\\\n\\\nb' }}", "True \\8 ['\\n\\'\"\\\\'] ab"),
    ]);
}
