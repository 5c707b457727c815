//! What minijinja does otherwise than Jinja2, or lacks, each with the answer that Python's Jinja gives.
#![allow(clippy::unwrap_used)]

mod common;

use common::render;

fn all_alike(cases: &[(&str, &str)]) {
    common::all_alike(render, cases);
}

#[test]
fn lines_numbers_and_formats() {
    all_alike(&[
        // Line breaks, and what `trim_blocks` leaves.
        ("a\r\nb\rc", "a\nb\nc"),
        ("{% raw %}\n{{ a }}{% endraw %}\nb", "\n{{ a }}b"),
        ("{% raw -%}\n{{ a }}{%- endraw %}", "{{ a }}"),
        (
            "{{ 'a\nb\n' | indent(2) }}|{{ 'a\n\nb' | indent(2, true) }}|{{ 'a\nb' | indent('>') }}",
            "a\n  b\n|  a\n\n  b|a\n>b",
        ),
        // Numbers.
        (
            "{{ 1e20 }} {{ 1e-7 }} {{ 1.5e300 }} {{ [1e16, 0.1] }} {{ 1e20 ~ '' }} {{ 1e20 | string }}",
            "1e+20 1e-07 1.5e+300 [1e+16, 0.1] 1e+20 1e+20",
        ),
        ("{{ -7 % 3 }} {{ 7 % -3 }} {{ 7.5 % 2 }} {{ 1 + 7 % 4 * 2 }}", "2 -2 1.5 7"),
        (
            "{{ '12'|int }} {{ 'x'|int(3) }} {{ '0x1F'|int(0, 16) }} {{ '1.5'|float }} {{ 'x'|float }}",
            "12 3 31 1.5 0.0",
        ),
        // Formats.
        (
            "{{ '%s' % 'x' }} {{ '%s|%5.1f|%-4d|%r' % (none, 1.25, 3, 'é') }} {{ '%d%%' % 50 }}",
            "x None|  1.2|3   |'é' 50%",
        ),
        (
            "{{ '%(a)s-%(b)05d' % {'a': 1, 'b': 2} }} {{ '%x %e %g' % (255, 1.5, 1e20) }}",
            "1-00002 ff 1.500000e+00 1e+20",
        ),
        ("{{ '%s %s' | format('a', 1) }} {{ '{:>5}|{:.2f}'.format('a', 1.5) }}", "a 1     a|1.50"),
    ]);
}

#[test]
fn texts_functions_and_statements() {
    all_alike(&[
        // Texts.
        (
            "{% for c in 'añ' %}{{ c }}{{ loop.index }}/{{ loop.length }}{{ loop.last }} {% endfor %}",
            "a1/2False ñ2/2True ",
        ),
        ("{{ 'a b/ü?' | urlencode }} {{ {'a b': 1, 'c': '&'} | urlencode }}", "a%20b/%C3%BC%3F a+b=1&c=%26"),
        (
            "{{ '<a & \"b\">' | e }} {{ '<b>x</b>  y' | striptags }} {{ 'a b c' | wordcount }}",
            "&lt;a &amp; &#34;b&#34;&gt; x y 3",
        ),
        ("{{ 'abc def ghi' | truncate(8, false, '…', 0) }} [{{ 'ab' | center(5) }}]", "abc… [  ab ]"),
        (
            "{% macro m(a) %}{% endmacro %}{{ m }}{% for x in [1] %}{{ loop }}{% endfor %}",
            "<Macro 'm'><LoopContext 1/1>",
        ),
        // Functions and tests.
        (
            "{{ [{'v': 2}, {'v': 1}] | sort(attribute='v') }}{{ ['b', 'C'] | sort(reverse=true) }}",
            "[{'v': 1}, {'v': 2}]['C', 'b']",
        ),
        ("{{ {} is sequence }}{{ 'a' is sequence }}{{ 1 is sequence }}{{ [] is sequence }}", "TrueTrueFalseTrue"),
        (
            "{{ ['b', 'a', 'C'] | sort(true) }} {{ ['a', 'A', 'b'] | unique(true) | list }}",
            "['C', 'b', 'a'] ['a', 'A', 'b']",
        ),
        (
            "{{ range is callable }}{{ 'a' is callable }}{% macro m() %}{% endmacro %}{{ m is callable }}",
            "TrueFalseTrue",
        ),
        ("{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}", "abab"),
        ("{% set j = joiner('; ') %}{% for x in list %}{{ j() }}{{ x }}{% endfor %}", "a; b; c"),
        (
            "{{ dict([['a', 1]], b=2) }} {{ {'b': 1, 'A': 2} | dictsort }} {{ {'b': 1, 'A': 2} | dictsort(true) }}",
            "{'a': 1, 'b': 2} [('A', 2), ('b', 1)] [('A', 2), ('b', 1)]",
        ),
        ("{% block body %}{{ 1 }}{% endblock %}{% set call = {'name': 'f'} %}{{ call['name'] ~ 'x' }}", "1fx"),
        (
            "{{ [missing, ('a',), {'k': none}] }} {{ ['it\\'s', \"a\\nb\"] }}",
            "[Undefined, ('a',), {'k': None}] [\"it's\", 'a\\nb']",
        ),
    ]);
}

#[test]
fn an_undefined_value_is_named() {
    for (source, name) in [
        ("{{ messages[0].nothing.more }}", "`messages[0].nothing` is undefined"),
        ("{{ foo.bar }}", "`foo` is undefined"),
        ("{{ 'x' + foo }}", "`foo` is undefined"),
        ("{{ messages[0]['tool_calls'][0] }}", "`messages[0]['tool_calls']` is undefined"),
        ("{{ foo.upper() }}", "`foo` is undefined"),
        ("{% for x in foo.bar %}{% endfor %}", "`foo` is undefined"),
        ("{{ foo | tojson }}", "`foo` is undefined"),
        ("{{ {'a': [messages[0].foo]} | tojson(indent=2) }}", "`messages[0].foo` is undefined"),
        ("{{ {foo: 1} | tojson }}", "`foo` is undefined"),
        ("{{ foo | xmlattr }}", "`foo` is undefined"),
        ("{{ foo | dictsort }}", "`foo` is undefined"),
        ("{{ foo | round }}", "`foo` is undefined"),
        ("{{ foo | abs }}", "`foo` is undefined"),
        ("{{ '%d' % foo }}", "`foo` is undefined"),
        ("{{ '%d' % (foo,) }}", "`foo` is undefined"),
        ("{{ '{:d}'.format(foo) }}", "`foo` is undefined"),
        ("{{ messages | selectattr('x.y', 'equalto', 1) | list }}", "`x` is undefined"),
        ("{{ messages | rejectattr('x.y.z') | list }}", "`x` is undefined"),
        ("{{ messages | map(attribute='x.y') | list }}", "`x` is undefined"),
        ("{{ messages | sort(attribute='role.x.y') }}", "`role.x` is undefined"),
        ("{{ messages | groupby('x') }}", "`x` is undefined"),
        ("{{ messages | groupby('x.y') }}", "`x` is undefined"),
        ("{{ messages | sum(attribute='x.y') }}", "`x` is undefined"),
        ("{{ messages | join(attribute='x.y') }}", "`x` is undefined"),
        ("{{ messages | unique(attribute='x.y') | list }}", "`x` is undefined"),
        ("{{ messages | sum(attribute='x') }}", "`x` is undefined"),
        ("{{ [1, foo] | sum }}", "`foo` is undefined"),
        ("{{ [1] | sum(start=foo) }}", "`foo` is undefined"),
        ("{{ [1, foo] | max }}", "`foo` is undefined"),
        ("{{ [1, foo] | min }}", "`foo` is undefined"),
        ("{{ [foo, 1] | sort }}", "`foo` is undefined"),
        ("{{ [{'a': 1}, {}] | sort(attribute='a') }}", "`a` is undefined"),
        ("{{ [{'a': 1}, {}] | max(attribute='a') }}", "`a` is undefined"),
        ("{{ [2, 1] | sort(reverse=foo) }}", "`foo` is undefined"),
        ("{{ 'text' | indent(foo) }}", "`foo` is undefined"),
        ("{{ 'text' | center(width=foo) }}", "`foo` is undefined"),
        ("{{ 'text' | truncate(foo) }}", "`foo` is undefined"),
        ("{{ 'text' | trim(foo) }}", "`foo` is undefined"),
        ("{{ 'text' | replace('t', 'x', foo) }}", "`foo` is undefined"),
        ("{{ 'text' | wordwrap(foo) }}", "`foo` is undefined"),
        ("{{ 1.25 | round(foo) }}", "`foo` is undefined"),
        ("{{ [1] | batch(foo, 2) | list }}", "`foo` is undefined"),
        ("{{ foo[1:] }}", "`foo` is undefined"),
        ("{{ 'text'[foo:] }}", "`foo` is undefined"),
        ("{{ foo | indent }}", "`foo` is undefined"),
        ("{{ foo | wordwrap }}", "`foo` is undefined"),
        ("{{ 'text' | wordwrap(2, wrapstring=foo) }}", "`foo` is undefined"),
        ("{{ dict(foo) }}", "`foo` is undefined"),
        ("{{ namespace(foo) }}", "`foo` is undefined"),
        ("{{ foo is in('text') }}", "`foo` is undefined"),
        ("{{ [{}, {}] | min(attribute='a') }}", "`a` is undefined"),
        ("{{ 'text'.split(foo) }}", "`foo` is undefined"),
        ("{{ 'text'.startswith(foo) }}", "`foo` is undefined"),
        ("{{ 'text'.find('t', foo) }}", "`foo` is undefined"),
        ("{{ 'text'.strip(foo) }}", "`foo` is undefined"),
        ("{{ range(foo) }}", "`foo` is undefined"),
        ("{{ range(1, foo) }}", "`foo` is undefined"),
        ("{{ foo is even }}", "`foo` is undefined"),
        ("{{ foo is odd }}", "`foo` is undefined"),
        ("{{ foo is lessthan(1) }}", "`foo` is undefined"),
        ("{{ 1 is ge(foo) }}", "`foo` is undefined"),
    ] {
        let error = render(source).unwrap_err();
        assert!(error.to_string().contains(name), "{source}: {error}");
    }
}

#[test]
fn an_undefined_argument_that_python_takes_is_taken() {
    for (source, expected) in [
        ("{{ {'a': 1}.get('b', foo) }}|{{ {'a': 1}.get('a', foo) }}|{{ {'a': 1}.get('b') }}", "|1|None"),
        ("{{ ''.join(foo) }}|{{ '{}'.format(foo) }}|{{ 'a-b' | replace('-', foo) }}", "||ab"),
        ("{{ [{}, {}] | sort(attribute='a') }}|{{ [foo] | sort }}", "[{}, {}]|[Undefined]"),
        (
            "{{ [1, 2] | join(foo) }}|{{ 3 is even }}|{{ 3 is odd }}|{{ 2 is lt(3) }}|{{ 'a' is ge('b') }}",
            "12|False|True|True|False",
        ),
    ] {
        assert_eq!(render(source).unwrap(), expected, "{source}");
    }
}
