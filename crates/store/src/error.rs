//! What can go wrong between a reference and a verified file.

use std::{io, path::PathBuf};

use trillm_core::{Class, Coded, files};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How models are given that have no name here.
const FORMS: &str = "a path, hf:org/repo[@revision][:file], ollama:[host/][namespace/]name[:tag], \
                     pypi:package[==version][:file], https://host/file[#sha256=…] or local:name, \
                     and @sha256:… after any but a path for one generation";

/// A reference that means nothing, or a store that cannot keep its promise.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither an alias nor anything else we can read.
    #[error("there is no model named \"{name}\"")]
    UnknownAlias {
        /// What was asked for.
        name: String,
        /// Known names that look alike: aliases, and what lies in the user's folder of models. Some of all where none
        /// does.
        close: Vec<String>,
    },
    /// A reference that does not follow its own form.
    #[error("\"{reference}\" is not a model reference: {reason}")]
    InvalidReference {
        /// What was given.
        reference: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store does not have it.
    #[error("\"{reference}\" is not in the store")]
    NotFound {
        /// What was asked for.
        reference: String,
    },
    /// The source of a model has another generation than was asked for.
    #[error("{reference} is now sha256:{found}, expected sha256:{expected}")]
    OtherGeneration {
        /// The model.
        reference: String,
        /// The id of the generation that was asked for.
        expected: String,
        /// That of the one that came.
        found: String,
    },
    /// There is no such generation of a model.
    #[error("{reference} has no generation {which}")]
    NoGeneration {
        /// The model.
        reference: String,
        /// What was asked for.
        which: String,
    },
    /// A repository does not have what is wanted of it.
    #[error("{reason}")]
    NotInRepository {
        /// What is not there.
        reason: String,
        /// What is.
        there: String,
    },
    /// There is no such file or folder.
    #[error("there is no file or folder {}", path.display())]
    NoSuchPath {
        /// The path that was asked for.
        path: PathBuf,
        /// The reference to the repository on the Hugging Face hub that may have been meant.
        on_hub: Option<String>,
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
    #[error("checksum mismatch for {what}: expected {expected}, found {found}")]
    DigestMismatch {
        /// The file.
        what: String,
        /// The digest announced, and its kind.
        expected: String,
        /// The digest of the bytes.
        found: String,
    },
    /// A digest that is not all lower-case hexadecimal digits, 64 of SHA-256 or 40 of git.
    #[error("\"{text}\" is not a digest: expected 64 lower-case hexadecimal digits (sha256), or 40 (git)")]
    InvalidDigest {
        /// What was given, shortened where it is very long.
        text: String,
    },
    /// A description of a model that cannot be kept.
    #[error("this is not a model the store can keep: {reason}")]
    InvalidModel {
        /// What is wrong with it.
        reason: String,
    },
    /// A line of the user's file of aliases is none, or all of it.
    #[error("not all aliases in {} can be used: {reason}", path.display())]
    InvalidAliases {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The user's file of aliases cannot be read.
    #[error("cannot read the aliases in {}: {source}", path.display())]
    UnreadableAliases {
        /// The file.
        path: PathBuf,
        /// The system's own error.
        source: io::Error,
    },
    /// A download that is not whole, or written where it may not be.
    #[error("the download of {what} is not complete: {reason}")]
    Incomplete {
        /// What it was asked for by.
        what: String,
        /// What is missing or wrong.
        reason: String,
    },
    /// A file cannot be linked in the way that was asked for.
    #[error("cannot make a {how} of {}: {reason}", path.display())]
    CannotLink {
        /// The kind of link.
        how: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
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

impl Error {
    /// The error for a reference that breaks the rules of its own form.
    pub(crate) fn invalid_reference(reference: &str, reason: impl Into<String>) -> Self {
        /// What of a reference is quoted, in characters: more would hide the reason.
        const QUOTED: usize = 400;
        let mut quoted: String = reference.chars().take(QUOTED).collect();
        if quoted.len() < reference.len() {
            quoted.push('…');
        }
        Self::InvalidReference { reference: quoted, reason: reason.into() }
    }
}

impl Coded for Error {
    fn kind(&self) -> (Class, &'static str) {
        match self {
            Self::UnknownAlias { .. }
            | Self::NotFound { .. }
            | Self::NotInRepository { .. }
            | Self::NoSuchPath { .. } => (Class::NotFound, "model_not_found"),
            Self::InvalidReference { .. } => (Class::InvalidRequest, "invalid_reference"),
            Self::NoGeneration { .. } => (Class::NotFound, "no_generation"),
            Self::InvalidModel { .. } => (Class::Store, "invalid_model"),
            Self::InvalidAliases { .. } => (Class::InvalidRequest, "invalid_aliases"),
            Self::Incomplete { .. } => (Class::Store, "incomplete_download"),
            Self::CannotLink { .. } => (Class::Store, "cannot_link"),
            Self::InvalidName { .. } => (Class::Store, "invalid_file_name"),
            Self::DigestMismatch { .. } | Self::OtherGeneration { .. } => (Class::Digest, "digest_mismatch"),
            Self::InvalidDigest { .. } => (Class::Store, "invalid_digest"),
            Self::CorruptManifest { .. } => (Class::Store, "corrupt_manifest"),
            Self::Damaged { .. } => (Class::Store, "model_damaged"),
            Self::NoFolder => (Class::Store, "no_store_folder"),
            Self::DiskFull { .. } => (Class::Store, "disk_full"),
            Self::PermissionDenied { .. } => (Class::Store, "permission_denied"),
            Self::UnreadableAliases { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                (Class::Store, "permission_denied")
            }
            Self::Io { source, .. } | Self::UnreadableAliases { source, .. } if files::are_too_many(source) => {
                files::KIND
            }
            Self::Io { .. } | Self::UnreadableAliases { .. } => (Class::Store, "store_io"),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::UnknownAlias { close, .. } => {
                format!("known names like it: {}; models elsewhere are given as {FORMS}", close.join(", "))
            }
            Self::InvalidReference { .. } => format!("give a name, or {FORMS}; what is in brackets may be left out"),
            Self::NoGeneration { reference, .. } => format!("see them with: trillm history {reference}"),
            Self::InvalidAliases { .. } => {
                "each line is: name = \"reference\"; a name with dots is in quotes, too".into()
            }
            Self::CannotLink { .. } => "give another way to link it, or none to have one chosen".into(),
            Self::NotInRepository { there, .. } => format!("there is: {there}"),
            Self::NotFound { reference } => match reference.strip_prefix("local:") {
                // A name of the user's own can be fetched from nowhere.
                Some(name) => format!("import it first: trillm import PATH --name {name}"),
                None => format!("fetch it with: trillm pull {reference}"),
            },
            Self::OtherGeneration { .. } => {
                "its source no longer has the generation that was asked for; leave out @sha256:… to take what there is"
                    .into()
            }
            Self::NoSuchPath { on_hub, .. } => {
                let check = "check the path; `trillm list` shows the models in the store";
                match on_hub {
                    Some(reference) => {
                        format!("for the repository on the Hugging Face hub give {reference}; else {check}")
                    }
                    None => check.into(),
                }
            }
            Self::DigestMismatch { .. } => {
                "the file is not what its publisher announced, so it was not used: try again, then ask the publisher"
                    .into()
            }
            Self::CorruptManifest { path, .. } => format!(
                "delete {} and pull the model again, or update trillm if a later version wrote it",
                path.display()
            ),
            Self::Damaged { reference, .. } => {
                format!("fetch what is damaged again with: trillm verify --repair {reference}")
            }
            Self::Io { source, .. } | Self::UnreadableAliases { source, .. } if files::are_too_many(source) => {
                files::HINT.into()
            }
            Self::UnreadableAliases { .. } => {
                "let this user read it, or name another file by TRILLM_ALIASES; a path, hf:, ollama:, pypi: and https:// \
                 need no aliases"
                    .into()
            }
            Self::NoFolder => "set LOCAL_CACHE_DIR to a folder for models".into(),
            Self::DiskFull { .. } => "free some space, or set LOCAL_CACHE_DIR to a folder on a larger disk".into(),
            Self::PermissionDenied { .. } => "set LOCAL_CACHE_DIR to a folder of your own".into(),
            Self::InvalidName { .. }
            | Self::InvalidDigest { .. }
            | Self::InvalidModel { .. }
            | Self::Incomplete { .. }
            | Self::Io { .. } => return None,
        })
    }
}
