//! The bytes of one token, as the section `decoder` gives them in the middle of a text.
//!
//! The library decodes a list of tokens through a chain of steps, some of which only do something at the ends of the
//! text: a first space is dropped. In the middle of a text they do nothing, and a stream does not know where its text
//! began, so the space that Llama's tokenizer puts before a text comes out again, as it does from llama.cpp.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::{Error, Result, alphabet};

/// One step of the chain, with the fields of the file.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum Step {
    Sequence {
        decoders: Vec<Step>,
    },
    ByteLevel,
    Metaspace {
        replacement: char,
        prepend_scheme: Option<String>,
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
    Regex(IgnoredAny),
}

/// How tokens are written out.
pub(crate) struct Decoder {
    steps: Vec<Step>,
    /// Tokens are spelled in GPT-2's alphabet, one character for each byte.
    byte_level: bool,
    /// The first space of a whole text is dropped.
    drops_space: bool,
}

impl Decoder {
    /// The chain of a section, given as JSON. Without one, the library puts a space before every token but the first.
    pub(crate) fn new(section: Option<&str>) -> Result<Self> {
        let Some(section) = section else {
            return Ok(Self {
                steps: vec![Step::WordPiece { prefix: String::new(), cleanup: false }],
                byte_level: false,
                drops_space: true,
            });
        };
        let step: Step =
            serde_json::from_str(section).map_err(|error| Error::malformed("decoder", error.to_string()))?;
        let mut steps = Vec::new();
        flatten(step, &mut steps);
        // After this one the chain sees a whole text, not tokens.
        let mut fused = false;
        let mut drops_space = false;
        let mut kept = Vec::new();
        for step in steps {
            drops_space |= match &step {
                Step::Strip { content: ' ', start, .. } => fused && *start > 0,
                Step::Metaspace { prepend_scheme, .. } => prepend_scheme.as_deref() != Some("never"),
                Step::WordPiece { .. } => true,
                _ => false,
            };
            match step {
                Step::Fuse => fused = true,
                Step::Strip { .. } if fused => {}
                Step::Replace { pattern: Pattern::Regex(_), .. } | Step::Other => {
                    let expected = "ByteLevel, Metaspace, Replace of a text, ByteFallback, Fuse, Strip, WordPiece, \
                                    BPEDecoder or a sequence of these";
                    let found = section.chars().take(200).collect();
                    return Err(Error::Unsupported { what: "decoder", found, expected });
                }
                step => kept.push(step),
            }
        }
        let byte_level = kept.iter().any(|step| matches!(step, Step::ByteLevel));
        Ok(Self { steps: kept, byte_level, drops_space })
    }

    /// Whether the chain drops the first space of a whole text.
    pub(crate) fn drops_space(&self) -> bool {
        self.drops_space
    }

    /// Appends the bytes of a token that is spelled so. `added` tokens stand beside the model's: they are texts, not
    /// spelled in GPT-2's alphabet.
    pub(crate) fn write(&self, spelling: &str, added: bool, out: &mut Vec<u8>) {
        if added && self.byte_level {
            return out.extend_from_slice(spelling.as_bytes());
        }
        let mut text = spelling.to_owned();
        for step in &self.steps {
            match step {
                Step::Metaspace { replacement, .. } => text = text.replace(*replacement, " "),
                Step::Replace { pattern: Pattern::String(pattern), content } => text = text.replace(pattern, content),
                Step::ByteFallback => {
                    if let Some(byte) = fallback(&text) {
                        return out.push(byte);
                    }
                }
                Step::ByteLevel => {
                    // A token with a character from outside the alphabet is taken as it is, as in the library.
                    return alphabet::write(&text, out);
                }
                Step::Strip { content, start, stop } => text = strip(&text, *content, *start, *stop).to_owned(),
                Step::WordPiece { prefix, cleanup } => {
                    let rest = text.strip_prefix(prefix.as_str()).filter(|_| !prefix.is_empty());
                    text = rest.map_or_else(|| format!(" {text}"), str::to_owned);
                    if *cleanup {
                        text = clean(&text);
                    }
                }
                Step::Suffix { suffix } => text = text.replace(suffix, " "),
                // None of these is kept.
                Step::Sequence { .. } | Step::Fuse | Step::Replace { .. } | Step::Other => {}
            }
        }
        out.extend_from_slice(text.as_bytes());
    }
}

fn flatten(step: Step, out: &mut Vec<Step>) {
    match step {
        Step::Sequence { decoders } => decoders.into_iter().for_each(|step| flatten(step, out)),
        step => out.push(step),
    }
}

/// The byte that a token such as `<0x0A>` stands for.
fn fallback(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    let plain = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| plain)
}

fn strip(text: &str, content: char, start: usize, stop: usize) -> &str {
    let mut text = text;
    for _ in 0..start {
        let Some(rest) = text.strip_prefix(content) else { break };
        text = rest;
    }
    for _ in 0..stop {
        let Some(rest) = text.strip_suffix(content) else { break };
        text = rest;
    }
    text
}

/// What the library's `WordPiece` decoder takes back of the spaces that `BERT` puts around punctuation.
fn clean(text: &str) -> String {
    const PAIRS: [(&str, &str); 11] = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" do not", " don't"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    PAIRS.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
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
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        for section in [
            r#"{ "type": "CTC", "pad_token": "x" }"#,
            r#"{ "type": "Replace", "pattern": { "Regex": "a" }, "content": "" }"#,
        ] {
            assert!(matches!(Decoder::new(Some(section)), Err(Error::Unsupported { what: "decoder", .. })));
        }
        assert!(matches!(Decoder::new(Some("[]")), Err(Error::Malformed { .. })));
    }
}
