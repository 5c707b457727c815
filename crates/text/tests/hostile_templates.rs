//! Templates come from strangers: whatever one does, it ends soon, in bounded memory, with a typed error.

use std::time::{Duration, Instant};

use trillm_core::Coded;
use trillm_text::{ChatTemplate, Error, Message, RenderOptions, Result};

/// The deadline is three seconds, and machines are busy.
const SOON: Duration = Duration::from_secs(30);

fn render(source: &str) -> Result<String> {
    let start = Instant::now();
    let template = ChatTemplate::new(source);
    let result = template.and_then(|t| t.render(&[Message::new("user", "Hi")], &RenderOptions::default()));
    assert!(start.elapsed() < SOON, "{source} took {:?}", start.elapsed());
    result
}

#[test]
fn bombs_are_defused() {
    for source in [
        // Time.
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f(n) %}{{ f(n - 1) }}{% endmacro %}{{ f(1) }}",
        "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}",
        // Output.
        "{% for a in range(100000) %}{{ 'x' * 1000 }}{% endfor %}",
        // Memory.
        "{{ 'x' * 2000000000 }}",
        "{{ [1] * 2000000000 }}",
        "{{ ('x' * 1000000).replace('x', 'y' * 1000000) }}",
        "{{ ('y' * 1000000).join(('x' * 100000)|list) }}",
        "{{ 'x'.ljust(100000000000) }}",
        "{{ 'x'.zfill(100000000000) }}",
        "{{ '{:>10000000000}'.format('x') }}",
        "{{ '%10000000000d'|format(1) }}",
        "{{ '%10000000000d' % 1 }}",
        "{{ '%*d' % (10000000000, 1) }}",
        "{{ '%.10000000000f' % 1 }}",
        "{{ 'x' | center(100000000000) }}",
        "{{ ('\\n' * 1000000) | indent('x' * 1000000, true, true) }}",
        "{{ ('&' * 10000000) | e }}",
        "{{ ('/?' * 10000000) | urlencode }}",
        "{{ ([1] * 100000000) | reverse | first }}",
        "{% for a, b in [(1, 2)] * 100000000 %}{% endfor %}",
        "{{ ('a\\t' * 10000000).expandtabs(100) }}",
        "{{ ('{0:>9999}' * 10000).format('x') }}",
        "{{ ('-' * 10000000) | wordwrap(1) }}",
        "{{ (['x' * 1000000] * 100000) | map('replace', 'x', 'y') | list | length }}",
        "{% for a in range(100000) %}{{ range(100000) | select('gt', 5) | list | length }}{% endfor %}",
        "{% for a in range(100000) %}{{ range(100000) | sort | length }}{% endfor %}",
        "{% set ns = namespace(s='x') %}{% for a in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
        "{% set ns = namespace(s=['x']) %}{% for a in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}",
        // A few values that print as very many.
        "{{ [[['x'] * 1000] * 1000] * 1000 }}",
        "{{ ([[['x'] * 1000] * 1000] * 1000) | tojson }}",
        "{{ ([[['x'] * 1000] * 1000] * 1000) ~ '' }}",
        "{{ ([[['x'] * 1000] * 1000] * 1000) | pprint }}",
        "{{ ([[['x'] * 1000] * 1000] * 1000) == ([[['x'] * 1000] * 1000] * 1000) }}",
        // Depth.
        "{% set ns = namespace(s=[]) %}{% for a in range(1000) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s|tojson }}",
    ] {
        let error = render(source).expect_err(source);
        assert!(matches!(error, Error::Exceeded { .. } | Error::Failed { .. }), "{source}: {error:?}");
    }
}

#[test]
fn deep_values_do_not_overflow_the_stack() {
    // As deep as the fuel can make one: a million lists, and comparing them takes most of the stack.
    let deepest = format!("{}ns.s{}", "[".repeat(50), "]".repeat(50));
    let _ = render(&format!(
        "{{% set ns = namespace(s=[]) %}}{{% for a in range(19) %}}{{% for b in range(1000) %}}\
         {{% set ns.s = {deepest} %}}{{% endfor %}}{{% endfor %}}{{{{ ns.s == [ns.s] }}}}"
    ));
    for source in ["{{ ns.s }}", "{{ ns.s == [ns.s] }}"] {
        for wrap in ["[ns.s]", "{'a': ns.s}"] {
            // Any answer but a crash.
            let _ = render(&format!(
                "{{% set ns = namespace(s=[]) %}}{{% for a in range(180) %}}{{% for b in range(1000) %}}\
                 {{% set ns.s = {wrap} %}}{{% endfor %}}{{% endfor %}}{source}"
            ));
        }
    }
}

#[test]
fn source_is_bounded() {
    let error = ChatTemplate::new(&" ".repeat(2 << 20)).err().unwrap();
    assert_eq!(error.code(), "invalid_chat_template");
    for piece in ["(", "[", "not ", "-", "{% if true %}{{"] {
        let _ = render(&format!("{{{{ {}1 }}}}", piece.repeat(240_000 / piece.len())));
    }
    for piece in [".a", "[0]", "()", "|upper", " + 1", " is odd", "**1", " if 1 else 1", " % 1", " ~ 1", "%(1"] {
        let _ = render(&format!("{{{{ a{} }}}}", piece.repeat(240_000 / piece.len())));
    }
}

#[test]
fn nothing_outside_is_in_reach() {
    for source in [
        "{% include 'x' %}",
        "{% import '/etc/passwd' as x %}",
        "{% extends 'x' %}",
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.__class__.__base__.__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ self.__init__ }}",
        "{{ config }}",
        "{{ lipsum.__globals__['os'] }}",
        "{{ messages[0].pop('role') }}",
        "{{ messages.append(1) }}",
        "{{ debug() }}",
        "{{ 'a'.__class__ }}",
        "{{ messages | attr('__class__') }}",
        "{{ namespace.__init__.__globals__ }}",
        "{{ range.__self__ }}",
    ] {
        let text = render(source).unwrap_or_default();
        assert!(text.is_empty(), "{source} gave {text:?}");
    }
}
