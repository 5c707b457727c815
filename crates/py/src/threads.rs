//! Threads for a library that ends its process, or worse, if it does not get its own.

use std::sync::{Mutex, PoisonError};
use std::thread::Builder;
use std::{io, thread};

use pyo3::prelude::*;

use crate::enter::outside;

/// Why the system does not give so many threads, beside those there are; `None` if it does. They are ended again.
#[pyfunction]
pub(crate) fn lacks_threads(py: Python<'_>, count: usize) -> PyResult<Option<String>> {
    let started = outside(py, || start(count))?;
    Ok(started.err().map(|error| error.to_string()))
}

fn start(count: usize) -> io::Result<()> {
    let gate = Mutex::new(());
    thread::scope(|scope| {
        let closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = || drop(gate.lock().unwrap_or_else(PoisonError::into_inner));
        let mut threads = Vec::new();
        let started = (0..count).try_for_each(|_| {
            threads.push(Builder::new().spawn_scoped(scope, wait)?);
            Ok(())
        });
        drop(closed);
        for thread in threads {
            // It did nothing that could panic. Ended, it counts no more.
            let _ = thread.join();
        }
        started
    })
}
