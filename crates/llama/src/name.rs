//! What the engine is called.

/// Its name in options, errors and `info`.
pub(crate) const NAME: &str = "llama";
