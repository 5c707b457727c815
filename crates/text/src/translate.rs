//! `str.maketrans` and `str.translate`: a table from characters, by their numbers, to what stands for them.

use minijinja::value::{ValueKind, from_args};
use minijinja::{Error, ErrorKind, Value};

use crate::bounds::{MAX_OUTPUT, TooLong};
use crate::python;

fn wrong(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, what)
}

fn number(c: char) -> Value {
    Value::from(u32::from(c))
}

/// `str.maketrans`: of a dictionary, or of two texts as long as each other and one whose characters go.
pub(crate) fn table(args: &[Value]) -> Result<Value, Error> {
    let (first, to, gone): (&Value, Option<&str>, Option<&str>) = from_args(args)?;
    let Some(to) = to else {
        if !python::is_dictionary(first) {
            return Err(wrong("if you give only one argument to maketrans it must be a dict"));
        }
        let pair = |key: Value| {
            let given = first.get_item(&key)?;
            let mut all = key.as_str().map(str::chars);
            let one = all.as_mut().and_then(Iterator::next);
            match (one, all.is_some_and(|rest| rest.as_str().is_empty())) {
                (Some(c), true) => Ok((number(c), given)),
                _ if key.is_integer() || key.kind() == ValueKind::Bool => Ok((key, given)),
                _ if key.as_str().is_some() => Err(wrong("string keys in translate table must be of length 1")),
                _ => Err(wrong("keys in translate table must be strings or integers")),
            }
        };
        return Ok(Value::from_pairs(first.try_iter()?.map(pair).collect::<Result<Vec<_>, Error>>()?));
    };
    let from = first.as_str().ok_or_else(|| wrong("first maketrans argument must be a string"))?;
    if from.chars().count() != to.chars().count() {
        return Err(wrong("the first two maketrans arguments must have equal length"));
    }
    let pairs = from.chars().zip(to.chars()).map(|(from, to)| (number(from), number(to)));
    let gone = gone.unwrap_or_default().chars().map(|c| (number(c), Value::from(())));
    Ok(Value::from_pairs(pairs.chain(gone)))
}

/// `str.translate`: a character that the table does not have stays.
pub(crate) fn translated(text: &str, table: &Value) -> Result<String, Error> {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let given = table.get_item(&number(c))?;
        match given.kind() {
            ValueKind::Undefined => out.push(c),
            ValueKind::None => {}
            _ if given.is_integer() => {
                let found = u32::try_from(i128::try_from(given)?).ok().and_then(char::from_u32);
                out.push(found.ok_or_else(|| wrong("character mapping must be in range(0x110000)"))?);
            }
            _ => match given.as_str() {
                Some(text) => out.push_str(text),
                None => return Err(wrong("character mapping must return integer, None or str")),
            },
        }
        if out.len() > MAX_OUTPUT {
            return Err(TooLong.into());
        }
    }
    Ok(out)
}
