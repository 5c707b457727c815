//! A template's source, cut into its tags and the text between.

use crate::tokens::{is_word, tokens};

/// A part of a source. `inside` is what stands between the signs of a tag.
pub(crate) enum Part<'a> {
    /// Text, or what is left behind a tag without an end, which is for the parser to complain about.
    Text(&'a str),
    /// `{{ … }}`
    Expression(&'a str),
    /// `{% … %}`
    Statement(&'a str),
    /// `{# … #}`
    Comment(&'a str),
    /// `{% raw %}` and the text up to its end.
    Raw { inside: &'a str, text: &'a str },
}

/// Cuts a source.
pub(crate) fn parts(source: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = source;
    std::iter::from_fn(move || {
        let start = rest.find('{').unwrap_or(rest.len());
        if start > 0 {
            let (text, after) = rest.split_at(start);
            rest = after;
            return Some(Part::Text(text));
        }
        let tag = rest;
        let kind = *tag.as_bytes().get(1).unwrap_or(&b' ');
        let Some(close) = closing(kind) else {
            let (text, after) = tag.split_at(usize::from(!tag.is_empty()));
            rest = after;
            return (!text.is_empty()).then_some(Part::Text(text));
        };
        let end = if kind == b'#' { tag.find(close) } else { end_of(tag, close) };
        let Some(end) = end else {
            rest = "";
            return Some(Part::Text(tag));
        };
        let inside = &tag[2..end];
        rest = &tag[end + 2..];
        Some(match kind {
            b'%' if word(inside) == "raw" => {
                let (text, after) = rest.split_at(raw(rest));
                rest = after;
                Part::Raw { inside, text }
            }
            b'%' => Part::Statement(inside),
            b'{' => Part::Expression(inside),
            _ => Part::Comment(inside),
        })
    })
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
pub(crate) fn word(inside: &str) -> &str {
    let inside = inside.trim_start_matches(['-', '+']).trim_start();
    inside.split(|c: char| !is_word(c)).next().unwrap_or_default()
}

/// Where the text of a raw block ends.
fn raw(rest: &str) -> usize {
    let is_end = |at: &usize| word(&rest[*at + 2..]) == "endraw";
    rest.match_indices("{%").map(|(at, _)| at).find(is_end).unwrap_or(rest.len())
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
