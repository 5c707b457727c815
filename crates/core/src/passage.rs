//! A text to embed or to score, as tokens.

use crate::Token;

/// The tokens of a text, or of two that are told apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Passage {
    /// All of them, with what the model wants around a text.
    pub tokens: Vec<Token>,
    /// Tokens at the start that are not pooled.
    pub prompt: u32,
    /// Where the second text begins; the length if there is one text alone.
    pub second: u32,
}

impl Passage {
    /// One text, all of it pooled.
    pub fn new(tokens: Vec<Token>) -> Self {
        let second = tokens.len() as u32;
        Self { tokens, prompt: 0, second }
    }
}
