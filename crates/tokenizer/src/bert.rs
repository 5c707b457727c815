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
            if self.strips_accents {
                self.push_with_syllables(others, &mut out);
            } else {
                self.push_others(others, &mut out);
            }
            rest = behind;
        }
        out
    }

    /// [`push_others`](Self::push_others) with Hangul taken apart by its arithmetic, which is many times as fast. Its
    /// syllables and their letters have no accents, so what is between them may be taken apart separately, too.
    fn push_with_syllables(self, text: &str, out: &mut String) {
        let mut rest = text;
        while let Some(at) = rest.find(is_syllable) {
            self.push_others(&rest[..at], out);
            let behind = rest[at..].find(|character| !is_syllable(character)).map_or("", |end| &rest[at + end..]);
            let syllables = &rest[at..rest.len() - behind.len()];
            out.extend(syllables.chars().flat_map(letters));
            rest = behind;
        }
        self.push_others(rest, out);
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

/// Whether a character is a whole syllable of Hangul.
fn is_syllable(character: char) -> bool {
    matches!(character, '\u{ac00}'..='\u{d7a3}')
}

/// The two or three letters of a syllable: section 3.12.2 of the Unicode standard.
fn letters(syllable: char) -> impl Iterator<Item = char> {
    const VOWELS: u32 = 21;
    const ENDS: u32 = 28;
    let index = u32::from(syllable) - 0xac00;
    let end = index % ENDS;
    let letters = [0x1100 + index / (VOWELS * ENDS), 0x1161 + index % (VOWELS * ENDS) / ENDS, 0x11a7 + end];
    letters.into_iter().take(if end == 0 { 2 } else { 3 }).filter_map(char::from_u32)
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

#[cfg(test)]
mod tests {
    use super::*;

    const BERT: Bert =
        Bert { cleans: true, keeps_spaces: false, parts_chinese: true, strips_accents: true, lowercase: true };

    #[test]
    fn hangul_is_taken_apart_as_all_else_is() {
        let slow = |text: &str| {
            let mut out = String::new();
            BERT.push_others(text, &mut out);
            out
        };
        for syllable in '\u{ac00}'..='\u{d7a3}' {
            let text = syllable.to_string();
            assert_eq!(BERT.normalize(&text), slow(&text), "{syllable}");
        }
        // Beside letters of its own, accents, signs that go, Chinese, and what is no syllable any more.
        for text in [
            "한\u{301}\u{323}국é글",
            "\u{323}\u{301}가힣",
            "각\u{11a8}가\u{11a8}\u{1100}",
            "가\u{200b}나\u{fffd}漢다É",
            "\u{abff}가\u{d7a4}",
        ] {
            assert_eq!(BERT.normalize(text), slow(text), "{text}");
        }
    }
}
