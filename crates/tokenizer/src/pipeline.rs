//! The way from a text to words that most files describe, without the library: it keeps sixteen bytes of offsets for each
//! byte of a text, and its regular expressions go back and forth.
//!
//! What is not of a known kind here stays with the library, which is slower and gives up on some long texts.

use std::ops::Range;

use serde_json::Value;
use trillm_core::{Guarded, Token};

use crate::bert::{self, is_punctuation};
use crate::document::AddedToken;
use crate::markers::{Marker, Markers, Part, Spaces};
use crate::normal::{self, Normal};
use crate::split::{Class, Classes, Neighbour, Pass, Splitter};
use crate::{Error, Result};

/// When a sign for a space goes before a text that has none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prepends {
    Always,
    /// Only before the first part of a text.
    First,
    Never,
}

/// How the words of a part are written.
enum Writing {
    AsTheyAre,
    /// To be spelled in GPT-2's alphabet; a space goes before a piece that has none, if that is said, and then it is cut again.
    Alphabet {
        prefix: bool,
        splitter: Splitter,
    },
    /// A sign for each space. Each begins a word if `split`.
    Signs {
        sign: char,
        prepends: Prepends,
        split: bool,
    },
}

/// The sections `normalizer` and `pre_tokenizer`, as steps.
pub(crate) struct Pipeline {
    normals: Vec<Normal>,
    splitter: Splitter,
    writing: Writing,
}

impl Pipeline {
    /// `None` if one of the sections, given as JSON, has what only the library does.
    pub(crate) fn new(normalizer: Option<&str>, pre_tokenizer: Option<&str>) -> Option<Self> {
        let value = |section: Option<&str>| section.map_or(Some(Value::Null), |text| serde_json::from_str(text).ok());
        let (normalizer, pre_tokenizer) = (value(normalizer)?, value(pre_tokenizer)?);
        let mut normals = Vec::new();
        normal::read(&normalizer, &mut normals)?;
        let mut passes = Vec::new();
        let mut writing = Writing::AsTheyAre;
        words(&pre_tokenizer, &mut passes, &mut writing)?;
        // The library asks where in the text as it came a part begins, and there nothing may be gone.
        let begins = matches!(&writing, Writing::Signs { prepends: Prepends::First, .. });
        if begins && !normals.iter().all(Normal::keeps_beginning) {
            return None;
        }
        Some(Self { normals, splitter: Splitter::new(passes), writing })
    }

    /// Normalizes a part of a text. `None` if it stays.
    pub(crate) fn normalize(&self, text: &str) -> Option<String> {
        normal::normalize(&self.normals, text)
    }

    /// Whether every added token is looked for where it stands in the text as it came.
    pub(crate) fn keeps_places(&self, added: &Added) -> bool {
        self.normals.is_empty() || added.normalized.is_empty()
    }

    /// Whether words are to be spelled in GPT-2's alphabet, which is left to whoever takes them: most are known as they
    /// are.
    pub(crate) fn spells(&self) -> bool {
        matches!(self.writing, Writing::Alphabet { .. })
    }

    /// Gives added tokens and words of a text to `found`, in order; no word is empty. Tokens that `guarded` forbids are
    /// not read; that takes a pipeline that [keeps places](Self::keeps_places).
    pub(crate) fn cut(&self, added: &Added, text: &str, guarded: Guarded<'_>, mut found: impl FnMut(Part<'_>)) {
        let mut first = true;
        let allowed = |start: usize| {
            move |id: u32, range: &Range<usize>| !guarded.forbids(Token(id), &(start + range.start..start + range.end))
        };
        added.exact.cut(text, allowed(0), |part| {
            let Part::Text(part) = part else {
                first = false;
                return found(part);
            };
            let start = part.as_ptr() as usize - text.as_ptr() as usize;
            let normalized = self.normalize(part);
            let part = normalized.as_deref().unwrap_or(part);
            added.normalized.cut(part, allowed(start), |part| {
                let begins = std::mem::replace(&mut first, false);
                match part {
                    Part::Text(text) => self.words(text, begins, &mut |word| found(Part::Text(word))),
                    Part::Token(_) => found(part),
                }
            });
        });
    }

    fn words(&self, text: &str, begins: bool, found: &mut dyn FnMut(&str)) {
        match &self.writing {
            Writing::AsTheyAre => self.splitter.split(text, found),
            Writing::Alphabet { prefix, splitter } => self.splitter.split(text, &mut |piece| {
                let prefixed = (*prefix && !piece.starts_with(' ')).then(|| [" ", piece].concat());
                splitter.split(prefixed.as_deref().unwrap_or(piece), found);
            }),
            Writing::Signs { sign, prepends, split } => {
                let prepends = *prepends == Prepends::Always || *prepends == Prepends::First && begins;
                self.splitter.split(text, &mut |piece| signs(piece, *sign, prepends, *split, found));
            }
        }
    }
}

/// Gives the words of a text to `found`, with a sign for each space.
fn signs(text: &str, sign: char, prepends: bool, split: bool, found: &mut dyn FnMut(&str)) {
    let mut text = text.replace(' ', sign.encode_utf8(&mut [0; 4]));
    if prepends && !text.starts_with(sign) {
        text.insert(0, sign);
    }
    if !split {
        return found(&text);
    }
    let mut rest = &*text;
    while let Some(character) = rest.chars().next() {
        let behind = character.len_utf8();
        let end = rest[behind..].find(sign).map_or(rest.len(), |at| behind + at);
        found(&rest[..end]);
        rest = &rest[end..];
    }
}

fn words(part: &Value, passes: &mut Vec<Pass>, writing: &mut Writing) -> Option<()> {
    if part.is_null() {
        return Some(());
    }
    // What follows one of these would see its signs.
    if !matches!(writing, Writing::AsTheyAre) {
        return None;
    }
    let flag = |key: &str| part.get(key).and_then(Value::as_bool);
    let text = |part: &Value, key: &str| part.get(key)?.as_str().map(str::to_owned);
    let by = |of: fn(char) -> Class| Pass::Classes(Box::new(Classes::new(of)));
    match part.get("type")?.as_str()? {
        "Sequence" => {
            return part.get("pretokenizers")?.as_array()?.iter().try_for_each(|part| words(part, passes, writing));
        }
        "ByteLevel" => {
            let pattern = flag("use_regex").unwrap_or(true).then(|| Pass::pattern(GPT2));
            let splitter = Splitter::new(pattern.into_iter().collect::<Option<_>>()?);
            *writing = Writing::Alphabet { prefix: flag("add_prefix_space")?, splitter };
        }
        "Metaspace" => {
            let sign = part.get("replacement")?.as_str()?;
            let prepends = match part.get("prepend_scheme").and_then(Value::as_str) {
                // Older files have another field, which says the same, or the library takes none of them.
                Some("always") | None => Prepends::Always,
                // What begins a text before it was cut is not known here.
                Some("first") if passes.is_empty() => Prepends::First,
                Some("never") => Prepends::Never,
                _ => return None,
            };
            *writing = Writing::Signs { sign: sign.parse().ok()?, prepends, split: flag("split").unwrap_or(true) };
        }
        "Digits" => passes.push(Pass::pattern(if flag("individual_digits")? { r"\p{N}" } else { r"\p{N}+" })?),
        "Whitespace" => passes.push(Pass::matches(r"\w+|[^\w\s]+")?),
        "WhitespaceSplit" => {
            passes.push(by(|character| if character.is_whitespace() { Class::Gone } else { Class::Run }));
        }
        "BertPreTokenizer" => passes.push(by(bert::class)),
        "Punctuation" => passes.push(match part.get("behavior").map_or(Some("Isolated"), Value::as_str)? {
            "Isolated" => by(|character| if is_punctuation(character) { Class::Alone } else { Class::Run }),
            "Removed" => by(|character| if is_punctuation(character) { Class::Gone } else { Class::Run }),
            "Contiguous" => by(|character| if is_punctuation(character) { Class::OtherRun } else { Class::Run }),
            _ => return None,
        }),
        "FixedLength" => {
            let length = part.get("length").map_or(Some(5), Value::as_u64).filter(|length| *length > 0)?;
            passes.push(Pass::Fixed(usize::try_from(length).ok()?));
        }
        "CharDelimiterSplit" => passes.push(Pass::between(&regex_syntax::escape(part.get("delimiter")?.as_str()?))?),
        "Split" => {
            let pattern = part.get("pattern")?;
            let regex = match (text(pattern, "Regex"), text(pattern, "String")) {
                (Some(regex), _) => regex,
                (_, Some(text)) => regex_syntax::escape(&text),
                _ => return None,
            };
            let inverted = flag("invert").unwrap_or(false);
            passes.push(match (part.get("behavior")?.as_str()?, inverted) {
                ("Isolated", _) => Pass::pattern(&regex)?,
                ("Removed", true) => Pass::matches(&regex)?,
                ("Removed", false) => Pass::between(&regex)?,
                ("Contiguous", _) => Pass::merged(&regex, Neighbour::Same)?,
                ("MergedWithPrevious", inverted) => Pass::merged(&regex, Neighbour::Previous { inverted })?,
                ("MergedWithNext", inverted) => Pass::merged(&regex, Neighbour::Next { inverted })?,
                _ => return None,
            });
        }
        _ => return None,
    }
    Some(())
}

/// What `ByteLevel` cuts by.
const GPT2: &str = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// Finds added tokens: some in a text as it is, some in what it becomes.
pub(crate) struct Added {
    exact: Markers,
    normalized: Markers,
}

impl Added {
    pub(crate) fn new<'a>(tokens: impl Iterator<Item = &'a AddedToken>, pipeline: &Pipeline) -> Result<Self, Error> {
        let (mut exact, mut normalized) = (Vec::new(), Vec::new());
        for AddedToken { id, token } in tokens {
            let changed = pipeline.normalize(&token.content).filter(|_| token.normalized);
            let text = changed.unwrap_or_else(|| token.content.clone());
            let marker = Marker {
                text,
                id: *id,
                strips_before: token.lstrip,
                strips_behind: token.rstrip,
                is_word: token.single_word,
            };
            // One that becomes nothing is never found.
            match token.normalized {
                _ if marker.text.is_empty() => {}
                true => normalized.push(marker),
                false => exact.push(marker),
            }
        }
        let find = |markers| Markers::new(markers, Spaces::Unicode);
        Ok(Self { exact: find(exact)?, normalized: find(normalized)? })
    }
}
