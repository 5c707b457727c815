//! Cuts by what each character is, without a look at its neighbours: BERT's words, for one.

use std::ops::Range;

/// What a character is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// In no piece.
    Gone,
    /// A piece of its own.
    Alone,
    /// In a piece with neighbours of the same kind.
    Run,
    /// The same, of another kind.
    OtherRun,
}

/// A pass by what characters are.
pub(crate) struct Classes {
    of: fn(char) -> Class,
    ascii: [Class; 0x80],
}

impl Classes {
    pub(crate) fn new(of: fn(char) -> Class) -> Self {
        Self { of, ascii: std::array::from_fn(|code| of(code as u8 as char)) }
    }

    /// Gives the pieces of a text to `found`, in order.
    pub(super) fn cut(&self, text: &str, mut found: impl FnMut(Range<usize>)) {
        let (mut start, mut before) = (0, Class::Gone);
        for (at, character) in text.char_indices() {
            let class = match self.ascii.get(character as usize) {
                Some(&class) => class,
                None => (self.of)(character),
            };
            if class == before && !matches!(class, Class::Alone) {
                continue;
            }
            if before != Class::Gone {
                found(start..at);
            }
            (start, before) = (at, class);
        }
        if before != Class::Gone && start < text.len() {
            found(start..text.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_each_kind() {
        let classes = Classes::new(|character| match character {
            ' ' => Class::Gone,
            '.' | '—' => Class::Alone,
            '0'..='9' => Class::OtherRun,
            _ => Class::Run,
        });
        let mut found = Vec::new();
        let text = "  ab12é—..  c ";
        classes.cut(text, |piece| found.push(&text[piece]));
        assert_eq!(found, ["ab", "12", "é", "—", ".", ".", "c"]);
    }
}
