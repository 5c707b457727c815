//! Finds the files with a model's weights, and reads what tensors they hold.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Read as _, Seek};
use std::path::{Path, PathBuf};

use crate::detect::{self, Format};
use crate::names::{PYTORCH, PYTORCH_INDEX, SAFETENSORS, SAFETENSORS_INDEX, is_left_behind};
use crate::safetensors::Safetensors;
use crate::torch::{self, Older, Torch, scan};
use crate::{Error, Result, Tensor, WeightFile, disk, index, same};

/// Files of a split model.
const FILES: usize = 1024;
/// Entries of a folder that are looked at.
const ENTRIES: usize = 10_000;

const EXPECTED: &str = "model.safetensors, its index, one other .safetensors file, pytorch_model.bin, a graph (model.onnx), or one GGUF file";

const EXPECTED_FORMAT: &str = "safetensors or a PyTorch checkpoint";

/// The files of a model and the tensors in them.
pub(crate) struct Weights {
    pub(crate) folder: PathBuf,
    /// `safetensors` or `pytorch`.
    pub(crate) format: &'static str,
    pub(crate) files: Vec<WeightFile>,
    pub(crate) tensors: BTreeMap<String, Tensor>,
    pub(crate) notes: Vec<String>,
}

/// The weights of a folder, of one file, or of all files that an index names.
pub(crate) fn find(path: &Path) -> Result<Weights> {
    let metadata = std::fs::metadata(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    if metadata.is_dir() {
        return in_folder(path);
    }
    let folder = folder(path);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if is_index(path) {
        return indexed(folder, path);
    }
    // One file of several is the whole model if the index beside it says so.
    if name.contains("-of-") {
        for index in [SAFETENSORS_INDEX, PYTORCH_INDEX].map(|index| folder.join(index)) {
            if index.is_file() && read_index(&index)?.iter().any(|(_, file)| *file == name) {
                return indexed(folder, &index);
            }
        }
    }
    single(folder, path)
}

/// The folder that a file lies in.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether a file is an index of others: JSON, under a name that says so.
pub(crate) fn is_index(path: &Path) -> bool {
    path.to_string_lossy().ends_with(".index.json")
}

/// The file or the index of those that a folder stands for.
pub(crate) fn of_folder(folder: &Path) -> Result<PathBuf> {
    main(folder, &weight_names(folder)?)
}

fn main(folder: &Path, names: &BTreeSet<String>) -> Result<PathBuf> {
    let other: Vec<&String> = names.iter().filter(|name| name.ends_with(".safetensors")).collect();
    let found = |found| Err(Error::Weights { path: folder.to_owned(), found, expected: EXPECTED });
    let there = |wanted: &'static str| names.contains(wanted).then_some(wanted);
    match (there(SAFETENSORS).or(there(SAFETENSORS_INDEX)), &other[..]) {
        (Some(name), _) => Ok(folder.join(name)),
        (None, [name]) => Ok(folder.join(name)),
        (None, []) => match there(PYTORCH).or(there(PYTORCH_INDEX)) {
            Some(name) => Ok(folder.join(name)),
            None => found("no weights".into()),
        },
        (None, several) => found(format!("{} .safetensors files and no {SAFETENSORS_INDEX}", several.len())),
    }
}

fn in_folder(folder: &Path) -> Result<Weights> {
    let names = weight_names(folder)?;
    let main = main(folder, &names)?;
    let mut weights = if is_index(&main) { indexed(folder, &main) } else { single(folder, &main) }?;
    let used: BTreeSet<_> = weights.files.iter().filter_map(|file| file.path.file_name()).collect();
    let unused =
        names.iter().filter(|name| !name.ends_with(".index.json") && !used.contains(name.as_ref() as &std::ffi::OsStr));
    let unused: Vec<&str> = unused.map(String::as_str).collect();
    if let [first, others @ ..] = unused.as_slice() {
        let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
        weights.notes.push(format!("weights that are not used: {first}{more}"));
    }
    Ok(weights)
}

/// The weights of a module of sentence-transformers: of its two names for them, the first that is there.
pub(crate) fn of_module(folder: &Path) -> Result<Weights> {
    let path = [SAFETENSORS, PYTORCH].map(|name| folder.join(name)).into_iter().find(|path| path.is_file());
    let path = path.ok_or_else(|| {
        let expected = "model.safetensors or pytorch_model.bin";
        Error::Weights { path: folder.to_owned(), found: "no weights".into(), expected }
    })?;
    single(folder, &path)
}

/// Whether a folder has weights that [`find`] would read.
pub(crate) fn is_checkpoint(folder: &Path) -> Result<bool> {
    let is_weights = |name: &String| {
        name.ends_with(".safetensors") || [SAFETENSORS_INDEX, PYTORCH, PYTORCH_INDEX].contains(&name.as_str())
    };
    Ok(weight_names(folder)?.iter().any(is_weights))
}

/// Names in a folder that weights and their indexes have.
fn weight_names(folder: &Path) -> Result<BTreeSet<String>> {
    const ENDS: [&str; 5] = [".safetensors", ".bin", ".pt", ".pth", ".index.json"];
    let failed = |source| Error::Read { path: folder.to_owned(), source };
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder).map_err(failed)?.take(ENTRIES) {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if ENDS.iter().any(|end| name.ends_with(end)) && !is_left_behind(&name) {
            names.insert(name);
        }
    }
    Ok(names)
}

/// What one file holds, by its content.
struct Read {
    format: &'static str,
    size: u64,
    tensors: BTreeMap<String, Tensor>,
    notes: Vec<String>,
}

fn read(path: &Path) -> Result<Read> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let (mut file, size) = disk::open(path)?;
    let mut bytes = Vec::new();
    file.by_ref().take(8 << 10).read_to_end(&mut bytes).map_err(failed)?;
    file.rewind().map_err(failed)?;
    match (detect::detect(&bytes), torch::recognize(&bytes)) {
        (Some(Format::Safetensors), _) => {
            let Safetensors { tensors, .. } = Safetensors::read(&mut file, size, path)?;
            Ok(Read { format: "safetensors", size, tensors, notes: Vec::new() })
        }
        (Some(Format::Zip), _) | (None, Some(Older::Checkpoint)) => {
            let Torch { tensors, notes } =
                Torch::read(&mut BufReader::new(file), size).map_err(|error| error.of(path))?;
            Ok(Read { format: "pytorch", size, tensors, notes })
        }
        (Some(Format::Gguf), _) => {
            let (expected, found) = (EXPECTED_FORMAT, "a GGUF file".into());
            Err(Error::UnknownFormat { expected, found }.of(path))
        }
        (None, Some(Older::Other)) => Err(torch::other(path)),
        (None, None) => {
            // The oldest pickles begin like text. What could run in one is worth more than what it looks like.
            if let Err(error @ Error::Global { .. }) = scan(&bytes) {
                return Err(error.of(path));
            }
            let (expected, found) = (EXPECTED_FORMAT, detect::describe(&bytes));
            Err(Error::UnknownFormat { expected, found }.of(path))
        }
    }
}

fn single(folder: &Path, path: &Path) -> Result<Weights> {
    let Read { format, size, tensors, notes } = read(path)?;
    let files = vec![WeightFile { path: path.to_owned(), size }];
    Ok(Weights { folder: folder.to_owned(), format, files, tensors, notes })
}

/// The tensors of all files that an index names. Where a tensor lies is what the files say, as for transformers: an
/// index may have been written for other files, or left out what was added.
fn indexed(folder: &Path, index: &Path) -> Result<Weights> {
    let map = read_index(index)?;
    let names: BTreeSet<&String> = map.iter().map(|(_, file)| file).collect();
    if names.len() > FILES {
        let (what, found) = ("the number of files".into(), names.len() as u64);
        return Err(Error::Limit { what, offset: 0, found, limit: FILES as u64 }.of(index));
    }
    let mut weights =
        Weights { folder: folder.to_owned(), format: "", files: vec![], tensors: BTreeMap::new(), notes: vec![] };
    for (number, name) in names.iter().enumerate() {
        let path = folder.join(name);
        if !path.exists() {
            return Err(Error::MissingNamed { name: (*name).clone() }.of(index));
        }
        let Read { format, size, tensors, notes } = read(&path)?;
        if !weights.format.is_empty() && weights.format != format {
            let expected = "files of one format";
            return Err(Error::Unsupported { what: format!("{format} beside {}", weights.format), expected }.of(&path));
        }
        weights.format = format;
        weights.files.push(WeightFile { path, size });
        weights.notes.extend(notes);
        for (tensor, mut entry) in tensors {
            entry.file = number;
            match weights.tensors.entry(tensor) {
                Entry::Vacant(place) => {
                    place.insert(entry);
                }
                Entry::Occupied(first) => same::check(first.key(), first.get(), &entry, &weights.files)?,
            }
        }
    }
    let listed: BTreeSet<&String> = map.iter().map(|(tensor, _)| tensor).collect();
    let absent: Vec<&String> = listed.iter().copied().filter(|tensor| !weights.tensors.contains_key(*tensor)).collect();
    let unnamed: Vec<&String> = weights.tensors.keys().filter(|tensor| !listed.contains(tensor)).collect();
    for (found, what) in
        [(absent, "tensors of the index that no file has"), (unnamed, "tensors that the index does not name")]
    {
        if let [first, others @ ..] = &found[..] {
            let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
            weights.notes.push(format!("{what}: {first}{more}"));
        }
    }
    Ok(weights)
}

/// `weight_map`: which tensor lies in which file.
pub(crate) fn read_index(path: &Path) -> Result<Vec<(String, String)>> {
    let missing = || {
        let source = std::io::Error::new(std::io::ErrorKind::NotFound, "there is no such file");
        Error::Read { path: path.to_owned(), source }
    };
    let bytes = disk::small(path, index::BYTES)?.ok_or_else(missing)?;
    index::parse(&bytes).map_err(|error| error.of(path))
}
