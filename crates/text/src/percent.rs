//! `'%s' % x`: Python's older way to format.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

use crate::bounds::{MAX_OUTPUT, TooLong};
use crate::{floats, lazy, python};

/// The widest field, and the most digits: more is a bomb.
const WIDTH: usize = 10_000;

/// What stands between `%` and the letter.
#[derive(Default)]
struct Field {
    left: bool,
    plus: bool,
    space: bool,
    zeros: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

/// The values, as they are taken one after the other.
struct Values<'a> {
    whole: &'a Value,
    list: Vec<Value>,
    next: usize,
    named: bool,
}

impl Values<'_> {
    fn take(&mut self) -> Result<Value, Error> {
        let value = self.list.get(self.next).cloned().ok_or_else(|| wrong("not enough arguments for format string"))?;
        self.next += 1;
        Ok(value)
    }

    fn named(&mut self, name: &str) -> Result<Value, Error> {
        if self.whole.kind() != ValueKind::Map {
            return Err(wrong("format requires a mapping"));
        }
        self.named = true;
        let value = self.whole.get_item(&Value::from(name))?;
        if value.is_undefined() { Err(wrong(format!("no {name:?} to format"))) } else { Ok(value) }
    }
}

fn wrong(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, what)
}

/// Formats; `values` is one value, or a tuple of several, or a dictionary for fields with a name.
pub(crate) fn format(format: &str, values: &Value) -> Result<String, Error> {
    let list = if values.is_tuple() { python::items(values)?.collect::<Result<_, _>>()? } else { vec![values.clone()] };
    let mut values = Values { whole: values, list, next: 0, named: false };
    let mut out = String::with_capacity(format.len());
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = one(&rest[at + 1..], &mut values, &mut out)?;
        if out.len() > MAX_OUTPUT {
            return Err(TooLong.into());
        }
    }
    out.push_str(rest);
    // What can be indexed may be there for its names, as Python sees it.
    let indexed = match values.whole.kind() {
        ValueKind::Map | ValueKind::Seq | ValueKind::Undefined => true,
        ValueKind::Iterable => !lazy::is_lazy(values.whole),
        _ => false,
    };
    if values.next < values.list.len() && !values.named && (!indexed || values.whole.is_tuple()) {
        return Err(wrong("not all arguments converted during string formatting"));
    }
    Ok(out)
}

/// One field, and what follows it.
fn one<'t>(text: &'t str, values: &mut Values<'_>, out: &mut String) -> Result<&'t str, Error> {
    let mut rest = text;
    let mut name = None;
    if let Some(inside) = rest.strip_prefix('(') {
        let end = inside.find(')').ok_or_else(|| wrong("incomplete format key"))?;
        name = Some(&inside[..end]);
        rest = &inside[end + 1..];
    }
    let mut field = Field::default();
    while let Some(flag) = rest.chars().next().filter(|flag| "-+ 0#".contains(*flag)) {
        match flag {
            '-' => field.left = true,
            '+' => field.plus = true,
            ' ' => field.space = true,
            '0' => field.zeros = true,
            _ => field.alternate = true,
        }
        rest = &rest[1..];
    }
    let mut count = |rest: &mut &'t str, values: &mut Values<'_>| -> Result<usize, Error> {
        if let Some(after) = rest.strip_prefix('*') {
            *rest = after;
            let width = i64::try_from(values.take()?)?;
            field.left |= width < 0;
            return Ok(width.unsigned_abs() as usize);
        }
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        *rest = after;
        Ok(if number.is_empty() { 0 } else { number.parse().unwrap_or(usize::MAX) })
    };
    let width = count(&mut rest, values)?;
    let mut precision = None;
    if let Some(after) = rest.strip_prefix('.') {
        rest = after;
        precision = Some(count(&mut rest, values)?);
    }
    (field.width, field.precision) = (width, precision);
    if width > WIDTH || precision.is_some_and(|digits| digits > WIDTH) {
        return Err(TooLong.into());
    }
    let rest = rest.trim_start_matches(['h', 'l', 'L']);
    let letter = rest.chars().next().ok_or_else(|| wrong("incomplete format"))?;
    if letter == '%' {
        out.push('%');
    } else {
        let value = match name {
            Some(name) => values.named(name),
            None => values.take(),
        }?;
        field.write(letter, &value, out).map_err(|error| python::blaming(&value, error))?;
    }
    Ok(&rest[letter.len_utf8()..])
}

impl Field {
    fn write(&self, letter: char, value: &Value, out: &mut String) -> Result<(), Error> {
        let (sign, body) = match letter {
            's' | 'r' | 'a' => {
                let text = match letter {
                    's' => python::text(value)?,
                    'r' => python::repr(value)?,
                    _ => python::ascii(value)?,
                };
                let cut = self.precision.map_or(text.clone(), |most| text.chars().take(most).collect());
                ("", cut)
            }
            'c' => ("", character(value)?.to_string()),
            'd' | 'i' | 'u' | 'x' | 'X' | 'o' => self.whole(letter, value)?,
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => self.float(letter, value)?,
            other => return Err(wrong(format!("unsupported format character '{other}'"))),
        };
        let sign = match sign {
            "" if !"sracC".contains(letter) && self.plus => "+",
            "" if !"sracC".contains(letter) && self.space => " ",
            sign => sign,
        };
        let missing = self.width.saturating_sub(sign.len() + body.chars().count());
        let numeric = !"srac".contains(letter);
        let fill = |c: char| std::iter::repeat_n(c, missing);
        match (self.left, self.zeros && numeric) {
            (true, _) => {
                out.extend([sign, &body]);
                out.extend(fill(' '));
            }
            (false, true) => {
                out.push_str(sign);
                out.extend(fill('0'));
                out.push_str(&body);
            }
            (false, false) => {
                out.extend(fill(' '));
                out.extend([sign, &body]);
            }
        }
        Ok(())
    }

    fn whole(&self, letter: char, value: &Value) -> Result<(&'static str, String), Error> {
        let truncated = |value: &Value| match value.kind() {
            ValueKind::Number if !value.is_integer() && "diu".contains(letter) => {
                Ok(f64::try_from(value.clone())?.trunc() as i128)
            }
            ValueKind::Number | ValueKind::Bool if value.is_integer() || value.kind() == ValueKind::Bool => {
                i128::try_from(value.clone())
            }
            kind => Err(wrong(format!("%{letter} format: a number is required, not {kind}"))),
        };
        let number = truncated(value)?;
        let size = number.unsigned_abs();
        let mut body = match letter {
            'x' => format!("{size:x}"),
            'X' => format!("{size:X}"),
            'o' => format!("{size:o}"),
            _ => size.to_string(),
        };
        if let Some(digits) = self.precision.filter(|&digits| digits > body.len()) {
            body = format!("{body:0>digits$}");
        }
        if self.alternate {
            let prefix = match letter {
                'x' => "0x",
                'X' => "0X",
                'o' => "0o",
                _ => "",
            };
            body.insert_str(0, prefix);
        }
        Ok((if number < 0 { "-" } else { "" }, body))
    }

    fn float(&self, letter: char, value: &Value) -> Result<(&'static str, String), Error> {
        if !matches!(value.kind(), ValueKind::Number | ValueKind::Bool) {
            return Err(wrong(format!("%{letter} format: a number is required, not {}", value.kind())));
        }
        let number = if value.kind() == ValueKind::Bool {
            f64::from(u8::from(value.is_true()))
        } else {
            f64::try_from(value.clone())?
        };
        let sign = if number.is_sign_negative() && !number.is_nan() { "-" } else { "" };
        let size = number.abs();
        let body = floats::written(size, letter, self.precision.unwrap_or(6), self.alternate);
        Ok((sign, body))
    }
}

/// A character, given as itself or by its number.
fn character(value: &Value) -> Result<char, Error> {
    let is_whole = value.is_integer() || value.kind() == ValueKind::Bool;
    let (found, expected) = match value.as_str() {
        Some(text) => {
            let mut all = text.chars();
            (all.next().filter(|_| all.as_str().is_empty()), "%c requires int or char")
        }
        None if is_whole => {
            let code = u32::try_from(i128::try_from(value.clone())?).ok();
            // Half of a pair of surrogates, which Python takes, is in no text here.
            (code.and_then(char::from_u32), "%c requires the number of a character")
        }
        None => (None, "%c requires int or char"),
    };
    found.ok_or_else(|| wrong(expected))
}
