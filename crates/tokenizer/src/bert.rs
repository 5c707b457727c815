//! BERT's way from a text as it came to one of words with spaces between, as the library `tokenizers` has it, with what
//! it knows of Unicode: a model was trained on that.

use unicode_categories::UnicodeCategories;
use unicode_normalization_alignments::UnicodeNormalization;

use crate::split::Class;

/// The fields of `BertNormalizer`.
#[derive(Clone, Copy)]
pub(crate) struct Bert {
    /// Controls are dropped, and all spaces become one kind.
    pub(crate) cleans: bool,
    /// What is a space and a control, as a line feed of a page, is a space: so llama.cpp has it.
    pub(crate) keeps_spaces: bool,
    /// Chinese characters are words of their own.
    pub(crate) parts_chinese: bool,
    pub(crate) strips_accents: bool,
    pub(crate) lowercase: bool,
}

impl Bert {
    pub(crate) fn normalize(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + text.len() / 8);
        let mut rest = text;
        while !rest.is_empty() {
            // No accent of the second half belongs to the first, so they are taken apart separately.
            let (ascii, behind) = rest.split_at(rest.bytes().position(|byte| !byte.is_ascii()).unwrap_or(rest.len()));
            ascii.bytes().for_each(|byte| self.push_ascii(byte, &mut out));
            let (others, behind) =
                behind.split_at(behind.bytes().position(|byte| byte.is_ascii()).unwrap_or(behind.len()));
            self.push_others(others, &mut out);
            rest = behind;
        }
        out
    }

    fn push_ascii(self, byte: u8, out: &mut String) {
        out.push(match byte {
            b'A'..=b'Z' if self.lowercase => char::from(byte.to_ascii_lowercase()),
            b' '..=b'~' => char::from(byte),
            _ if !self.cleans => char::from(byte),
            b'\t' | b'\n' | b'\r' => ' ',
            0x0b | 0x0c if self.keeps_spaces => ' ',
            _ => return,
        });
    }

    /// Appends what becomes of a run of characters beyond ASCII.
    fn push_others(self, text: &str, out: &mut String) {
        let clean = |character: char| match character {
            _ if !self.cleans => Some(character),
            _ if character.is_whitespace() && (self.keeps_spaces || !character.is_other()) => Some(' '),
            '\u{fffd}' => None,
            _ => Some(character).filter(|character| !character.is_other()),
        };
        let part = |character: char| {
            let space = (self.parts_chinese && is_chinese(character)).then_some(' ');
            space.into_iter().chain([character]).chain(space)
        };
        let characters = text.chars().filter_map(clean).flat_map(part);
        let mut push = |character: char| {
            if self.lowercase {
                out.extend(character.to_lowercase());
            } else {
                out.push(character);
            }
        };
        if self.strips_accents {
            let decomposed = characters.nfd().map(|(character, _)| character);
            decomposed.filter(|character| !character.is_mark_nonspacing()).for_each(push);
        } else {
            characters.for_each(&mut push);
        }
    }
}

/// How `BertPreTokenizer` cuts words: at spaces, and around each sign.
pub(crate) fn class(character: char) -> Class {
    match character {
        _ if character.is_whitespace() => Class::Gone,
        _ if is_punctuation(character) => Class::Alone,
        _ => Class::Run,
    }
}

/// What is a sign by itself, to the library too: all of ASCII that is no letter and no digit, and what Unicode calls
/// punctuation.
pub(crate) fn is_punctuation(character: char) -> bool {
    character.is_ascii_punctuation() || !character.is_ascii() && character.is_punctuation()
}

/// Characters that are words of their own, as BERT has it.
fn is_chinese(character: char) -> bool {
    matches!(
        u32::from(character),
        0x4e00..=0x9fff
            | 0x3400..=0x4dbf
            | 0x2_0000..=0x2_a6df
            | 0x2_a700..=0x2_b73f
            | 0x2_b740..=0x2_b81f
            | 0x2_b920..=0x2_ceaf
            | 0xf900..=0xfaff
            | 0x2_f800..=0x2_fa1f
    )
}
