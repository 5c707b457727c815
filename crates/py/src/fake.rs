//! The testkit's engine that computes nothing, for benchmarks.

use std::time::Duration;

use pyo3::prelude::*;
use trillm::{Llm, SchedulerOptions, SessionOptions};
use trillm_testkit::Fake;

use crate::enter::enter;
use crate::model::Model;

/// A model without a file; each step takes `step_time` seconds.
#[pyfunction]
#[pyo3(signature = (step_time=0.0, context=65536))]
pub(crate) fn fake_model(py: Python<'_>, step_time: f64, context: u32) -> PyResult<Model> {
    let fake = Fake { step_time: Duration::from_secs_f64(step_time), ..Fake::default() };
    let session = SessionOptions { context: Some(context), ..SessionOptions::default() };
    enter(py, || Llm::serve(fake.load_model(), session, SchedulerOptions::default())).map(Model::of)
}
