//! The section `decoder`: tokens as text.
//!
//! The library decodes a list of tokens through a chain of steps, some of which do something else at the ends of the
//! text: a first space is dropped, and the mark of a last word's end is none. So does [`Decoder::decode`]. A stream
//! does not know whether its text is a whole one: [`Decoder::write`] gives the bytes that a token has in the middle of
//! a text, so the space that Llama's tokenizer puts before a text comes out again, as it does from llama.cpp.
//!
//! Left out is `CTC`, which takes equal tokens in a row for one: no stream can, and no model of language has it.

use std::borrow::Cow;

use serde::Deserialize;

use crate::split::Replacer;
use crate::step::{Place, Step, fallback};
use crate::{Error, Result, alphabet};

/// A step with the fields of the file.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum Part {
    Sequence {
        decoders: Vec<Part>,
    },
    ByteLevel,
    Metaspace {
        replacement: char,
        prepend_scheme: Option<String>,
        add_prefix_space: Option<bool>,
    },
    Replace {
        pattern: Pattern,
        content: String,
    },
    ByteFallback,
    Fuse,
    Strip {
        content: char,
        start: usize,
        stop: usize,
    },
    WordPiece {
        prefix: String,
        cleanup: bool,
    },
    #[serde(rename = "BPEDecoder")]
    Suffix {
        suffix: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
enum Pattern {
    String(String),
    Regex(String),
}

impl Part {
    /// Appends what it does; `None` if that is not known here.
    fn read(self, out: &mut Vec<Step>) -> Option<()> {
        out.push(match self {
            Self::Sequence { decoders } => return decoders.into_iter().try_for_each(|part| part.read(out)),
            Self::ByteLevel => Step::ByteLevel,
            Self::Metaspace { replacement, prepend_scheme, add_prefix_space } => {
                let drops = prepend_scheme.as_deref() != Some("never") && add_prefix_space != Some(false);
                Step::Metaspace { replacement, drops }
            }
            Self::Replace { pattern: Pattern::String(pattern), content } => Step::Replace { pattern, content },
            Self::Replace { pattern: Pattern::Regex(pattern), content } => {
                Step::ReplaceMatches(Replacer::new(&pattern, content)?)
            }
            Self::ByteFallback => Step::ByteFallback,
            Self::Fuse => Step::Fuse,
            Self::Strip { content, start, stop } => Step::Strip { content, start, stop },
            Self::WordPiece { prefix, cleanup } => Step::WordPiece { prefix, cleanup },
            Self::Suffix { suffix } => Step::Suffix(suffix),
            Self::Other => return None,
        });
        Some(())
    }
}

/// How tokens are written out.
pub(crate) struct Decoder {
    steps: Vec<Step>,
    /// Tokens are spelled in GPT-2's alphabet, one character for each byte.
    byte_level: bool,
}

impl Decoder {
    /// The chain of a section, given as JSON. Without one, the library puts a space before every token but the first.
    pub(crate) fn new(section: Option<&str>) -> Result<Self> {
        let Some(section) = section else {
            return Ok(Self { steps: vec![Step::Spaces], byte_level: false });
        };
        let part: Part =
            serde_json::from_str(section).map_err(|error| Error::malformed("decoder", error.to_string()))?;
        let mut steps = Vec::new();
        part.read(&mut steps).ok_or_else(|| Error::Unsupported {
            what: "decoder",
            found: section.chars().take(200).collect(),
            expected: "ByteLevel, Metaspace, Replace of a text or of what an automaton finds, ByteFallback, Fuse, \
                       Strip, WordPiece, BPEDecoder or a sequence of these",
        })?;
        let byte_level = matches!(steps.first(), Some(Step::ByteLevel));
        Ok(Self { steps, byte_level })
    }

    /// Appends the bytes that a token spelled so has in the middle of a text. `is_text`: as added tokens are, it is not
    /// spelled in GPT-2's alphabet.
    pub(crate) fn write(&self, spelling: &str, is_text: bool, out: &mut Vec<u8>) {
        if is_text && self.byte_level {
            return out.extend_from_slice(spelling.as_bytes());
        }
        let (mut text, mut place) = (Cow::Borrowed(spelling), Place::MIDDLE);
        let mut is_whole = false;
        for step in &self.steps {
            match step {
                // A token with a character from outside the alphabet is taken as it is, as in the library.
                Step::ByteLevel => return alphabet::write(&text, out),
                Step::ByteFallback | Step::Strip { .. } if is_whole => {}
                Step::ByteFallback => {
                    if let Some(byte) = fallback(&text) {
                        return out.push(byte);
                    }
                }
                // The chain sees one text from here on, at whose ends this token is not.
                Step::Fuse => (place, is_whole) = (Place::ALONE, true),
                step => text = step.one(text, place),
            }
        }
        out.extend_from_slice(text.as_bytes());
    }

    /// The text that these tokens are, as a whole: each its spelling, and whether that is a text.
    pub(crate) fn decode<'t>(&self, tokens: impl Iterator<Item = (&'t str, bool)>) -> String {
        let text = |(spelling, is_text)| {
            let mut spelled = String::new();
            if is_text && self.byte_level {
                // What the chain makes a text of again.
                alphabet::spell(spelling, &mut spelled);
                return Cow::Owned(spelled);
            }
            Cow::Borrowed(spelling)
        };
        self.steps.iter().fold(tokens.map(text).collect(), |texts, step| step.all(texts)).concat()
    }

    /// The same from the bytes that the tokens have in the middle of a text, all in a row, which is faster. `None` if
    /// the chain needs the tokens.
    pub(crate) fn decode_bytes(&self, bytes: Vec<u8>) -> Option<String> {
        let is_replacing = |step: &&Step| matches!(step, Step::Replace { .. } | Step::ReplaceMatches(_));
        let (_, rest) = self.steps.split_at(self.steps.iter().take_while(is_replacing).count());
        let ends = match rest {
            [Step::ByteLevel] => return Some(String::from_utf8_lossy(&bytes).into_owned()),
            [] | [Step::ByteFallback] => &[],
            [Step::Fuse, ends @ ..] | [Step::ByteFallback, Step::Fuse, ends @ ..] => ends,
            _ => return None,
        };
        if !ends.iter().all(|step| matches!(step, Step::Strip { .. })) {
            return None;
        }
        // Where bytes are no text, it counts where tokens for bytes begin and end.
        let text = String::from_utf8(bytes).ok()?;
        Some(ends.iter().fold(text.into(), |text, step| step.one(text, Place::ALONE)).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(section: &str, spelling: &str) -> Vec<u8> {
        let mut out = Vec::new();
        Decoder::new(Some(section)).unwrap().write(spelling, false, &mut out);
        out
    }

    #[test]
    fn llamas_chain() {
        let chain = r#"{ "type": "Sequence", "decoders": [
            { "type": "Replace", "pattern": { "String": "▁" }, "content": " " },
            { "type": "ByteFallback" }, { "type": "Fuse" },
            { "type": "Strip", "content": " ", "start": 1, "stop": 0 }] }"#;
        assert_eq!(decode(chain, "▁the"), b" the");
        assert_eq!(decode(chain, "<0xE2>"), [0xe2]);
        assert_eq!(decode(chain, "<0x+1>"), b"<0x+1>".as_slice());
        assert_eq!(decode(chain, "<0xé>"), "<0xé>".as_bytes());
    }

    #[test]
    fn other_chains() {
        assert_eq!(decode(r#"{ "type": "ByteLevel", "trim_offsets": true }"#, "Ġé"), b" \xe9");
        assert_eq!(decode(r#"{ "type": "ByteLevel" }"#, "a b"), b"a b");
        let word_piece = r#"{ "type": "WordPiece", "prefix": "\u0023#", "cleanup": true }"#;
        assert_eq!(decode(word_piece, "##ing"), b"ing");
        assert_eq!(decode(word_piece, "."), b".");
        assert_eq!(decode(word_piece, "go"), b" go");
        assert_eq!(decode(r#"{ "type": "BPEDecoder", "suffix": "</w>" }"#, "go</w>"), b"go ");
        assert_eq!(decode(r#"{ "type": "Metaspace", "replacement": "▁" }"#, "▁go"), b" go");
        assert_eq!(decode(r#"{ "type": "Strip", "content": "H", "start": 1, "stop": 9 }"#, "HHeH"), b"He");
        assert_eq!(decode(r#"{ "type": "WordPiece", "prefix": "", "cleanup": false }"#, "go"), b"go");
        assert_eq!(decode(r#"{ "type": "Replace", "pattern": { "Regex": "\\d+" }, "content": "-" }"#, "a12b"), b"a-b");
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        for section in [
            r#"{ "type": "CTC", "pad_token": "x" }"#,
            r#"{ "type": "Replace", "pattern": { "Regex": "(a)\\1" }, "content": "" }"#,
        ] {
            assert!(matches!(Decoder::new(Some(section)), Err(Error::Unsupported { what: "decoder", .. })));
        }
        assert!(matches!(Decoder::new(Some("[]")), Err(Error::Malformed { .. })));
    }
}
