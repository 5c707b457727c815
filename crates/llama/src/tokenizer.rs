//! A model's vocabulary, tokenised by llama.cpp and detokenised from a table.
//!
//! The bytes of every token are copied out once, at load: streaming asks for them at every token, of several sequences,
//! and a table answers without a call into C++.

use std::sync::Arc;

use llama_cpp_sys_2 as sys;
use trillm_core::{Error, Guarded, Result, Token, Tokenizer};

use crate::NAME;
use crate::ffi::{Model, Reason, Special};
use crate::log::Lines;

/// Tokens that `parse_special` reads out of a text.
const CONTROL: u32 = sys::LLAMA_TOKEN_ATTR_CONTROL | sys::LLAMA_TOKEN_ATTR_UNKNOWN;

/// Tokens that are read out of any text.
const USER_DEFINED: u32 = sys::LLAMA_TOKEN_ATTR_USER_DEFINED;

/// The tokenizer of one model.
pub(crate) struct LlamaTokenizer {
    model: Arc<Model>,
    vocabulary: u32,
    /// The bytes of all tokens, back to back.
    bytes: Vec<u8>,
    /// Where each token's bytes begin, and where the last one's end. Empty if the file has no vocabulary.
    offsets: Vec<u32>,
    control: Vec<Token>,
    /// The control tokens, and those that are read out of any text.
    added: Vec<Token>,
    /// Tokens that end a text: a handful.
    ends: Vec<Token>,
    bos: Option<Token>,
    eos: Option<Token>,
    adds_bos: bool,
    /// A token the vocabulary wants around a text but does not have. llama.cpp would abort.
    missing: Option<&'static str>,
}

impl LlamaTokenizer {
    /// Copies the table out of a vocabulary.
    pub(crate) fn new(model: Arc<Model>) -> Result<Self, Reason> {
        let kind = model.vocabulary_type();
        let (bos, eos) = (model.special(Special::Bos), model.special(Special::Eos));
        let adds_bos = match kind {
            sys::LLAMA_VOCAB_TYPE_WPM => true,
            sys::LLAMA_VOCAB_TYPE_NONE | sys::LLAMA_VOCAB_TYPE_RWKV | sys::LLAMA_VOCAB_TYPE_TEST => false,
            _ => model.adds_bos(),
        };
        let missing = match kind {
            _ if adds_bos && bos.is_none() => Some("BOS"),
            sys::LLAMA_VOCAB_TYPE_WPM if model.special(Special::Sep).is_none() => Some("SEP"),
            sys::LLAMA_VOCAB_TYPE_WPM | sys::LLAMA_VOCAB_TYPE_NONE => None,
            _ if model.adds_eos() && eos.is_none() => Some("EOS"),
            _ => None,
        };
        let vocabulary = model.vocabulary();
        let mut tokenizer = Self {
            model,
            vocabulary,
            bytes: Vec::new(),
            offsets: Vec::new(),
            control: Vec::new(),
            added: Vec::new(),
            ends: Vec::new(),
            bos,
            eos,
            adds_bos,
            missing,
        };
        if kind != sys::LLAMA_VOCAB_TYPE_NONE {
            tokenizer.copy_table()?;
        }
        Ok(tokenizer)
    }

    fn copy_table(&mut self) -> Result<(), Reason> {
        let mut piece = vec![0; 64];
        self.offsets.reserve_exact(self.vocabulary as usize + 1);
        self.offsets.push(0);
        for token in (0..self.vocabulary).map(Token) {
            let mut n = self.model.piece(token, &mut piece)?;
            if n < 0 {
                piece.resize(n.unsigned_abs() as usize, 0);
                n = self.model.piece(token, &mut piece)?;
            }
            self.bytes.extend_from_slice(piece.get(..n.max(0) as usize).unwrap_or_default());
            self.offsets.push(u32::try_from(self.bytes.len()).map_err(|_| "a vocabulary of more than 4 GiB")?);
            let attributes = self.model.attributes(token)?;
            if attributes & CONTROL != 0 {
                self.control.push(token);
            }
            if attributes & (CONTROL | USER_DEFINED) != 0 {
                self.added.push(token);
            }
            if self.model.is_end(token) {
                self.ends.push(token);
            }
        }
        self.bytes.shrink_to_fit();
        Ok(())
    }
}

impl Tokenizer for LlamaTokenizer {
    fn vocabulary(&self) -> u32 {
        self.vocabulary
    }

    fn encode(&self, text: &str, add_special: bool, parse_special: bool, out: &mut Vec<Token>) -> Result<()> {
        let unsupported = |what: &str, by: String| Error::Unsupported { what: what.into(), by };
        if self.offsets.is_empty() {
            return Err(unsupported("tokenising", "a file without a vocabulary".into()));
        }
        if let Some(token) = self.missing.filter(|_| add_special) {
            return Err(unsupported("adding special tokens", format!("a vocabulary that has no {token}")));
        }
        let len = i32::try_from(text.len()).map_err(|_| Error::InvalidParameter {
            name: "text",
            found: format!("{} bytes", text.len()),
            expected: "less than 2 GiB",
        })?;
        let log = Lines::listen();
        let failed = |reason: String| Error::Engine { engine: NAME, reason, log: log.take() };
        // English takes four bytes a token; too little room costs a second run, so be generous.
        let mut room = text.len() / 2 + 16;
        for _ in 0..2 {
            out.reserve(room);
            match self.model.tokenize(text, len, add_special, parse_special, out).map_err(failed)? {
                0.. => return Ok(()),
                i32::MIN => break,
                n => room = n.unsigned_abs() as usize,
            }
        }
        Err(failed("the text has too many tokens".into()))
    }

    /// llama.cpp cannot be told to leave a token out, so the text is cut after the first character of each place.
    fn encode_guarded(&self, text: &str, guarded: Guarded<'_>, out: &mut Vec<Token>) -> Result<()> {
        let inside = |from: usize| text[from..].chars().next().map_or(from, |first| from + first.len_utf8());
        let cuts = guarded.ranges.iter().map(|range| inside(range.start)).chain([text.len()]);
        let mut from = 0;
        for cut in cuts {
            self.encode(&text[from..cut], false, true, out)?;
            from = cut;
        }
        Ok(())
    }

    fn bytes(&self, token: Token) -> &[u8] {
        let at = token.0 as usize;
        match (self.offsets.get(at), self.offsets.get(at + 1)) {
            (Some(&from), Some(&to)) => &self.bytes[from as usize..to as usize],
            _ => &[],
        }
    }

    fn spelling(&self, token: Token) -> Option<&str> {
        if token.0 >= self.vocabulary || self.offsets.is_empty() {
            return None;
        }
        self.model.text(token)?.to_str().ok()
    }

    fn bos(&self) -> Option<Token> {
        self.bos
    }

    fn eos(&self) -> Option<Token> {
        self.eos
    }

    fn adds_bos(&self) -> bool {
        self.adds_bos
    }

    fn is_end(&self, token: Token) -> bool {
        self.ends.contains(&token)
    }

    fn control(&self) -> &[Token] {
        &self.control
    }

    fn added(&self) -> &[Token] {
        &self.added
    }
}
