//! White space and line breaks as Python has them, which counts four control characters that Unicode does not.

/// Whether `str.isspace` holds for a character.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// A text without characters of a kind at its left, its right or both: white space, if no others are named.
pub(crate) fn strip<'a>(text: &'a str, chars: Option<&str>, [left, right]: [bool; 2]) -> &'a str {
    let goes = |c: char| chars.map_or_else(|| is_space(c), |chars| chars.contains(c));
    let text = if left { text.trim_start_matches(goes) } else { text };
    if right { text.trim_end_matches(goes) } else { text }
}

/// `str.splitlines`, without the line breaks.
pub(crate) fn lines(text: &str) -> Vec<&str> {
    lines_and_breaks(text).map(|(line, _)| line).collect()
}

/// The lines of a text, each with what ends it.
pub(crate) fn lines_and_breaks(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_break = |c: char| {
        matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
    };
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (line, after) = rest.split_at(rest.find(is_break).unwrap_or(rest.len()));
        let length = if after.starts_with("\r\n") { 2 } else { after.chars().next().map_or(0, char::len_utf8) };
        let (end, next) = after.split_at(length);
        rest = next;
        Some((line, end))
    })
}
