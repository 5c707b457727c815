//! A class in brackets.
//!
//! `--` and `~~` are no operators here but characters, and the sets of POSIX have all of Unicode. Classes inside are a
//! loop and no recursion: a file may have thousands.

use super::escape::{self, Escape};
use super::options::Ascii;
use super::sets::Set;
use crate::{Error, Result};

/// What stands in a class.
enum Item {
    Character(char),
    Set(Set),
    And,
    Opens,
    Closes,
}

/// Writes the class that `text` goes on with behind its bracket, and gives the rest. One without an end stays so.
pub(super) fn write<'a>(text: &'a str, groups: usize, ascii: Ascii, out: &mut String) -> Result<&'a str> {
    let within = Class { groups, ascii };
    let mut rest = within.open(text, out)?;
    let mut depth = 1;
    while depth > 0 {
        let Some((item, behind)) = within.read(rest)? else { break };
        rest = behind;
        match item {
            Item::Character(first) => rest = within.range(first, rest, out)?,
            Item::Set(set) => out.push_str(&set.in_class()),
            Item::And => out.push_str("&&"),
            Item::Opens => {
                rest = within.open(rest, out)?;
                depth += 1;
            }
            Item::Closes => {
                out.push(']');
                depth -= 1;
            }
        }
    }
    Ok(rest)
}

/// What a class is to be read by.
#[derive(Clone, Copy)]
struct Class {
    groups: usize,
    ascii: Ascii,
}

impl Class {
    /// Writes how a class begins: a bracket at once is none that closes it.
    fn open<'a>(self, text: &'a str, out: &mut String) -> Result<&'a str> {
        out.push('[');
        let rest = text.strip_prefix('^').inspect(|_| out.push('^')).unwrap_or(text);
        rest.strip_prefix(']').map_or(Ok(rest), |rest| self.range(']', rest, out))
    }

    /// Writes a character, or the range that it begins. One that a class would end is nothing, nor is its beginning.
    fn range<'a>(self, first: char, rest: &'a str, out: &mut String) -> Result<&'a str> {
        let end = rest.strip_prefix('-').map(|range| Ok::<_, Error>((range, self.read(range)?))).transpose()?;
        match end {
            Some((range, Some((Item::Opens, _)))) => Ok(range),
            Some((_, Some((Item::Character(last), behind)))) => {
                push(first, out);
                out.push('-');
                push(last, out);
                Ok(behind)
            }
            _ => {
                push(first, out);
                Ok(rest)
            }
        }
    }

    fn read(self, text: &str) -> Result<Option<(Item, &str)>> {
        let Some(first) = text.chars().next() else { return Ok(None) };
        let rest = &text[first.len_utf8()..];
        Ok(Some(match first {
            '\\' => {
                let Some((escape, rest)) = escape::read(rest, true, self.groups, self.ascii) else { return Ok(None) };
                match escape {
                    Escape::Character(found) => (Item::Character(found), rest),
                    Escape::Set(set) => (Item::Set(set), rest),
                    Escape::Other(what) | Escape::Unknown(what) => return Err(Error::expression(&format!(r"\{what}"))),
                }
            }
            '[' => match bracket(rest, self.ascii)? {
                Some((set, rest)) => (Item::Set(set), rest),
                None => (Item::Opens, rest),
            },
            ']' => (Item::Closes, rest),
            '&' if rest.starts_with('&') => (Item::And, &rest[1..]),
            first => (Item::Character(first), rest),
        }))
    }
}

/// The set of `[:name:]`, of which the first bracket is gone.
fn bracket(text: &str, ascii: Ascii) -> Result<Option<(Set, &str)>> {
    let Some(name) = text.strip_prefix(':') else { return Ok(None) };
    let (name, negated) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
    let (name, rest) = name.split_at(name.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(0));
    let Some(rest) = rest.strip_prefix(":]") else { return Ok(None) };
    let set = Set::of_posix(name, negated, ascii).ok_or_else(|| Error::expression(&format!("[:{name}:]")))?;
    Ok(Some((set, rest)))
}

fn push(character: char, out: &mut String) {
    if matches!(character, '[' | ']' | '\\' | '^' | '-' | '&' | '~') {
        out.push('\\');
    }
    escape::push(character, out);
}
