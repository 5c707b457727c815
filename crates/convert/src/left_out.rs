//! What a model's publisher recommends, and a format has no place for.

/// The note on a value by its name, and who recommends it.
pub(crate) fn left_out(name: &str, source: &str, format: &str) -> String {
    format!("{name}, which is recommended by {source}, is left out: {format} has no place for it")
}
