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
    /// What the model gives.
    pub(crate) given: Given<'a>,
}

/// What is known of the vectors that a model gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Given<'a> {
    /// One for each token.
    Tokens,
    /// One for each text, by an output of this name: pooled in a way that the name does not tell.
    Texts(&'a str),
    /// One for each text, with which nothing is to be done.
    Whole,
}
