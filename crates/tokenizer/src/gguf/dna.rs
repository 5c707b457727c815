//! Sequences of DNA between `<dna>` and `</dna>`, six letters to a token; all else is byte-pair encoding.

use trillm_core::Token;

use crate::vocabulary::Vocabulary;

const OPEN: &str = "<dna>";
const CLOSE: &str = "</dna>";

/// What the spelling of each token of six letters ends with in the file: `CCCCCC` is an ordinary token, too.
pub(super) const MARK: &str = "\u{e000}";

pub(super) struct Dna {
    open: u32,
    close: u32,
    /// Stands for six letters that are no token. Tokens behind it are spelled with [`MARK`].
    pub(super) unknown: u32,
}

impl Dna {
    /// `None` if the vocabulary has no tokens for it.
    pub(super) fn new(find: impl Fn(&str) -> Option<u32>) -> Option<Self> {
        Some(Self { open: find(OPEN)?, close: find(CLOSE)?, unknown: find("<oov>")? })
    }

    /// Appends the tokens of a text; `plain` does it for what is no sequence.
    pub(super) fn encode(
        &self,
        vocabulary: &Vocabulary,
        text: &str,
        out: &mut Vec<Token>,
        mut plain: impl FnMut(&str, &mut Vec<Token>),
    ) {
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once(OPEN) {
            plain(before, out);
            out.push(Token(self.open));
            let (sequence, behind) = match behind.split_once(CLOSE) {
                Some((sequence, behind)) => (sequence, Some(behind)),
                None => (behind, None),
            };
            let mut key = Vec::new();
            for letters in sequence.as_bytes().chunks(6) {
                key.clear();
                key.extend(letters.to_ascii_uppercase());
                key.resize(6, b'A');
                key.extend_from_slice(MARK.as_bytes());
                out.push(Token(vocabulary.id_of(&key).unwrap_or(self.unknown)));
            }
            let Some(behind) = behind else { return };
            out.push(Token(self.close));
            rest = behind;
        }
        plain(rest, out);
    }
}
