//! A template's source as Jinja2 reads it, in words that minijinja has.
//!
//! - Every line break is a line feed.
//! - `{% raw %}` keeps the line break behind it, which `trim_blocks` would take.
//! - `{% generation %}` blocks, which mark text for training, are plain scopes.
//! - `%` and `~` are filters: minijinja's operators know nothing of `'%s' % x`, and print floats in their own way.
//! - What is looped over goes through a filter, which makes a list of a text: minijinja does not know its length.
//!
//! The rest of the source is not understood here: an expression is cut into tokens, and two operators move.

use std::borrow::Cow;

/// The filter that `%` becomes. No template can have one of this name.
pub(crate) const MODULO: &str = "__modulo";
/// The filter that `~` becomes.
pub(crate) const CONCAT: &str = "__concat";

/// The filter that what is looped over goes through.
pub(crate) const ITEMS: &str = "__items";

/// Rewrites a source.
pub(crate) fn rewrite(source: &str) -> String {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::with_capacity(source.len());
    let mut rest = source.as_str();
    while let Some(at) = rest.find('{') {
        let (text, tag) = rest.split_at(at);
        out.push_str(text);
        let kind = tag.as_bytes().get(1).copied();
        let Some(close) = kind.and_then(closing) else {
            out.push('{');
            rest = &tag[1..];
            continue;
        };
        let end = if kind == Some(b'#') { tag.find(close) } else { end_of(tag, close) };
        // Without an end it is for the parser to complain about.
        let Some(end) = end else { return out + tag };
        let inside = &tag[2..end];
        rest = &tag[end + 2..];
        out.push_str(&tag[..2]);
        match kind {
            Some(b'#') => out.push_str(inside),
            Some(b'%') => match word(inside) {
                "raw" => {
                    out.push_str(inside);
                    out.push_str(close);
                    let text = raw(rest);
                    if !inside.ends_with('-') && text.starts_with('\n') {
                        out.push('\n');
                    }
                    out.push_str(text);
                    rest = &rest[text.len()..];
                    continue;
                }
                "generation" => out.push_str(&inside.replacen("generation", "with", 1)),
                "endgeneration" => out.push_str(&inside.replacen("endgeneration", "endwith", 1)),
                name => {
                    // The name of the statement is not a part of its expression.
                    let (before, inside) = inside.split_at(inside.find(name).unwrap_or(0) + name.len());
                    out.push_str(before);
                    out.push_str(&expression(&if name == "for" { looped(inside) } else { inside.into() }));
                }
            },
            _ => out.push_str(&expression(inside)),
        }
        out.push_str(close);
    }
    out.push_str(rest);
    out
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
    inside.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default()
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

/// Cuts an expression: strings, words, white space, `**` and `//`, and single characters.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let run = |is: fn(char) -> bool| rest.find(|c: char| !is(c)).unwrap_or(rest.len());
        let length = match first {
            '\'' | '"' => string(rest, first),
            c if c.is_whitespace() => run(char::is_whitespace),
            c if c.is_ascii_digit() => number(rest, run(is_word)),
            c if is_word(c) => run(is_word),
            _ if rest.starts_with("**") || rest.starts_with("//") => 2,
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        Some(token)
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of a number whose digits and letters end at `end`: an exponent may have a sign.
fn number(text: &str, end: usize) -> usize {
    let has_exponent =
        text[..end].ends_with(['e', 'E']) && !text.starts_with("0x") && text[end..].starts_with(['-', '+']);
    if !has_exponent {
        return end;
    }
    let digits = &text[end + 1..];
    end + 1 + digits.find(|c: char| !is_word(c)).unwrap_or(digits.len())
}

fn string(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + 1;
        }
    }
    text.len()
}

/// A loop whose list goes through [`ITEMS`]: what stands between `in` and `if`, `recursive` or the end.
fn looped(inside: &str) -> Cow<'_, str> {
    let trailing = inside.len() - usize::from(inside.ends_with(['-', '+']));
    let (mut at, mut depth, mut start, mut end) = (0, 0usize, None, trailing);
    for token in tokens(&inside[..trailing]) {
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
            format!("{} ({})|{ITEMS} {}", &inside[..start], inside[start..end].trim(), &inside[end..]).into()
        }
        _ => inside.into(),
    }
}

/// What a part of an expression is to those beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    /// Belongs to an operand, or is white space.
    Operand,
    /// `*`, `/` or `//`.
    Times,
    /// `%`.
    Modulo,
    /// `~`.
    Concat,
    /// Anything that binds less: other operators, words, commas.
    Low,
}

/// The most operators of one kind in a row. Templates have some dozens.
const CHAIN: usize = 1000;

/// Words that end an operand. Those that begin a statement may be names elsewhere.
const WORDS: [&str; 6] = ["and", "or", "not", "in", "if", "else"];

fn expression(inside: &str) -> Cow<'_, str> {
    if !inside.contains(['%', '~']) {
        return inside.into();
    }
    let sign = |text: &str| text.starts_with(['-', '+']);
    // White-space control is not a part of the expression.
    let (before, inside) = inside.split_at(usize::from(sign(inside)));
    let trailing = inside.len() - usize::from(inside.ends_with(['-', '+']));
    let (inside, after) = inside.split_at(trailing);
    let all: Vec<&str> = tokens(inside).collect();
    format!("{before}{}{after}", group(&mut all.into_iter())).into()
}

/// Rewrites up to a closing bracket, which is taken too.
fn group(tokens: &mut dyn Iterator<Item = &str>) -> String {
    let mut parts: Vec<(Part, String)> = Vec::new();
    let mut closing = "";
    // The last token but for white space, and the one before.
    let (mut last, mut second) = ("", "");
    while let Some(token) = tokens.next() {
        let after_operand =
            last.ends_with(is_word) && !WORDS.contains(&last) || last.ends_with([')', ']', '}', '\'', '"']);
        let part = match token {
            "(" | "[" | "{" => {
                parts.push((Part::Operand, format!("{token}{}", group(tokens))));
                (second, last) = (last, ")");
                continue;
            }
            ")" | "]" | "}" => {
                closing = token;
                break;
            }
            "%" => Part::Modulo,
            "~" => Part::Concat,
            "*" | "/" | "//" => Part::Times,
            "," | ":" | "=" | "!" | "<" | ">" => Part::Low,
            "+" | "-" if after_operand => Part::Low,
            word if WORDS.contains(&word) && last != "." && last != "is" && !(last == "not" && second == "is") => {
                Part::Low
            }
            _ => Part::Operand,
        };
        parts.push((part, token.to_owned()));
        if !token.trim().is_empty() {
            (second, last) = (last, token);
        }
    }
    apply(&mut parts, Part::Modulo, MODULO);
    apply(&mut parts, Part::Concat, CONCAT);
    parts.into_iter().map(|(_, text)| text).collect::<String>() + closing
}

/// Makes a filter of each of these operators, from left to right.
fn apply(parts: &mut Vec<(Part, String)>, operator: Part, filter: &str) {
    let binds_more = |part: Part| matches!(part, Part::Operand | Part::Times);
    // Each is copied once for every one behind it; a longer chain is nested too deep for the parser in any case.
    if parts.iter().filter(|(part, _)| *part == operator).count() > CHAIN {
        return;
    }
    while let Some(at) = parts.iter().position(|(part, _)| *part == operator) {
        let start = parts[..at].iter().rposition(|(part, _)| !binds_more(*part)).map_or(0, |before| before + 1);
        // What is behind `%` goes to the next of its kind; what is behind `~` may be a product.
        let ends = |part: Part| if operator == Part::Concat { !binds_more(part) } else { part != Part::Operand };
        let end = parts[at + 1..].iter().position(|(part, _)| ends(*part)).map_or(parts.len(), |after| at + 1 + after);
        let joined = |parts: &[(Part, String)]| parts.iter().map(|(_, text)| text.as_str()).collect::<String>();
        let (left, right) = (joined(&parts[start..at]), joined(&parts[at + 1..end]));
        // White space around stays, so that words do not touch.
        let text = format!(" ({})|{filter}({}) ", left.trim(), right.trim());
        parts.splice(start..end, [(Part::Operand, text)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_take_what_they_bind() {
        for (source, expected) in [
            ("{{ a % b }}", "{{ (a)|__modulo(b) }}"),
            ("{{ a + b * c % -d.e[f % 2] + g }}", "{{ a + (b * c)|__modulo(-d.e[ (f)|__modulo(2) ]) + g }}"),
            ("{{ '%s %%' % (a, b) }}", "{{ ('%s %%')|__modulo((a, b)) }}"),
            ("{%- if not a % 2 == 0 -%}", "{%- if not (a)|__modulo(2) == 0 -%}"),
            ("{% set x = a ~ b * 2 ~ 'c' %}", "{% set x = ((a)|__concat(b * 2))|__concat('c') %}"),
            ("{{ call['x'] ~ set % filter }}", "{{ (call['x'])|__concat( (set)|__modulo(filter) ) }}"),
            ("{% for x in a % b recursive %}", "{% for x in ( (a)|__modulo(b) )|__items recursive %}"),
            ("{{ a % b is not none and c }}", "{{ (a)|__modulo(b is not none) and c }}"),
            ("{{ {'a': 'x}}' % b} }}", "{{ {'a': ('x}}')|__modulo(b) } }}"),
        ] {
            let squeezed = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(squeezed(&rewrite(source)), squeezed(expected), "{source}");
        }
    }

    #[test]
    fn the_rest_stays_as_it_is() {
        for source in ["a { b % c } {# 5 % 2 #} {{ '%' }} {{ a }", "{% raw %}{{ a % b }}{% endraw %}", "{{ 'a", "100 %"]
        {
            assert_eq!(rewrite(source), source);
        }
        assert_eq!(rewrite("a\r\nb\rc"), "a\nb\nc");
        assert_eq!(rewrite("{%- for a, b in x.y if a in b -%}"), "{%- for a, b in (x.y)|__items if a in b -%}");
        assert_eq!(rewrite("{% raw %}\n{%- endraw %}"), "{% raw %}\n\n{%- endraw %}");
        assert_eq!(rewrite("{%- generation -%}a{% endgeneration %}"), "{%- with -%}a{% endwith %}");
    }
}
