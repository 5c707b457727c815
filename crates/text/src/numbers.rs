//! Filters that make numbers of texts, and texts of numbers.

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Value};

use crate::arguments::{add_filter, given};
use crate::python;

/// Adds them.
pub(crate) fn install(environment: &mut Environment) {
    add_filter(environment, "filesizeformat", filesizeformat);
    add_filter(environment, "int", int);
    add_filter(environment, "float", float);
    environment.add_filter("abs", abs);
}

fn abs(value: Value) -> Result<Value, Error> {
    python::defined(&value)?;
    minijinja::filters::abs(if value.kind() == ValueKind::Bool {
        Value::from(u8::from(value.is_true()))
    } else {
        value
    })
}

fn filesizeformat(value: &Value, binary: Option<bool>) -> Result<String, Error> {
    python::defined(value)?;
    let bytes = number(value).or_else(|| value.as_str()?.trim().parse().ok());
    let bytes = bytes.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "a size must be a number"))?;
    let binary = binary == Some(true);
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    if bytes.to_bits() == 1f64.to_bits() {
        return Ok("1 Byte".into());
    }
    if bytes < base {
        return Ok(format!("{} Bytes", bytes.trunc()));
    }
    let unit = |at: usize| {
        let letter = "kMGTPEZY".chars().nth(at).unwrap_or('Y');
        if binary { format!("{}iB", letter.to_ascii_uppercase()) } else { format!("{letter}B") }
    };
    let at = (0..8).find(|&at| bytes < base.powi(at + 2)).unwrap_or(7);
    Ok(format!("{:.1} {}", bytes / base.powi(at + 1), unit(at as usize)))
}

/// A whole number, or the default where it is none.
fn int(value: &Value, default: &Value, base: Option<&Value>) -> Result<Value, Error> {
    let default = given(default).cloned().unwrap_or_else(|| Value::from(0));
    python::defined(value)?;
    let Some(text) = value.as_str() else {
        let number = number(value).filter(|number| number.is_finite());
        let whole =
            if value.is_integer() { Some(value.clone()) } else { number.map(|number| (number.trunc() as i128).into()) };
        return Ok(whole.unwrap_or(default));
    };
    let digits = text.trim();
    let (sign, size) = digits.strip_prefix('-').map_or((1, digits), |size| (-1, size));
    let size = size.strip_prefix('+').unwrap_or(size).to_ascii_lowercase().replace('_', "");
    // By another base than there is it is none, and may be a number still.
    let base = base.map_or(Some(10), |base| u32::try_from(base.clone()).ok());
    let whole = base.filter(|base| (2..=36).contains(base)).and_then(|base| {
        let prefix = match base {
            16 => "0x",
            8 => "0o",
            2 => "0b",
            _ => "",
        };
        i128::from_str_radix(size.strip_prefix(prefix).unwrap_or(&size), base).ok()
    });
    if let Some(whole) = whole {
        return Ok(Value::from(sign * whole));
    }
    let number = digits.parse::<f64>().ok().filter(|number| number.is_finite());
    Ok(number.map_or(default, |number| Value::from(number.trunc() as i128)))
}

/// A number, or the default where it is none.
fn float(value: &Value, default: &Value) -> Result<Value, Error> {
    let default = given(default).cloned().unwrap_or_else(|| Value::from(0.0));
    python::defined(value)?;
    let found = value.as_str().map_or_else(|| number(value), |text| text.trim().replace('_', "").parse().ok());
    Ok(found.map_or(default, Value::from))
}

/// A value as a number, if it is one: true is 1.
pub(crate) fn number(value: &Value) -> Option<f64> {
    match value.kind() {
        ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        _ => None,
    }
}
