//! Methods that are not called, blocks, and names that are given a value further down, each with the answer that
//! transformers 5.24 gives.
#![allow(clippy::unwrap_used)]

mod common;

use common::render_with;
use trillm_text::{Error, Message};

const VARIABLES: &str = r#"{
        "list": ["a", "b", "c"], "map": {"b": 1, "a": {"items": [1, 2.0]}}, "nothing": null,
        "text": "  Hello World  ", "x": "caller's",
        "big": [18446744073709551616, -9223372036854775809, 340282366920938463463374607431768211455]
    }"#;

fn render(source: &str) -> Result<String, Error> {
    render_with(source, VARIABLES, &[Message::new("user", "Hi")])
}

fn all_alike(cases: &[(&str, &str)]) {
    common::all_alike(render, cases);
}

#[test]
fn a_method_that_is_not_called_is_a_value() {
    all_alike(&[
        (
            "{{ text.strip is callable }}{{ text.nope is callable }} {% set f = text.strip %}{{ f() }}|{{ 'yes' if text.upper else 'no' }}{{ map.items is defined }}{{ map.nope is defined }}",
            "TrueTrue Hello World|yesTrueFalse",
        ),
        (
            "{{ map.a.items is callable }} {{ map.a['items'] }} {{ map['items'] is callable }} {{ map['items']() | list }} {{ map.a.items() | list }}",
            "True [1, 2.0] True [('b', 1), ('a', {'items': [1, 2.0]})] [('items', [1, 2.0])]",
        ),
        (
            "{% set ns = namespace(count=1, items=2) %}{% set ns.count = ns.count + 1 %}{{ ns.count }}{{ ns.items }}{{ ns['items'] }} {% for x in list %}{{ loop.index }}{% endfor %}",
            "222 123",
        ),
        (
            "{{ list.append is defined }}{{ list.append }} {{ list.index is callable }} {{ map.update is defined }} {{ (1,).append is defined }} {{ (1,).count(1) }} {{ 3 .bit_length is callable }}",
            "False True False False 1 True",
        ),
        (
            "{{ text | attr('upper') is callable }} {{ (text | attr('strip'))() }} {{ map | attr('b') is defined }} {{ [text.lower, text.upper] | length }}",
            "True Hello World False 2",
        ),
        (
            "{{ text.strip.foo is defined }} {{ 'a'.join.x is defined }} {{ {'title': 1}.title }} {{ {'title': 1}['title'] }} {{ nothing.items is defined }}",
            "False False 1 1 False",
        ),
    ]);
}

#[test]
fn a_template_has_its_blocks() {
    all_alike(&[
        (
            "{{ self is defined }} {% block a %}{{ self is defined }}{% endblock %} {% macro m() %}{{ self is defined }}{% endmacro %}{{ m() }} {{ 'a' if self else 'b' }} {{ self }}",
            "True True True a <TemplateReference None>",
        ),
        (
            "{{ self is none }}{{ self is callable }}{{ self is mapping }}{{ self is sequence }}{{ self is string }}{{ self.foo is defined }}{{ self.foo }}",
            "FalseFalseFalseFalseFalseFalse",
        ),
        ("{% block a %}x{% endblock %}{{ self.a() }}{{ self.a is defined }}{{ self.a is callable }}", "xxTrueTrue"),
    ]);
}

#[test]
fn what_no_method_can_be_is_an_error() {
    for (source, part) in [
        ("{{ list | map(text.strip) | list }}", "filter name must be a string"),
        ("{% for x in map.items %}{% endfor %}", "'builtin_function_or_method' object is not iterable"),
        ("{{ text.strip | tojson }}", "builtin_function_or_method is not JSON serializable"),
        ("{{ foo.items }}", "`foo` is undefined"),
        ("{{ foo['items'] }}", "`foo` is undefined"),
        ("{{ text.encode() }}", "has no method named encode"),
    ] {
        let error = render(source).expect_err(source).to_string();
        assert!(error.contains(part), "{source}: {error}");
    }
}

#[test]
fn a_block_sees_the_top_of_its_template() {
    all_alike(&[
        (
            "{% macro m() %}[{% block b %}{{ x }}{{ y }}{% endblock %}]{% endmacro %}{{ m() }}{% set x = 1 %}{% set y = 2 %}{{ m() }}",
            "[caller's][12]",
        ),
        (
            "{% for x in list %}{% block b %}{{ x }}{{ loop is defined }}{% endblock %}{% endfor %}|{{ self.b() }}|{% for x in list %}{% block c scoped %}{{ x }}{% endblock c %}{% endfor %}",
            "caller'sFalsecaller'sFalsecaller'sFalse|caller'sFalse|abc",
        ),
        (
            "  {% block a -%}\n  one\n  {% block i %}two\n  {%- endblock %}\n\n{% endblock %}\n{{ self.i() }}",
            "one\ntwo\ntwo",
        ),
        ("{% macro m(x) %}{% block b scoped %}{{ x }}{% endblock %}{% endmacro %}{{ m(1) }}", "1"),
        (
            "{% block b %}{% set q = 1 %}{% macro n(a) %}{{ a }}{{ q }}{% endmacro %}{{ n(2) }}{% endblock %}{{ q is defined }}",
            "21False",
        ),
    ]);
}

#[test]
fn a_block_is_there_once_and_ends() {
    for (source, part) in [
        ("{% block b %}1{% endblock %}{% block b %}2{% endblock %}", "block 'b' defined twice"),
        ("{% block b %}{% for x in list %}{% endblock %}{% endfor %}", "unknown statement"),
        ("a{% block b %}c", "unexpected end of input"),
        ("{% block b %}{% endblock c %}", "unknown statement"),
        ("{% macro m() %}{% block b %}{% endmacro %}{% endblock %}", "unknown statement"),
        ("{% block b required %}{% endblock %}", "Required block 'b' not found"),
        ("{{ self.b() }}", "__block_b is unknown"),
    ] {
        let error = render(source).expect_err(source).to_string();
        assert!(error.contains(part), "{source}: {error}");
    }
}

#[test]
fn a_name_given_a_value_further_down_is_undefined_before() {
    all_alike(&[
        (
            "{% for i in [1] %}{{ x }}{% endfor %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% set x = 5 %}{{ m() }}{{ x }}",
            "55",
        ),
        ("{% for i in [1] %}{{ x }}{% endfor %}{{ x }}{% set x = 5 %}{{ x }}", "caller'scaller's5"),
        ("{% for i in [1] %}{{ x }}{% endfor %}{% if nothing %}{% set x = 5 %}{% endif %}{{ x }}", "caller'scaller's"),
        ("{% for i in [1] %}{{ x }}{% endfor %}{% set x %}5{% endset %}{{ x }}", "5"),
    ]);
}

#[test]
fn addresses_become_links() {
    all_alike(&[
        (
            "{{ 'see www.example.com, (http://a.b/c_(d)). me@x.org; <https://[::1]:80/x> mailto:a@b.co foo.net/x?y http://1.2.3.4' | urlize }}",
            "see <a href=\"https://www.example.com\" rel=\"noopener\">www.example.com</a>, (http://a.b/c_(d)). me@x.org; &lt;<a href=\"https://[::1]:80/x\" rel=\"noopener\">https://[::1]:80/x</a>&gt; <a href=\"mailto:a@b.co\">a@b.co</a> <a href=\"https://foo.net/x?y\" rel=\"noopener\">foo.net/x?y</a> <a href=\"http://1.2.3.4\" rel=\"noopener\">http://1.2.3.4</a>",
        ),
        (
            "{{ 'http://example.com/long &amp; ftp://x.y \"q\"' | urlize(12, true, '_blank', extra_schemes=['ftp:']) }} {{ 'xn--a.xn--bcd @a@b.cd a_b@c.d.e WWW.Example.ORG' | urlize(rel='me') }} {{ 3 | urlize }} {{ missing | urlize }}",
            "<a href=\"http://example.com/long\" rel=\"nofollow noopener\" target=\"_blank\">http://examp...</a> &amp;amp; <a href=\"ftp://x.y\" rel=\"nofollow noopener\" target=\"_blank\">ftp://x.y</a> &#34;q&#34; xn--a.xn--bcd @a@b.cd <a href=\"mailto:a_b@c.d.e\">a_b@c.d.e</a> <a href=\"https://WWW.Example.ORG\" rel=\"me noopener\">WWW.Example.ORG</a> 3 ",
        ),
    ]);
    let error = render("{{ 'a' | urlize(extra_schemes=['x']) }}").unwrap_err().to_string();
    assert!(error.contains("is not a valid URI scheme prefix"), "{error}");
}

#[test]
fn whole_numbers_of_a_caller_are_exact_beyond_64_bits() {
    all_alike(&[(
        "{{ big }} {{ big | tojson }} {{ big[0] + 1 }} {{ big[0] // 3 }} {{ big[0] % 1000 }} {{ big[0] > 2 ** 63 }} {{ '%d' % big[1] }} {{ big[2] }} {{ big[0] ~ '' }} {{ big[0] is integer }} {{ big[0] | string | length }}",
        "[18446744073709551616, -9223372036854775809, 340282366920938463463374607431768211455] [18446744073709551616, -9223372036854775809, 340282366920938463463374607431768211455] 18446744073709551617 6148914691236517205 616 True -9223372036854775809 340282366920938463463374607431768211455 18446744073709551616 True 20",
    )]);
}
