//! Threads that the system does not give, for one of two reasons that it calls alike.

use crate::{Error, memory};

/// Bytes of the largest stack that a thread is given, but for those that render templates.
const STACK: usize = 8 << 20;

impl Error {
    /// Threads that the system does not give. It says the same if there is no memory for the stack of one.
    pub fn no_thread(what: impl Into<String>, error: &std::io::Error) -> Self {
        let what = what.into();
        let stack = memory::check::<u8>(STACK, &format!("the stack of {what}"));
        stack.err().unwrap_or_else(|| Self::NoThread { what, reason: error.to_string() })
    }

    /// The same for those that a session of `engine` computes on.
    pub fn no_compute_threads(engine: &str, threads: usize, error: &std::io::Error) -> Self {
        Self::no_thread(format!("{engine}: {threads} compute threads"), error)
    }
}
