//! A set of characters.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, HirKind};

/// Characters that one place of a pattern takes.
#[derive(PartialEq)]
pub(super) struct Set {
    ascii: [bool; 0x80],
    /// In order and apart from each other, those of ASCII included.
    ranges: Vec<(char, char)>,
}

impl Set {
    /// The set of a class, an escape or one character, as a pattern has it. `None` if it is something else.
    pub(super) fn new(pattern: &str, ignores_case: bool) -> Option<Self> {
        let hir = ParserBuilder::new().case_insensitive(ignores_case).build().parse(pattern).ok()?;
        let ranges: Vec<(char, char)> = match hir.kind() {
            HirKind::Class(Class::Unicode(class)) => {
                class.ranges().iter().map(|range| (range.start(), range.end())).collect()
            }
            HirKind::Class(Class::Bytes(class)) => {
                class.ranges().iter().map(|range| (char::from(range.start()), char::from(range.end()))).collect()
            }
            HirKind::Literal(literal) => {
                let text = std::str::from_utf8(&literal.0).ok()?;
                let mut all = text.chars();
                let first = all.next().filter(|_| all.as_str().is_empty())?;
                vec![(first, first)]
            }
            _ => return None,
        };
        let holds = |code: u8| ranges.iter().any(|(first, last)| (*first..=*last).contains(&char::from(code)));
        let mut ascii = [false; 0x80];
        for code in 0..0x80 {
            ascii[usize::from(code)] = holds(code);
        }
        Some(Self { ascii, ranges })
    }

    /// The length of the character at `at` if the set has it.
    pub(super) fn takes(&self, text: &str, at: usize) -> Option<usize> {
        let byte = *text.as_bytes().get(at)?;
        if let Some(&holds) = self.ascii.get(usize::from(byte)) {
            return holds.then_some(1);
        }
        let character = text.get(at..)?.chars().next()?;
        let place = self.ranges.partition_point(|(_, last)| *last < character);
        let (first, _) = self.ranges.get(place)?;
        (*first <= character).then_some(character.len_utf8())
    }

    /// Notes the first bytes of its characters; all beyond ASCII if it has any of them.
    pub(super) fn begin(&self, first: &mut [bool; 256]) {
        for (byte, begins) in first.iter_mut().enumerate() {
            *begins |=
                self.ascii.get(byte).copied().unwrap_or(self.ranges.last().is_some_and(|range| range.1 > '\x7f'));
        }
    }
}
