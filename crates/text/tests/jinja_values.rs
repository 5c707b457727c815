//! Values of Python and macros of Jinja2 in templates, each with the answer that transformers 5.24 gives.
#![allow(clippy::unwrap_used)]

mod common;

use common::render_with;
use trillm_text::{Error, Message};

const VARIABLES: &str = r#"{"list": ["a", "b", "c"], "map": {"b": 1, "a": {"items": [1, 2.0]}}, "nothing": null}"#;

fn render(source: &str) -> Result<String, Error> {
    render_with(source, VARIABLES, &[Message::new("user", "Hi")])
}

fn all_alike(cases: &[(&str, &str)]) {
    common::all_alike(render, cases);
}

#[test]
fn macros_bind_arguments_as_jinja2_does() {
    all_alike(&[
        (
            "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }} {{ m(1, 2) }} {{ m(b=3) }} {{ m(1, b=missing) }}|",
            "11 12 3 1|",
        ),
        (
            "{% macro m(a) %}{{ a }} {{ varargs }} {{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }} {{ m() }}",
            "1 (2, 3) {'x': 4}  () {}",
        ),
        ("{% macro m(kwargs={'k': 1}) %}{{ kwargs.k }}{% endmacro %}{{ m() }} {{ m(kwargs={'k': 2}) }}", "1 2"),
        (
            "{% macro m(a, b=2) %}{{ varargs }}{% endmacro %}{{ m.name }} {{ m.arguments }} {{ m.catch_varargs }} {{ m.catch_kwargs }} {{ m.caller }} {{ m }}",
            "m ('a', 'b') True False False <Macro 'm'>",
        ),
        (
            "{% macro m() %}[{{ caller('x', y=1) }}]{% endmacro %}{% call(a, y=2, z=a) m() %}{{ a }}{{ y }}{{ z }}{% endcall %}",
            "[x1x]",
        ),
        (
            "{% macro m() %}{{ caller is defined }}{{ caller }}{% endmacro %}{{ m() }} {% call m() %}x{% endcall %}",
            "False True<Macro anonymous>",
        ),
        ("{% macro m(n) %}{{ n }}{% if n > 0 %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(3) }}", "3210"),
        (
            "{% macro outer() %}{% macro inner(x=list) %}{{ x }}{% endmacro %}{{ inner() }}{{ inner(1) }}{% endmacro %}{{ outer() }}",
            "['a', 'b', 'c']1",
        ),
        (
            "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}{% call m() %}a{% endcall %}{% endcall %}",
            "<<a>>",
        ),
    ]);
}

#[test]
fn macros_and_loops_call_themselves() {
    let xs = "x".repeat(81);
    all_alike(&[
        ("{% macro f(n) %}{% if n %}{{ f(n-1) }}{% endif %}x{% endmacro %}{{ f(80) }}", xs.as_str()),
        (
            "{% macro f(n) %}{% for i in [1] %}{% if n %}{{ f(n-1) | trim }}{% endif %}{% endfor %}x{% endmacro %}{{ f(70) }}",
            &xs[10..],
        ),
        (
            "{% set ns = namespace(t=[]) %}{% for i in range(81) %}{% set ns.t = [{'c': ns.t}] %}{% endfor %}{% for x in ns.t recursive %}x{{ loop(x.c) }}{% endfor %}",
            &xs,
        ),
    ]);
}

#[test]
fn a_macro_knows_what_is_around_it_where_it_slices() {
    all_alike(&[
        ("{% for m in ['a b'] %}{% macro f(a) %}{{ m[1:3] }}{{ a }}{% endmacro %}{{ f(1) }}{% endfor %}", " b1"),
        (
            "{% set x = {'y': 'abc'} %}{% for z in [1] %}{% macro f() %} {%- if x.y[z:] is defined and not false -%} {{ x.y[z:] }} {%- endif %} {%- endmacro %}{{ f() }}{% endfor %}",
            "bc",
        ),
    ]);
}

#[test]
fn capitals_stand_where_python_puts_them() {
    all_alike(&[
        ("{{ \"they're 1abc >y<\".title() }} {{ '😀é x'.title() }}", "They'Re 1Abc >Y< 😀É X"),
        ("{{ 'ßǆx ﬁn ŉa ΣΑΣ ΟΔΟΣ ab-DEF'.title() }}", "Ssǆx Fin ʼNa Σας Οδος Ab-Def"),
        ("{{ 'ßX'.capitalize() }} {{ \"they'RE\".capitalize() }} {{ 'ǆX'.capitalize() }}", "Ssx They're ǅx"),
    ]);
}

#[test]
fn what_map_and_its_like_give_is_read_once() {
    all_alike(&[
        (
            "{{ [] | map('upper') is true }}{{ 'yes' if list | select('equalto', 'z') else 'no' }} {{ list | map('upper') is sequence }}",
            "Falseyes False",
        ),
        (
            "{% set g = list | map('upper') %}{{ g | first }}{{ g | join }}{{ g | list }} {{ g is iterable }}{{ g[0] is defined }}",
            "ABC[] TrueFalse",
        ),
        (
            "{% for x in list | reject('equalto', 'b') %}{{ x }}{{ loop.index }}/{{ loop.length }}{{ loop.last }} {% endfor %}",
            "a1/2False c2/2True ",
        ),
        (
            "{{ nothing | select('nofilter') | list }} {{ (list | reverse) is sequence }} {{ list | reverse | join }}",
            "[] False cba",
        ),
    ]);
}

#[test]
fn characters_groups_and_attributes() {
    all_alike(&[
        (
            "{{ '%c' % 65 }}|{{ '%c%c' % (0x1F600, 'é') }}|{{ '%3c|' % 97 }}|{{ '%-3c|' % 'b' }}|{{ '%.0c|' % 'b' }}|{{ '%03c|' % 'b' }}|{{ '%c' % true == '\\x01' }}",
            "A|😀é|  a||b  ||b||  b||True",
        ),
        (
            "{{ 'ab'.isprintable() }}{{ ''.isprintable() }}{{ 'a\\n'.isprintable() }}{{ 'é 日😀'.isprintable() }}{{ '\\u00a0'.isprintable() }}{{ '\\u200b'.isprintable() }}",
            "TrueTrueFalseTrueFalseFalse",
        ),
        (
            "{{ 'abca' | groupby(0) }} {{ ['Ab', 'ac', 'bd'] | groupby(0) }} {{ ['Ab', 'ac', 'bd'] | groupby(0, case_sensitive=true) }}",
            "[('a', ['a', 'a']), ('b', ['b']), ('c', ['c'])] [('A', ['Ab', 'ac']), ('b', ['bd'])] [('A', ['Ab']), ('a', ['ac']), ('b', ['bd'])]",
        ),
        (
            "{{ [[1, 2], [1, 3]] | groupby(0) }} {{ ['ab', 'a'] | groupby(1, 'z') }} {{ [{'a': 'X'}, {'a': 'x'}, {}] | groupby('a', default='y') }} {{ missing | groupby(0) }}",
            "[(1, [[1, 2], [1, 3]])] [('b', ['ab']), ('z', ['a'])] [('X', [{'a': 'X'}, {'a': 'x'}]), ('y', [{}])] []",
        ),
        (
            "{{ (['ab', 'ac'] | groupby(0))[0].grouper }}{{ (['ab', 'ac'] | groupby(0))[0].list }} {{ [{'a': {'b': 1}}, {'a': {'b': 0}}] | groupby('a.b') }} {% for k, v in ['ab', 'cd'] | groupby(attribute='1') %}{{ k }}{{ v }}{% endfor %}",
            "a['ab', 'ac'] [(0, [{'a': {'b': 0}}]), (1, [{'a': {'b': 1}}])] b['ab']d['cd']",
        ),
        (
            "{{ messages[0] | attr('role') }}|{{ messages[0] | attr('role') is defined }} {{ messages[0] | attr('items') is callable }} {% for m in messages %}{{ m | attr('content') }}{% endfor %}|{{ messages | map('attr', 'role') | list }}",
            "|False True |[Undefined]",
        ),
        ("{{ none | int }}{{ [1] | int }} {{ [1] | float(2.5) }}", "00 2.5"),
    ]);
}

#[test]
fn views_and_ranges_are_no_lists() {
    all_alike(&[
        (
            "{{ range(3) }} {{ range(1, 7, 2) }} {{ range(3) | list }} {{ range(3)[1] }} {{ range(5, 0, -2) | list }} {{ range(3) | length }}",
            "range(0, 3) range(1, 7, 2) [0, 1, 2] 1 [5, 3, 1] 3",
        ),
        (
            "{{ map.keys() }} {{ {'a': 1}.values() }} {{ {'a': 1}.items() }} {{ 'b' in map.keys() }}{{ map.keys() is sequence }} {{ map.keys() | length }}{{ 'x' if {}.keys() else 'y' }}{{ map.keys()[0] is defined }}",
            "dict_keys(['b', 'a']) dict_values([1]) dict_items([('a', 1)]) TrueFalse 2yFalse",
        ),
    ]);
}

#[test]
fn orders_indices_and_what_is_taken_apart() {
    all_alike(&[
        (
            "{{ 1 < 2 <= 2 < 3 }} {{ 1 < 2 > 3 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ (1,) < (1, 2) }} {{ true < 2 }} {{ not 1 > 2 and 2 >= 1.5 }}",
            "True False True True True True True",
        ),
        (
            "{{ list[1.0] is defined }} {{ list[2 / 2] is defined }} {{ list[2 // 2] }} {{ list[true] }} {{ missing < 2 if missing is defined else 'none' }}",
            "False False b b none",
        ),
        ("{% set a, b = 'xy' %}{{ b }}{{ a }} {% for a, b in ['12', '34'] %}{{ b }}{{ a }}{% endfor %}", "yx 2143"),
    ]);
}

#[test]
fn texts_are_formatted_as_python_does() {
    all_alike(&[
        ("{{ '%(a)s-%(b)d' | format(a=1, b=2) }} {{ '%a' % 'é' }}", "1-2 '\\xe9'"),
        (
            "{{ '{!r} {!s:>4} {!a}'.format('a', 'b', 'é') }} {{ '{0}{1}{0}'.format(1, 2) }} {{ '{a[k]}{b.c}'.format(a={'k': 1}, b={'c': 2}) }}",
            "'a'    b '\\xe9' 121 12",
        ),
        (
            "{{ '{:*^7}|{:<4}|{:>{w}}|{:.2}|{:05.1f}|{:,}|{:x}|{:.1%}'.format('a', 'b', 'c', 'def', 1.25, 12345, 255, 0.256, w=3) }} {{ '{{{}}}'.format(1) }}",
            "***a***|b   |  c|de|001.2|12,345|ff|25.6% {1}",
        ),
        (
            "{{ '{a}-{b}'.format_map({'a': 1, 'b': 'x'}) }} {{ '{:>5}|{:<5}|{:^5}|{:+d}|{:%}'.format(1, 2, 3, 4, 0.5) }}",
            "1-x     1|2    |  3  |+4|50.000000%",
        ),
    ]);
}

#[test]
fn methods_of_texts_and_numbers() {
    all_alike(&[
        (
            "{{ 'Hello World'.istitle() }}{{ 'Hello world'.istitle() }}{{ 'a_1'.isidentifier() }}{{ '1a'.isidentifier() }}",
            "TrueFalseTrueFalse",
        ),
        (
            "{{ 'a\\tbc\\td'.expandtabs(4) }}|{{ 'a\\tb'.expandtabs() }}| {{ 255 .bit_length() }} {{ 2.0.is_integer() }}",
            "a   bc  d|a       b| 8 True",
        ),
        ("{{ (2 ** 100).bit_length() }} {{ 1.5.is_integer() }} {{ [1.0][0].is_integer() }}", "101 False True"),
    ]);
}

#[test]
fn filters_of_jinja2() {
    all_alike(&[
        (
            "{{ [1, missing, (2.0,), {'b': 1, 'a': [none]}] | pprint }} {{ {} | pprint }} {{ {'z': 1, 'a': {'y': 1, 'x': 2}} | pprint }}",
            "[1, Undefined, (2.0,), {'a': [None], 'b': 1}] {} {'a': {'x': 2, 'y': 1}, 'z': 1}",
        ),
        (
            "{{ {'long': list * 10, 'deep': {'a': ['x' * 40, ('y' * 40,)]}, 'c': []} | pprint }}",
            "{'c': [],\n 'deep': {'a': ['xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',\n                ('yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy',)]},\n 'long': ['a',\n          'b',\n          'c',\n          'a',\n          'b',\n          'c',\n          'a',\n          'b',\n          'c',\n          'a',\n          'b',\n          'c',\n          'a',\n          'b',\n          'c',\n          'a',\n          'b',\n          'c',\n          'a',\n          'b',\n          'c',\n          'a',\n          'b',\n          'c',\n          'a',\n          'b',\n          'c',\n          'a',\n          'b',\n          'c']}",
        ),
        (
            "{{ [['a' * 76], 1] | pprint }}",
            "[['aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'],\n 1]",
        ),
        ("{{ missing | pprint }} {{ 'a\\n' | pprint }} {{ 1e20 | pprint }}", "Undefined 'a\\n' 1e+20"),
        (
            "{{ {'a': 1, 'b': none, 'c': '<'} | xmlattr }}|{{ {'a': 1} | xmlattr(false) }}|",
            " a=\"1\" c=\"&lt;\"|a=\"1\"|",
        ),
        (
            "{{ 'the quick brown-fox jumps over_the lazy dog' | wordwrap(10) }}",
            "the quick\nbrown-fox\njumps\nover_the\nlazy dog",
        ),
        (
            "{{ 'a well-known em--dash and aaaaaaaaaaaaaaaa' | wordwrap(8, false) }}|{{ 'aaaa-bbbb-cccc' | wordwrap(6) }}|{{ 'a b c d' | wordwrap(3, wrapstring='/') }}",
            "a well-\nknown em\n--dash\nand\naaaaaaaaaaaaaaaa|aaaa-\nbbbb-\ncccc|a b/c d",
        ),
        (
            "{{ 3 | round(1, 'ceil') }} {{ 2.5 | round }} {{ true | round }} {{ 1e20 | upper }} {{ 1e20 | trim('+20') }} {{ [1.0, none] | replace('o', '0') }} {{ [1, 2, 3] | truncate(7, true, '..', 0) }}",
            "3.0 2.0 1 1E+20 1e [1.0, N0ne] [1, 2, 3]",
        ),
        (
            "{{ [{'k': 1, 'v': 2}] | groupby('k') }} {{ none is filter }} {{ 'upper' is filter }} {{ 1 is test }}",
            "[(1, [{'k': 1, 'v': 2}])] False True False",
        ),
    ]);
}

#[test]
fn whole_numbers_are_exact_beyond_64_bits() {
    all_alike(&[
        (
            "{{ 9223372036854775807 + 1 }} {{ 18446744073709551616 }} {{ 2 ** 100 }} {{ -(2 ** 63) - 1 }} {{ (2 ** 64) % 1000 }} {{ 2 ** 100 // 3 ** 20 }} {{ [2 ** 70] | tojson }}",
            "9223372036854775808 18446744073709551616 1267650600228229401496703205376 -9223372036854775809 616 363558641556578823726 [1180591620717411303424]",
        ),
        (
            "{{ 170141183460469231731687303715884105727 }} {{ -170141183460469231731687303715884105728 }} {{ 2 ** 64 > 2 ** 63 }} {{ '%d' % 2 ** 90 }} {{ '99999999999999999999' | int + 1 }} {{ 2 ** -1 }}",
            "170141183460469231731687303715884105727 -170141183460469231731687303715884105728 True 1237940039285380274899124224 100000000000000000000 0.5",
        ),
    ]);
}

#[test]
fn what_jinja2_refuses_is_refused() {
    for (source, part) in [
        ("{% for x in nothing %}{% endfor %}", "'NoneType' object is not iterable"),
        ("{% for x in 5 %}{% endfor %}", "'int' object is not iterable"),
        ("{{ nothing | list }}", "'NoneType' object is not iterable"),
        ("{{ missing < 2 }}", "`missing` is undefined"),
        ("{{ missing | int }}", "`missing` is undefined"),
        ("{{ missing | int(7) }}", "`missing` is undefined"),
        ("{{ messages[0].total | float }}", "`messages[0].total` is undefined"),
        ("{{ missing | filesizeformat }}", "`missing` is undefined"),
        ("{{ '%c' % 'ab' }}", "%c requires int or char"),
        ("{{ '%c' % '' }}", "%c requires int or char"),
        ("{{ '%c' % 1.0 }}", "%c requires int or char"),
        ("{{ '%c' % missing }}", "%c requires int or char"),
        ("{{ '%c' % -1 }}", "%c requires the number of a character"),
        ("{{ '%c' % 1114112 }}", "%c requires the number of a character"),
        ("{{ 'a'.isprintable(1) }}", "too many arguments"),
        ("{{ ['ab', 'a'] | groupby(1) }}", "undefined"),
        ("{{ 5 | groupby(0) }}", "'int' object is not iterable"),
        ("{{ 1 <= messages[0].total }}", "`messages[0].total` is undefined"),
        ("{{ missing % 2 }}", "`missing` is undefined"),
        ("{{ 1 < 'a' }}", "'<' not supported between instances of 'int' and 'str'"),
        ("{{ {} > {} }}", "'>' not supported between instances of 'dict' and 'dict'"),
        ("{% include 'x' ignore missing %}", "cannot read another template"),
        ("{% import 'x' as y %}", "cannot read another template"),
        ("{{ list | map('upper') | tojson }}", "a value of type generator is not JSON serializable"),
        ("{{ list | map('upper') | length }}", "cannot calculate length"),
        ("{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "macro 'm' takes not more than 1 argument(s)"),
        ("{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", "macro 'm' takes no keyword argument 'b'"),
        ("{% macro m() %}{% endmacro %}{% call m() %}{% endcall %}", "two values for the special caller argument"),
        ("{{ 2 ** 200 }}", "unable to calculate 2 ** 200"),
        ("{{ '%(a)s' | format(1, a=2) }}", "positional and keyword arguments"),
        ("{{ '{:>99999}'.format('a') }}", "16 MiB"),
        ("{{ lipsum(1) }}", "lipsum is unknown"),
        ("{{ list | random }}", "random is unknown"),
    ] {
        let error = render(source).expect_err(source).to_string();
        assert!(error.contains(part), "{source}: {error}");
    }
}
