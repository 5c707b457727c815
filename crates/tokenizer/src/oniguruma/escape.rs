//! What a backslash and the characters behind it stand for.

use super::options::Ascii;
use super::sets::Set;

/// An escape.
pub(super) enum Escape<'a> {
    Character(char),
    Set(Set),
    /// A place or an earlier group, which means the same elsewhere.
    Other(&'a str),
    /// What there are no other words for.
    Unknown(&'a str),
}

/// Reads an escape from `text`, which goes on behind its backslash: what it is, and the rest. `None` at the end.
///
/// `groups` is how many groups there may be: a larger number is a character by its octal code.
pub(super) fn read(text: &str, in_class: bool, groups: usize, ascii: Ascii) -> Option<(Escape<'_>, &str)> {
    let letter = text.chars().next()?;
    let rest = &text[letter.len_utf8()..];
    let code = |at: usize, digits: &str, radix: u32| {
        let found = char::from_u32(u32::from_str_radix(digits, radix).ok()?)?;
        Some((Escape::Character(found), &rest[at..]))
    };
    let other = |length: usize| Some((Escape::Other(&text[..length]), &text[length..]));
    let unknown = |length: usize| Some((Escape::Unknown(&text[..length]), &text[length..]));
    let named = |c: char| Some((Escape::Character(c), rest));
    if let Some(set) = Set::of_letter(letter, ascii) {
        return Some((Escape::Set(set), rest));
    }
    match letter {
        'a' => named('\x07'),
        'b' if in_class => named('\x08'),
        'e' => named('\x1b'),
        'f' => named('\x0c'),
        'n' => named('\n'),
        'r' => named('\r'),
        't' => named('\t'),
        'v' => named('\x0b'),
        'p' | 'P' if rest.starts_with('{') => {
            let (name, rest) = rest[1..].split_once('}')?;
            Some((Escape::Set(Set::of_property(name, letter == 'P', ascii)), rest))
        }
        'c' => control(rest),
        'C' if rest.starts_with('-') => control(&rest[1..]),
        'x' | 'o' if rest.starts_with('{') => {
            let (digits, _) = rest[1..].split_once('}')?;
            let radix = if letter == 'x' { 16 } else { 8 };
            code(digits.len() + 2, digits, radix).or_else(|| unknown(digits.len() + 3))
        }
        'x' => match digits(rest, 16, 2) {
            "" => named('x'),
            // A byte of a character.
            found if found.len() == 2 && !found.starts_with(|c| matches!(c, '0'..='7')) => unknown(3),
            found => code(found.len(), found, 16),
        },
        'u' if digits(rest, 16, 4).len() == 4 => code(4, &rest[..4], 16).or_else(|| unknown(5)),
        '0'..='9' => {
            let number = digits(text, 10, 3);
            let earlier = !in_class
                && letter != '0'
                && number.parse::<usize>().is_ok_and(|number| number < 10 || number <= groups);
            match digits(text, 8, 3) {
                _ if earlier => other(number.len()),
                "" => named(letter),
                octal if u32::from_str_radix(octal, 8).is_ok_and(|code| code < 0x80) => code(octal.len() - 1, octal, 8),
                octal => unknown(octal.len()),
            }
        }
        'k' | 'g' if !in_class && rest.starts_with(['<', '\'']) => {
            let end = if rest.starts_with('<') { '>' } else { '\'' };
            other(rest[1..].find(end)? + 3)
        }
        'b' | 'B' | 'A' | 'z' | 'Z' | 'G' | 'K' | 'R' | 'N' | 'O' if !in_class => other(1),
        'X' | 'y' | 'Y' if !in_class => unknown(1),
        'M' if rest.starts_with('-') => unknown(2),
        letter => named(letter),
    }
}

/// The character that a key makes with the control key.
fn control(text: &str) -> Option<(Escape<'_>, &str)> {
    let text = text.strip_prefix('\\').unwrap_or(text);
    let key = text.chars().next()?;
    let code = if key == '?' { 0x7f } else { u32::from(key) & 0x1f };
    Some((Escape::Character(char::from_u32(code)?), &text[key.len_utf8()..]))
}

/// As many digits as a text begins with, up to `most`.
fn digits(text: &str, radix: u32, most: usize) -> &str {
    let end = text.find(|c: char| !c.is_digit(radix)).unwrap_or(text.len());
    &text[..end.min(most)]
}

/// Writes a character that means nothing but itself; what is not seen gets a name or a number.
pub(super) fn push(character: char, out: &mut String) {
    match character {
        '\n' => out.push_str(r"\n"),
        '\r' => out.push_str(r"\r"),
        '\t' => out.push_str(r"\t"),
        _ if character.is_control() => out.extend([r"\x{", &format!("{:X}", u32::from(character)), "}"]),
        _ => out.push(character),
    }
}
