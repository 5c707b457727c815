//! What a model's publisher recommends, from and to Python.

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping};
use trillm::Setting;

use crate::errors::invalid;

/// Who may recommend something beside the files themselves.
const SOURCES: [&str; 2] = ["alias", "ollama"];

const EXPECTED: &str = "a mapping of names to dictionaries with value and source";

/// Reads what [`Defaults`] becomes in Python, of those who may recommend something.
pub(crate) fn read(name: &str, value: &Bound<'_, PyAny>) -> PyResult<trillm::Defaults> {
    let mut defaults = trillm::Defaults::default();
    for (known, setting, source) in entries(name, value)? {
        let source = SOURCES.into_iter().find(|known| *known == source);
        if !source.is_some_and(|source| defaults.set(&known, setting, source)) {
            return Err(invalid(name, &value.to_string(), EXPECTED));
        }
    }
    Ok(defaults)
}

fn entries(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<(String, Setting, String)>> {
    let refused = || invalid(name, &value.to_string(), EXPECTED);
    let items = value.cast::<PyMapping>().map_err(|_| refused())?.items()?;
    let entry = |item: Bound<'_, PyAny>| {
        let (name, entry): (String, Bound<'_, PyAny>) = item.extract().map_err(|_| refused())?;
        let part = |key| entry.get_item(key).map_err(|_| refused());
        let setting = setting(&part("value")?).ok_or_else(refused)?;
        Ok((name, setting, part("source")?.extract().map_err(|_| refused())?))
    };
    items.into_iter().map(entry).collect()
}

fn setting(value: &Bound<'_, PyAny>) -> Option<Setting> {
    let count = || value.extract().ok().map(Setting::Count);
    let number = || value.extract().ok().map(Setting::Number);
    let text = || value.extract().ok().map(Setting::Text);
    let texts = || value.extract().ok().map(Setting::Texts);
    count().or_else(number).or_else(text).or_else(texts)
}

/// Each value with its source, in order.
#[derive(Clone, PartialEq)]
pub(crate) struct Defaults(Vec<(String, Setting, String)>);

impl From<&trillm::Defaults> for Defaults {
    fn from(defaults: &trillm::Defaults) -> Self {
        let own = |(name, setting, source): (&str, _, &str)| (name.to_owned(), setting, source.to_owned());
        Self(defaults.list().into_iter().map(own).collect())
    }
}

/// What it becomes in Python.
impl FromPyObject<'_, '_> for Defaults {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        Ok(Self(entries("defaults", &value)?))
    }
}

impl Defaults {
    /// The values, without who gave them.
    pub(crate) fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all = PyDict::new(py);
        for (name, setting, _) in &self.0 {
            all.set_item(name, value(py, setting)?)?;
        }
        Ok(all)
    }
}

fn value<'py>(py: Python<'py>, setting: &Setting) -> PyResult<Bound<'py, PyAny>> {
    match setting {
        // The shortest number that is this one in single precision: 0.2, not 0.20000000298023224.
        Setting::Number(number) => number.to_string().parse::<f64>().unwrap_or(f64::NAN).into_bound_py_any(py),
        Setting::Count(count) => count.into_bound_py_any(py),
        Setting::Text(text) => text.into_bound_py_any(py),
        Setting::Texts(texts) => texts.into_bound_py_any(py),
    }
}

impl<'py> IntoPyObject<'py> for &Defaults {
    type Target = PyDict;
    type Output = Bound<'py, PyDict>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        let all = PyDict::new(py);
        for (name, setting, source) in &self.0 {
            let entry = PyDict::new(py);
            entry.set_item("value", value(py, setting)?)?;
            entry.set_item("source", source)?;
            all.set_item(name, entry)?;
        }
        Ok(all)
    }
}

impl<'py> IntoPyObject<'py> for Defaults {
    type Target = PyDict;
    type Output = Bound<'py, PyDict>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        (&self).into_pyobject(py)
    }
}
