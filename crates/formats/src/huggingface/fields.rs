//! Typed reading of a JSON object: each key is asked for once, by the type it should have, and what nobody asked for
//! can be listed afterwards.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::{Error, Result, json};

/// An object whose keys are read by name. `null` reads as absent, as in transformers, unless a method says otherwise.
pub(crate) struct Fields<'a> {
    object: &'a Map<String, Value>,
    /// Where the object stands in its file: empty, or `text_config.`
    prefix: String,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(object: &'a Map<String, Value>) -> Self {
        Self { object, prefix: String::new(), asked: RefCell::default() }
    }

    /// The value of a key, `null` included.
    pub(crate) fn raw(&self, key: &'static str) -> Option<&'a Value> {
        self.asked.borrow_mut().insert(key);
        self.object.get(key)
    }

    fn value(&self, key: &'static str) -> Option<&'a Value> {
        self.raw(key).filter(|value| !value.is_null())
    }

    fn read<T>(
        &self,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.value(key) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| self.wrong(key, json::excerpt(value), expected))
    }

    /// The key's value as an error.
    pub(crate) fn wrong(&self, key: &str, found: impl Into<String>, expected: impl Into<String>) -> Error {
        Error::Key { key: format!("{}{key}", self.prefix), found: found.into(), expected: expected.into() }
    }

    pub(crate) fn missing(&self, key: &str, expected: impl Into<String>) -> Error {
        Error::MissingKey { key: format!("{}{key}", self.prefix), expected: expected.into() }
    }

    pub(crate) fn text(&self, key: &'static str) -> Result<Option<&'a str>> {
        self.read(key, "a string", Value::as_str)
    }

    pub(crate) fn flag(&self, key: &'static str) -> Result<Option<bool>> {
        self.read(key, "true or false", Value::as_bool)
    }

    pub(crate) fn list(&self, key: &'static str) -> Result<Option<&'a Vec<Value>>> {
        self.read(key, "a list", Value::as_array)
    }

    /// The object under a key, whose errors name it by its path.
    pub(crate) fn object(&self, key: &'static str) -> Result<Option<Fields<'a>>> {
        let object = self.read(key, "an object", Value::as_object)?;
        Ok(object.map(|object| Fields { prefix: format!("{}{key}.", self.prefix), ..Fields::new(object) }))
    }

    /// A whole number from `least` to `most`.
    pub(crate) fn count(&self, key: &'static str, least: u32, most: u32) -> Result<Option<u32>> {
        let within = |value: &Value| {
            let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
            number.filter(|number| (least..=most).contains(number))
        };
        self.read(key, &format!("a whole number from {least} to {most}"), within)
    }

    /// A number that is finite as `f32`.
    pub(crate) fn number(&self, key: &'static str) -> Result<Option<f64>> {
        self.read(key, "a finite number", |value| value.as_f64().filter(|number| (*number as f32).is_finite()))
    }

    /// A number over zero, as `f32` too.
    pub(crate) fn positive(&self, key: &'static str) -> Result<Option<f64>> {
        let number = self.number(key)?;
        match number {
            Some(number) if number as f32 <= 0.0 => Err(self.wrong(key, number.to_string(), "a number over 0")),
            number => Ok(number),
        }
    }

    /// A list of numbers over zero.
    pub(crate) fn positives(&self, key: &'static str) -> Result<Option<Vec<f32>>> {
        let over_zero =
            |value: &Value| value.as_f64().map(|number| number as f32).filter(|n| n.is_finite() && *n > 0.0);
        let read = |value: &'a Value| value.as_array()?.iter().map(over_zero).collect();
        self.read(key, "a list of numbers over 0", read)
    }

    /// The keys that nobody asked for and that `known` does not name. `null` and `false` switch nothing on, so they are
    /// not worth a word.
    pub(crate) fn unasked(&self, known: &[&str]) -> Vec<&'a str> {
        self.left(known, |value| !matches!(value, Value::Null | Value::Bool(false)))
    }

    /// The same where `false` may switch something off.
    pub(crate) fn others(&self, known: &[&str]) -> Vec<&'a str> {
        self.left(known, |value| !value.is_null())
    }

    fn left(&self, known: &[&str], says: fn(&Value) -> bool) -> Vec<&'a str> {
        let asked = self.asked.borrow();
        let keys = self.object.iter().filter(|(_, value)| says(value)).map(|(key, _)| key.as_str());
        keys.filter(|key| !asked.contains(key) && !known.contains(key)).collect()
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.object.is_empty()
    }
}
