//! The tokenizer of a GGUF file, for every kind of vocabulary that llama.cpp has.
//!
//! llama.cpp's own is not called. It cuts texts by recursion in `std::regex`, so that a run of 27,000 equals signs ends
//! the process on an ordinary stack, and takes quadratic time or throws for others. This one gives the same tokens in
//! time linear in the text; where the two differ, and why, is in `docs/decisions/014-our-own-tokenizer.md`.

mod attributes;
mod bytes;
mod dna;
mod pairs;
mod plamo;
mod spm;
mod texts;
mod ugm;
mod wpm;

use std::ops::Range;

use trillm_core::{Error as EngineError, Guarded, Token, Tokenizer};
use trillm_formats::gguf::{Algorithm, Head, Special, TokenType, Vocabulary as File, unescape};

use self::attributes::Attributes;
use self::bytes::Spelling;
use self::dna::{Dna, MARK};
use self::pairs::Pairs;
use self::plamo::Plamo;
use self::spm::Spm;
use self::texts::is_in_texts;
use self::ugm::Ugm;
use self::wpm::Wpm;
use crate::greedy::Greedy;
use crate::limit::Limits;
use crate::markers::{Marker, Markers, Part, Spaces};
use crate::plain::is_plain;
use crate::scratch::Scratch;
use crate::table::Table;
use crate::vocabulary::Vocabulary;
use crate::words::{SPACE, are_apart};
use crate::{Error, Result};

/// The tokenizer of a GGUF file. Any number of threads may use it at once; it starts none.
pub struct GgufTokenizer {
    kind: Kind,
    vocabulary: Vocabulary,
    bytes: Table,
    /// Finds tokens that are read out of any text.
    plain: Markers,
    /// Finds control tokens, too.
    all: Markers,
    control: Vec<Token>,
    /// The control tokens, and those that are read out of any text.
    added: Vec<Token>,
    ends: Vec<Token>,
    special: Special,
    /// Tokens of six letters of DNA, which are spelled with a mark at their end.
    dna: Option<u32>,
    /// Whether a space goes before a text.
    adds_space: bool,
    /// Tokens that the model has scores for.
    rows: u32,
    limits: Limits,
}

enum Kind {
    Spm(Spm),
    Pairs(Box<Pairs>),
    Wpm(Wpm),
    Ugm(Box<Ugm>),
    /// The longest beginning of a text that is a token, again and again.
    Rwkv(Greedy),
    Plamo(Plamo),
}

/// Stands for a byte that has no token, where no unknown one stands for it either.
const SKIPPED: u32 = u32::MAX - 1;

impl GgufTokenizer {
    /// The tokenizer of a file whose header was read.
    ///
    /// # Errors
    /// If it has none, or one that is not sound.
    pub fn of(head: &Head) -> Result<Self> {
        let vocabulary = head.parse()?;
        let vocabulary = vocabulary.tokenizer().map_err(|error| error.of(head.path()))?;
        Self::new(&vocabulary).map_err(|error| error.of(head.path()))
    }

    /// The tokenizer that a file describes.
    ///
    /// # Errors
    /// If it has more special tokens than any real one.
    pub fn new(file: &File<'_>) -> Result<Self> {
        let words = || file.words.iter().map(|word| &**word);
        // A token has its spelling, and beside it a length, a type and a score.
        Error::check_memory(words().map(|word| word.len() + 16).sum())?;
        let every = Vocabulary::of(words(), |_| true);
        let (attributes, ends) = attributes::read(file, |text| every.id(text));
        let is_hidden = |id: u32| {
            attributes[id as usize].is_hidden()
                || matches!(file.types[id as usize], TokenType::Control | TokenType::Unknown)
        };
        let vocabulary = Vocabulary::of(words(), |id| !is_hidden(id) || every.text(id).is_some_and(is_plain));

        let tokens = || (0..).zip(words()).filter(|&(id, _)| is_in_texts(file, id as usize));
        let kind = match file.algorithm {
            Algorithm::Spm => {
                let apart = are_apart(tokens().map(|(_, word)| word));
                Kind::Spm(Spm::new(&file.scores, &vocabulary, file.special.unknown, apart))
            }
            Algorithm::Bpe => {
                let dna = Dna::new(|text| every.id(text)).filter(|_| file.model == "hybriddna");
                Kind::Pairs(Box::new(Pairs::new(file, &vocabulary, dna)?))
            }
            Algorithm::Wpm => Kind::Wpm(Wpm::new(file)?),
            Algorithm::Ugm => Kind::Ugm(Box::new(Ugm::new(file)?)),
            Algorithm::Rwkv => {
                let mut texts: Vec<_> = tokens().map(|(id, word)| (unescape(word), id)).collect();
                // A byte without a token becomes the unknown one, so that a search never ends without any.
                let unknown = file.special.unknown.unwrap_or(SKIPPED);
                texts.extend((0..=u8::MAX).map(|byte| (vec![byte], unknown)));
                Kind::Rwkv(Greedy::new(&texts, b"")?)
            }
            Algorithm::Plamo2 => Kind::Plamo(Plamo::new(file, &vocabulary)?),
        };
        let spelling = match &kind {
            Kind::Pairs(pairs) => pairs.spelling(),
            Kind::Spm(_) | Kind::Wpm(_) | Kind::Ugm(_) => Spelling::Spaces,
            Kind::Plamo(_) => Spelling::Plain,
            Kind::Rwkv(_) => Spelling::Escapes,
        };
        let dna = match &kind {
            Kind::Pairs(pairs) => pairs.dna().map(|dna| dna.unknown),
            _ => None,
        };
        let adds_space = match &kind {
            Kind::Spm(_) => file.add_space_prefix.unwrap_or(true),
            Kind::Ugm(ugm) => ugm.adds_space(),
            _ => false,
        };
        let (plain, all) = markers(words(), &attributes)?;
        let bare = (0..).zip(words()).map(|(id, word)| unmarked(dna, id, word)).collect::<Vec<_>>();
        let bytes = bytes::table(bare.into_iter(), &attributes, spelling);
        let those = |is: fn(&Attributes) -> bool| {
            (0..).zip(&attributes).filter(move |(_, token)| is(token)).map(|(id, _)| Token(id)).collect()
        };
        Ok(Self {
            kind,
            bytes,
            plain,
            all,
            control: those(|token| token.is_hidden()),
            added: those(|token| token.is_hidden() || token.user_defined),
            ends: ends.into_iter().map(Token).collect(),
            special: file.special.clone(),
            dna,
            adds_space,
            rows: vocabulary.len(),
            vocabulary,
            limits: Limits::default(),
        })
    }

    /// The same for a model that has scores for `rows` tokens, whose weights are another file's: see
    /// [`HuggingFaceTokenizer::with_rows`](crate::HuggingFaceTokenizer::with_rows).
    #[must_use]
    pub fn with_rows(self, rows: u32) -> Self {
        Self { rows, ..self }
    }

    /// Appends the tokens of a text, and nothing around it.
    fn encode_text(
        &self,
        text: &str,
        markers: &Markers,
        guarded: Guarded<'_>,
        out: &mut Vec<Token>,
    ) -> Result<(), EngineError> {
        let (mut scratch, mut found) = (Scratch::new(guarded.tokens), Vec::new());
        let allowed = |id, range: &Range<usize>| !guarded.forbids(Token(id), range);
        // A text begins as if a special token came before.
        let mut behind_special = true;
        let mut failed = Ok(());
        markers.cut(text, allowed, |part| {
            let text = match part {
                Part::Token(id) => {
                    behind_special = true;
                    return out.push(Token(id));
                }
                Part::Text(_) if failed.is_err() => return,
                Part::Text(text) => text,
            };
            let begins = std::mem::replace(&mut behind_special, false);
            failed = self.check_spaces(text);
            if failed.is_err() {
                return;
            }
            match &self.kind {
                Kind::Spm(spm) => {
                    let space = if self.adds_space && begins { SPACE } else { "" };
                    let text = [space, &text.replace(' ', SPACE)].concat();
                    spm.encode(&self.vocabulary, &text, &mut scratch, out);
                }
                Kind::Pairs(pairs) => pairs.encode(&self.vocabulary, text, &mut scratch, out),
                Kind::Wpm(wpm) => wpm.encode(text, &mut scratch, out),
                Kind::Ugm(ugm) => failed = ugm.encode(text, self.limits, &mut scratch, out),
                Kind::Rwkv(tokens) => {
                    found.clear();
                    tokens.encode(text.as_bytes(), &mut found);
                    out.extend(found.iter().filter(|token| token.0 != SKIPPED));
                }
                Kind::Plamo(plamo) => plamo.encode(text, &mut scratch.shortage, out),
            }
        });
        failed.and(scratch.shortage.outcome())
    }

    /// Checks the length that a text has when its spaces are written `▁`, where they are.
    fn check_spaces(&self, text: &str) -> Result<(), EngineError> {
        let writes = match &self.kind {
            Kind::Spm(_) => true,
            Kind::Pairs(pairs) => pairs.spelling() == Spelling::Spaces,
            Kind::Wpm(_) | Kind::Ugm(_) | Kind::Rwkv(_) | Kind::Plamo(_) => false,
        };
        // It cannot be too long where it would not be if it were all spaces.
        let longest = SPACE.len() * text.len() + SPACE.len();
        if !writes || self.limits.normalized(longest).is_ok() {
            return Ok(());
        }
        let spaces = text.bytes().filter(|&byte| byte == b' ').count();
        self.limits.normalized(text.len() + (SPACE.len() - 1) * spaces + SPACE.len())
    }
}

/// What finds tokens that are read out of any text, and what finds control tokens too.
fn markers<'a>(words: impl Iterator<Item = &'a [u8]>, attributes: &[Attributes]) -> Result<(Markers, Markers)> {
    let (mut plain, mut all) = (Vec::new(), Vec::new());
    for (id, (word, token)) in (0..).zip(words.zip(attributes)) {
        // What is not a text is in none.
        let Ok(text) = std::str::from_utf8(word) else { continue };
        let marker = || Marker {
            text: text.to_owned(),
            id,
            strips_before: token.strips_before,
            strips_behind: token.strips_behind,
            is_word: false,
        };
        if token.user_defined && !token.is_hidden() {
            plain.push(marker());
        }
        if token.user_defined || token.is_hidden() {
            all.push(marker());
        }
    }
    Ok((Markers::new(plain, Spaces::Ascii)?, Markers::new(all, Spaces::Ascii)?))
}

/// A spelling without the mark of DNA.
fn unmarked(dna: Option<u32>, id: u32, word: &[u8]) -> &[u8] {
    match dna {
        Some(unknown) if id > unknown => {
            word.strip_suffix(MARK.as_bytes()).filter(|rest| !rest.is_empty()).unwrap_or(word)
        }
        _ => word,
    }
}

impl Tokenizer for GgufTokenizer {
    fn vocabulary(&self) -> u32 {
        self.rows
    }

    fn encode(
        &self,
        text: &str,
        add_special: bool,
        parse_special: bool,
        out: &mut Vec<Token>,
    ) -> Result<(), EngineError> {
        self.limits.text(text)?;
        let start = out.len();
        let adds = |adds: bool, id: Option<u32>| id.filter(|_| adds && add_special).map(Token);
        out.extend(adds(self.special.adds_bos, self.special.bos));
        let markers = if parse_special { &self.all } else { &self.plain };
        self.encode_text(text, markers, Guarded::default(), out).inspect_err(|_| out.truncate(start))?;
        out.extend(adds(self.special.adds_separator, self.special.separator));
        out.extend(adds(self.special.adds_eos, self.special.eos));
        Ok(())
    }

    fn encode_guarded(&self, text: &str, guarded: Guarded<'_>, out: &mut Vec<Token>) -> Result<(), EngineError> {
        self.limits.text(text)?;
        let start = out.len();
        self.encode_text(text, &self.all, guarded, out).inspect_err(|_| out.truncate(start))
    }

    fn bytes(&self, token: Token) -> &[u8] {
        self.bytes.get(token.0)
    }

    fn spelling(&self, token: Token) -> Option<&str> {
        let spelling = unmarked(self.dna, token.0, self.vocabulary.spelling(token.0));
        std::str::from_utf8(spelling).ok().filter(|text| !text.is_empty())
    }

    fn bos(&self) -> Option<Token> {
        self.special.bos.map(Token)
    }

    fn eos(&self) -> Option<Token> {
        self.special.eos.map(Token)
    }

    fn adds_bos(&self) -> bool {
        self.special.adds_bos
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

    fn decode(&self, tokens: &[Token]) -> String {
        let bytes: Vec<u8> = tokens.iter().flat_map(|&token| self.bytes(token)).copied().collect();
        // The space that encoding put before the text.
        let text = bytes.strip_prefix(b" ").filter(|_| self.adds_space).unwrap_or(&bytes);
        String::from_utf8_lossy(text).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use trillm_core::Coded;
    use trillm_testkit::models::gguf::Gguf;

    use super::*;

    /// A vocabulary of three words with scores.
    fn tokenizer(model: &str) -> GgufTokenizer {
        let words = ["<unk>", "▁", "a"].map(|word| (word, 1, -1.0));
        let bytes = Gguf::vocabulary(model, &words).header();
        let file = trillm_formats::Gguf::parse(&bytes, bytes.len() as u64).unwrap();
        GgufTokenizer::new(&file.tokenizer().unwrap()).unwrap()
    }

    #[test]
    fn a_text_that_becomes_too_long_is_an_error() {
        for model in ["llama", "t5"] {
            let limited = GgufTokenizer { limits: Limits::of(100, 90), ..tokenizer(model) };
            let ids = |text: &str| {
                let mut out = vec![Token(7)];
                let encoded = limited.encode(text, false, false, &mut out);
                encoded.map(|()| out.len() - 1).map_err(|error| (error.code(), error.to_string(), out.len()))
            };
            assert!(ids(&"a".repeat(80)).is_ok() && ids(&" ".repeat(28)).is_ok(), "{model}");
            let (code, message, left) = ids(&format!("{}a", " ".repeat(40))).unwrap_err();
            assert_eq!((code, left), ("invalid_parameter", 1), "{model}");
            assert!(message.contains("less than 4 GiB when it is normalized"), "{message}");
            let (code, message, left) = ids(&"a".repeat(101)).unwrap_err();
            assert_eq!((code, left), ("invalid_parameter", 1), "{model}");
            assert!(message.contains("101 bytes") && message.contains("less than 2 GiB"), "{message}");
        }
    }

    /// No memory is behind these zeros: the system gives pages when they are written.
    #[test]
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    fn a_text_of_two_gibibytes_is_an_error() {
        let text = String::from_utf8(vec![0; 1 << 31]).unwrap();
        let error = tokenizer("llama").encode(&text, false, false, &mut Vec::new()).unwrap_err();
        assert_eq!(error.code(), "invalid_parameter");
        assert!(error.to_string().contains("2147483648 bytes"), "{error}");
    }
}
