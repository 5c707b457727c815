//! A template's source as Jinja2 reads it, in words that minijinja has.
//!
//! - Every line break is a line feed.
//! - `{% raw %}` keeps the line break behind it, which `trim_blocks` would take.
//! - `{% generation %}` blocks, which mark text for training, are plain scopes.
//! - Macros and call blocks are those of `macros.rs`, and expressions those of `expression.rs`.
//! - Blocks whose text is kept or filtered are scopes.
//! - What is looped over goes through a filter, which makes a list of a text: minijinja does not know its length.
//! - Other templates are an error where they would be read, as in an environment without a loader.
//!
//! The rest of the source is not understood here: it is cut into tags, and those into tokens.

use std::borrow::Cow;

use crate::expression::expression;
use crate::macros::Open;
use crate::tokens::{is_word, tokens};

/// The filter that what is looped over goes through.
pub(crate) const ITEMS: &str = "__items_of";
/// The filter that what is looped over goes through where an item is taken apart.
pub(crate) const PAIRS: &str = "__pairs_of";
/// The filter that stands for another template.
pub(crate) const OTHER: &str = "__other_template";

/// Rewrites a source.
pub(crate) fn rewrite(source: &str) -> String {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let mut writer = Writer { out: String::with_capacity(source.len()), open: Vec::new(), count: 0 };
    let mut rest = source.as_str();
    while let Some(at) = rest.find('{') {
        let (text, tag) = rest.split_at(at);
        writer.out.push_str(text);
        let kind = tag.as_bytes().get(1).copied();
        let Some(close) = kind.and_then(closing) else {
            writer.out.push('{');
            rest = &tag[1..];
            continue;
        };
        let end = if kind == Some(b'#') { tag.find(close) } else { end_of(tag, close) };
        // Without an end it is for the parser to complain about.
        let Some(end) = end else { return writer.out + tag };
        let inside = &tag[2..end];
        rest = &tag[end + 2..];
        match kind {
            Some(b'%') if word(inside) == "raw" => {
                writer.tag(&tag[..2], inside, close);
                let text = raw(rest);
                if !inside.ends_with('-') && text.starts_with('\n') {
                    writer.out.push('\n');
                }
                writer.out.push_str(text);
                rest = &rest[text.len()..];
            }
            Some(b'%') => writer.statement(inside),
            Some(b'{') => {
                writer.see(inside);
                writer.tag("{{", &expression(inside), "}}");
            }
            _ => writer.tag(&tag[..2], inside, close),
        }
    }
    writer.out.push_str(rest);
    writer.out
}

struct Writer {
    out: String,
    /// Macros and call blocks that are not closed, each with whether it was rewritten.
    open: Vec<Option<Open>>,
    count: usize,
}

impl Writer {
    fn tag(&mut self, open: &str, inside: &str, close: &str) {
        self.out.extend([open, inside, close]);
    }

    fn see(&mut self, inside: &str) {
        for open in self.open.iter_mut().flatten() {
            open.see(inside);
        }
    }

    fn statement(&mut self, inside: &str) {
        let name = word(inside);
        // The name of the statement is not a part of its expression.
        let (before, after) = inside.split_at(inside.find(name).unwrap_or(0) + name.len());
        let left = if before.starts_with(['-', '+']) { &before[..1] } else { "" };
        let (after, right) = after.split_at(after.len() - usize::from(after.ends_with(['-', '+'])));
        match name {
            "macro" | "call" => {
                self.see(after);
                self.count += 1;
                let open = Open::new(name, after, self.count);
                match &open {
                    Some(open) => self.out.push_str(&open.begin(left, right)),
                    None => self.tag("{%", inside, "%}"),
                }
                self.open.push(open);
            }
            "endmacro" | "endcall" if after.trim().is_empty() => match self.open.pop().flatten() {
                Some(open) if open.is_closed_by(name) => self.out.push_str(&open.end(left, right)),
                _ => self.tag("{%", inside, "%}"),
            },
            "include" | "import" | "from" | "extends" => {
                self.out.extend(["{%", left, " set __other = ''|", OTHER, " ", right, "%}"]);
            }
            "generation" | "endgeneration" => {
                self.tag("{%", &inside.replacen("generation", "with", 1), "%}");
            }
            "set" | "filter" if name == "filter" || !assigns(after) => {
                self.see(after);
                self.out.extend(["{%", before, &expression(after), "%}{% with ", right, "%}"]);
            }
            "endset" | "endfilter" => {
                self.out.extend(["{%", left, " endwith %}{% ", name, after, right, "%}"]);
            }
            _ => {
                self.see(after);
                let after = match name {
                    "for" => looped(after),
                    "set" => unpacked(after),
                    _ => after.into(),
                };
                let after = expression(&after).into_owned();
                self.out.extend(["{%", before, &after, right, "%}"]);
            }
        }
    }
}

fn closing(kind: u8) -> Option<&'static str> {
    Some(match kind {
        b'{' => "}}",
        b'%' => "%}",
        b'#' => "#}",
        _ => return None,
    })
}

/// The only word of a tag, or its first one.
fn word(inside: &str) -> &str {
    let inside = inside.trim_start_matches(['-', '+']).trim_start();
    inside.split(|c: char| !is_word(c)).next().unwrap_or_default()
}

/// The text of a raw block, up to its end.
fn raw(rest: &str) -> &str {
    let is_end = |at: &usize| {
        let tag = &rest[*at + 2..];
        word(tag) == "endraw"
    };
    let end = rest.match_indices("{%").map(|(at, _)| at).find(is_end);
    &rest[..end.unwrap_or(rest.len())]
}

/// Where the tag ends that `tag` begins with: at `close`, outside of strings and brackets.
fn end_of(tag: &str, close: &str) -> Option<usize> {
    let mut at = 2;
    let mut depth = 0usize;
    for token in tokens(&tag[2..]) {
        if depth == 0 && tag[at..].starts_with(close) {
            return Some(at);
        }
        match token {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += token.len();
    }
    None
}

/// A loop whose list goes through [`ITEMS`]: what stands between `in` and `if`, `recursive` or the end.
fn looped(inside: &str) -> Cow<'_, str> {
    let (mut at, mut depth, mut start, mut end) = (0, 0usize, None, inside.len());
    for token in tokens(inside) {
        match token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            "in" if depth == 0 && start.is_none() => start = Some(at + token.len()),
            "if" | "recursive" if depth == 0 && start.is_some() => {
                end = at;
                break;
            }
            _ => {}
        }
        at += token.len();
    }
    match start {
        Some(start) if !inside[start..end].trim().is_empty() => {
            let filter = if inside[..start].contains(',') { PAIRS } else { ITEMS };
            format!("{} ({})|{filter} {}", &inside[..start], inside[start..end].trim(), &inside[end..]).into()
        }
        _ => inside.into(),
    }
}

/// Whether this is the rest of an assignment, and not of a block whose text is kept.
fn assigns(inside: &str) -> bool {
    let mut depth = 0usize;
    tokens(inside).any(|token| {
        match token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && token == "="
    })
}

/// An assignment to several names, which a text is taken apart for too.
fn unpacked(inside: &str) -> Cow<'_, str> {
    match inside.split_once('=') {
        Some((names, value)) if names.contains(',') && !names.contains(['(', '[', '"', '\'']) => {
            format!("{names}= ({})|{ITEMS}", value.trim()).into()
        }
        _ => inside.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_those_of_minijinja() {
        for (source, expected) in [
            ("{%- if not a % 2 -%}", "{%- if not (a)|__modulo(2) -%}"),
            ("{% for x in a % b recursive %}", "{% for x in ( (a)|__modulo(b) )|__items_of recursive %}"),
            ("{%- for a, b in x.y if a in b -%}", "{%- for a, b in (x.y)|__pairs_of if a in b -%}"),
            ("{%- generation -%}a{% endgeneration %}", "{%- with -%}a{% endwith %}"),
            (
                "{%- set v | f(a=1) -%} x {%- endset +%}",
                "{%- set v | f(a=1) %}{% with -%} x {%- endwith %}{% endset +%}",
            ),
            ("{% include 'x' -%}", "{% set __other = ''|__other_template -%}"),
            (
                "{%- macro m(a, b=a) -%}{{ varargs }}{%- endmacro -%}",
                "{%- macro __macro_1(a, b, varargs, kwargs, caller) %}{% if b is __missing %}{% set b = (a) %}{% endif \
                 -%}{{ varargs }}{%- endmacro %}{% set m = __macro_1|__macro('m', ['a', 'b'], 1, [true, false, false]) \
                 -%}",
            ),
            (
                "{% call(q) m(1) %}{{ q }}{% endcall %}",
                "{% macro __macro_1(q, varargs, kwargs, caller) %}{{ q }}{% endmacro %}{{ m(1, caller=__macro_1|\
                 __macro(none, ['q'], 0, [false, false, false])) }}{% set __macro_1 = none %}",
            ),
        ] {
            let squeezed = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(squeezed(&rewrite(source)), squeezed(expected), "{source}");
        }
    }

    #[test]
    fn the_rest_stays_as_it_is() {
        for source in [
            "a { b % c } {# 5 % 2 #} {{ '%' }} {{ a }",
            "{% raw %}{{ a % b }}{% endraw %}",
            "{{ 'a",
            "100 %",
            "{% macro (a) %}{% endmacro %}",
            "{% macro m(a=1, b) %}{% endmacro %}",
            "{% call m %}{% endcall %}",
            "{% endmacro %}{% endcall %}",
        ] {
            assert_eq!(rewrite(source), source);
        }
        assert_eq!(rewrite("a\r\nb\rc"), "a\nb\nc");
        assert_eq!(rewrite("{% raw %}\n{%- endraw %}"), "{% raw %}\n\n{%- endraw %}");
    }
}
