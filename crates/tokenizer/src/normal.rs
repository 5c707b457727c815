//! What is done to a text before words are cut from it: the section `normalizer`, and what GGUF files mean by it.
//!
//! Texts come out as from the library `tokenizers`, without what it keeps beside them: sixteen bytes of offsets for each
//! byte.

use serde_json::Value;
use unicode_normalization_alignments::char::is_combining_mark;
use unicode_normalization_alignments::{IsNormalized, UnicodeNormalization, is_nfc_quick, is_nfkc_quick};

use crate::alphabet;
use crate::bert::Bert;
use crate::charsmap::Charsmap;
use crate::split::Replacer;

/// One change of a text.
pub(crate) enum Normal {
    Composed,
    Decomposed,
    CompatibilityComposed,
    CompatibilityDecomposed,
    Lowercase,
    Replace {
        pattern: String,
        content: String,
    },
    /// The same for matches of a pattern.
    ReplaceMatches(Replacer),
    Prepend(String),
    Strip {
        left: bool,
        right: bool,
    },
    StripAccents,
    /// Every byte as its character in GPT-2's alphabet.
    Alphabet,
    Bert(Bert),
    Nmt,
    Precompiled(Charsmap),
}

impl Normal {
    /// Whether the first character of a text always has a part in what it becomes.
    pub(crate) fn keeps_beginning(&self) -> bool {
        match self {
            Self::Composed
            | Self::Decomposed
            | Self::CompatibilityComposed
            | Self::CompatibilityDecomposed
            | Self::Lowercase
            | Self::Alphabet
            | Self::Prepend(_) => true,
            Self::Replace { content, .. } => !content.is_empty(),
            Self::ReplaceMatches(_)
            | Self::Strip { .. }
            | Self::StripAccents
            | Self::Bert(_)
            | Self::Nmt
            | Self::Precompiled(_) => false,
        }
    }

    /// What becomes of a text; `None` if it stays as it is.
    fn apply(&self, text: &str) -> Option<String> {
        Some(match self {
            Self::Composed if is_nfc_quick(text.chars()) == IsNormalized::Yes => return None,
            Self::CompatibilityComposed if is_nfkc_quick(text.chars()) == IsNormalized::Yes => return None,
            Self::Decomposed | Self::CompatibilityDecomposed | Self::StripAccents if text.is_ascii() => return None,
            Self::Composed => text.nfc().map(|(character, _)| character).collect(),
            Self::CompatibilityComposed => text.nfkc().map(|(character, _)| character).collect(),
            Self::Decomposed => text.nfd().map(|(character, _)| character).collect(),
            Self::CompatibilityDecomposed => text.nfkd().map(|(character, _)| character).collect(),
            Self::Lowercase if text.is_ascii() => text.to_ascii_lowercase(),
            Self::Lowercase => text.chars().flat_map(char::to_lowercase).collect(),
            Self::Replace { pattern, content } => text.replace(pattern, content),
            Self::ReplaceMatches(replacer) => replacer.replace(text),
            Self::Prepend(_) if text.is_empty() => return None,
            Self::Prepend(prefix) => [prefix, text].concat(),
            Self::Strip { left, right } => {
                let text = if *left { text.trim_start() } else { text };
                if *right { text.trim_end() } else { text }.to_owned()
            }
            Self::StripAccents => text.chars().filter(|&character| !is_combining_mark(character)).collect(),
            Self::Alphabet => {
                let mut spelled = String::new();
                alphabet::spell(text, &mut spelled);
                spelled
            }
            Self::Bert(bert) => bert.normalize(text),
            Self::Nmt => text.chars().filter_map(nmt).collect(),
            Self::Precompiled(charsmap) => charsmap.replace_clusters(text),
        })
    }
}

/// Normalizes a text; `None` if it stays as it is.
pub(crate) fn normalize(normals: &[Normal], text: &str) -> Option<String> {
    let mut found: Option<String> = None;
    for normal in normals {
        let changed = normal.apply(found.as_deref().unwrap_or(text));
        found = changed.or(found);
    }
    found
}

/// Appends what a section `normalizer` does, or a part of it. `None` if only the library does it.
pub(crate) fn read(part: &Value, out: &mut Vec<Normal>) -> Option<()> {
    if part.is_null() {
        return Some(());
    }
    let text = |part: &Value, key: &str| part.get(key)?.as_str().map(str::to_owned);
    let flag = |key: &str| part.get(key).and_then(Value::as_bool);
    out.push(match part.get("type")?.as_str()? {
        "Sequence" => return part.get("normalizers")?.as_array()?.iter().try_for_each(|part| read(part, out)),
        "NFC" => Normal::Composed,
        "NFD" => Normal::Decomposed,
        "NFKC" => Normal::CompatibilityComposed,
        "NFKD" => Normal::CompatibilityDecomposed,
        "Lowercase" => Normal::Lowercase,
        "Prepend" => Normal::Prepend(text(part, "prepend")?),
        "Replace" => {
            let (pattern, content) = (part.get("pattern")?, text(part, "content")?);
            match (text(pattern, "String"), text(pattern, "Regex")) {
                (Some(pattern), _) if !pattern.is_empty() => Normal::Replace { pattern, content },
                (None, Some(regex)) => Normal::ReplaceMatches(Replacer::new(&regex, content)?),
                _ => return None,
            }
        }
        "Strip" => Normal::Strip { left: flag("strip_left")?, right: flag("strip_right")? },
        "StripAccents" => Normal::StripAccents,
        "ByteLevel" => Normal::Alphabet,
        "Nmt" => Normal::Nmt,
        "BertNormalizer" => {
            let lowercase = flag("lowercase")?;
            Normal::Bert(Bert {
                cleans: flag("clean_text")?,
                keeps_spaces: false,
                parts_chinese: flag("handle_chinese_chars")?,
                strips_accents: flag("strip_accents").unwrap_or(lowercase),
                lowercase,
            })
        }
        "Precompiled" => Normal::Precompiled(Charsmap::decode(part.get("precompiled_charsmap")?.as_str()?)?),
        _ => return None,
    });
    Some(())
}

/// What becomes of a character in the normalizer of neural machine translation.
fn nmt(character: char) -> Option<char> {
    match u32::from(character) {
        0x01..=0x08 | 0x0b | 0x0e..=0x1f | 0x7f | 0x8f | 0x9f => None,
        0x09 | 0x0a | 0x0c | 0x0d | 0x1680 | 0x200b..=0x200f | 0x2028 | 0x2029 | 0x2581 | 0xfeff | 0xfffd => Some(' '),
        _ => Some(character),
    }
}
