//! The extension module `trillm._core`: the only crate that knows Python.
//!
//! One file for each class. Everything that may take longer than a millisecond goes through `enter`, and by it
//! through `door`, the one way out of the interpreter lock. The decode threads never come in by it.
#![forbid(unsafe_code)]
#![allow(clippy::needless_pass_by_value, reason = "PyO3 hands over owned values, and errors are consumed by raising")]

mod aside;
mod call;
mod choice;
mod completion;
mod convert;
mod defaults;
mod doctor;
mod door;
mod doorbell;
mod enter;
mod errors;
#[cfg(feature = "fake")]
mod fake;
mod heavy;
mod info;
mod journal;
mod lifetime;
mod logs;
mod model;
mod optimize;
mod outline;
mod params;
mod pickling;
mod place;
mod plain;
mod plan;
mod pool;
mod prompt;
mod room;
mod router;
mod serve;
mod speeds;
mod store;
mod stream;
mod threads;
mod tokenizer;
mod vectors;
mod watch;

/// The native half of trillm.
#[pyo3::pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::call::Call;
    #[pymodule_export]
    use crate::choice::{explain, keep_speeds};
    #[pymodule_export]
    use crate::completion::{Completion, Piece, Timings, Usage};
    #[pymodule_export]
    use crate::convert::convert;
    #[pymodule_export]
    use crate::doctor::{bandwidth, doctor, engines, inspect, machine, named_files, opened, purpose_of};
    #[pymodule_export]
    use crate::doorbell::{Doorbell, Ticket};
    #[cfg(feature = "fake")]
    #[pymodule_export]
    use crate::fake::fake_model;
    #[pymodule_export]
    use crate::info::ModelInfo;
    #[pymodule_export]
    use crate::journal::Journal;
    #[pymodule_export]
    use crate::lifetime::close_all;
    #[pymodule_export]
    use crate::logs::{set_log_level, take_logs};
    #[pymodule_export]
    use crate::model::Model;
    #[pymodule_export]
    use crate::optimize::{device_of, optimize};
    #[pymodule_export]
    use crate::outline::{header_bytes, write_outline};
    #[pymodule_export]
    use crate::params::check_load_params;
    #[pymodule_export]
    use crate::plan::plan;
    #[pymodule_export]
    use crate::prompt::{is_batch, is_list_of_chats};
    #[pymodule_export]
    use crate::router::{Leasing, Left, Router, Wanted};
    #[pymodule_export]
    use crate::serve::Server;
    #[pymodule_export]
    use crate::store::{
        Choice, Claim, Collected, Damage, HuggingFace, Lease, Manifest, ModuleList, Ollama, Partial, Pypi, Reference,
        SpanWriter, Staging, Store, Url, catalogue, choose, file_name_fault, is_file_name, is_model_name, known,
        needed, smaller,
    };
    #[pymodule_export]
    use crate::stream::Stream;
    #[pymodule_export]
    use crate::threads::lacks_threads;
    #[pymodule_export]
    use crate::tokenizer::Tokenizer;
    #[pymodule_export]
    use crate::vectors::Embedding;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("CHUNK", trillm_store::CHUNK)?;
        crate::pickling::refuse(module)?;
        // Threads must not outlive the interpreter, so they are stopped while it is still whole.
        let at_exit = module.py().import("atexit")?;
        at_exit.call_method1("register", (module.getattr("close_all")?,))?;
        Ok(())
    }
}
