//! One step of the chain by which the library `tokenizers` makes a text of tokens.
//!
//! A step is given a list of texts and gives one: most change each text, some depending on whether it is the first or
//! the last, and some make one text of several.

use std::borrow::Cow;

use crate::alphabet;
use crate::split::Replacer;

/// What a step does.
pub(crate) enum Step {
    ByteLevel,
    ByteFallback,
    Fuse,
    /// A sign for each space; `drops` if those of the first text are no spaces.
    Metaspace {
        replacement: char,
        drops: bool,
    },
    Replace {
        pattern: String,
        content: String,
    },
    ReplaceMatches(Replacer),
    Strip {
        content: char,
        start: usize,
        stop: usize,
    },
    WordPiece {
        prefix: String,
        cleanup: bool,
    },
    /// A space before every text but the first.
    Spaces,
    /// Marks the end of a word, which is a space unless the text ends there.
    Suffix(String),
}

/// Where in a list a text stands.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    first: bool,
    last: bool,
}

impl Place {
    /// Between others.
    pub(crate) const MIDDLE: Self = Self { first: false, last: false };
    /// The only one.
    pub(crate) const ALONE: Self = Self { first: true, last: true };
}

impl Step {
    /// What becomes of one text; of those steps that join several, nothing.
    pub(crate) fn one<'t>(&self, text: Cow<'t, str>, place: Place) -> Cow<'t, str> {
        match self {
            Self::ByteLevel | Self::ByteFallback | Self::Fuse => text,
            Self::Metaspace { replacement, drops } => {
                let space = if *drops && place.first { "" } else { " " };
                replaced(text, replacement.encode_utf8(&mut [0; 4]), space)
            }
            Self::Replace { pattern, content } => replaced(text, pattern, content),
            Self::ReplaceMatches(replacer) => replacer.replace(&text).into(),
            Self::Strip { content, start, stop } => {
                let kept = strip(&text, *content, *start, *stop);
                if kept.len() == text.len() { text } else { kept.to_owned().into() }
            }
            Self::WordPiece { prefix, cleanup } => {
                let text = match text.strip_prefix(prefix.as_str()) {
                    _ if place.first => text,
                    Some(rest) => rest.to_owned().into(),
                    None => format!(" {text}").into(),
                };
                if *cleanup { clean(&text).into() } else { text }
            }
            Self::Spaces if place.first => text,
            Self::Spaces => format!(" {text}").into(),
            Self::Suffix(suffix) => replaced(text, suffix, if place.last { "" } else { " " }),
        }
    }

    /// What becomes of a list.
    pub(crate) fn all<'t>(&self, texts: Vec<Cow<'t, str>>) -> Vec<Cow<'t, str>> {
        match self {
            Self::ByteLevel => {
                let mut bytes = Vec::new();
                for text in &texts {
                    alphabet::write(text, &mut bytes);
                }
                vec![String::from_utf8_lossy(&bytes).into_owned().into()]
            }
            Self::ByteFallback => bytes_joined(texts),
            Self::Fuse => vec![texts.concat().into()],
            _ => {
                let last = texts.len().wrapping_sub(1);
                let place = |at| Place { first: at == 0, last: at == last };
                texts.into_iter().enumerate().map(|(at, text)| self.one(text, place(at))).collect()
            }
        }
    }
}

/// The byte that a token such as `<0x0A>` stands for.
pub(crate) fn fallback(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    let plain = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| plain)
}

/// Tokens for bytes in a row as one text, or as a sign for each of them if they are none.
fn bytes_joined(texts: Vec<Cow<'_, str>>) -> Vec<Cow<'_, str>> {
    let mut out = Vec::with_capacity(texts.len());
    let mut bytes = Vec::new();
    let end = |bytes: &mut Vec<u8>, out: &mut Vec<Cow<'_, str>>| {
        let bytes = std::mem::take(bytes);
        let count = bytes.len();
        match String::from_utf8(bytes) {
            Ok(text) if count > 0 => out.push(text.into()),
            Ok(_) => {}
            Err(_) => out.extend(std::iter::repeat_n(Cow::Borrowed("\u{FFFD}"), count)),
        }
    };
    for text in texts {
        if let Some(byte) = fallback(&text) {
            bytes.push(byte);
            continue;
        }
        end(&mut bytes, &mut out);
        out.push(text);
    }
    end(&mut bytes, &mut out);
    out
}

fn replaced<'t>(text: Cow<'t, str>, pattern: &str, content: &str) -> Cow<'t, str> {
    if text.contains(pattern) { text.replace(pattern, content).into() } else { text }
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
