//! ONNX: a protobuf message with a graph, and files of weights beside it.
//!
//! Format: <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>. ONNX Runtime trusts what it loads: paths of external
//! data lead it out of the folder, custom operators run code. So the graph is read here first, whole; and what the
//! runtime is then given is not the file but a [`Skeleton`] made from what was read: the graph without its weights, and
//! where those lie in files that were opened here. The runtime opens no file at all.

mod cache;
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

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use trillm_core::ModelInfo;

pub use interface::{Cache, CacheTensor, Decoder, Encoder, Feed, Interface, Output, Role};

pub(crate) use find::{graph as find, is_named};

use crate::checkpoint::folder_name;
use crate::huggingface::Sidecars;
use crate::{Result, TOKENIZER, disk};

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

/// A graph without its weights, and where these lie.
#[derive(Debug)]
pub struct Skeleton {
    /// A `ModelProto`. Every weight in `weights` is an initializer marked as external, without a real location: it must
    /// be given to the runtime by name.
    pub model: Vec<u8>,
    /// The weights.
    pub weights: Vec<Weight>,
    /// The files they lie in, open for reading; the first is the one with the graph.
    pub files: Vec<WeightFile>,
}

/// A file with weights, open for reading.
#[derive(Debug)]
pub struct WeightFile {
    /// Its path, for messages; do not open it again.
    pub path: PathBuf,
    /// The open file.
    pub file: File,
    /// Its size when it was opened, in bytes.
    pub size: u64,
}

/// One initializer: contiguous, row-major, little-endian.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Weight {
    /// Its name in the graph.
    pub name: String,
    /// Element type.
    pub element: DataType,
    /// Lengths of the dimensions, the outermost first; none for a scalar.
    pub shape: Vec<u64>,
    /// Index into [`Skeleton::files`].
    pub file: usize,
    /// Where its data begins, in bytes from the start of the file.
    pub offset: u64,
    /// Bytes of its data, which are what element type and shape ask for, and lie within the file.
    pub bytes: u64,
}

/// Element types, numbered as `TensorProto.DataType`. Those that no graph here may use are left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names are those of the format")]
pub enum DataType {
    F32 = 1,
    U8 = 2,
    I8 = 3,
    U16 = 4,
    I16 = 5,
    I32 = 6,
    I64 = 7,
    Bool = 9,
    F16 = 10,
    F64 = 11,
    U32 = 12,
    U64 = 13,
    Bf16 = 16,
    U4 = 21,
    I4 = 22,
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

/// What the small files of a model say of its tokenizer; `file` is the one with the graph, and is not read.
pub(crate) fn vocabulary(file: &Path) -> Result<ModelInfo> {
    let folder = find::sidecars(file);
    let (facts, sidecars) = facts::Facts::read(&folder)?;
    let path = folder.join(TOKENIZER);
    let (_, bytes) = disk::open(&path)?;
    Ok(ModelInfo {
        name: folder_name(&folder),
        path,
        format: TOKENIZER,
        architecture: facts.model_type.unwrap_or_default(),
        bytes,
        vocabulary: facts.vocabulary.unwrap_or(0),
        ..sidecars.info()
    })
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
    let mut info = info::read((folder, &modules), &model, &wiring, facts, sidecars, &interface)?;
    info.path.clone_from(&path);
    info.bytes = places.files.iter().map(|file| file.size).sum();
    info.width = facts.width.or(width.and_then(|width| u32::try_from(width).ok())).unwrap_or(0);
    if last_row.is_some() {
        info.notes.push("the graph was changed to compute the scores of the last position alone".into());
    }
    if places.checksums {
        info.notes.push("checksums of external data are not verified".into());
    }
    Ok((Skeleton { model: skeleton, weights, files: places.files }, interface, info))
}
