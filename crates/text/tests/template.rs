//! What chat templates use of Jinja and Python, each with the answer that Python's Jinja gives.
#![allow(clippy::unwrap_used)]

mod common;

use common::render;
use serde_json::{Value, json};
use trillm_text::{ChatTemplate, Error, Message, RenderOptions};

#[test]
fn templates_render_as_in_python() {
    for (source, expected) in [
        // White space, as `trim_blocks` and `lstrip_blocks` have it; the last newline goes.
        ("  {% if true %}\n  a\n  {% endif %}\nb\n", "  a\nb"),
        ("a\n  {%- if true -%}  \n b {% endif +%}\n c", "ab \n c"),
        ("{# note #}\nx", "x"),
        // What prints how.
        ("{{ nothing }} {{ true }} {{ false }} {{ missing }}|", "None True False |"),
        ("{{ list }} {{ map }}", "['a', 'b', 'c'] {'b': 1, 'a': {'items': [1, 2.0, True, None, 'é<&>\\'\"']}}"),
        ("{{ '<b>' }}{{ '&' | string }}", "<b>&"),
        ("{{ 7 // 2 }} {{ 7 / 2 }} {{ 7 % 3 }} {{ 2 ** 3 }} {{ 1.0 }}", "3 3.5 1 8 1.0"),
        // Undefined.
        ("{{ missing is defined }} {{ nothing is defined }} {{ nothing is none }}", "False True True"),
        ("{{ messages[0].missing is undefined }} {{ missing or 'x' }} {{ missing | default('y') }}", "True x y"),
        ("{% for x in missing %}x{% else %}none{% endfor %}", "none"),
        // Variables of the caller's and of the model.
        ("{{ bos_token }}{{ eos_token is defined }}{{ add_generation_prompt }}{{ tools }}", "<s>FalseTrueNone"),
        ("{{ messages[1]['role'] }} {{ messages[-1].content }} {{ messages | length }}", "user Hi 2"),
        ("{{ messages[1:] | map(attribute='role') | list }}", "['user']"),
        ("{{ messages | selectattr('role', 'equalto', 'user') | list | length }}", "1"),
        // Statements.
        ("{% for x in list %}{% if loop.first %}{% continue %}{% endif %}{{ x }}{% break %}{% endfor %}", "b"),
        ("{% set ns = namespace(n=0) %}{% for x in list %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}", "3"),
        ("{% macro f(x, y='d') %}{{ x }}{{ y }}{% endmacro %}{{ f('a') }}{{ f('a', y='b') }}", "adab"),
        ("{% set x %}a{{ 1 }}{% endset %}{{ x }}", "a1"),
        ("{% for x in list %}{{ loop.previtem }}-{{ loop.nextitem }},{% endfor %}", "-b,a-c,b-,"),
        ("{% generation %}a{% endgeneration %}{%- generation -%} b {%- endgeneration -%}", "ab"),
        ("{{ 'generation' }}{% if 'endgeneration' %}x{% endif %}", "generationx"),
        ("{{ 'a' if missing else 'b' }}{{ 'x' in 'xyz' }}{{ 'b' in list }}{{ 'b' in map }}", "bTrueTrueTrue"),
        (
            "{{ list is iterable }}{{ nothing is iterable }}{{ 'a' is iterable }}{{ map is mapping }}",
            "TrueFalseTrueTrue",
        ),
        ("{{ list is sequence }}{{ 'a' is string }}{{ 1 is number }}{{ true is boolean }}", "TrueTrueTrueTrue"),
        // Methods.
        (
            "[{{ text.strip() }}][{{ text.lstrip() }}][{{ text.rstrip() }}]",
            "[Hello World][Hello World  ][  Hello World]",
        ),
        (
            "{{ 'xxaxx'.strip('x') }} {{ text.upper() | trim }} {{ 'a b'.title() }} {{ 'aB'.capitalize() }}",
            "a HELLO WORLD A B Ab",
        ),
        ("{{ 'abc'.startswith('ab') }} {{ 'abc'.endswith(('x', 'bc')) }} {{ 'abc'.find('z') }}", "True True -1"),
        ("{{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('bc') }} {{ 'abc'.removeprefix('x') }}", "bc a abc"),
        (
            "{{ 'a,b,c'.split(',') }} {{ 'a,b,c'.split(',', 1) }} {{ ' a  b '.split() }}",
            "['a', 'b', 'c'] ['a', 'b,c'] ['a', 'b']",
        ),
        (
            "{{ 'a,b,c'.rsplit(',', 1) }} {{ 'a,b'.split(',', maxsplit=1)[-1] }} {{ ''.split() }} {{ ''.split(',') }}",
            "['a,b', 'c'] b [] ['']",
        ),
        ("{{ '</think>x'.split('</think>')[-1] }} {{ ' a b c '.split(none, 1) }}", "x ['a', 'b c ']"),
        ("{{ 'a-b'.partition('-') | list }} {{ 'a-b-c'.rpartition('-')[0] }}", "['a', '-', 'b'] a-b"),
        (
            "{{ '7'.zfill(3) }} {{ '-7'.zfill(3) }} [{{ 'a'.ljust(3) }}{{ 'a'.rjust(3, '.') }}{{ 'a'.center(4) }}]",
            "007 -07 [a  ..a a  ]",
        ),
        (
            "{{ 'abcabc'.index('c') }} {{ 'abcabc'.rindex('c') }} {{ 'abcabc'.count('b') }} {{ list.index('b') }}",
            "2 5 2 1",
        ),
        ("{{ 'aXa'.replace('a', 'b') }} {{ 'aaa'.replace('a', 'b', 2) }} {{ ', '.join(list) }}", "bXb bba a, b, c"),
        ("{{ 'A'.lower() }}{{ 'aB'.swapcase() }}{{ '12'.isdigit() }}{{ 'a\\nb'.splitlines() }}", "aAbTrue['a', 'b']"),
        ("{{ '{}-{}'.format('a', 1) }} {{ '%s=%d' | format('a', 1) }}", "a-1 a=1"),
        (
            "{{ map.get('b') }} {{ map.get('x') }} {{ map.get('x', 'y') }} {{ map.keys() | list }}",
            "1 None y ['b', 'a']",
        ),
        ("{% for k, v in map.items() %}{{ k }}{% endfor %} {{ map.a['items'] | length }}", "ba 5"),
        ("{% for k, v in map.a.items() %}{{ k }}{{ v | length }}{% endfor %}", "items5"),
        ("{% for k, v in map | dictsort %}{{ k }}{% endfor %} {{ map | items | list | length }}", "ab 2"),
        // JSON.
        ("{{ map | tojson }}", r#"{"b": 1, "a": {"items": [1, 2.0, true, null, "é<&>'\""]}}"#),
        (
            "{{ map | tojson(ensure_ascii=true, sort_keys=true, separators=(',', ':')) }}",
            r#"{"a":{"items":[1,2.0,true,null,"\u00e9<&>'\""]},"b":1}"#,
        ),
        ("{{ {'a': [1, {}], 'b': []} | tojson(indent=2) }}", "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}"),
        ("{{ 'a\\t\\n\\\\' | tojson }}{{ 1e20 | tojson }}{{ {1: 2, true: 3} | tojson }}", r#""a\t\n\\"1e+20{"1": 3}"#),
        (
            "{{ [1, 2] | tojson(indent=none) }}{{ list | join(', ') }}{{ list | last }}{{ list | first }}",
            "[1, 2]a, b, cca",
        ),
    ] {
        assert_eq!(render(source).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn errors_carry_the_templates_own_words() {
    let refused = render("{{ raise_exception('Roles must alternate, ' ~ messages[0].role ~ '!') }}");
    assert_eq!(refused, Err(Error::Refused { reason: "Roles must alternate, system!".into() }));
    let in_macro = render("{% macro f() %}{{ raise_exception('no') }}{% endmacro %}{{ f() }}");
    assert_eq!(in_macro, Err(Error::Refused { reason: "no".into() }));
    assert!(matches!(render("{{ messages.x.y }}"), Err(Error::Failed { .. })));
    assert!(matches!(render("{{ 'a' + 1 }}"), Err(Error::Failed { .. })));
    assert!(matches!(render("{{ missing | tojson }}"), Err(Error::Failed { .. })));
    assert!(matches!(render("{% if %}"), Err(Error::InvalidTemplate { .. })));
    assert!(matches!(render("{{ 1 | nofilter }}"), Err(Error::InvalidTemplate { .. } | Error::Failed { .. })));
}

#[test]
fn the_date_is_todays() {
    let year: i32 = render("{{ strftime_now('%Y') }}").unwrap().parse().unwrap();
    assert!(year >= 2025);
    let date = render("{{ strftime_now('%d %b %Y') }}").unwrap();
    assert_eq!(date.split(' ').map(str::len).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(render("{{ strftime_now('%&') }}").as_deref(), Ok("%&"));
}

#[test]
fn content_takes_the_form_the_template_expects() {
    let text_only = "{% for m in messages %}[{{ m.content }}]{% endfor %}";
    let parts_only = "{% for m in messages %}{% for p in m.content %}{% if p.type == 'text' %}[{{ p.text }}]{% endif %}\
        {% endfor %}{% endfor %}";
    let both = "{% for m in messages %}{% if m.content is string %}[{{ m.content }}]{% else %}\
        {% for p in m.content %}[{{ p.text }}{{ p.type }}]{% endfor %}{% endif %}{% endfor %}";
    let text = json!("a");
    let parts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
    let image = json!([{"type": "image", "url": "x"}]);
    let render = |source: &str, content: &Value| {
        let messages = Message::list(vec![json!({"role": "user", "content": content})]).unwrap();
        ChatTemplate::new(source).unwrap().render(&messages, &RenderOptions::default())
    };
    assert_eq!(render(text_only, &text).as_deref(), Ok("[a]"));
    assert_eq!(render(text_only, &parts).as_deref(), Ok("[a\nb]"));
    assert_eq!(render(parts_only, &text).as_deref(), Ok("[a]"));
    assert_eq!(render(parts_only, &parts).as_deref(), Ok("[a][b]"));
    assert_eq!(render(both, &text).as_deref(), Ok("[a]"));
    assert_eq!(render(both, &parts).as_deref(), Ok("[atext][btext]"));
    let refused = render(text_only, &image).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "messages[0]: the model's chat template takes only text, found a part of type \"image\""
    );
}

#[test]
fn deep_json_is_refused() {
    let mut value = json!(1);
    for _ in 0..1000 {
        value = json!([value]);
    }
    let options = RenderOptions { tools: Some(value), ..RenderOptions::default() };
    let template = ChatTemplate::new("{{ tools }}").unwrap();
    assert!(matches!(template.render(&[], &options), Err(Error::Exceeded { .. })));
}
