//! How often a part is repeated.

/// Reads a repetition, of which the first character is gone: in words that mean the same elsewhere, and the rest.
///
/// `?` behind it takes as little as it can, `+` gives nothing back; behind `{3}` the one is a repetition of its own,
/// behind all counts the other.
pub(super) fn read(first: char, text: &str) -> (String, &str) {
    let Some(counts) = counts(text).filter(|_| first == '{') else {
        let kind = usize::from(text.starts_with(['?', '+']));
        return (format!("{first}{}", &text[..kind]), &text[kind..]);
    };
    let rest = &text[counts.len() + 1..];
    let low = if counts.starts_with(',') { "0" } else { "" };
    match rest.strip_prefix('?').filter(|_| counts.contains(',')) {
        Some(rest) => (format!("{{{low}{counts}}}?"), rest),
        None => (format!("{{{low}{counts}}}"), rest),
    }
}

/// What stands in the brackets of a repetition, of which the first is gone: `3`, `3,`, `,3` or `1,3`.
pub(super) fn counts(text: &str) -> Option<&str> {
    let (counts, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != ',')?);
    let (_, high) = counts.split_once(',').unwrap_or((counts, ""));
    let is_sound = rest.starts_with('}') && !high.contains(',') && counts.contains(|c: char| c.is_ascii_digit());
    is_sound.then_some(counts)
}
