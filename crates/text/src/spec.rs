//! What stands behind the colon of a field of `str.format`: `[[fill]align][sign][z][#][0][width][grouping][.precision][type]`.
//!
//! By `Python/formatter_unicode.c` of Python 3.11, in a place whose customs for numbers are C's.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

use crate::bounds::TooLong;
use crate::{floats, python};

/// Digits of a width or a precision: more is a bomb.
const DIGITS: usize = 4;

struct Spec {
    fill: char,
    /// `<`, `>`, `^`, or `=`: between the sign and the digits.
    align: char,
    sign: Option<char>,
    /// A zero has no sign.
    unsigned_zero: bool,
    alternate: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    letter: Option<char>,
}

/// A number, in the parts that a field treats each in its own way.
struct Number {
    sign: &'static str,
    prefix: &'static str,
    digits: String,
    /// The point and what follows, or what is no number.
    rest: String,
}

fn wrong(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, what.into())
}

/// `format(value, spec)`.
pub(crate) fn formatted(value: &Value, spec: &str) -> Result<String, Error> {
    if spec.is_empty() {
        return python::text(value);
    }
    match (value.kind(), value.as_str()) {
        (ValueKind::String, Some(text)) => Spec::read(spec, value, '<')?.text(text),
        (ValueKind::Number | ValueKind::Bool, _) => Spec::read(spec, value, '>')?.number(value),
        _ => {
            let error = wrong(format!("unsupported format string passed to {}.__format__", python::type_name(value)));
            Err(python::blaming(value, error))
        }
    }
}

impl Spec {
    fn read(spec: &str, value: &Value, align: char) -> Result<Self, Error> {
        let is_align = |c: &char| "<>=^".contains(*c);
        let mut chars = spec.chars();
        let (first, second) = (chars.next(), chars.next());
        let (fill, given, mut rest) = match (first, second.filter(is_align), first.filter(is_align)) {
            (Some(fill), Some(align), _) => (Some(fill), Some(align), &spec[fill.len_utf8() + 1..]),
            (_, _, Some(align)) => (None, Some(align), &spec[1..]),
            _ => (None, None, spec),
        };
        let sign = rest.chars().next().filter(|c| "+- ".contains(*c));
        rest = &rest[usize::from(sign.is_some())..];
        let (unsigned_zero, alternate) = (takes(&mut rest, 'z'), takes(&mut rest, '#'));
        let zeros = fill.is_none() && takes(&mut rest, '0');
        let width = number(&mut rest)?;
        let grouping = rest.chars().next().filter(|c| ",_".contains(*c));
        rest = &rest[usize::from(grouping.is_some())..];
        if grouping.is_some() && rest.starts_with([',', '_']) {
            return Err(wrong("Cannot specify both ',' and '_'."));
        }
        let mut precision = None;
        if takes(&mut rest, '.') {
            precision = Some(number(&mut rest)?.ok_or_else(|| wrong("Format specifier missing precision"))?);
        }
        let mut letters = rest.chars();
        let letter = letters.next();
        if letters.next().is_some() {
            let kind = python::type_name(value);
            return Err(wrong(format!("Invalid format specifier '{spec}' for object of type '{kind}'")));
        }
        if let (Some(sign), Some(letter)) = (grouping, letter) {
            let fits = "deEfFgG%".contains(letter) || sign == '_' && "boxX".contains(letter);
            if !fits {
                return Err(wrong(format!("Cannot specify '{sign}' with '{letter}'.")));
            }
        }
        Ok(Self {
            fill: fill.unwrap_or(if zeros { '0' } else { ' ' }),
            align: given.unwrap_or(if zeros && align == '>' { '=' } else { align }),
            sign,
            unsigned_zero,
            alternate,
            width: width.unwrap_or(0),
            grouping,
            precision,
            letter,
        })
    }

    fn unknown(letter: char, value: &Value) -> Error {
        wrong(format!("Unknown format code '{letter}' for object of type '{}'", python::type_name(value)))
    }

    fn text(&self, text: &str) -> Result<String, Error> {
        if let Some(letter) = self.letter.filter(|letter| *letter != 's') {
            return Err(Self::unknown(letter, &Value::from(text)));
        }
        let refused = [
            (self.sign == Some(' '), "Space"),
            (self.sign.is_some(), "Sign"),
            (self.unsigned_zero, "Negative zero coercion (z)"),
            (self.alternate, "Alternate form (#)"),
            (self.align == '=', "'=' alignment"),
            (self.grouping.is_some(), "Grouping"),
        ];
        if let Some((_, what)) = refused.iter().find(|(is_given, _)| *is_given) {
            return Err(wrong(format!("{what} not allowed in string format specifier")));
        }
        let most = self.precision.unwrap_or(usize::MAX);
        let cut = text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end]);
        Ok(self.padded("", cut))
    }

    fn number(&self, value: &Value) -> Result<String, Error> {
        let is_whole = value.is_integer() || value.kind() == ValueKind::Bool;
        let number = match self.letter {
            Some('b' | 'o' | 'x' | 'X' | 'd' | 'n' | 'c') | None if is_whole => self.whole(value)?,
            Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | 'n' | '%') | None => self.float(value)?,
            Some(letter) => return Err(Self::unknown(letter, value)),
        };
        let Number { sign, prefix, digits, rest } = number;
        let beside = sign.len() + prefix.len() + rest.chars().count();
        // Zeros that fill are grouped as the digits are.
        let least = if self.fill == '0' && self.align == '=' { self.width.saturating_sub(beside) } else { 0 };
        let size = if matches!(self.letter, Some('b' | 'o' | 'x' | 'X')) { 4 } else { 3 };
        let digits = match self.grouping {
            // What is no number has no digits to group.
            Some(by) if !digits.is_empty() => grouped(&digits, size, by, least),
            _ => format!("{digits:0>least$}"),
        };
        Ok(self.padded(&format!("{sign}{prefix}"), &format!("{digits}{rest}")))
    }

    fn sign(&self, is_negative: bool) -> &'static str {
        match self.sign {
            _ if is_negative => "-",
            Some('+') => "+",
            Some(' ') => " ",
            _ => "",
        }
    }

    fn whole(&self, value: &Value) -> Result<Number, Error> {
        if self.precision.is_some() {
            return Err(wrong("Precision not allowed in integer format specifier"));
        }
        if self.unsigned_zero {
            return Err(wrong("Negative zero coercion (z) not allowed in integer format specifier"));
        }
        let (is_negative, size) = match i128::try_from(value.clone()) {
            Ok(number) => (number < 0, number.unsigned_abs()),
            Err(_) => (false, u128::try_from(value.clone())?),
        };
        let (prefix, digits) = match self.letter {
            Some('c') => {
                if self.sign.is_some() || self.alternate {
                    let what = if self.sign.is_some() { "Sign" } else { "Alternate form (#)" };
                    return Err(wrong(format!("{what} not allowed with integer format specifier 'c'")));
                }
                let found = u32::try_from(size).ok().filter(|_| !is_negative).and_then(char::from_u32);
                let rest = found.ok_or_else(|| wrong("%c arg not in range(0x110000)"))?.to_string();
                return Ok(Number { sign: "", prefix: "", digits: String::new(), rest });
            }
            Some('b') => ("0b", format!("{size:b}")),
            Some('o') => ("0o", format!("{size:o}")),
            Some('x') => ("0x", format!("{size:x}")),
            Some('X') => ("0X", format!("{size:X}")),
            _ => ("", size.to_string()),
        };
        let prefix = if self.alternate { prefix } else { "" };
        Ok(Number { sign: self.sign(is_negative), prefix, digits, rest: String::new() })
    }

    fn float(&self, value: &Value) -> Result<Number, Error> {
        let number = match value.kind() {
            ValueKind::Bool => f64::from(u8::from(value.is_true())),
            _ => f64::try_from(value.clone())?,
        };
        let (number, percent) = if self.letter == Some('%') { (number * 100.0, "%") } else { (number, "") };
        let size = number.abs();
        let text = match (self.letter, self.precision) {
            (None, None) => {
                let text = python::text(&Value::from(size))?;
                let (mantissa, power) = text.split_at(text.find('e').unwrap_or(text.len()));
                let lacks_point = self.alternate && size.is_finite() && !mantissa.contains('.');
                if lacks_point { format!("{mantissa}.{power}") } else { text }
            }
            (None, Some(digits)) => floats::plain(size, digits, self.alternate),
            (Some('%'), digits) => floats::written(size, 'f', digits.unwrap_or(6), self.alternate),
            (Some('n'), digits) => floats::written(size, 'g', digits.unwrap_or(6), self.alternate),
            (Some(letter), digits) => floats::written(size, letter, digits.unwrap_or(6), self.alternate),
        };
        let is_zero = text.bytes().take_while(|byte| !b"eE".contains(byte)).all(|byte| b"0.".contains(&byte));
        let is_negative = number.is_sign_negative() && !number.is_nan() && !(self.unsigned_zero && is_zero);
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, rest) = (text[..end].to_owned(), format!("{}{percent}", &text[end..]));
        Ok(Number { sign: self.sign(is_negative), prefix: "", digits, rest })
    }

    /// A text in its field; what it begins with stands before what fills.
    fn padded(&self, begins: &str, text: &str) -> String {
        let missing = self.width.saturating_sub(begins.len() + text.chars().count());
        let fill = |times: usize| std::iter::repeat_n(self.fill, times).collect::<String>();
        let [left, between, right] = match self.align {
            '<' => [0, 0, missing],
            '^' => [missing / 2, 0, missing - missing / 2],
            '=' => [0, missing, 0],
            _ => [missing, 0, 0],
        };
        [&fill(left), begins, &fill(between), text, &fill(right)].concat()
    }
}

/// Takes a character from the front of a text, if it is this one.
fn takes(rest: &mut &str, c: char) -> bool {
    let behind = rest.strip_prefix(c);
    *rest = behind.unwrap_or(rest);
    behind.is_some()
}

/// Takes a number from the front of a text, if there is one.
fn number(rest: &mut &str) -> Result<Option<usize>, Error> {
    let (digits, behind) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
    *rest = behind;
    if digits.len() > DIGITS {
        return Err(TooLong.into());
    }
    Ok(digits.parse().ok())
}

/// Digits with a sign between groups of `size`, and zeros before them until there are `least` characters.
fn grouped(digits: &str, size: usize, by: char, least: usize) -> String {
    let mut out = Vec::new();
    let mut rest = digits.bytes().rev().map(char::from);
    let mut count = 0;
    loop {
        let next = rest.next();
        if next.is_none() && out.len() >= least {
            break;
        }
        if count > 0 && count % size == 0 {
            out.push(by);
        }
        out.push(next.unwrap_or('0'));
        count += 1;
    }
    out.iter().rev().collect()
}
