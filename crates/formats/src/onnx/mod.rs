//! ONNX: a protobuf message with a graph, and files of weights beside it.
//!
//! Format: <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>. ONNX Runtime trusts what it loads: paths of external
//! data lead it out of the folder, custom operators run code. So the graph is read here first, whole; and what the
//! runtime is then given is not the file but a [`Skeleton`] made from what was read: the graph without its weights, and
//! where those lie in files that were opened here. The runtime opens no file at all.
//!
//! To be read in the order in which a model is: `find` and `facts` are the files around the graph; `skim` copies the
//! file without its weights, by `wire`; `parse` makes a `graph` of it, with each `tensor` and its `data_type`; `rules`
//! says what the graph may do. From then on it is known, and asked: `wiring` and `lookup` follow values through it;
//! `ports` gives names their meaning; `discover`, with `cache` and `embedding`, makes an `interface` of that. Last,
//! `external` finds the weights, each file by `open`; `skeleton` is what the runtime gets, `info` (with `positions`)
//! what a user is told.

mod cache;
mod data_type;
mod discover;
mod embedding;
mod external;
mod facts;
mod find;
mod graph;
mod info;
mod interface;
mod lookup;
mod open;
mod parse;
mod ports;
mod positions;
mod rules;
mod skeleton;
mod skim;
mod tensor;
mod wire;
mod wiring;

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use trillm_core::ModelInfo;

pub use data_type::DataType;
pub use external::{Weight, WeightFile};
pub use interface::{Cache, CacheTensor, Decoder, Encoder, Feed, Interface, Output, Part, Role};
pub use skeleton::Skeleton;

pub(crate) use find::{graph as find, is_in, is_named, modules, sidecars};

use crate::huggingface::{Sidecars, TOKENIZER};
use crate::{Result, disk};

/// An ONNX model that was read and found sound, its files open; weights were not read.
#[derive(Debug)]
pub struct Onnx {
    /// The file with the graph.
    pub path: PathBuf,
    /// The folder with tokenizer and configuration: the file's, or the one above it if that is where they lie.
    pub folder: PathBuf,
    /// The graph for the runtime.
    pub skeleton: Skeleton,
    /// How it is run.
    pub interface: Interface,
    /// Tokens, template and stop tokens, from the small files in `folder`; `genai_config.json` counts where the others
    /// say nothing.
    pub sidecars: Sidecars,
    info: ModelInfo,
}

impl Onnx {
    /// Reads a model: a `.onnx` file, or a folder with one.
    ///
    /// In a folder: what `genai_config.json` names, else `model.onnx`, `decoder_model_merged.onnx`, the same in a folder
    /// `onnx`, or else the only `.onnx` file there is.
    ///
    /// # Errors
    /// What is wrong with which file, and why a graph that is sound cannot be run.
    pub fn open(path: &Path) -> Result<Self> {
        let path = find::required(path)?;
        let folder = find::sidecars(&path);
        let (facts, sidecars) = facts::Facts::read(&folder)?;
        let (file, size) = disk::open(&path)?;
        let (skeleton, interface, info) =
            read(WeightFile { path: path.clone(), file, size }, &folder, &facts, &sidecars)
                .map_err(|error| error.of(&path))?;
        Ok(Self { path, folder, skeleton, interface, sidecars, info })
    }

    /// What the files say of the model.
    pub fn info(&self) -> ModelInfo {
        self.info.clone()
    }
}

/// Where the tokenizer of a model is, and the small files beside it; `file` is the one with the graph, and is not read.
pub(crate) fn vocabulary(file: &Path) -> Result<(PathBuf, Sidecars)> {
    let folder = find::sidecars(file);
    let (_, sidecars) = facts::Facts::read(&folder)?;
    Ok((folder.join(TOKENIZER), sidecars))
}

/// The files beside a graph in which its weights lie, as it names them.
pub(crate) fn locations(path: &Path) -> Result<BTreeSet<String>> {
    let (file, size) = disk::open(path)?;
    external::locations(&skim::Skim::read(&file, size)?)
}

/// Reads the file with the graph.
fn read(
    file: WeightFile,
    folder: &Path,
    facts: &facts::Facts,
    sidecars: &Sidecars,
) -> Result<(Skeleton, Interface, ModelInfo)> {
    let skim = skim::Skim::read(&file.file, file.size)?;
    let model = parse::model(&skim)?;
    rules::check(&model)?;
    let wiring = wiring::Wiring::new(&model.graph)?;
    let discover::Found { interface, last_row, width } = discover::discover(&model, &wiring, facts)?;

    // Files are opened last: by then the graph is known to be one of a language model.
    let path = file.path.clone();
    let mut places = external::Places::new(find::parent(&path), file);
    let mut weights = Vec::new();
    let inputs: HashSet<&str> = model.graph.inputs.iter().map(|port| port.name).collect();
    for tensor in &model.graph.tensors {
        // The runtime forgets what nothing uses, and would not know what it is given for it.
        let is_kept = wiring.uses(tensor.name) > 0 || inputs.contains(tensor.name);
        weights.extend(places.find(tensor)?.filter(|_| is_kept));
    }
    let last_row = last_row.map(|projection| skeleton::LastRow::new(projection, interface.output(), &wiring));
    let skeleton = skeleton::write(&skim, &model, last_row.as_ref())?;

    let modules = find::modules(&path, folder);
    let width = facts.width.or(width.and_then(|width| u32::try_from(width).ok())).unwrap_or(0);
    let mut info = info::read((folder, &modules), &model, &wiring, facts, sidecars, (&interface, width))?;
    info.path.clone_from(&path);
    info.bytes = places.files.iter().map(|file| file.size).sum();
    // Several weights may be the same bytes.
    let is_copied =
        |it: &&external::Weight| it.element.bytes(&[1]).is_some_and(|width| !it.offset.is_multiple_of(width));
    let copied: HashSet<_> = weights.iter().filter(is_copied).map(|it| (it.file, it.offset, it.bytes)).collect();
    info.shape.unaligned = copied.iter().map(|(.., bytes)| bytes).sum();
    info.shape.all_scores = last_row.is_none();
    if last_row.is_some() {
        info.notes.push("the graph was changed to compute the scores of the last position alone".into());
    }
    if places.checksums {
        info.notes.push("checksums of external data are not verified".into());
    }
    Ok((Skeleton { model: skeleton, weights, files: places.files }, interface, info))
}
