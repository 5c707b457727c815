//! A model among the files of a repository, and where a path leads.

/// A format of models.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// One file with all of a model, or several with its parts.
    Gguf,
    /// A graph, and the data beside it.
    Onnx,
    /// Weights of a Hugging Face folder.
    Safetensors,
    /// The same, as PyTorch writes them.
    Pytorch,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Gguf, Self::Onnx, Self::Safetensors, Self::Pytorch];

    /// What programs call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gguf => "gguf",
            Self::Onnx => "onnx",
            Self::Safetensors => "safetensors",
            Self::Pytorch => "pytorch",
        }
    }

    /// What people call it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Gguf => "GGUF",
            Self::Onnx => "ONNX",
            Self::Safetensors => "safetensors",
            Self::Pytorch => "PyTorch",
        }
    }

    /// Whether files say in their names how they are quantized.
    pub(super) fn is_quantized(self) -> bool {
        matches!(self, Self::Gguf | Self::Onnx)
    }
}

/// A model: one file, or all that belong to one.
#[derive(Clone, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) kind: Kind,
    /// Paths in the repository, all in one folder; the first is the one to open.
    pub(super) files: Vec<&'a str>,
    /// Whether the folder alone leads to it, since its files have the usual names.
    pub(super) by_folder: bool,
    pub(super) quantization: Option<String>,
    /// The folder of the whole model, where these are only its network, in a folder below.
    pub(super) root: Option<&'a str>,
    /// Whether it may be chosen unasked.
    pub(super) usual: bool,
    /// The smaller, the better, where all else is equal.
    pub(super) rank: usize,
    /// A path that should be in the repository and is not.
    pub(super) missing: Option<String>,
}

impl<'a> Candidate<'a> {
    /// A usual one, opened by its first file.
    pub(super) fn new(kind: Kind, files: Vec<&'a str>) -> Self {
        Self { kind, files, by_folder: false, quantization: None, root: None, usual: true, rank: 0, missing: None }
    }

    /// Where its weights lie: `""` is the repository itself.
    pub(super) fn folder(&self) -> &'a str {
        folder(self.files[0])
    }

    /// The folder that its files keep their places below.
    pub(super) fn home(&self) -> &'a str {
        self.root.unwrap_or(self.folder())
    }
}

/// What is before the last slash.
pub(super) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// What is after the last slash.
pub(super) fn last(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Whether a name ends so. Small letters, as all programs write endings of models.
pub(super) fn ends(path: &str, ending: &str) -> bool {
    path.ends_with(ending)
}

/// A name in a folder.
pub(super) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// A path below a folder, from there; as it is if it lies elsewhere.
pub(super) fn below<'p>(folder: &str, path: &'p str) -> &'p str {
    let rest = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'));
    rest.filter(|_| !folder.is_empty()).unwrap_or(path)
}

/// Whether a name is this word, or begins with it and something else.
pub(super) fn begins_with_word(name: &str, word: &str) -> bool {
    name.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_', '.']))
}
