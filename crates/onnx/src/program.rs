//! A graph with all that sessions are made from.

use std::ffi::CString;
use std::path::PathBuf;
use std::sync::Arc;

use trillm_core::{Error, GraphOptions, Result, SessionOptions};
use trillm_formats::onnx::{Interface, Skeleton};

use crate::fault::no_memory;
use crate::ffi::Graph;
use crate::runtime::Runtime;
use crate::weights::WeightMemory;
use crate::{NAME, settings};

/// What a session is made from.
pub(crate) struct Program {
    /// For errors.
    pub(crate) path: PathBuf,
    pub(crate) runtime: Runtime,
    pub(crate) graph: GraphOptions,
    pub(crate) skeleton: Skeleton,
    pub(crate) interface: Interface,
    pub(crate) memory: Arc<WeightMemory>,
}

impl Program {
    /// Hands the graph to the runtime, for a session with these options. Inputs and outputs are run in this order.
    pub(crate) fn graph<'a>(
        &self,
        options: &SessionOptions,
        inputs: impl Iterator<Item = &'a str>,
        outputs: impl Iterator<Item = &'a str>,
    ) -> Result<Graph> {
        let names = |names: &mut dyn Iterator<Item = &'a str>| names.map(CString::new).collect::<Result<Vec<_>, _>>();
        let (inputs, outputs) = (&mut { inputs }, &mut { outputs });
        let (Ok(inputs), Ok(outputs)) = (names(inputs), names(outputs)) else {
            return Err(Error::load(NAME, &self.path, "the name of an input or output contains a zero byte"));
        };
        let builder = settings::builder(&self.runtime, &self.graph, options)?;
        Graph::new(builder, &self.skeleton, &self.memory, inputs, outputs).map_err(|error| {
            let failed = || Error::load(NAME, &self.path, error.message());
            no_memory(error.message(), "a session of the graph").unwrap_or_else(failed)
        })
    }
}
