//! Sets of characters that have a name, as Oniguruma has them (every character was asked, in tokenizers 0.23).

use super::blocks::block;
use super::options::Ascii;

/// What `\w` takes as well, unless it stands in a class.
const NUMBERS: &str = "²³¹¼½¾";

/// A set of characters, written for the inside of a class.
pub(super) struct Set {
    items: String,
    /// More of them outside of a class.
    alone: &'static str,
    /// The set is what is not among these.
    negated: bool,
}

impl Set {
    /// The set of a letter behind a backslash.
    pub(super) fn of_letter(letter: char, ascii: Ascii) -> Option<Self> {
        let (name, plain) = match letter.to_ascii_lowercase() {
            'w' => ("word", ""),
            'd' => ("digit", r"\d"),
            's' => ("space", r"\s"),
            'h' => ("xdigit", ""),
            _ => return None,
        };
        let negated = letter.is_ascii_uppercase();
        if plain.is_empty() || ascii.has(name) {
            return Self::of_posix(name, negated, ascii);
        }
        Some(Self { items: plain.into(), alone: "", negated })
    }

    /// The set of `[:name:]`.
    pub(super) fn of_posix(name: &str, negated: bool, ascii: Ascii) -> Option<Self> {
        let alone = if name == "word" && !ascii.has(name) { NUMBERS } else { "" };
        Some(Self { items: posix(name, ascii.has(name))?.into(), alone, negated })
    }

    /// The set of `\p{name}`.
    pub(super) fn of_property(name: &str, negated: bool, ascii: Ascii) -> Self {
        let (name, negated) = name.strip_prefix('^').map_or((name, negated), |name| (name, !negated));
        let plain: String = name.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).collect();
        let plain = plain.to_ascii_lowercase();
        let items = match plain.as_str() {
            "punct" => r"\p{P}",
            "posixpunct" => posix("punct", false).unwrap_or_default(),
            // Half characters, which no text has.
            "cs" | "surrogate" => "[a&&b]",
            plain => {
                let Some(block) = plain.strip_prefix("in").and_then(block) else {
                    let other = || Self { items: format!(r"\p{{{name}}}"), alone: "", negated };
                    return Self::of_posix(plain, negated, ascii).unwrap_or_else(other);
                };
                block
            }
        };
        Self { items: items.into(), alone: "", negated }
    }

    /// The set as a part of a class.
    pub(super) fn in_class(&self) -> String {
        match (self.negated, self.escape()) {
            (false, _) => self.items.clone(),
            (true, Some(escape)) => escape.to_ascii_uppercase() + &self.items[escape.len()..],
            (true, None) => format!("[^{}]", self.items),
        }
    }

    /// The set as a part of an expression.
    pub(super) fn alone(&self) -> String {
        if self.escape().is_some() {
            return self.in_class();
        }
        format!("[{}{}{}]", if self.negated { "^" } else { "" }, self.items, self.alone)
    }

    /// The letter with its backslash, if the set is an escape and nothing else.
    fn escape(&self) -> Option<&str> {
        let is_name = || self.items.find('}').is_none_or(|end| end + 1 == self.items.len());
        self.items.get(..2).filter(|letter| matches!(*letter, r"\p" | r"\d" | r"\s") && is_name())
    }
}

/// The sets of POSIX, in full or as far as ASCII goes.
fn posix(name: &str, is_ascii: bool) -> Option<&'static str> {
    let (all, ascii) = match name {
        "alnum" => (r"\p{Alphabetic}\p{Nd}", "0-9A-Za-z"),
        "alpha" => (r"\p{Alphabetic}", "A-Za-z"),
        "ascii" => (r"\x00-\x7F", r"\x00-\x7F"),
        "blank" => (r"\t\p{Zs}", r"\t "),
        "cntrl" => (r"\p{Cc}", r"\x00-\x1F\x7F"),
        "digit" => (r"\p{Nd}", "0-9"),
        "graph" => (r"[^\p{Z}\p{Cc}\p{Cn}]", "!-~"),
        "lower" => (r"\p{Lowercase}", "a-z"),
        "print" => (r"\p{Zs}[^\p{Z}\p{Cc}\p{Cn}]", " -~"),
        "punct" => (r"\p{P}\p{S}", r"!-/:-@\[-`\{-~"),
        "space" => (r"\s", r"\t-\r "),
        "upper" => (r"\p{Uppercase}", "A-Z"),
        "word" => (WORD, "0-9A-Za-z_"),
        "xdigit" => ("0-9A-Fa-f", "0-9A-Fa-f"),
        _ => return None,
    };
    Some(if is_ascii { ascii } else { all })
}

const WORD: &str = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}";

/// A place with a word on one side, or one without.
pub(super) fn border(is_border: bool, ascii: Ascii) -> String {
    let (other, none) = if is_border { ("!", "=") } else { ("=", "!") };
    let word = if ascii.has("word") { "[0-9A-Za-z_]".into() } else { format!("[{WORD}{NUMBERS}]") };
    format!("(?:(?<={word})(?{other}{word})|(?<!{word})(?{none}{word}))")
}
