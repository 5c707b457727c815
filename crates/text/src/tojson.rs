//! `tojson`, as Hugging Face's templates know it: Python's `json.dumps` with `ensure_ascii=False`.
//!
//! Jinja's own filter escapes for HTML; models were trained on text that is not escaped.

use std::fmt::Write;

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Value};

use crate::arguments::add_filter;
use crate::bounds::{MAX_OUTPUT, TooLong};
use crate::{lazy, python};

/// Nested lists and objects. Python stops near a thousand; nobody nests a tool that deep.
const DEPTH: usize = 128;

/// Adds the filter.
pub(crate) fn install(environment: &mut Environment) {
    add_filter(environment, "tojson", tojson);
}

#[expect(clippy::needless_pass_by_value, reason = "minijinja hands arguments to a filter by value")]
fn tojson(
    value: &Value,
    ensure_ascii: Option<Value>,
    indent: Option<Value>,
    separators: Option<Vec<String>>,
    sort_keys: Option<Value>,
) -> Result<String, Error> {
    let indent = match indent {
        None => None,
        Some(indent) => Some(match indent.as_str() {
            Some(text) => text.to_owned(),
            // Negative means none, as in Python; a width beyond any screen is a bomb.
            None => " ".repeat(i64::try_from(indent)?.clamp(0, 64) as usize),
        }),
    };
    let separators: Option<(String, String)> = match separators.as_deref() {
        Some([item, key]) => Some((item.clone(), key.clone())),
        Some(_) => return Err(Error::new(ErrorKind::InvalidOperation, "separators must be two strings")),
        None => None,
    };
    let (item, key) = separators.unwrap_or_else(|| (if indent.is_some() { "," } else { ", " }.into(), ": ".into()));
    let is_set = |flag: Option<Value>| flag.is_some_and(|flag| flag.is_true());
    let (ascii, sort) = (is_set(ensure_ascii), is_set(sort_keys));
    let mut writer = Writer { out: String::new(), ascii, sort, indent, item, key, depth: 0 };
    writer.value(value)?;
    Ok(writer.out)
}

/// JSON as a template would write it.
pub(crate) fn dumps(json: &serde_json::Value) -> crate::Result<String> {
    let failed = |error: Error| crate::Error::Failed { reason: error.to_string() };
    let mut writer = Writer {
        out: String::new(),
        ascii: false,
        sort: false,
        indent: None,
        item: ", ".into(),
        key: ": ".into(),
        depth: 0,
    };
    writer.value(&crate::json::value(json)?).map_err(failed)?;
    Ok(writer.out)
}

struct Writer {
    out: String,
    ascii: bool,
    sort: bool,
    indent: Option<String>,
    item: String,
    key: String,
    depth: usize,
}

impl Writer {
    fn value(&mut self, value: &Value) -> Result<(), Error> {
        if self.out.len() > MAX_OUTPUT {
            return Err(TooLong.into());
        }
        match value.kind() {
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self.out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.number(value),
            ValueKind::String => self.string(value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable if !lazy::is_lazy(value) => {
                let items = value.try_iter()?.map(|item| (None, item));
                self.container('[', ']', items)?;
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sort {
                    keys.sort();
                }
                let mut items = Vec::with_capacity(keys.len());
                for key in keys {
                    let item = value.get_item(&key)?;
                    items.push((Some(key), item));
                }
                self.container('{', '}', items.into_iter())?;
            }
            _ => {
                let detail = format!("a value of type {} is not JSON serializable", python::type_name(value));
                return Err(python::blaming(value, Error::new(ErrorKind::BadSerialization, detail)));
            }
        }
        Ok(())
    }

    fn container(
        &mut self,
        open: char,
        close: char,
        items: impl Iterator<Item = (Option<Value>, Value)>,
    ) -> Result<(), Error> {
        if self.depth == DEPTH {
            return Err(Error::new(ErrorKind::BadSerialization, "more than 128 levels of JSON"));
        }
        self.out.push(open);
        self.depth += 1;
        let mut empty = true;
        for (key, item) in items {
            if !empty {
                self.out.push_str(&self.item);
            }
            empty = false;
            self.line();
            if let Some(key) = key {
                self.name(&key)?;
                self.out.push_str(&self.key);
            }
            self.value(&item)?;
        }
        self.depth -= 1;
        if !empty {
            self.line();
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self) {
        if let Some(indent) = &self.indent {
            self.out.push('\n');
            for _ in 0..self.depth {
                self.out.push_str(indent);
            }
        }
    }

    /// A key, which Python writes as a string whatever it is.
    fn name(&mut self, key: &Value) -> Result<(), Error> {
        match key.kind() {
            ValueKind::String => self.string(key.as_str().unwrap_or_default()),
            ValueKind::None | ValueKind::Bool | ValueKind::Number => {
                self.out.push('"');
                self.value(key)?;
                self.out.push('"');
            }
            kind => {
                let error = Error::new(ErrorKind::BadSerialization, format!("a key of type {kind} is not JSON"));
                return Err(python::blaming(key, error));
            }
        }
        Ok(())
    }

    fn number(&mut self, value: &Value) {
        match f64::try_from(value.clone()) {
            Ok(number) if number.is_nan() => self.out.push_str("NaN"),
            Ok(number) if number.is_infinite() => {
                self.out.push_str(if number > 0.0 { "Infinity" } else { "-Infinity" });
            }
            Ok(number) if !value.is_integer() => python::float(number, &mut self.out),
            _ => self.out.push_str(&value.to_string()),
        }
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                c if c < ' ' || self.ascii && !(' '..='~').contains(&c) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        // Writing to a string cannot fail.
                        let _ = write!(self.out, "\\u{unit:04x}");
                    }
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}
