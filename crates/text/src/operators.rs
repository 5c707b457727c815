//! Operators that minijinja does otherwise than Python, and so are filters here (`rewrite.rs`).

use minijinja::{Environment, Error, ErrorKind, Value};

use crate::rewrite::{CONCAT, ITEMS, MODULO};
use crate::template::{MAX_OUTPUT, TooLong};
use crate::{percent, python};

/// Adds them.
pub(crate) fn install(environment: &mut Environment) {
    environment.add_filter(MODULO, modulo);
    environment.add_filter(CONCAT, concat);
    environment.add_filter(ITEMS, items);
}

/// What a loop goes over: of a text its characters, in a list.
fn items(value: &Value) -> Value {
    match value.as_str() {
        Some(text) => text.chars().map(Value::from).collect(),
        None => value.clone(),
    }
}

/// `%`: a text's format, or the remainder with the sign of the divisor.
fn modulo(left: &Value, right: &Value) -> Result<Value, Error> {
    if let Some(format) = left.as_str() {
        return percent::format(format, right).map(Value::from);
    }
    let zero = || Error::new(ErrorKind::InvalidOperation, "modulo by zero");
    if let (true, true) = (is_whole(left), is_whole(right)) {
        let (left, right) = (i128::try_from(left.clone())?, i128::try_from(right.clone())?);
        let remainder = left.checked_rem_euclid(right).ok_or_else(zero)?;
        return Ok(Value::from(if remainder != 0 && right < 0 { remainder + right } else { remainder }));
    }
    let number = |value: &Value| f64::try_from(value.clone()).ok().filter(|_| !value.is_undefined());
    let (Some(a), Some(b)) = (number(left), number(right)) else {
        let undefined = left.is_undefined() || right.is_undefined();
        let kind = if undefined { ErrorKind::UndefinedError } else { ErrorKind::InvalidOperation };
        return Err(Error::new(kind, format!("no remainder of {} and {}", left.kind(), right.kind())));
    };
    if b == 0.0 {
        return Err(zero());
    }
    let remainder = a % b;
    Ok(Value::from(if remainder != 0.0 && (remainder < 0.0) != (b < 0.0) { remainder + b } else { remainder }))
}

fn is_whole(value: &Value) -> bool {
    value.is_integer() || value.kind() == minijinja::value::ValueKind::Bool
}

/// `~`: both as text.
fn concat(left: &Value, right: &Value) -> Result<String, Error> {
    let (mut text, right) = (python::text(left)?, python::text(right)?);
    if text.len() + right.len() > MAX_OUTPUT {
        return Err(TooLong.into());
    }
    text.push_str(&right);
    Ok(text)
}
