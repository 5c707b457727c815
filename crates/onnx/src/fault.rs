//! What can stop a step: the runtime, or memory that is not there.

use trillm_core::Error;

use crate::NAME;

/// A step that came to nothing.
#[derive(Debug)]
pub(crate) enum Fault {
    /// What the runtime says, or what it gave is not what its graph promised.
    Runtime(String),
    /// Anything that has a name of its own.
    Own(Error),
}

/// A result whose error is [`Fault`].
pub(crate) type Result<T> = std::result::Result<T, Fault>;

impl From<ort::Error> for Fault {
    fn from(error: ort::Error) -> Self {
        Self::new(error.message())
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Own(error)
    }
}

impl Fault {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        no_memory(&reason, "a run of the graph").map_or(Self::Runtime(reason), Self::Own)
    }

    /// The error of an engine that runs.
    pub(crate) fn stopped(self) -> Error {
        match self {
            Self::Runtime(reason) => Error::Engine { engine: NAME, reason, log: Vec::new() },
            Self::Own(error) => error,
        }
    }
}

/// A call of the runtime's that failed.
pub(crate) fn stopped(error: &ort::Error) -> Error {
    Fault::new(error.message()).stopped()
}

/// The error for memory that was not there for `what`, if that is what a message of the runtime's says.
pub(crate) fn no_memory(reason: &str, what: &str) -> Option<Error> {
    memory(reason).map(|bytes| Error::OutOfMemory { what: what.into(), bytes })
}

/// Bytes that the runtime asked for in vain, if that is what a message says; 0 if it does not say how many.
fn memory(reason: &str) -> Option<u64> {
    // `allocator.cc` of ONNX Runtime, and what C++ throws itself.
    const BUFFER: &str = "Failed to allocate memory for requested buffer of size ";
    if let Some((_, rest)) = reason.split_once(BUFFER) {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        return Some(rest[..digits].parse().unwrap_or(0));
    }
    reason.contains("bad_alloc").then_some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_the_runtime_does_not_get_is_told_by_its_name() {
        let long = "Non-zero status code returned while running MatMul node. bfc_arena.cc:377 Failed to allocate memory \
                    for requested buffer of size 1207959552";
        assert!(matches!(Fault::new(long), Fault::Own(Error::OutOfMemory { bytes: 1_207_959_552, .. })));
        assert!(matches!(Fault::new("std::bad_alloc"), Fault::Own(Error::OutOfMemory { bytes: 0, .. })));
        assert!(matches!(Fault::new("indices element out of data bounds"), Fault::Runtime(_)));
    }
}
