//! `WordPiece`: BERT's way from a text to words, then the longest beginning of each that is a token, again and again.
//!
//! Words are made as the library `tokenizers` makes them, with what it knows of Unicode: a model was trained on that.

use trillm_core::Token;
use trillm_formats::gguf::{TokenType, Vocabulary as File};
use unicode_categories::UnicodeCategories;
use unicode_normalization_alignments::UnicodeNormalization;

use crate::trie::Trie;
use crate::words::SPACE;

pub(super) struct Wpm {
    tokens: Trie,
    unknown: Option<u32>,
    lowercase: bool,
    strips_accents: bool,
}

impl Wpm {
    pub(super) fn new(file: &File<'_>) -> Self {
        let taken = |kind| !matches!(kind, TokenType::Control | TokenType::Unknown);
        let texts = (0..file.words.len()).filter(|&id| taken(file.types[id]));
        let lowercase = file.lowercase.unwrap_or(true);
        Self {
            tokens: Trie::new(texts.map(|id| (&*file.words[id], id as u32)).collect()),
            unknown: file.special.unknown,
            lowercase,
            strips_accents: file.strip_accents.unwrap_or(lowercase),
        }
    }

    /// Appends the tokens of a text.
    pub(super) fn encode(&self, text: &str, out: &mut Vec<Token>) {
        let mut word = String::from(SPACE);
        let mut end = |word: &mut String| {
            if word.len() > SPACE.len() {
                self.word(word, out);
                word.truncate(SPACE.len());
            }
        };
        let mut push = |character: char| {
            if character.is_ascii_alphanumeric() {
                return word.push(character);
            }
            if character.is_whitespace() {
                return end(&mut word);
            }
            let alone = character.is_ascii_punctuation() || character.is_punctuation() || is_chinese(character);
            if alone {
                end(&mut word);
            }
            word.push(character);
            if alone {
                end(&mut word);
            }
        };
        for character in text.chars() {
            if character.is_ascii_alphanumeric() {
                push(if self.lowercase { character.to_ascii_lowercase() } else { character });
                continue;
            }
            // Line breaks and their like are controls, too.
            if character.is_whitespace() {
                push(' ');
            } else if character == '\u{fffd}' || character.is_other() {
            } else if self.strips_accents && !character.is_ascii() {
                let mut buffer = [0; 4];
                let decomposed = character.encode_utf8(&mut buffer).nfd().map(|(part, _)| part);
                decomposed.filter(|part| !part.is_mark_nonspacing()).for_each(|part| self.lower(part, &mut push));
            } else {
                self.lower(character, &mut push);
            }
        }
        push(' ');
    }

    fn lower(&self, character: char, push: &mut impl FnMut(char)) {
        if self.lowercase { character.to_lowercase().for_each(push) } else { push(character) }
    }

    /// Appends the tokens of a word, which begins with `▁`.
    fn word(&self, word: &str, out: &mut Vec<Token>) {
        let start = out.len();
        let mut rest = word.as_bytes();
        while !rest.is_empty() {
            let Some((length, token)) = self.tokens.prefixes(rest).last() else {
                out.truncate(start);
                out.extend(self.unknown.map(Token));
                return;
            };
            out.push(Token(token));
            rest = &rest[length..];
        }
    }
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
