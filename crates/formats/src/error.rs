//! What can be wrong with a model file.

use std::path::{Path, PathBuf};

use trillm_core::{Class, Coded, files};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A file that cannot be read, is damaged, or must not reach an engine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("{}", unread(.path, .source))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder, a device, a pipe.
    #[error("{} is not a regular file", .path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// An error in one file, with the file's name.
    #[error("{}: {error}", .path.display())]
    In {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: Box<Error>,
    },
    /// The first bytes belong to no format known here.
    #[error("expected {expected}, found {found}")]
    UnknownFormat {
        /// What would do.
        expected: &'static str,
        /// What the bytes look like.
        found: String,
    },
    /// A GGUF file for big-endian machines.
    #[error("the GGUF version at offset 4 is {version:#010x}: the file is big-endian, expected little-endian")]
    BigEndian {
        /// The version as a little-endian machine reads it.
        version: u32,
    },
    /// A GGUF version that was retired or does not exist yet.
    #[error("the GGUF version at offset 4 is {found}, expected 2 or 3")]
    Version {
        /// The version.
        found: u32,
    },
    /// The file ends too early.
    #[error("the file ends inside {what}: expected at least {needed} bytes, found {size}")]
    Truncated {
        /// What is cut off.
        what: String,
        /// The length the file should have at least.
        needed: u64,
        /// The length it has.
        size: u64,
    },
    /// The caller handed over less than the whole header.
    #[error("the header needs at least {needed} bytes of the file, {given} were given")]
    Incomplete {
        /// Bytes needed so far.
        needed: u64,
        /// Bytes given.
        given: u64,
    },
    /// A number over the limits that any real file keeps.
    #[error("{what} at offset {offset}: found {found}, expected at most {limit}")]
    Limit {
        /// What is counted.
        what: String,
        /// Where.
        offset: u64,
        /// The number.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// A header that is not what the format asks for.
    #[error("{what} at offset {offset}: found {found}, expected {expected}")]
    Malformed {
        /// What is wrong.
        what: String,
        /// Where.
        offset: u64,
        /// What stands there.
        found: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// Two keys or two tensors of one name.
    #[error("the {what} {name:?} at offset {offset} was there before, expected distinct names")]
    Duplicate {
        /// `key` or `tensor`.
        what: &'static str,
        /// The name.
        name: String,
        /// Where the second one stands.
        offset: u64,
    },
    /// A key that must be there is not.
    #[error("the key {key} is missing, expected {expected}")]
    MissingKey {
        /// The key.
        key: String,
        /// What it should hold.
        expected: String,
    },
    /// A key holds what no engine may see.
    #[error("the key {key} holds {found}, expected {expected}")]
    Key {
        /// The key.
        key: String,
        /// What it holds.
        found: String,
        /// What it should hold.
        expected: String,
    },
    /// A tensor that must be there is not.
    #[error("the tensor {name} is missing, expected {expected}")]
    MissingTensor {
        /// The tensor.
        name: String,
        /// What it should be.
        expected: String,
    },
    /// A tensor that no engine may see.
    #[error("the tensor {name} has {found}, expected {expected}")]
    Tensor {
        /// The tensor.
        name: String,
        /// What it has.
        found: String,
        /// What it should have.
        expected: String,
    },
    /// Text that is not the JSON it should be.
    #[error("{what} is not sound JSON: {reason}")]
    Json {
        /// What should be JSON.
        what: String,
        /// What is wrong, and where.
        reason: String,
    },
    /// A pickle that asks for more than tensors: loading it in Python would call this.
    #[error("the pickle names the global {name}, expected only what tensors are made of")]
    Global {
        /// Module and name, joined by a dot.
        name: String,
    },
    /// Something that other programs may read and this one does not.
    #[error("{what} is not supported, expected {expected}")]
    Unsupported {
        /// What was found.
        what: String,
        /// What would do.
        expected: &'static str,
    },
    /// A PyTorch checkpoint of a kind that is not read.
    #[error("found {found}, expected a dict of tensors, as torch.save writes it")]
    Pytorch {
        /// What the file is.
        found: String,
    },
    /// A part of a graph that cannot be run, or must not be.
    #[error("{what}: found {found}, expected {expected}")]
    Graph {
        /// The graph, a node, an input, an output.
        what: String,
        /// What it has or is.
        found: String,
        /// What would do.
        expected: String,
    },
    /// A folder without a file of weights, or with several that do not belong together.
    #[error("the folder {} has {found}, expected {expected}", .path.display())]
    Weights {
        /// The folder.
        path: PathBuf,
        /// What is there.
        found: String,
        /// What should be there.
        expected: &'static str,
    },
    /// A folder with several models, of which none is the one that it stands for.
    #[error("the folder {} has {} GGUF models, expected one: {}", .path.display(), .names.len(), listed(.names))]
    SeveralModels {
        /// The folder.
        path: PathBuf,
        /// The files to open of each, in order.
        names: Vec<String>,
    },
    /// A `model_type` that is not read here.
    #[error("the model type {name:?} is not supported, expected {supported}")]
    ModelType {
        /// The type.
        name: String,
        /// Those that are.
        supported: String,
    },
    /// An architecture that no engine here knows.
    #[error("the architecture {name:?} is not known")]
    Architecture {
        /// The architecture.
        name: String,
    },
    /// A file that only works beside another model.
    #[error("the architecture {name:?} {reason}")]
    NotRunnable {
        /// The architecture.
        name: String,
        /// Why it cannot be loaded as a model.
        reason: &'static str,
    },
    /// A file that holds a tokenizer and no weights.
    #[error("the file has no tensors: it holds a vocabulary at most, expected a model")]
    VocabularyOnly,
    /// A split model was opened at a later file.
    #[error("this is file {number} of {count} of a split model, expected the first, {}", .first.display())]
    NotFirstShard {
        /// This file, counted from one.
        number: u32,
        /// How many there are.
        count: u32,
        /// What the first file is called.
        first: PathBuf,
    },
    /// A file of a split model is not there.
    #[error("file {number} of {count} of a split model is missing: expected {}", .path.display())]
    MissingShard {
        /// The file, counted from one.
        number: u32,
        /// How many there are.
        count: u32,
        /// What it is called.
        path: PathBuf,
    },
    /// A file that an index names is not there.
    #[error("the index names {name}, which is not there")]
    MissingNamed {
        /// What it is called.
        name: String,
    },
    /// Weights are asked for where headers alone are.
    #[error("a tensor is there twice, and whether it is the same only the weights tell, of which nothing is here")]
    Outline,
    /// The name of a split model's first file does not follow the rule by which the others are found.
    #[error("the file is the first of {count} of a split model, expected a name that ends in {expected}")]
    ShardName {
        /// How many there are.
        count: u32,
        /// How the name should end.
        expected: String,
    },
}

impl Error {
    /// This error, said of one file.
    #[must_use]
    pub fn of(self, path: &std::path::Path) -> Self {
        Self::In { path: path.to_owned(), error: Box::new(self) }
    }

    /// A checkpoint that is `found`, which is not read.
    pub(crate) fn pytorch(found: impl Into<String>) -> Self {
        Self::Pytorch { found: found.into() }
    }
}

/// What is said of a path that is not there, as whoever looks for a reference says it, or cannot be read.
fn unread(path: &Path, source: &std::io::Error) -> String {
    match source.kind() {
        std::io::ErrorKind::NotFound => format!("there is no file or folder {}", path.display()),
        _ => format!("cannot read {}: {source}", path.display()),
    }
}

/// Names for an error message, not more than can be read.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let more = if names.len() > SHOWN { format!(" and {} more", names.len() - SHOWN) } else { String::new() };
    names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ") + &more
}

impl Coded for Error {
    fn kind(&self) -> (Class, &'static str) {
        match self {
            Self::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                (Class::NotFound, "model_not_found")
            }
            Self::Read { source, .. } if source.kind() == std::io::ErrorKind::OutOfMemory => {
                (Class::OutOfMemory, "out_of_memory")
            }
            Self::Read { source, .. } if files::are_too_many(source) => files::KIND,
            Self::Read { .. } => (Class::Store, "read_failed"),
            Self::NotAFile { .. } => (Class::NotFound, "not_a_file"),
            Self::In { error, .. } => error.kind(),
            Self::UnknownFormat { .. } => (Class::Format, "unknown_format"),
            Self::BigEndian { .. } | Self::Version { .. } => (Class::Format, "unsupported_version"),
            Self::Truncated { .. } | Self::Incomplete { .. } => (Class::Format, "truncated"),
            Self::Limit { .. } => (Class::Format, "over_limit"),
            Self::Malformed { .. } | Self::Duplicate { .. } | Self::Json { .. } => (Class::Format, "malformed"),
            Self::Global { .. } => (Class::Format, "forbidden_global"),
            Self::Unsupported { .. } | Self::Pytorch { .. } | Self::Graph { .. } => (Class::Unsupported, "unsupported"),
            Self::Outline => (Class::Unsupported, "needs_download"),
            Self::Weights { .. } | Self::SeveralModels { .. } => (Class::NotFound, "model_not_found"),
            Self::MissingKey { .. } => (Class::Format, "missing_key"),
            Self::Key { .. } => (Class::Format, "invalid_key"),
            Self::MissingTensor { .. } => (Class::Format, "missing_tensor"),
            Self::Tensor { .. } => (Class::Format, "invalid_tensor"),
            Self::Architecture { .. } | Self::NotRunnable { .. } | Self::ModelType { .. } => {
                (Class::Format, "unsupported_architecture")
            }
            Self::VocabularyOnly => (Class::Format, "vocabulary_only"),
            Self::NotFirstShard { .. } => (Class::Format, "not_first_shard"),
            Self::MissingShard { .. } | Self::MissingNamed { .. } => (Class::Format, "missing_shard"),
            Self::ShardName { .. } => (Class::Format, "invalid_shard_name"),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::In { error, .. } => return error.hint(),
            Self::Read { source, .. } if files::are_too_many(source) => files::HINT.into(),
            Self::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => "check the path".into(),
            Self::Truncated { .. } => "the download may be incomplete: fetch the file again".into(),
            Self::BigEndian { .. } | Self::Version { .. } => {
                "convert the model again with a current version of llama.cpp's tools".into()
            }
            Self::Limit { .. }
            | Self::Malformed { .. }
            | Self::Duplicate { .. }
            | Self::Json { .. }
            | Self::MissingTensor { .. }
            | Self::Tensor { .. } => {
                "the file is damaged or was not written by a proper tool: fetch or convert it again".into()
            }
            Self::VocabularyOnly => "open it as a tokenizer, or name a file with weights".into(),
            Self::NotFirstShard { first, .. } => format!("load {}", first.display()),
            Self::MissingShard { .. } | Self::MissingNamed { .. } => {
                "put all files of the model into one folder".into()
            }
            Self::Outline => "download the model first".into(),
            Self::ShardName { .. } => "give the files back the names they came with".into(),
            Self::Global { .. } => {
                "such a file can run any program when Python opens it: ask its author for safetensors".into()
            }
            Self::Pytorch { .. } => "load it where it was made and save it as safetensors".into(),
            Self::Weights { .. } => "name the file with the weights, or fetch the whole model again".into(),
            Self::SeveralModels { path, names } => {
                let first = names.first().map_or_else(|| path.clone(), |name| path.join(name));
                format!("name one of the files: {}", first.display())
            }
            Self::Architecture { .. } | Self::ModelType { .. } => "a newer version may know it".into(),
            _ => return None,
        })
    }
}
