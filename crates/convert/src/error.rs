//! What can stop a conversion.

use std::path::PathBuf;

use trillm_core::{Class, Coded, files};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A model that cannot be converted, or a result that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source is damaged, or not a model.
    #[error(transparent)]
    Source(#[from] trillm_formats::Error),
    /// Its tokenizer is damaged, not there, or of a kind that no model here has.
    #[error(transparent)]
    Tokenizer(#[from] trillm_tokenizer::Error),
    /// There is not enough memory.
    #[error(transparent)]
    Core(#[from] trillm_core::Error),
    /// A file of the source cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The destination cannot be written: no room, no permission, no such folder.
    #[error("cannot write {}: {source}", .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something is where the result should go.
    #[error("{} is there already", .path.display())]
    DestinationExists {
        /// The destination.
        path: PathBuf,
    },
    /// The destination is there, and is nothing that a conversion would have written.
    #[error("{} is there already and is {found}, expected {expected}", .path.display())]
    NotReplaceable {
        /// The destination.
        path: PathBuf,
        /// What it is.
        found: &'static str,
        /// What may be replaced.
        expected: &'static str,
    },
    /// The source is in the format asked for.
    #[error("{} is {found} already, expected a model in another format", .path.display())]
    SameFormat {
        /// The source.
        path: PathBuf,
        /// Its format.
        found: &'static str,
    },
    /// A kind of model that is not converted.
    #[error("the architecture is {found}, expected one of {expected}")]
    Architecture {
        /// What the source says.
        found: String,
        /// What can be converted.
        expected: String,
    },
    /// The source says something that the other format cannot say, or that is not understood.
    #[error("{what} is {found}, expected {expected}")]
    Unsupported {
        /// What is meant: a key, a setting, a tensor.
        what: String,
        /// What the source says.
        found: String,
        /// What can be converted.
        expected: String,
    },
    /// The source makes other vectors of texts than the other format can say.
    #[error("vectors of texts are made with {found}, expected {expected}")]
    Vectors {
        /// The step.
        found: String,
        /// What can be converted.
        expected: &'static str,
    },
    /// Something that a conversion needs is not in the source.
    #[error("{what} is missing, expected {expected}")]
    Missing {
        /// The key, file or tensor.
        what: String,
        /// What it should hold.
        expected: String,
    },
    /// Weights in a type that cannot be read.
    #[error("the tensor {tensor} is of type {found}, expected {expected}")]
    TensorType {
        /// The tensor.
        tensor: String,
        /// Its type.
        found: String,
        /// The types that can be read.
        expected: String,
    },
    /// A tensor of a name that no model of this architecture has.
    #[error("the tensor {tensor} has no counterpart in {format} for the architecture {architecture}")]
    TensorName {
        /// The tensor.
        tensor: String,
        /// The format to be written.
        format: &'static str,
        /// The architecture.
        architecture: String,
    },
    /// A weight that the type asked for cannot hold.
    #[error("the tensor {tensor} holds {found}, expected at most {limit} for the type {dtype}")]
    OutOfRange {
        /// The tensor.
        tensor: String,
        /// The weight.
        found: f32,
        /// The largest number of the type.
        limit: f32,
        /// The type.
        dtype: &'static str,
    },
    /// The caller cancelled. Nothing was left behind.
    #[error("cancelled after {written} of {total} bytes")]
    Cancelled {
        /// Bytes of weights written by then.
        written: u64,
        /// Bytes of weights there would have been.
        total: u64,
    },
}

impl Error {
    /// The error that `what` is `found`.
    pub(crate) fn unsupported(
        what: impl Into<String>,
        found: impl std::fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        Self::Unsupported { what: what.into(), found: found.to_string(), expected: expected.into() }
    }

    /// The error that `what` is not there.
    pub(crate) fn missing(what: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Missing { what: what.into(), expected: expected.into() }
    }
}

impl Coded for Error {
    fn kind(&self) -> (Class, &'static str) {
        match self {
            Self::Source(error) => error.kind(),
            Self::Tokenizer(error) => error.kind(),
            Self::Core(error) => error.kind(),
            Self::Read { source, .. } | Self::Write { source, .. } if files::are_too_many(source) => files::KIND,
            Self::Read { .. } => (Class::Store, "read_failed"),
            Self::Write { source, .. } if is_full(source) => (Class::Store, "disk_full"),
            Self::Write { .. } => (Class::Store, "write_failed"),
            Self::DestinationExists { .. } => (Class::InvalidRequest, "destination_exists"),
            Self::NotReplaceable { .. } => (Class::InvalidRequest, "destination_not_replaceable"),
            Self::SameFormat { .. } => (Class::InvalidRequest, "same_format"),
            Self::Architecture { .. } => (Class::Format, "unsupported_architecture"),
            Self::Unsupported { .. } | Self::Vectors { .. } => (Class::Unsupported, "cannot_convert"),
            Self::Missing { .. } => (Class::Format, "missing_key"),
            Self::TensorType { .. } => (Class::Unsupported, "unsupported_tensor_type"),
            Self::TensorName { .. } => (Class::Unsupported, "unknown_tensor"),
            Self::OutOfRange { .. } => (Class::Unsupported, "weight_out_of_range"),
            Self::Cancelled { .. } => (Class::Cancelled, "cancelled"),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Source(error) => return error.hint(),
            Self::Tokenizer(error) => return error.hint(),
            Self::Core(error) => return error.hint(),
            Self::Read { source, .. } | Self::Write { source, .. } if files::are_too_many(source) => files::HINT.into(),
            Self::DestinationExists { .. } => "name another destination, or have it replaced (`overwrite=True`)".into(),
            Self::NotReplaceable { .. } => "name another destination".into(),
            Self::Vectors { .. } => {
                "to generate text alone, convert a copy of the folder without modules.json and 1_Pooling".into()
            }
            Self::TensorType { .. } => "convert from a file in F32, F16, BF16, Q8_0 or a K type".into(),
            Self::OutOfRange { .. } => "bf16 and f32 hold such weights".into(),
            Self::Write { source, .. } if is_full(source) => {
                "the result takes about as much room as the number of weights times 2 bytes, or 4 for f32".into()
            }
            Self::Write { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                "make that folder first, or name another".into()
            }
            _ => return None,
        })
    }
}

/// Whether there is no room left, for anybody or for this user.
fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}
