//! What is chosen of a repository.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyString;
use trillm_store as store;

use crate::enter::enter;
use crate::errors::invalid;

/// A list of modules, of sentence-transformers, that was read.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct ModuleList(store::ModuleList);

#[pymethods]
impl ModuleList {
    /// Reads the list in `file`, which its repository has as `path`. One that cannot be read names nothing.
    #[new]
    fn new(py: Python<'_>, file: PathBuf, path: String) -> PyResult<Self> {
        let modules = enter(py, || trillm::named_modules(&file))?;
        Ok(Self(store::ModuleList { path, modules }))
    }

    /// Its path in the repository.
    #[getter]
    fn path(&self) -> &str {
        &self.0.path
    }

    /// The folders of the parts, below that of the list.
    #[getter]
    fn folders(&self) -> Vec<&str> {
        self.0.modules.iter().map(|module| module.folder.as_str()).filter(|folder| !folder.is_empty()).collect()
    }

    fn __repr__(&self) -> String {
        format!("ModuleList({:?}, {:?})", self.0.path, self.folders())
    }
}

/// The files of a model.
#[pyclass(frozen, get_all, module = "trillm._core")]
pub(crate) struct Choice {
    /// Their paths in the repository, and their names inside the model.
    files: Vec<(String, String)>,
    /// The name of the one to open; `None` for the folder, or the only file.
    open: Option<String>,
    /// What was chosen out of what, and by which preference; a sentence for people.
    why: String,
}

/// The files to fetch, of those that a repository has: paths, and sizes where they are known.
///
/// `wanted` is a path, a folder (`/` at its end), a pattern (`*`, `?`, `[`) or a quantization; `None` leaves it to the
/// preferences, the best first. A path of one part of a model is the whole model. A choice with a list of modules
/// (`modules.json`) that is not among `lists` is to be made again once that was read. Errors call the repository `place`.
#[pyfunction]
#[pyo3(signature = (files, wanted, formats, quantizations, lists=Vec::new(), *, place="the repository"))]
pub(crate) fn choose(
    py: Python<'_>,
    files: Vec<(Bound<'_, PyString>, Option<u64>)>,
    wanted: Option<&Bound<'_, PyString>>,
    formats: Vec<String>,
    quantizations: Vec<String>,
    lists: Vec<PyRef<'_, ModuleList>>,
    place: &str,
) -> PyResult<Choice> {
    let kind = |name: &String| {
        let known = store::Kind::ALL.into_iter().find(|kind| kind.name() == name);
        known.ok_or_else(|| invalid("formats", name, &store::Kind::ALL.map(store::Kind::name).join(", ")))
    };
    let preferences = store::Preferences { formats: formats.iter().map(kind).collect::<PyResult<_>>()?, quantizations };
    // What is no text is the name of nothing.
    let files: Vec<_> = files.iter().filter_map(|(path, size)| Some((path.to_str().ok()?.to_owned(), *size))).collect();
    let wanted = wanted.map(|wanted| wanted.to_string_lossy().into_owned());
    let among = store::Among { place, lists: &read(&lists) };
    let chosen = enter(py, || store::choose(files, wanted.as_deref(), &preferences, &among))?;
    let files = chosen.files.into_iter().map(|(name, path)| (path, name)).collect();
    Ok(Choice { files, open: chosen.open, why: chosen.why })
}

/// The paths of what the models among these files cannot do without, there or not.
#[pyfunction]
#[pyo3(signature = (paths, lists=Vec::new()))]
pub(crate) fn needed(paths: Vec<Bound<'_, PyString>>, lists: Vec<PyRef<'_, ModuleList>>) -> Vec<String> {
    let paths: Vec<_> = paths.iter().filter_map(|path| Some(path.to_str().ok()?.to_owned())).collect();
    store::needed(&paths, &read(&lists))
}

/// The GGUF models among these files that differ from the one that `path` belongs to by their quantization alone, and have
/// fewer bytes: the file to ask for of each, and its bytes. The largest come first.
#[pyfunction]
pub(crate) fn smaller(files: Vec<(Bound<'_, PyString>, Option<u64>)>, path: &str) -> Vec<(String, u64)> {
    let files = files.iter().filter_map(|(path, size)| Some((path.to_str().ok()?.to_owned(), *size)));
    store::smaller(files, path)
}

fn read(lists: &[PyRef<'_, ModuleList>]) -> Vec<store::ModuleList> {
    lists.iter().map(|list| list.0.clone()).collect()
}

/// Why the store does not take this as the name of a model's file; `None` if it does.
#[pyfunction]
pub(crate) fn file_name_fault(name: &Bound<'_, PyString>) -> Option<&'static str> {
    name.to_str().map_or(Some("it is no Unicode"), store::FileName::fault)
}

/// Whether it does.
#[pyfunction]
pub(crate) fn is_file_name(name: &Bound<'_, PyString>) -> bool {
    file_name_fault(name).is_none()
}

/// Whether a name ends as those of models do.
#[pyfunction]
pub(crate) fn is_model_name(name: &Bound<'_, PyString>) -> bool {
    let name = name.to_string_lossy();
    store::ENDINGS.iter().any(|ending| name.ends_with(ending))
}
