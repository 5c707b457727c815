//! What a router has left for one more model, for its plan.

use pyo3::prelude::*;
use trillm::plan::{Budget, Idle};

/// What limits leave, and which models could go.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Left {
    pub(crate) budget: Budget,
    pub(crate) idle: Vec<Idle>,
}
