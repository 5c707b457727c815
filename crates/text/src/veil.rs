//! Characters that stand for others while a template runs, so that what comes from outside is known afterwards.
//!
//! A prompt is one string in which the template wrote `<|im_end|>` and a user may have written it too. So a template is
//! run once more with texts in which every character that makes a marker a marker (`<`, `|`, `[`, `#`, …) is another
//! one that occurs nowhere else. Lengths stay, so a text is trimmed, cut, counted, turned around and taken apart as
//! ever, and whatever is made of it can be seen in what comes out.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::{Error, Result};

/// The second of the planes for private use, where hardly anybody has anything.
const PLANE: Range<u32> = 0x10_0000..0x10_FFFE;

/// The characters that are veiled, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Veil {
    characters: Vec<char>,
    /// What stands for the first of them; the others follow.
    first: u32,
}

impl Veil {
    /// A veil of these characters.
    pub(crate) fn new(characters: impl IntoIterator<Item = char>) -> Self {
        let characters: BTreeSet<char> = characters.into_iter().collect();
        Self { characters: characters.into_iter().collect(), first: PLANE.start }
    }

    /// The same by characters that are not in `used`.
    ///
    /// # Errors
    /// [`Error::Failed`] if somebody used them all.
    pub(crate) fn beside(&self, used: &BTreeSet<char>) -> Result<Self> {
        let length = self.characters.len() as u32;
        let mut first = self.first;
        // Those in use, in order: the room between two of them may be enough.
        for taken in used.iter().map(|&c| u32::from(c)).filter(|c| PLANE.contains(c)) {
            if taken >= first + length {
                break;
            }
            first = taken + 1;
        }
        if first + length > PLANE.end {
            let reason = "the messages use nearly every character that is for private use from U+100000 on";
            return Err(Error::Failed { reason: reason.into() });
        }
        Ok(Self { characters: self.characters.clone(), first })
    }

    /// What stands for a character, if anything does.
    pub(crate) fn over(&self, c: char) -> Option<char> {
        let index = self.characters.binary_search(&c).ok()?;
        char::from_u32(self.first + index as u32)
    }

    /// What a character stands for, if it stands for one.
    pub(crate) fn under(&self, c: char) -> Option<char> {
        let index = u32::from(c).checked_sub(self.first)?;
        self.characters.get(index as usize).copied()
    }

    /// A text with all of the characters veiled.
    pub(crate) fn all_of(&self, text: &str) -> String {
        text.chars().map(|c| self.over(c).unwrap_or(c)).collect()
    }

    /// The text that was veiled, and the places of characters that were.
    pub(crate) fn lifted(&self, text: &str) -> (String, Vec<Range<usize>>) {
        let mut out = String::with_capacity(text.len());
        let mut places: Vec<Range<usize>> = Vec::new();
        for c in text.chars() {
            let start = out.len();
            let under = self.under(c);
            out.push(under.unwrap_or(c));
            if under.is_some() {
                match places.last_mut().filter(|last| last.end == start) {
                    Some(last) => last.end = out.len(),
                    None => places.push(start..out.len()),
                }
            }
        }
        (out, places)
    }
}

/// The characters of a text that a veil may not use.
pub(crate) fn used_by(text: &str) -> impl Iterator<Item = char> {
    // All of them are F4 and three bytes more; few texts hold even the first.
    let text = if text.as_bytes().contains(&0xF4) { text } else { "" };
    text.chars().filter(|&c| PLANE.contains(&u32::from(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_veiled_is_known_again() {
        let veil = Veil::new("<|>".chars());
        let veiled = veil.all_of("a<|b|>é");
        assert_eq!(veiled.chars().count(), 7);
        assert!(!veiled.contains(['<', '|', '>']));
        assert_eq!(veil.lifted(&format!("<{veiled}>")), ("<a<|b|>é>".into(), vec![2..4, 5..7]));
    }

    #[test]
    fn a_veil_is_of_what_nobody_uses() {
        let veil = Veil::new("<|>".chars());
        let taken = |texts: &str| used_by(texts).collect::<BTreeSet<_>>();
        let beside = veil.beside(&taken("\u{100001}x\u{100003}")).expect("there is room");
        assert_eq!(beside.over('<'), Some('\u{100004}'));
        assert_eq!(veil.beside(&taken("\u{100003}")).expect("there is room"), veil);
        let all: String = ('\u{100000}'..='\u{10FFFA}').collect();
        assert_eq!(veil.beside(&taken(&all)).expect("just so").over('|'), Some('\u{10FFFD}'));
        assert!(matches!(veil.beside(&taken(&(all + "\u{10FFFB}"))), Err(Error::Failed { .. })));
    }
}
