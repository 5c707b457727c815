//! `'{:>5}'.format(x)`: Python's newer way to format.
//!
//! Fields are found and looked up here; minijinja writes numbers by what stands behind the colon.

use minijinja::formatting::{FormatStyle, format as write_number};
use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

use crate::bounds::{MAX_OUTPUT, TooLong};
use crate::python;

/// Digits of a width or a precision: more is a bomb.
const DIGITS: usize = 4;

/// Formats, with values by place and by name.
pub(crate) fn format(text: &str, values: &[Value], named: &dyn Fn(&str) -> Option<Value>) -> Result<String, Error> {
    Fields { values, named, next: Some(0) }.write(text, 2)
}

fn wrong(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, what.into())
}

struct Fields<'a> {
    values: &'a [Value],
    named: &'a dyn Fn(&str) -> Option<Value>,
    /// The place that the next field without a name has; none after one with a number.
    next: Option<usize>,
}

impl Fields<'_> {
    /// Fills in fields; those inside of a field's format are one level deeper, as far as there are levels.
    fn write(&mut self, text: &str, levels: usize) -> Result<String, Error> {
        let levels = levels.checked_sub(1).ok_or_else(|| wrong("Max string recursion exceeded"))?;
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            out.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if rest.starts_with(brace) {
                out.push_str(brace);
                rest = &rest[1..];
                continue;
            }
            if brace == "}" {
                return Err(wrong("Single '}' encountered in format string"));
            }
            let end = end_of(rest).ok_or_else(|| wrong("expected '}' before end of string"))?;
            out.push_str(&self.field(&rest[..end], levels)?);
            rest = &rest[end + 1..];
            if out.len() > MAX_OUTPUT {
                return Err(TooLong.into());
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    /// One field: what is between its braces.
    fn field(&mut self, text: &str, levels: usize) -> Result<String, Error> {
        let mut in_index = false;
        let end = text.find(|c| {
            in_index = c == '[' || in_index && c != ']';
            !in_index && (c == '!' || c == ':')
        });
        let (name, after) = text.split_at(end.unwrap_or(text.len()));
        let value = self.value(name)?;
        let (conversion, spec) = match after.strip_prefix('!') {
            Some(after) => match after.split_once(':') {
                Some((conversion, spec)) => (conversion, spec),
                None => (after, ""),
            },
            None => ("", after.strip_prefix(':').unwrap_or_default()),
        };
        let value = match conversion {
            "" if after.starts_with('!') => return Err(wrong("unmatched '{' in format spec")),
            "" => value,
            "s" => python::text(&value)?.into(),
            "r" => python::repr(&value)?.into(),
            "a" => python::ascii(&value)?.into(),
            other => return Err(wrong(format!("Unknown conversion specifier {other:?}"))),
        };
        let spec = if spec.contains(['{', '}']) { self.write(spec, levels)? } else { spec.to_owned() };
        formatted(&value, &spec)
    }

    /// The value that a name such as `0.key[1]` stands for.
    fn value(&mut self, name: &str) -> Result<Value, Error> {
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (first, mut path) = name.split_at(end);
        let is_number = !first.is_empty() && first.chars().all(|c| c.is_ascii_digit());
        let mut value = if first.is_empty() {
            let at = self.next.ok_or_else(|| wrong("cannot switch from manual field specification to automatic"))?;
            self.next = Some(at + 1);
            self.at(at)?
        } else if is_number {
            if self.next.is_some_and(|next| next > 0) {
                return Err(wrong("cannot switch from automatic field numbering to manual field specification"));
            }
            self.next = None;
            self.at(first.parse().unwrap_or(usize::MAX))?
        } else {
            (self.named)(first).ok_or_else(|| wrong(format!("no {first:?} to format")))?
        };
        while !path.is_empty() {
            if let Some(after) = path.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                value = value.get_attr(&after[..end])?;
                path = &after[end..];
                continue;
            }
            let inside = path.strip_prefix('[').and_then(|after| after.split_once(']'));
            let (key, after) =
                inside.ok_or_else(|| wrong("Only '.' or '[' may follow ']' in format field specifier"))?;
            value = value.get_item(&key.parse::<i64>().map_or_else(|_| Value::from(key), Value::from))?;
            path = after;
        }
        Ok(value)
    }

    fn at(&self, at: usize) -> Result<Value, Error> {
        self.values
            .get(at)
            .cloned()
            .ok_or_else(|| wrong(format!("Replacement index {at} out of range for positional args tuple")))
    }
}

/// Where the brace closes of the field that a text begins with.
fn end_of(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// `format(value, spec)`.
fn formatted(value: &Value, spec: &str) -> Result<String, Error> {
    if spec.is_empty() {
        return python::text(value);
    }
    if spec.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > DIGITS) {
        return Err(TooLong.into());
    }
    match (value.kind(), value.as_str()) {
        (ValueKind::String, Some(text)) => padded(text, spec),
        (ValueKind::Number | ValueKind::Bool, _) => match spec.strip_suffix('%') {
            Some(spec) => percent(value, spec),
            // As in a place without customs of its own.
            None if spec.ends_with('n') => {
                let kind = if value.kind() == ValueKind::Bool || value.is_integer() { 'd' } else { 'g' };
                formatted(value, &format!("{}{kind}", &spec[..spec.len() - 1]))
            }
            None => write_number(FormatStyle::StrFormat, &format!("{{:{spec}}}"), std::slice::from_ref(value)),
        },
        _ => Err(wrong(format!("unsupported format string passed to {}.__format__", python::type_name(value)))),
    }
}

/// A number as a percentage: a hundred times as much, with the sign inside of its width.
fn percent(value: &Value, spec: &str) -> Result<String, Error> {
    let value = if value.kind() == ValueKind::Bool {
        f64::from(u8::from(value.is_true()))
    } else {
        f64::try_from(value.clone())?
    };
    // One column is the sign's: the text is one shorter, and what fills it is put in front of the sign.
    let precision = spec.split_once('.').and_then(|(_, digits)| digits.parse().ok()).unwrap_or(6);
    let before = spec.split_once('.').map_or(spec, |(before, _)| before);
    let sign = if before.contains('+') { "+" } else { "" };
    let number =
        write_number(FormatStyle::StrFormat, &format!("{{:{sign}.{precision}f}}"), &[Value::from(value * 100.0)])?;
    let before = before.replacen('+', "", 1);
    let aligned = before.starts_with(['<', '>', '^']) || before.chars().nth(1).is_some_and(|c| "<>^".contains(c));
    let before = if aligned || before.is_empty() { before } else { format!(">{before}") };
    padded(&format!("{number}%"), &before)
}

/// A text in a field.
fn padded(text: &str, spec: &str) -> Result<String, Error> {
    let mut chars = spec.chars();
    let (first, second) = (chars.next(), chars.next());
    let is_align = |c: Option<char>| c.filter(|c| "<>^=".contains(*c));
    let (mut fill, align, rest) = match (is_align(second), is_align(first)) {
        (Some(align), _) => (first.unwrap_or(' '), Some(align), &spec[first.map_or(0, char::len_utf8) + 1..]),
        (None, Some(align)) => (' ', Some(align), &spec[1..]),
        (None, None) => (' ', None, spec),
    };
    let rest = match rest.strip_prefix('0') {
        Some(rest) => {
            fill = if align.is_some() { fill } else { '0' };
            rest
        }
        None => rest,
    };
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (width, rest) = rest.split_at(digits);
    let width: usize = width.parse().unwrap_or(0);
    let (precision, kind) = match rest.strip_prefix('.') {
        Some(rest) => {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let most: usize = rest[..digits].parse().map_err(|_| wrong("Format specifier missing precision"))?;
            (most, &rest[digits..])
        }
        None => (usize::MAX, rest),
    };
    if !matches!(kind, "" | "s") || align == Some('=') {
        return Err(wrong(format!("Invalid format specifier '{spec}' for object of type 'str'")));
    }
    let text: String = text.chars().take(precision).collect();
    let missing = width.saturating_sub(text.chars().count());
    let left = match align {
        Some('>') => missing,
        Some('^') => missing / 2,
        _ => 0,
    };
    let repeat = |times: usize| std::iter::repeat_n(fill, times);
    Ok(repeat(left).chain(text.chars()).chain(repeat(missing - left)).collect())
}
