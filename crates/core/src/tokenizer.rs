//! Text to tokens and back, as one model does it.

use std::ops::Range;

use crate::Result;

/// A token id: an index into a model's vocabulary.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
#[repr(transparent)]
pub struct Token(pub u32);

/// What stands around and between the two texts of a pair.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PairFrame {
    /// Before the first text.
    pub before: Vec<Token>,
    /// Between them.
    pub between: Vec<Token>,
    /// How many of these belong to the second text; `None` if the model is not told which token belongs to which.
    pub seconds: Option<usize>,
    /// After the second text.
    pub after: Vec<Token>,
}

/// A model's own tokenizer. Immutable: any number of threads may use it at once.
pub trait Tokenizer: Send + Sync {
    /// How many tokens there are; every id is below this.
    fn vocabulary(&self) -> u32;

    /// Appends the tokens of `text` to `out`.
    ///
    /// `add_special` adds the tokens the model wants around a text (BOS, for most). `parse_special` reads control
    /// tokens written out in the text, such as `<|im_end|>`, as those tokens; leave it off for text from a user.
    fn encode(&self, text: &str, add_special: bool, parse_special: bool, out: &mut Vec<Token>) -> Result<()>;

    /// Appends the tokens of a text of which others wrote parts: as [`encode`](Self::encode) without `add_special` and
    /// with `parse_special`, but a token that `guarded` forbids is not read, and no text becomes one of its tokens by
    /// merging or matching either, but for a character that has no other token. What is around such a place becomes what
    /// it would if the vocabulary had no token spelled so: the text is never cut there.
    fn encode_guarded(&self, text: &str, guarded: Guarded<'_>, out: &mut Vec<Token>) -> Result<()>;

    /// What a pair of texts has around it; `None` if the model knows no pairs.
    fn pair(&self) -> Option<&PairFrame> {
        None
    }

    /// The bytes of one token, which may be part of a character; empty for control tokens and unknown ids.
    fn bytes(&self, token: Token) -> &[u8];

    /// The token's own text as the vocabulary spells it, control tokens included.
    fn spelling(&self, token: Token) -> Option<&str>;

    /// The token that begins a text, if the model has one.
    fn bos(&self) -> Option<Token>;

    /// The token that ends a text, if the model has one.
    fn eos(&self) -> Option<Token>;

    /// Whether `encode` with `add_special` puts BOS first.
    fn adds_bos(&self) -> bool;

    /// Whether generation ends at this token (end of text, end of turn, and their like).
    fn is_end(&self, token: Token) -> bool;

    /// The tokens that `parse_special` would read out of a text: control tokens, in no particular order.
    fn control(&self) -> &[Token];

    /// All tokens that are found in a text by their spelling before the rest of it becomes tokens: the control tokens,
    /// and those that were added to the vocabulary (user-defined ones in GGUF), which are read whatever `parse_special`
    /// says. In no particular order, each once.
    fn added(&self) -> &[Token];

    /// The text of these tokens as a whole one; incomplete or invalid characters become U+FFFD.
    ///
    /// It is that of their [`bytes`](Self::bytes) but for its ends: a space that `encode` puts before a text is taken
    /// away again, which a stream keeps, as it does not know whether its text is a whole one. What tokens for bytes that
    /// are no text become is the vocabulary's own matter.
    fn decode(&self, tokens: &[Token]) -> String {
        let bytes: Vec<u8> = tokens.iter().flat_map(|&token| self.bytes(token)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Places of a text where some tokens are not to be read, though they are spelled there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Guarded<'a> {
    /// The tokens, sorted.
    pub tokens: &'a [Token],
    /// The places in bytes, in order and apart from each other.
    pub ranges: &'a [Range<usize>],
}

impl Guarded<'_> {
    /// Whether `token` may not be read where it is spelled at `range`: it is one of the tokens, and touches a place.
    pub fn forbids(&self, token: Token, range: &Range<usize>) -> bool {
        let next = self.ranges.partition_point(|other| other.end <= range.start);
        self.ranges.get(next).is_some_and(|other| other.start < range.end) && self.tokens.binary_search(&token).is_ok()
    }
}
