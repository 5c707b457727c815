//! What the files of a sentence-transformer do not say themselves.

use crate::huggingface::Sidecars;

/// What is known of the model that the files lie beside.
pub(crate) struct About<'a> {
    /// Numbers in a token's vector, or in a text's if the model gives such; zero if that is not known.
    pub(crate) width: u32,
    /// Positions that it has; zero if that is not known.
    pub(crate) context: u32,
    pub(crate) sidecars: &'a Sidecars,
    /// The first of `architectures`.
    pub(crate) class: &'a str,
    /// Whether tokens see only those before them.
    pub(crate) causal: bool,
    /// Whether the model gives one vector for a text, to which nothing is to be done.
    pub(crate) whole: bool,
}
