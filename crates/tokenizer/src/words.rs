//! Cuts a text before each `▁` that stands for the space before a word.
//!
//! SentencePiece looks at whole texts. Where no token has such a sign behind another character, none reaches over it, so
//! the words may be looked at one by one.

/// What SentencePiece writes for a space.
pub(crate) const SPACE: &str = "▁";

/// Whether no token reaches over the beginning of a word.
pub(crate) fn are_apart<'a>(mut tokens: impl Iterator<Item = &'a [u8]>) -> bool {
    let space = SPACE.as_bytes();
    tokens.all(|token| {
        let leading = token.chunks(space.len()).take_while(|chunk| *chunk == space).count() * space.len();
        !token[leading..].windows(space.len()).any(|window| window == space)
    })
}

/// The words of a text; the text itself if they are not `apart`.
pub(crate) fn words(text: &str, apart: bool) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let leading = rest.len() - rest.trim_start_matches(SPACE).len();
        let next = if apart { rest[leading..].find(SPACE) } else { None };
        let (word, behind) = rest.split_at(next.map_or(rest.len(), |next| leading + next));
        rest = behind;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_its_spaces_before_it() {
        assert_eq!(words("a▁b▁▁c▁", true).collect::<Vec<_>>(), ["a", "▁b", "▁▁c", "▁"]);
        assert_eq!(words("a▁b", false).collect::<Vec<_>>(), ["a▁b"]);
        assert!(are_apart(["▁▁", "▁a", "a", "é"].iter().map(|token| token.as_bytes())));
        assert!(!are_apart(std::iter::once("a▁".as_bytes())));
    }
}
