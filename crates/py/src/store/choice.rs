//! What is chosen of a repository.

use pyo3::prelude::*;
use pyo3::types::PyString;
use trillm_store as store;

use crate::enter::enter;
use crate::errors::invalid;

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
/// preferences, the best first. A path of one part of a model is the whole model.
#[pyfunction]
pub(crate) fn choose(
    py: Python<'_>,
    files: Vec<(Bound<'_, PyString>, Option<u64>)>,
    wanted: Option<&Bound<'_, PyString>>,
    formats: Vec<String>,
    quantizations: Vec<String>,
) -> PyResult<Choice> {
    let kind = |name: &String| {
        let known = store::Kind::ALL.into_iter().find(|kind| kind.name() == name);
        known.ok_or_else(|| invalid("formats", name, &store::Kind::ALL.map(store::Kind::name).join(", ")))
    };
    let preferences = store::Preferences { formats: formats.iter().map(kind).collect::<PyResult<_>>()?, quantizations };
    // What is no text is the name of nothing.
    let files: Vec<_> = files.iter().filter_map(|(path, size)| Some((path.to_str().ok()?.to_owned(), *size))).collect();
    let wanted = wanted.map(|wanted| wanted.to_string_lossy().into_owned());
    let chosen = enter(py, || store::choose(files, wanted.as_deref(), &preferences))?;
    let files = chosen.files.into_iter().map(|(name, path)| (path, name)).collect();
    Ok(Choice { files, open: chosen.open, why: chosen.why })
}

/// The paths of what the models among these files cannot do without, there or not.
#[pyfunction]
pub(crate) fn needed(paths: Vec<Bound<'_, PyString>>) -> Vec<String> {
    let paths: Vec<_> = paths.iter().filter_map(|path| Some(path.to_str().ok()?.to_owned())).collect();
    store::needed(&paths)
}

/// Whether the store takes this as the name of a model's file.
#[pyfunction]
pub(crate) fn is_file_name(name: &Bound<'_, PyString>) -> bool {
    name.to_str().is_ok_and(|name| name.parse::<store::FileName>().is_ok())
}

/// Whether a name ends as those of models do.
#[pyfunction]
pub(crate) fn is_model_name(name: &Bound<'_, PyString>) -> bool {
    let name = name.to_string_lossy();
    store::ENDINGS.iter().any(|ending| name.ends_with(ending))
}
