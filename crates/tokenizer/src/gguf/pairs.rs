//! Byte-pair encoding of GGUF files: words by the rule of `tokenizer.ggml.pre`, each merged on its own.

use trillm_core::Token;
use trillm_formats::gguf::{Rule, Vocabulary as File};

use super::bytes::Spelling;
use super::dna::Dna;
use crate::bpe::{Bpe, Reached};
use crate::merges::Merges;
use crate::scratch::Scratch;
use crate::split::{Splitter, passes};
use crate::vocabulary::Vocabulary;
use crate::words::SPACE;
use crate::{Error, Result};

pub(super) struct Pairs {
    bpe: Bpe,
    splitter: Splitter,
    /// How words are written before they are merged.
    writing: Writing,
    /// Runs of line breaks are looked up before they are merged.
    whole_lines: bool,
    /// Spaces begin a word each, and a line begins with one.
    metaspace: bool,
    lowercase: bool,
    dna: Option<Dna>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Writing {
    /// In GPT-2's alphabet.
    Alphabet,
    /// As they are, spaces as `▁`.
    Spaces,
    /// As they are, without spaces.
    NoSpaces,
    /// As they are.
    Plain,
}

impl Pairs {
    pub(super) fn new(file: &File<'_>, vocabulary: &Vocabulary, dna: Option<Dna>) -> Result<Self> {
        let Some(pre) = file.pre else {
            return Err(Error::malformed("tokenizer.ggml.pre", "no rule for byte-pair encoding"));
        };
        let passes = passes(pre.rule)
            .ok_or_else(|| Error::malformed("tokenizer.ggml.pre", format!("no automaton for {:?}", pre.rule)))?;
        let writing = match pre.rule {
            _ if file.model == "whitespace" => Writing::NoSpaces,
            Rule::Gemma4 | Rule::SarvamMoe | Rule::MmBert => Writing::Spaces,
            Rule::Whitespace => Writing::Plain,
            _ => Writing::Alphabet,
        };
        let bytes = if writing == Writing::Alphabet { Vec::new() } else { vocabulary.byte_tokens() };
        let (merges, spare) = Merges::of_gguf(&file.merges, vocabulary, &bytes);
        let bpe = Bpe {
            apart: !pre.ignore_merges && Bpe::are_apart(vocabulary, &merges, &spare),
            singles: Bpe::singles(vocabulary),
            merges,
            spare,
            unknown: None,
            fuse_unknown: false,
            bytes,
            ignore_merges: pre.ignore_merges,
            prefix: String::new(),
            suffix: String::new(),
            reached: Reached::new(vocabulary.len()),
        };
        Ok(Self {
            bpe,
            splitter: Splitter::new(passes),
            writing,
            whole_lines: matches!(pre.rule, Rule::Gemma4 | Rule::MmBert),
            metaspace: pre.rule == Rule::MmBert,
            lowercase: file.lowercase.unwrap_or(pre.rule != Rule::Whitespace),
            dna,
        })
    }

    pub(super) fn dna(&self) -> Option<&Dna> {
        self.dna.as_ref()
    }

    /// How tokens are spelled.
    pub(super) fn spelling(&self) -> Spelling {
        match self.writing {
            Writing::Alphabet => Spelling::Alphabet,
            Writing::Spaces => Spelling::Spaces,
            Writing::NoSpaces | Writing::Plain => Spelling::Plain,
        }
    }

    /// Appends the tokens of a text.
    pub(super) fn encode(&self, vocabulary: &Vocabulary, text: &str, scratch: &mut Scratch, out: &mut Vec<Token>) {
        match &self.dna {
            Some(dna) => dna.encode(vocabulary, text, out, |text, out| self.plain(vocabulary, text, scratch, out)),
            None => self.plain(vocabulary, text, scratch, out),
        }
    }

    fn plain(&self, vocabulary: &Vocabulary, text: &str, scratch: &mut Scratch, out: &mut Vec<Token>) {
        match self.writing {
            Writing::Alphabet => {
                self.splitter.split(text, &mut |word| self.bpe.encode_bytes(vocabulary, word, scratch, out));
            }
            Writing::Spaces => {
                let text = text.replace(' ', SPACE);
                self.splitter.split(&text, &mut |line| self.line(vocabulary, line, scratch, out));
            }
            Writing::NoSpaces => {
                for segment in text.split_whitespace() {
                    let lower =
                        self.lowercase.then(|| segment.chars().flat_map(char::to_lowercase).collect::<String>());
                    let segment = lower.as_deref().unwrap_or(segment);
                    self.splitter.split(segment, &mut |word| self.bpe.encode(vocabulary, word, scratch, out));
                }
            }
            Writing::Plain => {
                self.splitter.split(text, &mut |word| self.bpe.encode(vocabulary, word, scratch, out));
            }
        }
    }

    /// Appends the tokens of a line, or of a run of line breaks.
    fn line(&self, vocabulary: &Vocabulary, line: &str, scratch: &mut Scratch, out: &mut Vec<Token>) {
        if line.starts_with('\n') {
            let whole = vocabulary.id(line).filter(|_| self.whole_lines);
            return match whole {
                Some(id) => out.push(Token(id)),
                None => self.bpe.encode(vocabulary, line, scratch, out),
            };
        }
        if !self.metaspace {
            return self.bpe.encode(vocabulary, line, scratch, out);
        }
        let mut word = String::new();
        for part in line.strip_prefix(SPACE).unwrap_or(line).split(SPACE) {
            word.clear();
            word.extend([SPACE, part]);
            self.bpe.encode(vocabulary, &word, scratch, out);
        }
    }
}
