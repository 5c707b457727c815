//! How words become tokens: the section `model`, ready to use.

use tokenizers::models::bpe::Vocab;
use tokenizers::models::{unigram::Unigram, wordlevel::WordLevel, wordpiece::WordPiece};
use tokenizers::{Model as _, ModelWrapper};
use trillm_core::Token;

use crate::bpe::{Bpe, Reached, Scratch};
use crate::guard::guard;
use crate::merges::{Merges, Spare};
use crate::section::Section;
use crate::vocabulary::Vocabulary;
use crate::{Error, Result};

/// `WordPiece` tries every end for every start of a word, and gives words above a length up. Files say 100.
const WORD_LIMIT: usize = 1000;

/// The largest vocabulary of a Unigram model, in bytes of text: the library makes a tree of it, with a hash map for each
/// byte. The largest known has three megabytes.
const UNIGRAM_LIMIT: usize = 4 << 20;

/// How words become tokens.
pub(crate) enum Model {
    /// Byte-pair encoding.
    Bpe(Box<Bpe>),
    /// One of the library's, with a vocabulary of its own.
    Other(Box<ModelWrapper>),
}

impl Model {
    /// The model of a section, whose vocabulary is `vocabulary`.
    pub(crate) fn new(section: Section, vocabulary: &Vocabulary) -> Result<Self> {
        let kind = section.kind.as_deref().unwrap_or_else(|| inferred(&section));
        let model = match kind {
            "BPE" => return bpe(section, vocabulary).map(Box::new).map(Self::Bpe),
            "WordPiece" => word_piece(section)?,
            "WordLevel" => {
                let builder = WordLevel::builder().vocab(ids(&section));
                built(|| builder.unk_token(section.unk_token.unwrap_or_default()).build().map(Into::into))?
            }
            "Unigram" => unigram(&section)?,
            _ => {
                let expected = "BPE, WordPiece, WordLevel or Unigram";
                return Err(Error::Unsupported { what: "model", found: kind.into(), expected });
            }
        };
        Ok(Self::Other(Box::new(model)))
    }

    /// Appends the tokens of one word.
    pub(crate) fn encode(
        &self,
        vocabulary: &Vocabulary,
        word: &str,
        scratch: &mut Scratch,
        out: &mut Vec<Token>,
    ) -> tokenizers::Result<()> {
        match self {
            Self::Bpe(model) => model.encode(vocabulary, word, scratch, out),
            Self::Other(model) => out.extend(model.tokenize(word)?.iter().map(|token| Token(token.id))),
        }
        Ok(())
    }
}

/// What a section without a type is: files from before there was one do not say it. As the library tries them: the first
/// model that finds all it needs.
fn inferred(section: &Section) -> &'static str {
    let has_unknown = section.unk_token.is_some();
    let listed = section.vocab.scores.len() == section.vocab.entries.len() && !section.vocab.scores.is_empty();
    if listed {
        "Unigram"
    } else if section.merges.is_some() {
        "BPE"
    } else if has_unknown && section.continuing_subword_prefix.is_some() && section.max_input_chars_per_word.is_some() {
        "WordPiece"
    } else if has_unknown {
        "WordLevel"
    } else {
        "without a type"
    }
}

fn bpe(section: Section, vocabulary: &Vocabulary) -> Result<Bpe> {
    if let Some(dropout) = section.dropout.filter(|dropout| *dropout != 0.0) {
        let found = dropout.to_string();
        return Err(Error::Unsupported {
            what: "dropout",
            found,
            expected: "none: it gives a text other tokens each time",
        });
    }
    let unknown = match section.unk_token {
        Some(text) => Some(vocabulary.id(&text).ok_or_else(|| {
            Error::malformed("model", format!("the vocabulary has no {text:?}, which is its unk_token"))
        })?),
        None => None,
    };
    let bytes: Vec<Option<u32>> = match section.byte_fallback {
        Some(true) => (0..=255).map(|byte: u8| vocabulary.id(&format!("<0x{byte:02X}>"))).collect(),
        _ => Vec::new(),
    };
    let prefix = section.continuing_subword_prefix.unwrap_or_default();
    let merges = Merges::new(&section.merges.unwrap_or_default(), vocabulary, &prefix)?;
    let spare = Spare::default();
    // Unknown characters in a row may become one token, across words.
    let spelled = section.fuse_unk != Some(true) || !bytes.is_empty() && bytes.iter().all(Option::is_some);
    let suffix = section.end_of_word_suffix.unwrap_or_default();
    let ignore_merges = section.ignore_merges.unwrap_or(false);
    let plain = prefix.is_empty() && suffix.is_empty() && !ignore_merges;
    Ok(Bpe {
        apart: spelled && plain && Bpe::are_apart(vocabulary, &merges, &spare),
        singles: Bpe::singles(vocabulary),
        spare,
        reached: Reached::new(vocabulary.len()),
        merges,
        unknown,
        fuse_unknown: section.fuse_unk.unwrap_or(false),
        bytes,
        ignore_merges,
        prefix,
        suffix,
    })
}

fn word_piece(section: Section) -> Result<ModelWrapper> {
    let limit = section.max_input_chars_per_word.unwrap_or(100);
    if limit > WORD_LIMIT {
        let (what, found, limit) = ("max_input_chars_per_word", limit as u64, WORD_LIMIT as u64);
        return Err(Error::Limit { what, found, limit });
    }
    let builder = WordPiece::builder().vocab(ids(&section)).max_input_chars_per_word(limit);
    let prefix = section.continuing_subword_prefix.unwrap_or_else(|| "##".into());
    let builder = builder.unk_token(section.unk_token.unwrap_or_default()).continuing_subword_prefix(prefix);
    built(|| builder.build().map(Into::into))
}

fn unigram(section: &Section) -> Result<ModelWrapper> {
    let found = section.vocab.entries.bytes();
    if found > UNIGRAM_LIMIT {
        let (what, found, limit) = ("bytes of Unigram's tokens", found as u64, UNIGRAM_LIMIT as u64);
        return Err(Error::Limit { what, found, limit });
    }
    let texts = section.vocab.entries.iter().map(|(text, _)| text.to_owned());
    let scored: Vec<_> = texts.zip(section.vocab.scores.iter().copied()).collect();
    built(|| Unigram::from(scored, section.unk_id, section.byte_fallback.unwrap_or(false)).map(Into::into))
}

fn built(build: impl FnOnce() -> tokenizers::Result<ModelWrapper>) -> Result<ModelWrapper> {
    guard(build).map_err(|reason| Error::malformed("model", reason))
}

fn ids(section: &Section) -> Vocab {
    section.vocab.entries.iter().map(|(text, id)| (text.to_owned(), id)).collect()
}
