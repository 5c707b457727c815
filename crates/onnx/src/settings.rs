//! Options as the runtime takes them.

use ort::logging::LogLevel;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use trillm_core::{Error, GraphOptions, Optimization, Result, SessionOptions};
use trillm_machine::default_threads;

use crate::fault::stopped;
use crate::runtime::Runtime;
use crate::threads::Threads;
use crate::{NAME, ffi};

/// The provider that every library has.
pub(crate) const CPU: &str = "CPUExecutionProvider";

/// Threads that run one node, and nodes that run at once.
fn threads(graph: &GraphOptions, session: &SessionOptions) -> (usize, usize) {
    let threads = session.threads.unwrap_or_else(default_threads) as usize;
    let nodes = if graph.parallel { graph.inter_threads.unwrap_or(2) as usize } else { 1 };
    (threads.max(1), nodes.max(1))
}

/// Threads that run a graph, the caller's included: of each of the runtime's two pools it is one.
pub(crate) fn all_threads(graph: &GraphOptions, session: &SessionOptions) -> usize {
    let (threads, nodes) = threads(graph, session);
    threads + nodes - 1
}

/// What a graph is run with.
pub(crate) fn builder(runtime: &Runtime, graph: &GraphOptions, session: &SessionOptions) -> Result<SessionBuilder> {
    let all = all_threads(graph, session);
    let reserve = Threads::new(all - 1).map_err(|error| Error::no_compute_threads(NAME, all, &error))?;
    let (threads, nodes) = threads(graph, session);
    let mut builder = plain(runtime, graph, threads, nodes).map_err(|error| stopped(&error))?;
    builder = builder.with_thread_manager(reserve).map_err(|error| stopped(&error.into()))?;
    for provider in graph.providers.iter().filter(|provider| *provider != CPU) {
        ffi::append_provider(&mut builder, provider).map_err(|error| stopped(&error))?;
    }
    Ok(builder)
}

fn plain(runtime: &Runtime, graph: &GraphOptions, threads: usize, nodes: usize) -> ort::Result<SessionBuilder> {
    let level = match graph.optimization {
        Optimization::Disabled => GraphOptimizationLevel::Disable,
        Optimization::Basic => GraphOptimizationLevel::Level1,
        Optimization::Extended => GraphOptimizationLevel::Level2,
        Optimization::All => GraphOptimizationLevel::All,
    };
    let builder = Session::builder(&runtime.environment)?
        .with_log_level(LogLevel::Warning)?
        .with_optimization_level(level)?
        .with_parallel_execution(graph.parallel)?
        .with_intra_threads(threads)?
        .with_inter_threads(nodes)?
        .with_prepacking(graph.prepack)?
        // Threads wait for the next node awake, which is microseconds away, but sleep between runs: an idle model costs
        // nothing (docs/decisions/008-onnx-engine.md).
        .with_config_entry("session.force_spinning_stop", "1")?;
    Ok(builder)
}

/// Checks that the library has every provider that is asked for.
///
/// # Errors
/// One that lists those present.
pub(crate) fn check_providers(graph: &GraphOptions) -> Result<()> {
    let present = ffi::providers().map_err(|error| stopped(&error))?;
    match graph.providers.iter().find(|provider| !present.contains(provider)) {
        None => Ok(()),
        Some(absent) => {
            let what = format!("the execution provider {absent:?}");
            let by = format!("this library of ONNX Runtime, which has {}", present.join(", "));
            Err(Error::Unsupported { what, by: format!("{NAME}: {by}") })
        }
    }
}
