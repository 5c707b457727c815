//! What a template writes by itself: the text outside of its tags, and the texts in quotes that it does not only look for.

use crate::inspected::marked;
use crate::literal::literals;
use crate::parts::{Part, parts};
use crate::tokens::is_word;

/// The texts that a template of this source writes. Names of fields are none: `message['tool_calls']`.
pub(crate) fn written(source: &str) -> Vec<String> {
    let mut out = Vec::new();
    for part in parts(source) {
        match part {
            Part::Text(text) | Part::Raw { text, .. } => out.push(text.to_owned()),
            Part::Expression(inside) | Part::Statement(inside) => in_quotes(inside, &mut out),
            Part::Comment(_) => {}
        }
    }
    out
}

fn in_quotes(inside: &str, out: &mut Vec<String>) {
    // With escapes made the characters that they stand for, but for quotes, of which one would end a text.
    let inside = literals(inside);
    let tokens: Vec<_> = marked(&inside).into_iter().filter(|(token, _)| !token.trim().is_empty()).collect();
    let word = |at: Option<usize>| at.and_then(|at| tokens.get(at)).map_or("", |(token, _)| *token);
    for (at, &(token, looked_for)) in tokens.iter().enumerate() {
        let behind = word(at.checked_sub(2));
        // A field by its name, or by `get`.
        let is_field = word(at.checked_sub(1)) == "[" && (behind.ends_with(is_word) || behind.ends_with([')', ']']))
            || behind == "get"
            || word(Some(at + 1)) == ":";
        if token.starts_with(['\'', '"']) && !looked_for && !is_field {
            let (quote, inside) = token.split_at(1);
            let inside = inside.strip_suffix(quote).unwrap_or(inside);
            out.push(inside.replace("\\'", "'").replace("\\\"", "\""));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_template_writes_is_told_from_what_it_looks_at() {
        for (source, expected) in [
            ("a_b{{ 'c_d' + x }}", &["a_b", "c_d"][..]),
            ("{% set x = \"a_b\" %}{% raw %}{{ 'c' }}{% endraw %}", &["a_b", "{{ 'c' }}"]),
            ("{{ m['a_b'] }}{{ m.get('c_d') }}{{ m['x']['e_f'] }}", &[]),
            ("{% if 'a_b' in m or m.role == 'c_d' %}{{ m.x.replace('e_f', 'g_h') }}", &["g_h"]),
            (r#"{{ "a_\"b" + '\'' }}"#, &["a_\"b", "'"]),
            ("{{ {'a_b': 'c_d'}[m.role] }}{{ ['e_f'][0] }}{# i_j #}", &["c_d", "e_f"]),
        ] {
            let found: Vec<_> = written(source).into_iter().filter(|text| !text.is_empty()).collect();
            assert_eq!(found, expected, "{source}");
        }
    }
}
