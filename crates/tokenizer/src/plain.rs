//! Which tokens that stand apart from text by their flags are text all the same.

/// Whether a control token is found in plain text as any other is: one character, a word (`the`), or signs alone (`###`).
/// Files name such a token for padding or an end because they have no better one, and texts have it nowhere else.
/// Letters and signs together (`</s>`, `[PAD]`, `USER_TOKEN`) are a name that no text needs, and so no text becomes it.
///
/// What a template keeps to itself is another matter, which its guard decides.
pub(crate) fn is_plain(spelling: &str) -> bool {
    let is_letter = |c: char| c.is_alphanumeric();
    let is_sign = |c: char| !c.is_alphanumeric() && !c.is_whitespace() && c != '▁';
    spelling.chars().nth(1).is_none() || !(spelling.contains(is_letter) && spelling.contains(is_sign))
}
