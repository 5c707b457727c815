//! The tokenizer of one model.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;

use serde::de::DeserializeOwned;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::{
    AddedVocabulary, NormalizedString, Normalizer as _, NormalizerWrapper, OffsetReferential, OffsetType,
    PreTokenizedString, PreTokenizer as _, PreTokenizerWrapper,
};
use trillm_core::{Error as EngineError, Guarded, PairFrame, Token, Tokenizer};
use trillm_formats::huggingface::Sidecars;

use crate::decoder::Decoder;
use crate::document::{AddedToken, Document};
use crate::guard::guard;
use crate::guarded::Finder;
use crate::limit::Limits;
use crate::markers::Part;
use crate::model::{Model, WORD_PIECE, kind};
use crate::oniguruma::check_sizes;
use crate::pipeline::{Added, Pipeline};
use crate::plain::is_plain;
use crate::scratch::Scratch;
use crate::special::{Around, Special};
use crate::table::Table;
use crate::vocabulary::Vocabulary;
use crate::written::Written;
use crate::{Error, Result, file, growth, prefix};

/// What `tokenizer.json` and the small files beside it describe. Any number of threads may use it at once; it keeps no
/// cache and starts no thread.
///
/// Its vocabulary ends after the largest id, or with the model's rows ([`with_rows`](Self::with_rows)): it may read and
/// write tokens beyond those.
pub struct HuggingFaceTokenizer {
    normalizer: Option<NormalizerWrapper>,
    pre_tokenizer: Option<PreTokenizerWrapper>,
    model: Model,
    vocabulary: Vocabulary,
    words: Words,
    /// Finds added tokens where they are allowed.
    finder: Finder,
    bytes: Table,
    control: Vec<Token>,
    /// All added tokens, control tokens included.
    all_added: Vec<Token>,
    special: Special,
    around: Around,
    decoder: Decoder,
    written: Written,
    /// Tokens that the model has scores for.
    rows: u32,
    limits: Limits,
    note: Option<&'static str>,
}

/// How a text becomes words, with what finds all added tokens in it, and what finds those that are not control tokens: for
/// text from a user.
enum Words {
    Ours(Box<Ours>),
    Library { added: Box<AddedVocabulary>, plain: Box<AddedVocabulary> },
}

struct Ours {
    pipeline: Pipeline,
    added: Added,
    plain: Added,
}

impl Words {
    fn new(tokens: &[AddedToken], pipeline: Option<Pipeline>, normalizer: Option<&NormalizerWrapper>) -> Result<Self> {
        let plain = || tokens.iter().filter(|token| !token.token.special);
        if let Some(pipeline) = pipeline {
            let (added, plain) = (Added::new(tokens.iter(), &pipeline)?, Added::new(plain(), &pipeline)?);
            return Ok(Self::Ours(Box::new(Ours { pipeline, added, plain })));
        }
        let find = |tokens: &[&AddedToken]| find(tokens.iter().copied(), normalizer).map(Box::new);
        let (all, plain): (Vec<_>, Vec<_>) = (tokens.iter().collect(), plain().collect());
        Ok(Self::Library { added: find(&all)?, plain: find(&plain)? })
    }
}

impl HuggingFaceTokenizer {
    /// Reads a tokenizer: `path` is a folder with a `tokenizer.json`, or that file. `sidecars` say which tokens begin
    /// and end a text.
    ///
    /// # Errors
    /// If the file is not there, has more than 64 MB, contradicts itself or the sidecars, or asks for what is not
    /// supported. Nothing in a file makes this panic.
    pub fn open(path: &Path, sidecars: &Sidecars) -> Result<Self> {
        let (path, bytes) = file::read(path)?;
        Error::check_memory(bytes.len()).map_err(|error| error.of(&path))?;
        Self::parse(bytes, sidecars).map_err(|error| error.of(&path))
    }

    /// The same for a model that has scores for `rows` tokens: more than the vocabulary where it was rounded up, fewer
    /// where tokens were added and the model was not made larger. A text may have tokens that the model does not know;
    /// whoever computes with it must look.
    #[must_use]
    pub fn with_rows(self, rows: u32) -> Self {
        Self { rows, ..self }
    }

    /// What the reader of `info` should know.
    pub fn note(&self) -> Option<String> {
        self.note.map(Into::into)
    }

    fn parse(bytes: Vec<u8>, sidecars: &Sidecars) -> Result<Self> {
        let mut document = Document::parse(&bytes)?;
        let (normal, pre) = match sidecars.words {
            // Of a vocabulary of another kind the class would make nothing that anyone wants.
            Some(words) if kind(&document.model) == WORD_PIECE => {
                (Some(words.normalizer().into()), Some(Cow::Borrowed(r#"{"type":"BertPreTokenizer"}"#)))
            }
            _ => (document.normalizer()?, prefix::followed(sidecars.prefix, document.pre_tokenizer()?)),
        };
        let note = prefix::note(sidecars.prefix, normal.as_deref(), pre.as_deref());
        growth::check(&[normal.as_deref(), pre.as_deref()])?;
        let normalizer = part("normalizer", normal.as_deref())?;
        let pre_tokenizer = part("pre_tokenizer", pre.as_deref())?;
        let pipeline = Pipeline::new(normal.as_deref(), pre.as_deref());
        if pipeline.is_none() {
            [&normal, &pre].into_iter().flatten().try_for_each(|section| check_sizes(section))?;
        }
        let in_alphabet = normal.as_deref().is_some_and(|section| section.contains("\"ByteLevel\""));
        let decoder = Decoder::new(document.decoder()?.as_deref())?;

        document.added_tokens.retain(|token| !token.token.content.is_empty());
        let special = Special::new(sidecars, &document.model.vocab, &mut document.added_tokens)?;
        let around = Around::new(document.post_processor()?)?;
        let Document { added_tokens, model, .. } = document;
        let spellings: Vec<(&str, u32)> =
            added_tokens.iter().map(|token| (token.token.content.as_str(), token.id)).collect();
        let vocabulary = Vocabulary::new(&model.vocab.entries, &spellings)?;
        if let Some(Token(id)) = around.tokens().find(|token| token.0 >= vocabulary.len()) {
            return Err(Error::malformed("special tokens", format!("the vocabulary has no id {id}")));
        }
        let apart = added_tokens.iter().filter(|token| !is_plain(&token.token.content)).map(|token| token.id).collect();
        let model = Model::new(model, &vocabulary, apart)?;
        drop(bytes);

        let written = match &pipeline {
            Some(pipeline) => Written::new(&added_tokens, in_alphabet, |text| Ok(pipeline.normalize(text)))?,
            None => Written::new(&added_tokens, in_alphabet, |text| normalized(normalizer.as_ref(), text))?,
        };
        let words = Words::new(&added_tokens, pipeline, normalizer.as_ref())?;
        let bytes = write_out(&vocabulary, &decoder, &written, &added_tokens);
        let finder = guard(|| Finder::new(&added_tokens, normalizer.as_ref()))
            .map_err(|reason| Error::malformed("added_tokens", reason))?;
        let control = ids(added_tokens.iter().filter(|token| token.token.special));
        let all_added = ids(added_tokens.iter());
        let rows = vocabulary.len();
        Ok(Self {
            normalizer,
            pre_tokenizer,
            model,
            vocabulary,
            words,
            finder,
            bytes,
            control,
            all_added,
            special,
            around,
            decoder,
            written,
            rows,
            limits: Limits::default(),
            note,
        })
    }

    /// Appends the tokens of a text, and nothing around it, by way of our own pipeline.
    fn encode_parts(
        &self,
        pipeline: &Pipeline,
        added: &Added,
        text: &str,
        guarded: Guarded<'_>,
        out: &mut Vec<Token>,
    ) -> trillm_core::Result<()> {
        let mut scratch = Scratch::new(guarded.tokens);
        let mut failed = Ok(());
        pipeline.cut(added, text, guarded, |part| match part {
            Part::Token(id) => out.push(Token(id)),
            Part::Text(_) if failed.is_err() => {}
            Part::Text(word) => failed = self.encode_word(word, pipeline.spells(), &mut scratch, out),
        });
        failed.and(scratch.shortage.outcome())
    }

    /// Appends the tokens of one word, which is to be spelled in GPT-2's alphabet or is written as it is.
    fn encode_word(
        &self,
        word: &str,
        spells: bool,
        scratch: &mut Scratch,
        out: &mut Vec<Token>,
    ) -> trillm_core::Result<()> {
        // Half of the bytes have two in that alphabet.
        self.limits.normalized(if spells { 2 * word.len() } else { word.len() })?;
        if self.model.encode(&self.vocabulary, word, spells, scratch, out) {
            return Ok(());
        }
        let reason = "a part of the text is no token, and the model has no unknown token for it";
        Err(failed(reason.into()))
    }

    /// Appends the tokens of a text whose added tokens were found, and nothing around it. It becomes none that is `barred`.
    fn encode_words(
        &self,
        mut words: PreTokenizedString,
        barred: &[Token],
        out: &mut Vec<Token>,
    ) -> tokenizers::Result<trillm_core::Result<()>> {
        if let Some(pre_tokenizer) = &self.pre_tokenizer {
            pre_tokenizer.pre_tokenize(&mut words)?;
        }
        let mut scratch = Scratch::new(barred);
        for (word, _, tokens) in words.get_splits(OffsetReferential::Normalized, OffsetType::None) {
            match tokens {
                Some(tokens) => out.extend(tokens.iter().map(|token| Token(token.id))),
                None if word.is_empty() => {}
                None => {
                    let encoded = self.encode_word(word, false, &mut scratch, out);
                    if encoded.is_err() {
                        return Ok(encoded);
                    }
                }
            }
        }
        Ok(scratch.shortage.outcome())
    }
}

/// Appends what `encode` gives, or nothing if it fails.
fn append(
    out: &mut Vec<Token>,
    encode: impl FnOnce(&mut Vec<Token>) -> tokenizers::Result<trillm_core::Result<()>>,
) -> trillm_core::Result<()> {
    let start = out.len();
    guard(|| encode(out)).map_err(failed).flatten().inspect_err(|_| out.truncate(start))
}

fn failed(reason: String) -> EngineError {
    EngineError::Engine { engine: "tokenizer", reason, log: Vec::new() }
}

/// Their ids in order, each once.
fn ids<'a>(tokens: impl Iterator<Item = &'a AddedToken>) -> Vec<Token> {
    let mut ids: Vec<Token> = tokens.map(|token| Token(token.id)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// A part that the library reads.
fn part<T: DeserializeOwned>(what: &'static str, section: Option<&str>) -> Result<Option<T>> {
    let read = |section| guard(|| Ok(serde_json::from_str(section)?)).map_err(|reason| Error::malformed(what, reason));
    section.map(read).transpose()
}

/// What finds these tokens in a text.
fn find<'a>(
    tokens: impl Iterator<Item = &'a AddedToken> + Clone,
    normalizer: Option<&NormalizerWrapper>,
) -> Result<AddedVocabulary> {
    let found = guard(|| {
        // The library asks a model for their ids, and would number them itself if it had none.
        let ids = tokens.clone().map(|token| (token.token.content.clone(), token.id)).collect();
        let ids = WordLevel::builder().vocab(ids).build()?;
        let mut vocabulary = AddedVocabulary::new();
        vocabulary.add_tokens(tokens.map(|token| token.token.clone()), &ids, normalizer)?;
        Ok(vocabulary)
    });
    found.map_err(|reason| Error::malformed("added_tokens", reason))
}

/// What the library makes of a text before it is cut. `None` if it stays.
fn normalized(normalizer: Option<&NormalizerWrapper>, text: &str) -> Result<Option<String>> {
    let Some(normalizer) = normalizer else { return Ok(None) };
    let made = guard(|| {
        let mut text = NormalizedString::from(text);
        normalizer.normalize(&mut text)?;
        Ok(text.get().to_owned())
    });
    made.map(Some).map_err(|reason| Error::malformed("added_tokens", reason))
}

/// The bytes of every token.
fn write_out(vocabulary: &Vocabulary, decoder: &Decoder, written: &Written, added: &[AddedToken]) -> Table {
    let special: HashSet<u32> = added.iter().filter(|token| token.token.special).map(|token| token.id).collect();
    let mut bytes = Table::with_capacity(vocabulary.len() as usize, 0);
    for id in 0..vocabulary.len() {
        bytes.push(|out| {
            if let Some((text, is_text)) = written.of(vocabulary, id).filter(|_| !special.contains(&id)) {
                decoder.write(text, is_text, out);
            }
        });
    }
    bytes.shrink();
    bytes
}

impl Tokenizer for HuggingFaceTokenizer {
    fn vocabulary(&self) -> u32 {
        self.rows
    }

    fn encode(
        &self,
        text: &str,
        add_special: bool,
        parse_special: bool,
        out: &mut Vec<Token>,
    ) -> trillm_core::Result<()> {
        self.limits.text(text)?;
        let start = out.len();
        if add_special {
            out.extend(&self.around.before);
        }
        let words = |out: &mut Vec<Token>| match &self.words {
            Words::Ours(ours) => {
                let added = if parse_special { &ours.added } else { &ours.plain };
                Ok(self.encode_parts(&ours.pipeline, added, text, Guarded::default(), out))
            }
            Words::Library { added, plain } => {
                let added = if parse_special { added } else { plain };
                self.encode_words(added.extract_and_normalize(self.normalizer.as_ref(), text), &[], out)
            }
        };
        append(out, words).inspect_err(|_| out.truncate(start))?;
        if add_special {
            out.extend(&self.around.after);
        }
        Ok(())
    }

    fn encode_guarded(&self, text: &str, guarded: Guarded<'_>, out: &mut Vec<Token>) -> trillm_core::Result<()> {
        self.limits.text(text)?;
        if let Words::Ours(ours) = &self.words
            && ours.pipeline.keeps_places(&ours.added)
        {
            return append(out, |out| Ok(self.encode_parts(&ours.pipeline, &ours.added, text, guarded, out)));
        }
        append(out, |out| {
            self.encode_words(self.finder.extract(self.normalizer.as_ref(), text, guarded)?, guarded.tokens, out)
        })
    }

    fn pair(&self) -> Option<&PairFrame> {
        self.around.pair.as_ref()
    }

    fn bytes(&self, token: Token) -> &[u8] {
        self.bytes.get(token.0)
    }

    fn spelling(&self, token: Token) -> Option<&str> {
        self.vocabulary.text(token.0)
    }

    fn bos(&self) -> Option<Token> {
        self.special.bos
    }

    fn eos(&self) -> Option<Token> {
        self.special.eos
    }

    fn adds_bos(&self) -> bool {
        self.special.bos.is_some() && self.around.before.first() == self.special.bos.as_ref()
    }

    fn is_end(&self, token: Token) -> bool {
        self.special.ends.contains(&token)
    }

    fn control(&self) -> &[Token] {
        &self.control
    }

    fn added(&self) -> &[Token] {
        &self.all_added
    }

    fn decode(&self, tokens: &[Token]) -> String {
        let is_silent = |token: &Token| self.special.silent.binary_search(token).is_ok();
        // A stream ends before such a token, so it has no bytes.
        let is_written = |token: &Token| self.control.binary_search(token).is_ok() && !is_silent(token);
        let bytes = || tokens.iter().flat_map(|&token| self.bytes(token)).copied().collect();
        let joined = if tokens.iter().any(is_written) { None } else { self.decoder.decode_bytes(bytes()) };
        joined.unwrap_or_else(|| {
            let shown = tokens.iter().filter(|token| !is_silent(token));
            self.decoder.decode(shown.filter_map(|token| self.written.of(&self.vocabulary, token.0)))
        })
    }
}

#[cfg(test)]
mod tests {
    use trillm_core::Coded;

    use super::*;

    #[test]
    fn a_text_that_becomes_too_long_is_an_error() {
        let file = r#"{ "added_tokens": [],
            "pre_tokenizer": { "type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": false },
            "model": { "type": "BPE", "vocab": { "▁": 0, "a": 1 }, "merges": [] } }"#;
        let tokenizer = HuggingFaceTokenizer::parse(file.into(), &Sidecars::default()).unwrap();
        let limited = HuggingFaceTokenizer { limits: Limits::of(100, 90), ..tokenizer };
        let mut out = vec![Token(7)];
        limited.encode(&" ".repeat(30), false, false, &mut out).unwrap();
        assert_eq!(out.len(), 31);
        for (text, expected) in
            [(" ".repeat(31), "less than 4 GiB when it is normalized"), ("a".repeat(101), "less than 2 GiB")]
        {
            let error = limited.encode(&text, false, false, &mut out).unwrap_err();
            assert_eq!((error.code(), out.len()), ("invalid_parameter", 31));
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
