//! What kinds of characters Python knows. Its `isalpha` and its like go by Unicode's general categories, where Rust's
//! `is_alphabetic` takes marks and letters in circles too, and by the numbers that Chinese characters stand for.
//!
//! Unicode is that of the library (16; Python 3.11 has 14): characters that came later are of the kinds they have there.

use regex_syntax::hir::{Class, HirKind};

/// Ranges of characters, in order.
struct Set(Vec<(char, char)>);

impl Set {
    /// The set of a class, as a regular expression has it.
    fn new(class: &str) -> Self {
        Self(match regex_syntax::parse(class).map(regex_syntax::hir::Hir::into_kind) {
            Ok(HirKind::Class(Class::Unicode(class))) => {
                class.iter().map(|range| (range.start(), range.end())).collect()
            }
            _ => Vec::new(),
        })
    }

    fn has(&self, c: char) -> bool {
        let at = self.0.partition_point(|(_, last)| *last < c);
        self.0.get(at).is_some_and(|(first, _)| *first <= c)
    }
}

// Of a thread, which lives for one rendering: a set is made in some microseconds, and a child process that is forked
// in the middle of it has nothing to wait for.
thread_local! {
    static LETTERS: Set = Set::new(r"\p{L}");
    static DECIMALS: Set = Set::new(r"\p{Nd}");
    static NUMBERS: Set = Set::new(r"\p{N}");
    static HIDDEN: Set = Set::new(r"[\p{C}\p{Z}]");
    static NAMES_BEGIN: Set = Set::new(r"[\p{L}\p{Nl}_\x{1885}\x{1886}\x{2118}\x{212E}]");
    static NAMES_GO_ON: Set = Set::new(
        r"[\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}\x{B7}\x{387}\x{1369}-\x{1371}\x{19DA}\x{2118}\x{212E}]",
    );
    /// Letters that are several when they are taken apart: no part of a name.
    static NOT_IN_NAMES: Set = Set::new(
        r"[\x{37A}\x{2E2F}\x{FC5E}-\x{FC63}\x{FDFA}\x{FDFB}\x{FE70}\x{FE72}\x{FE74}\x{FE76}\x{FE78}\x{FE7A}\x{FE7C}\x{FE7E}]",
    );
    static NOT_FIRST_IN_NAMES: Set = Set::new(r"[\x{E33}\x{EB3}\x{FF9E}\x{FF9F}]");
    /// Raised and lowered digits, and those in circles and of scripts without a zero.
    static OTHER_DIGITS: Set = Set::new(
        r"(?x)[\x{B2}\x{B3}\x{B9}\x{1369}-\x{1371}\x{19DA}\x{2070}\x{2074}-\x{2079}\x{2080}-\x{2089}\x{2460}-\x{2468}
         \x{2474}-\x{247C}\x{2488}-\x{2490}\x{24EA}\x{24F5}-\x{24FD}\x{24FF}\x{2776}-\x{277E}\x{2780}-\x{2788}
         \x{278A}-\x{2792}\x{10A40}-\x{10A43}\x{10E60}-\x{10E68}\x{11052}-\x{1105A}\x{1F100}-\x{1F10A}]",
    );
    /// Chinese characters that are numbers.
    static NUMERALS: Set = Set::new(
        r"(?x)[\x{3405}\x{3483}\x{382A}\x{3B4D}\x{4E00}\x{4E03}\x{4E07}\x{4E09}\x{4E5D}\x{4E8C}\x{4E94}\x{4E96}
         \x{4EBF}\x{4EC0}\x{4EDF}\x{4EE8}\x{4F0D}\x{4F70}\x{5104}\x{5146}\x{5169}\x{516B}\x{516D}\x{5341}
         \x{5343}-\x{5345}\x{534C}\x{53C1}-\x{53C4}\x{56DB}\x{58F1}\x{58F9}\x{5E7A}\x{5EFE}\x{5EFF}
         \x{5F0C}-\x{5F0E}\x{5F10}\x{62FE}\x{634C}\x{67D2}\x{6F06}\x{7396}\x{767E}\x{8086}\x{842C}\x{8CAE}
         \x{8CB3}\x{8D30}\x{9621}\x{9646}\x{964C}\x{9678}\x{96F6}\x{F96B}\x{F973}\x{F978}\x{F9B2}\x{F9D1}\x{F9D3}
         \x{F9FD}\x{20001}\x{20064}\x{200E2}\x{20121}\x{2092A}\x{20983}\x{2098C}\x{2099C}\x{20AEA}\x{20AFD}
         \x{20B19}\x{22390}\x{22998}\x{23B1B}\x{2626D}\x{2F890}]",
    );
}

/// `str.isalpha` of one character.
pub(crate) fn is_letter(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphabetic() } else { LETTERS.with(|set| set.has(c)) }
}

/// `str.isdecimal` of one character.
pub(crate) fn is_decimal(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { DECIMALS.with(|set| set.has(c)) }
}

/// `str.isdigit` of one character.
pub(crate) fn is_digit(c: char) -> bool {
    is_decimal(c) || OTHER_DIGITS.with(|set| set.has(c))
}

/// `str.isnumeric` of one character.
pub(crate) fn is_numeric(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { [&NUMBERS, &NUMERALS].iter().any(|set| set.with(|set| set.has(c))) }
}

/// `str.isalnum` of one character.
pub(crate) fn is_alphanumeric(c: char) -> bool {
    is_letter(c) || is_numeric(c)
}

/// `\w` of Python's regular expressions.
pub(crate) fn is_word(c: char) -> bool {
    is_alphanumeric(c) || c == '_'
}

/// `str.isprintable` of one character.
pub(crate) fn is_printable(c: char) -> bool {
    if c.is_ascii() { (' '..='~').contains(&c) } else { !HIDDEN.with(|set| set.has(c)) }
}

/// `str.isidentifier`.
pub(crate) fn is_identifier(text: &str) -> bool {
    let has = |set: &'static std::thread::LocalKey<Set>, c: char| set.with(|set| set.has(c));
    let begins = |c: char| has(&NAMES_BEGIN, c) && !has(&NOT_FIRST_IN_NAMES, c);
    text.starts_with(begins) && text.chars().all(|c| has(&NAMES_GO_ON, c) && !has(&NOT_IN_NAMES, c))
}
