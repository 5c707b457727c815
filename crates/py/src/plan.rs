//! What a model will take of memory, before it is loaded.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use trillm::plan::{Change, Idle, MemoryRefused, Others, Plan, Smaller, check};
use trillm::runtime::Candidate;
use trillm::{Coded, OpenOptions, Result, Wanted};

use crate::door;
use crate::enter::outside;
use crate::errors::raise;
use crate::model::finding_runtime;
use crate::params::open_options;
use crate::router::Left;
use crate::watch::Watch;

/// Plans for the model at `path`, to be loaded with these parameters. `smaller` are the same model in fewer bytes, by name
/// and place; `idle` are models that could be unloaded, by name and bytes; `preferred` is the engine to take of several;
/// `left` is what the router has that it is for.
#[pyfunction]
#[pyo3(signature = (path, smaller=Vec::new(), idle=Vec::new(), preferred=None, left=None, **params))]
pub(crate) fn plan<'py>(
    py: Python<'py>,
    path: PathBuf,
    smaller: Vec<(String, PathBuf)>,
    idle: Vec<(String, u64)>,
    preferred: Option<String>,
    left: Option<&Bound<'py, Left>>,
    params: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyDict>> {
    let (mut options, _) = open_options(params)?;
    let watch = Arc::new(Watch::new(None));
    options.load.find_runtime = Some(finding_runtime(&watch));
    let idle = idle.into_iter().map(|(name, bytes)| Idle { name, bytes, planned: 0 });
    let mut others = Others { idle: idle.collect(), ..Others::default() };
    if let Some(left) = left {
        others.budget = left.get().budget;
        others.idle.extend_from_slice(&left.get().idle);
    }
    let planned = outside(py, || planned(&path, options, preferred.as_deref(), smaller, others))?;
    to_dict(py, planned.map_err(|error| watch.raised().unwrap_or_else(|| raise(error)))?)
}

fn planned(
    path: &Path,
    options: OpenOptions,
    preferred: Option<&str>,
    smaller: Vec<(String, PathBuf)>,
    mut others: Others,
) -> Result<Plan> {
    let choice = trillm::choose(path, Wanted { preferred, ..options.wanted() })?;
    let candidate = Candidate::new(choice, options)?;
    let smaller = smaller.into_iter().map(|(name, path)| Ok(Smaller { name, info: trillm::inspect(&path)? }));
    others.smaller = smaller.collect::<Result<_>>()?;
    Ok(candidate.plan(&others))
}

/// The error for a plan that was refused, with the plan.
pub(crate) fn refused(py: Python<'_>, refused: MemoryRefused) -> PyErr {
    let made = door::module(py, "trillm._plan", |module| {
        let facts = to_dict(py, *refused.0)?;
        Ok(PyErr::from_value(module.call_method1("refused", (facts,))?))
    });
    made.unwrap_or_else(|error| error)
}

fn to_dict(py: Python<'_>, plan: Plan) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    let need = &plan.need;
    dict.set_item("engine", plan.engine)?;
    dict.set_item("context", plan.context)?;
    dict.set_item("parallel", plan.parallel)?;
    dict.set_item("weights_mapped", need.weights_mapped)?;
    dict.set_item("weights_private", need.weights_private)?;
    dict.set_item("cache", need.cache)?;
    dict.set_item("compute", need.compute)?;
    dict.set_item("scores", need.scores)?;
    dict.set_item("tokenizer", need.tokenizer)?;
    dict.set_item("runtime", need.runtime)?;
    dict.set_item("runtime_mapped", need.runtime_mapped)?;
    dict.set_item("loading", need.loading)?;
    dict.set_item("private", need.private())?;
    dict.set_item("total", need.total())?;
    dict.set_item("limit", plan.limit.as_ref().map(|limit| limit.bytes))?;
    dict.set_item("limit_source", plan.limit.as_ref().map(|limit| &limit.source))?;
    dict.set_item("verdict", plan.verdict.name())?;
    dict.set_item("notes", &need.notes)?;
    let alternatives = PyList::empty(py);
    for it in &plan.alternatives {
        let item = PyDict::new(py);
        item.set_item("change", change(py, &it.change)?)?;
        item.set_item("private", it.private)?;
        item.set_item("total", it.total)?;
        item.set_item("verdict", it.verdict.name())?;
        item.set_item("files", it.files)?;
        alternatives.append(item)?;
    }
    dict.set_item("alternatives", alternatives)?;
    let refusal = check(plan, false).err();
    dict.set_item("refusal", refusal.map(|error| (error.to_string(), error.code(), error.hint())))?;
    Ok(dict)
}

/// The parameter that is to be changed, and to what; or `model`, or `unload`.
fn change<'py>(py: Python<'py>, change: &Change) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    match change {
        Change::CacheType(kind) => dict.set_item("cache_type", kind.name())?,
        Change::Replicas(count) => dict.set_item("replicas", count)?,
        Change::Parallel(count) => dict.set_item("parallel", count)?,
        Change::Context(tokens) => dict.set_item("context", tokens)?,
        Change::Model(name) => dict.set_item("model", name)?,
        Change::Unload(names) => dict.set_item("unload", names)?,
    }
    Ok(dict)
}
