//! An expression in other words, where it does not mean the same everywhere.
//!
//! What is ordinary stays letter for letter: `split/machine.rs` knows some alternatives by their spelling. Options other
//! than that for case are written out where they count, and one that is set on the way (`a(?i)b|c`) is a group up to
//! the end of that around it.

use super::escape::{self, Escape};
use super::options::Options;
use super::sets::border;
use super::{class, repetition};
use crate::{Error, Result};

/// A line's end, which is not taken apart.
const LINE_END: &str = r"(?>\r\n|[\n-\r\x{85}\x{2028}\x{2029}])";

/// The most groups in one another, and the most repetitions of one part. What runs expressions takes no more of these.
const DEPTH: usize = 64;
const REPETITIONS: usize = 4;

/// A group that is open.
struct Group {
    /// Where it begins in what is written.
    start: usize,
    /// The options around it.
    outer: Options,
    /// How many groups inside it stand for options that were set on the way.
    inner: usize,
}

/// What was written so far.
struct Writer {
    out: String,
    options: Options,
    groups: Vec<Group>,
    /// Where the last part begins that may be repeated, and how it already is.
    part: usize,
    repeated: Vec<String>,
}

/// Rewrites an expression.
///
/// # Errors
/// [`Error::Unsupported`] names what there are no other words for.
pub(super) fn pattern(text: &str) -> Result<String> {
    let groups = text.matches('(').count();
    let mut writer = Writer {
        out: String::with_capacity(text.len()),
        options: Options::default(),
        groups: vec![Group { start: 0, outer: Options::default(), inner: 0 }],
        part: 0,
        repeated: Vec::new(),
    };
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        rest = match character {
            '(' => writer.open(rest)?,
            ')' => {
                writer.close();
                rest
            }
            '|' => {
                writer.out.push('|');
                writer.begin();
                rest
            }
            '*' | '+' | '?' => writer.repeat(character, rest)?,
            '{' if repetition::counts(rest).is_some() => writer.repeat(character, rest)?,
            _ if writer.options.extended && character.is_ascii_whitespace() => rest,
            '#' if writer.options.extended => rest.split_once('\n').map_or("", |(_, rest)| rest),
            '[' => {
                writer.begin();
                class::write(rest, groups, writer.options.ascii, &mut writer.out)?
            }
            '\\' => {
                let Some((escape, rest)) = escape::read(rest, false, groups, writer.options.ascii) else {
                    // Nothing has such an end.
                    writer.out.push('\\');
                    break;
                };
                writer.escape(escape)?;
                rest
            }
            _ => {
                writer.character(character);
                rest
            }
        };
    }
    let open = writer.groups.iter().map(|group| group.inner).sum();
    writer.out.extend(std::iter::repeat_n(')', open));
    Ok(writer.out)
}

impl Writer {
    /// What is written next is a part.
    fn begin(&mut self) {
        self.part = self.out.len();
        self.repeated.clear();
    }

    /// A bracket that opens: a group, a comment, or options.
    fn open<'a>(&mut self, text: &'a str) -> Result<&'a str> {
        if let Some(comment) = text.strip_prefix("?#") {
            let mut before = ' ';
            let is_end = |c: char| {
                let escaped = before == '\\';
                before = if escaped { ' ' } else { c };
                c == ')' && !escaped
            };
            return Ok(comment.find(is_end).map_or("", |end| &comment[end + 1..]));
        }
        if self.groups.iter().map(|group| 1 + group.inner).sum::<usize>() > DEPTH {
            return Err(Error::Limit { what: "groups in one another", found: DEPTH as u64 + 1, limit: DEPTH as u64 });
        }
        let start = self.out.len();
        let options = text.strip_prefix('?').and_then(|text| {
            let (letters, rest) = text.split_at(text.find(|c: char| !c.is_ascii_alphabetic() && c != '-')?);
            let options = self.options.changed(letters)?;
            rest.starts_with([':', ')']).then_some((options, rest))
        });
        let Some((options, rest)) = options else {
            self.groups.push(Group { start, outer: self.options, inner: 0 });
            self.out.push('(');
            self.begin();
            // What kind of group it is.
            let kind =
                text.strip_prefix('?').and_then(|kind| kind.chars().next()).map_or(0, |kind| 1 + kind.len_utf8());
            self.out.push_str(&text[..kind]);
            return Ok(&text[kind..]);
        };
        match self.groups.last_mut() {
            Some(group) if rest.starts_with(')') => group.inner += 1,
            _ => self.groups.push(Group { start, outer: self.options, inner: 0 }),
        }
        self.out.push_str(match (self.options.ignores_case, options.ignores_case) {
            (false, true) => "(?i:",
            (true, false) => "(?-i:",
            _ => "(?:",
        });
        self.options = options;
        self.begin();
        Ok(&rest[1..])
    }

    fn close(&mut self) {
        self.begin();
        // The first is the whole expression.
        if self.groups.len() > 1
            && let Some(Group { start, outer, inner }) = self.groups.pop()
        {
            self.out.extend(std::iter::repeat_n(')', inner));
            (self.part, self.options) = (start, outer);
        }
        self.out.push(')');
    }

    /// Repeats the last part. A second time is a loop around a loop, and `**` is `*`.
    fn repeat<'a>(&mut self, first: char, text: &'a str) -> Result<&'a str> {
        let (times, rest) = repetition::read(first, text);
        match self.repeated.last().map(String::as_str) {
            Some("*" | "+" | "?") if times == "*" => {
                self.out.pop();
                self.repeated.pop();
            }
            Some(_) if self.repeated.len() == REPETITIONS => return Err(Error::expression(&times)),
            Some(_) => {
                self.out.insert_str(self.part, "(?:");
                self.out.push(')');
            }
            None => {}
        }
        self.out.push_str(&times);
        self.repeated.push(times);
        Ok(rest)
    }

    fn escape(&mut self, escape: Escape<'_>) -> Result<()> {
        self.begin();
        match escape {
            Escape::Character(character) => self.literal(character),
            // Outside of a class Oniguruma does not look at the other case.
            Escape::Set(set) if self.options.ignores_case => self.out.extend(["(?-i:", &set.alone(), ")"]),
            Escape::Set(set) => self.out.push_str(&set.alone()),
            Escape::Other("b") => self.out.push_str(&border(true, self.options.ascii)),
            Escape::Other("B") => self.out.push_str(&border(false, self.options.ascii)),
            Escape::Other("R") => self.out.push_str(LINE_END),
            Escape::Other("N") => self.out.push_str(r"[^\n]"),
            Escape::Other("O") => self.out.push_str("(?s:.)"),
            Escape::Other(what) => self.out.extend([r"\", what]),
            Escape::Unknown(what) => return Err(Error::expression(&format!(r"\{what}"))),
        }
        Ok(())
    }

    fn character(&mut self, character: char) {
        self.begin();
        match character {
            '^' => self.out.push_str("(?m:^)"),
            '$' => self.out.push_str("(?m:$)"),
            '.' if self.options.dot_takes_lines => self.out.push_str("(?s:.)"),
            '.' => self.out.push('.'),
            character => self.literal(character),
        }
    }

    fn literal(&mut self, character: char) {
        if r"\.+*?()|[]{}^$".contains(character) {
            self.out.push('\\');
        }
        escape::push(character, &mut self.out);
    }
}
