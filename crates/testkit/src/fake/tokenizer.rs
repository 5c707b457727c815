//! A token for every byte, and a few control tokens.

use std::ops::Range;

use trillm_core::{Guarded, Result, Token, Tokenizer};

/// Begins a text.
pub const BOS: Token = Token(256);
/// Ends a text.
pub const EOS: Token = Token(257);
/// Begins a turn.
pub const IM_START: Token = Token(258);
/// Ends a turn.
pub const IM_END: Token = Token(259);
/// A control token that means nothing.
pub const TOOL: Token = Token(260);
/// Another.
pub const PAD: Token = Token(261);
/// Number of tokens that have a meaning.
pub const VOCABULARY: u32 = 262;

const CONTROL: [Token; 6] = [BOS, EOS, IM_START, IM_END, TOOL, PAD];
const CONTROL_SPELLINGS: [&str; 6] = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|tool|>", "<pad>"];

pub(super) struct FakeTokenizer {
    vocabulary: u32,
    /// Every byte, for [`Tokenizer::bytes`] to lend.
    bytes: [u8; 256],
    spellings: Vec<String>,
}

impl FakeTokenizer {
    pub(super) fn new(vocabulary: u32) -> Self {
        let spelling = |byte: u8| if byte.is_ascii() { char::from(byte).into() } else { format!("<0x{byte:02X}>") };
        Self {
            vocabulary: vocabulary.max(VOCABULARY),
            bytes: std::array::from_fn(|byte| byte as u8),
            spellings: (0..=255).map(spelling).chain(CONTROL_SPELLINGS.map(String::from)).collect(),
        }
    }
}

/// The tokens of `text`, without BOS.
pub(super) fn tokens(text: &str, parse_special: bool) -> Vec<Token> {
    tokens_where(text, |_, _| parse_special)
}

/// The tokens of `text`, where `read` says of a control token and its place whether it is read there.
fn tokens_where(text: &str, read: impl Fn(Token, &Range<usize>) -> bool) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let at = text.len() - rest.len();
        let control = CONTROL_SPELLINGS.iter().position(|spelling| rest.starts_with(spelling.as_bytes()));
        if let Some(index) = control.filter(|&index| read(CONTROL[index], &(at..at + CONTROL_SPELLINGS[index].len()))) {
            tokens.push(CONTROL[index]);
            rest = &rest[CONTROL_SPELLINGS[index].len()..];
        } else {
            tokens.push(Token(byte.into()));
            rest = after;
        }
    }
    tokens
}

impl Tokenizer for FakeTokenizer {
    fn vocabulary(&self) -> u32 {
        self.vocabulary
    }

    fn encode(&self, text: &str, add_special: bool, parse_special: bool, out: &mut Vec<Token>) -> Result<()> {
        out.extend(add_special.then_some(BOS));
        out.extend(tokens(text, parse_special));
        Ok(())
    }

    fn encode_guarded(&self, text: &str, guarded: Guarded<'_>, out: &mut Vec<Token>) -> Result<()> {
        out.extend(tokens_where(text, |token, place| !guarded.forbids(token, place)));
        Ok(())
    }

    fn bytes(&self, token: Token) -> &[u8] {
        self.bytes.get(token.0 as usize).map_or(&[], std::slice::from_ref)
    }

    fn spelling(&self, token: Token) -> Option<&str> {
        self.spellings.get(token.0 as usize).map(String::as_str)
    }

    fn bos(&self) -> Option<Token> {
        Some(BOS)
    }

    fn eos(&self) -> Option<Token> {
        Some(EOS)
    }

    fn adds_bos(&self) -> bool {
        true
    }

    fn is_end(&self, token: Token) -> bool {
        token == EOS || token == IM_END
    }

    fn control(&self) -> &[Token] {
        &CONTROL
    }

    fn added(&self) -> &[Token] {
        &CONTROL
    }
}
