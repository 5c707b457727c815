//! How words become tokens: the section `model`, ready to use.

use std::collections::HashSet;

use trillm_core::Token;

use crate::bpe::{Bpe, Reached};
use crate::merges::{Merges, Spare};
use crate::scratch::Scratch;
use crate::section::Section;
use crate::unigram::{PENALTY, Unigram};
use crate::vocabulary::Vocabulary;
use crate::wordpiece::WordPiece;
use crate::{Error, Result, alphabet};

/// The kind that BERT has.
pub(crate) const WORD_PIECE: &str = "WordPiece";

/// How words become tokens.
pub(crate) enum Model {
    /// Byte-pair encoding.
    Bpe(Box<Bpe>),
    WordPiece(WordPiece),
    Unigram(Box<Unigram>),
    WordLevel(WordLevel),
}

/// A word is a token, or it is unknown.
pub(crate) struct WordLevel {
    unknown: Option<u32>,
    apart: HashSet<u32>,
}

impl Model {
    /// The model of a section, whose vocabulary is `vocabulary`. But for byte-pair encoding, whose merges are the file's
    /// own, it gives no token that stands `apart` for a text that spells one: see [`is_plain`](crate::plain::is_plain).
    pub(crate) fn new(section: Section, vocabulary: &Vocabulary, apart: HashSet<u32>) -> Result<Self> {
        let kind = kind(&section);
        let unknown = section.unk_token.as_deref().and_then(|text| vocabulary.id(text));
        let in_texts = || section.vocab.entries.iter().filter(|(_, id)| !apart.contains(id)).collect::<Vec<_>>();
        match kind {
            "BPE" => bpe(section, vocabulary).map(Box::new).map(Self::Bpe),
            WORD_PIECE => {
                let prefix = section.continuing_subword_prefix.as_deref().unwrap_or("##");
                let longest = section.max_input_chars_per_word.unwrap_or(100);
                WordPiece::new(&in_texts(), "", prefix, unknown, longest).map(Self::WordPiece)
            }
            "WordLevel" => Ok(Self::WordLevel(WordLevel { unknown, apart })),
            "Unigram" => unigram(&section, vocabulary, in_texts()).map(Box::new).map(Self::Unigram),
            _ => {
                let expected = "BPE, WordPiece, WordLevel or Unigram";
                Err(Error::Unsupported { what: "model", found: kind.into(), expected })
            }
        }
    }

    /// Appends the tokens of one word, which `spells` says is to be spelled in GPT-2's alphabet. `false` if some of it has none, and the model no unknown token for it; only
    /// byte-pair encoding leaves such characters out.
    pub(crate) fn encode(
        &self,
        vocabulary: &Vocabulary,
        word: &str,
        spells: bool,
        scratch: &mut Scratch,
        out: &mut Vec<Token>,
    ) -> bool {
        let mut spelled = String::new();
        let word = match self {
            Self::Bpe(model) if spells => {
                model.encode_bytes(vocabulary, word, scratch, out);
                return true;
            }
            _ if spells => {
                alphabet::spell(word, &mut spelled);
                &spelled
            }
            _ => word,
        };
        match self {
            Self::Bpe(model) => model.encode(vocabulary, word, scratch, out),
            Self::WordPiece(model) => return model.encode(word, &mut scratch.recent, out),
            Self::Unigram(model) => {
                let Scratch { barred, unigram, recent, shortage, .. } = scratch;
                return model.encode(word, barred, unigram, recent, shortage, out);
            }
            Self::WordLevel(WordLevel { unknown, apart }) => {
                let found = vocabulary.id(word).filter(|id| !apart.contains(id)).or(*unknown);
                out.extend(found.map(Token));
                return found.is_some();
            }
        }
        true
    }
}

/// What kind of model a section describes.
pub(crate) fn kind(section: &Section) -> &str {
    section.kind.as_deref().unwrap_or_else(|| inferred(section))
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
        WORD_PIECE
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
        Some(true) => vocabulary.byte_tokens(),
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

fn unigram(section: &Section, vocabulary: &Vocabulary, tokens: Vec<(&str, u32)>) -> Result<Unigram> {
    let scores = section.vocab.scores.clone();
    if scores.len() != section.vocab.entries.len() {
        return Err(Error::malformed("model", "its vocabulary is not a list of tokens with scores"));
    }
    let unknown = match section.unk_id {
        None => None,
        Some(id) if id < scores.len() => Some(id as u32),
        Some(id) => {
            return Err(Error::malformed("model", format!("the vocabulary has no id {id}, which is its unk_id")));
        }
    };
    let worst = scores.iter().copied().fold(f64::INFINITY, f64::min);
    let bytes = if section.byte_fallback == Some(true) { vocabulary.byte_tokens() } else { Vec::new() };
    Unigram::new(tokens, scores, unknown, worst - PENALTY, bytes)
}
