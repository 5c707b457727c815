//! `'{:>5}'.format(x)`: Python's newer way to format.
//!
//! Fields are found and looked up here; what stands behind the colon is in `spec.rs`.

use minijinja::{Error, ErrorKind, Value};

use crate::bounds::{MAX_OUTPUT, TooLong};
use crate::spec::formatted;
use crate::{method, python};

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
                value = method::attribute(&value, &after[..end])?;
                path = &after[end..];
                continue;
            }
            let inside = path.strip_prefix('[').and_then(|after| after.split_once(']'));
            let (key, after) =
                inside.ok_or_else(|| wrong("Only '.' or '[' may follow ']' in format field specifier"))?;
            // A number has no sign here, and a text is none of a list's places.
            value = match key.parse::<u64>() {
                Ok(place) if key.bytes().all(|byte| byte.is_ascii_digit()) => value.get_item(&Value::from(place))?,
                _ => method::item(&value, key)?,
            };
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
