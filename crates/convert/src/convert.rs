//! The conversion itself: a reader joined with a writer.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use trillm_core::{Defaults, Purpose};
use trillm_formats::gguf::{Files, Head, Strips};
use trillm_formats::huggingface::{Config, Decoder};
use trillm_formats::{Checkpoint, Gguf, gguf_at, is_graph};

use trillm_tokenizer::GgufTokenizer;

use crate::family::Architecture;
use crate::gguf::{self, Header, Keys, Present};
use crate::plan::{Data, Planned, Sources, pad};
use crate::staging::{self, Staging};
use crate::vocabulary::{Method, Vocabulary};
use crate::{Dtype, Error, Result, huggingface, vectors};

/// What a conversion makes.
#[derive(Clone, PartialEq, Debug)]
pub struct Convert {
    /// The format to write.
    pub to: Target,
    /// What the weights are written in.
    pub dtype: Dtype,
    /// Whether a file, or a folder with a model, may be replaced.
    pub overwrite: bool,
    /// What its publisher recommends beside its files, and before what they say.
    pub published: Defaults,
}

/// A format that can be written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// A Hugging Face folder: `model.safetensors`, `config.json`, `generation_config.json`, `tokenizer.json` and
    /// `tokenizer_config.json`; `modules.json` and `1_Pooling` if the source says how texts become vectors. Quantized
    /// weights become floats again.
    Safetensors,
    /// One GGUF file.
    Gguf,
}

/// How far a conversion is, said after each block of weights.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress<'a> {
    /// The tensor that is being written.
    pub tensor: &'a str,
    /// Bytes of weights written.
    pub written: u64,
    /// Bytes of weights there will be.
    pub total: u64,
}

/// What a conversion made.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// Bytes of all files written.
    pub bytes: u64,
    /// Tensors written.
    pub tensors: usize,
    /// Seconds it took.
    pub seconds: f64,
    /// What the new format could not say, and what of the source was not used.
    pub notes: Vec<String>,
}

/// Converts the model at `source`, a GGUF file (the first, if it is split) or a Hugging Face folder, and writes it to
/// `destination`, which appears only when it is complete. `progress` returns false to cancel.
///
/// # Errors
/// What is wrong with the source, what cannot be said in the other format, or why the destination cannot be written.
/// Nothing is left behind then.
pub fn convert(
    source: &Path,
    destination: &Path,
    options: &Convert,
    progress: &mut dyn FnMut(Progress<'_>) -> bool,
) -> Result<Report> {
    let started = Instant::now();
    staging::clear(destination);
    let gguf = gguf_at(source)?;
    check_destination(source, destination, options)?;
    let made = match (gguf, options.to) {
        (Some(file), Target::Safetensors) => to_folder(&file, destination, options, progress),
        (None, Target::Gguf) => to_file(source, destination, options, progress),
        (Some(_), Target::Gguf) => return Err(Error::SameFormat { path: source.into(), found: "a GGUF file" }),
        (None, Target::Safetensors) => {
            checkpoint(source)?;
            return Err(Error::SameFormat { path: source.into(), found: "a Hugging Face model" });
        }
    };
    let mut report = made.map_err(|error| staging::in_place(error, destination))?;
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// The model to be read. A graph is no checkpoint, and has its weights all the same.
fn checkpoint(path: &Path) -> Result<Checkpoint> {
    if is_graph(path) {
        let expected = "a GGUF file, or a folder with safetensors or a PyTorch checkpoint";
        return Err(Error::unsupported(path.display().to_string(), "an ONNX model", expected));
    }
    Ok(Checkpoint::open(path)?)
}

/// Refuses to replace what no conversion wrote, and the source itself.
fn check_destination(source: &Path, destination: &Path, options: &Convert) -> Result<()> {
    if !destination.exists() {
        return staging::check_folder(destination);
    }
    if !options.overwrite {
        return Err(Error::DestinationExists { path: destination.into() });
    }
    let refuse = |found, expected| Err(Error::NotReplaceable { path: destination.into(), found, expected });
    if let (Ok(source), Ok(destination)) = (source.canonicalize(), destination.canonicalize())
        && source.starts_with(destination)
    {
        return refuse("the source, or holds it", "another place");
    }
    let empty = || fs::read_dir(destination).is_ok_and(|mut entries| entries.next().is_none());
    match (options.to, destination.is_dir()) {
        (Target::Gguf, true) => refuse("a folder", "a file"),
        (Target::Safetensors, false) => refuse("a file", "a folder"),
        (Target::Safetensors, true) if !destination.join("config.json").is_file() && !empty() => {
            refuse("a folder without config.json", "a folder that holds a model")
        }
        _ => Ok(()),
    }
}

/// From GGUF to a folder.
fn to_folder(
    source: &Path,
    destination: &Path,
    options: &Convert,
    progress: &mut dyn FnMut(Progress<'_>) -> bool,
) -> Result<Report> {
    // What llama.cpp would abort on is refused here too.
    let model = Files::open(source)?;
    let info = model.info();
    if info.purpose == Purpose::Labels {
        let found = "one that ranks pairs of texts (pooling type 4)";
        return Err(Error::unsupported("the model", found, "one that generates text, or its states alone"));
    }
    let heads = model.heads;
    // For its errors, which are those of loading.
    GgufTokenizer::of(&heads[0])?;
    let files = heads.iter().map(Head::parse).collect::<Result<Vec<_>, _>>()?;
    let mut sources = Sources::new(heads.iter().map(|head| head.path().to_owned()).collect());
    let mut notes = Vec::new();

    let keys = Keys::new(&files[0])?;
    let architecture = Architecture::of_gguf(keys.architecture())?;
    let decoder = decoder_of_gguf(&files, &keys, architecture, &mut sources, &mut notes)?;
    let vocabulary = gguf::read_vocabulary(&keys, &mut notes)?;
    if matches!(&vocabulary.method, Method::Merges { pre, .. } if pre.nfc) {
        notes.push("tokenizer.json brings text to NFC, as the model's own does; llama.cpp does not".into());
    }
    let tensors = gguf::plan(&files, architecture, &decoder, options.dtype)?;
    let name = keys.text("general.name")?;
    let defaults = options.published.clone().checked(&mut notes).or(info.defaults);
    let embeds = vectors::files(info.pipeline.as_ref(), decoder.width);
    let mut json = vec![
        ("config.json", huggingface::config(&decoder, architecture, &vocabulary, options.dtype, name)),
        ("generation_config.json", huggingface::generation_config(&vocabulary, &defaults, &mut notes)),
        ("tokenizer.json", huggingface::tokenizer(&vocabulary, architecture.gguf)?),
        ("tokenizer_config.json", huggingface::tokenizer_config(&vocabulary, decoder.context, !embeds.is_empty())),
    ];
    json.extend(embeds);

    let staging = Staging::new(destination, options.overwrite)?;
    let folder = staging.path();
    let mut bytes = 0;
    for (name, value) in json {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|source| Error::Write { path: parent.into(), source })?;
        }
        let text = format!("{value:#}\n");
        fs::write(&path, &text).map_err(|source| Error::Write { path, source })?;
        bytes += text.len() as u64;
    }
    let mut writer = Writer::create(&folder.join("model.safetensors"), &huggingface::header(&tensors))?;
    writer.tensors(&tensors, &mut sources, 1, progress)?;
    bytes += writer.finish()?;
    staging.commit()?;
    Ok(Report { bytes, tensors: tensors.len(), seconds: 0.0, notes })
}

fn decoder_of_gguf(
    files: &[Gguf<'_>],
    keys: &Keys<'_, '_>,
    architecture: &Architecture,
    sources: &mut Sources,
    notes: &mut Vec<String>,
) -> Result<Decoder> {
    let tensors = || files.iter().flat_map(Gguf::tensors);
    let embedding = tensors().find(|tensor| tensor.name == "token_embd.weight");
    let mut present = Present {
        has: &|name| tensors().any(|tensor| tensor.name == name),
        read: &mut |name| match gguf::extra(files, name)? {
            None => Ok(None),
            Some(tensor) => sources.values(&tensor).map(Some),
        },
        vocabulary: embedding.map_or(0, |tensor| tensor.dims[1] as u32),
    };
    gguf::read_decoder(keys, architecture, &mut present, notes)
}

/// From a folder to GGUF.
fn to_file(
    source: &Path,
    destination: &Path,
    options: &Convert,
    progress: &mut dyn FnMut(Progress<'_>) -> bool,
) -> Result<Report> {
    let checkpoint = checkpoint(source)?;
    let Config::Decoder(decoder) = &checkpoint.config else {
        let found = "an encoder, which makes vectors of texts";
        return Err(Error::unsupported("the model", found, "a decoder, which generates text"));
    };
    checkpoint.check_output()?;
    // The other format has no head for labels, and no way to say that tokens see those after them.
    if checkpoint.purpose == Purpose::Labels || !decoder.causal {
        let found = if decoder.causal { checkpoint.class.as_str() } else { "a decoder that is not causal" };
        return Err(Error::unsupported("the model", found, "one that generates text, or its states alone"));
    }
    let architecture = Architecture::of_family(decoder.family);
    let mut notes = checkpoint.notes.clone();
    let folder = &checkpoint.folder;
    let vocabulary = huggingface::read_vocabulary(folder, &checkpoint.sidecars, decoder.vocabulary, &mut notes)?;
    let mut tensors = huggingface::plan(&checkpoint, architecture, decoder, options.dtype, &mut notes)?;
    gguf::check(decoder, architecture, &tensors)?;

    let mut header = Header::default();
    header.set("general.architecture", architecture.gguf);
    header.set("general.type", "model");
    let strips = Strips::of(&checkpoint.name, "", architecture.gguf);
    if may_be(strips, architecture, &vocabulary) {
        header.set("general.name", checkpoint.name.as_str());
        gguf::note_found(&vocabulary, strips, &mut notes);
    } else {
        gguf::note_found(&vocabulary, Strips::Nothing, &mut notes);
        let name = &checkpoint.name;
        notes
            .push(format!("the name {name:?} is left out: llama.cpp would take it for a rule of how tokens are found"));
    }
    if let Some(license) = &checkpoint.license {
        header.set("general.license", license.as_str());
    }
    header.set("general.file_type", file_type(options.dtype));
    header.set("general.quantization_version", 2u32);
    for (name, values) in gguf::write_decoder(decoder, architecture, &mut header, &mut notes)? {
        let shape = vec![values.len() as u64];
        tensors.push(Planned { name: name.into(), shape, dtype: Dtype::F32, data: Data::Values(values) });
    }
    if let Some(number) = vectors::pooling_type(&checkpoint.pipeline, decoder.context, &mut notes)? {
        header.set(format!("{}.pooling_type", architecture.gguf), number);
    }
    gguf::write_vocabulary(&vocabulary, &mut header);
    let defaults = options.published.clone().checked(&mut notes).or(checkpoint.sidecars.defaults.clone());
    gguf::write_defaults(&defaults, &mut header, &mut notes);

    let mut sources = Sources::new(checkpoint.files.iter().map(|file| file.path.clone()).collect());
    let staging = Staging::new(destination, options.overwrite)?;
    let mut writer = Writer::create(staging.path(), &header.bytes(&tensors))?;
    writer.tensors(&tensors, &mut sources, gguf::ALIGNMENT, progress)?;
    let bytes = writer.finish()?;
    staging.commit()?;
    Ok(Report { bytes, tensors: tensors.len(), seconds: 0.0, notes })
}

/// Whether llama.cpp may take the model for what its name says. By some names it takes a model for another, which has
/// other tokens.
fn may_be(strips: Strips, architecture: &Architecture, vocabulary: &Vocabulary) -> bool {
    let has = |text: &str| vocabulary.tokens.iter().any(|token| token.text == text);
    match strips {
        Strips::Phi3 => architecture.gguf == "phi3" && Strips::PHI3.iter().all(|(text, _)| has(text)),
        Strips::BeforeMask | Strips::BeforeBertsMask => false,
        Strips::Nothing => true,
    }
}

/// `enum llama_ftype`.
fn file_type(dtype: Dtype) -> u32 {
    match dtype {
        Dtype::F32 => 0,
        Dtype::F16 => 1,
        Dtype::Bf16 => 32,
    }
}

/// A file of a header and tensors that is being written.
struct Writer {
    path: PathBuf,
    out: BufWriter<File>,
    bytes: u64,
}

impl Writer {
    fn create(path: &Path, header: &[u8]) -> Result<Self> {
        let failed = |source| Error::Write { path: path.into(), source };
        let mut out = BufWriter::with_capacity(1 << 18, File::create_new(path).map_err(failed)?);
        out.write_all(header).map_err(failed)?;
        Ok(Self { path: path.into(), out, bytes: header.len() as u64 })
    }

    /// Streams all tensors, each padded to `alignment`.
    fn tensors(
        &mut self,
        tensors: &[Planned],
        sources: &mut Sources,
        alignment: u64,
        progress: &mut dyn FnMut(Progress<'_>) -> bool,
    ) -> Result<()> {
        let total = tensors.iter().map(Planned::bytes).sum();
        let mut written = 0;
        for tensor in tensors {
            sources.copy(tensor, &mut |bytes| {
                self.write(|out| out.write_all(bytes))?;
                written += bytes.len() as u64;
                if progress(Progress { tensor: &tensor.name, written, total }) {
                    Ok(())
                } else {
                    Err(Error::Cancelled { written, total })
                }
            })?;
            self.write(|out| pad(out, tensor.bytes(), alignment))?;
            self.bytes += tensor.bytes().next_multiple_of(alignment);
        }
        Ok(())
    }

    fn write(&mut self, write: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>) -> Result<()> {
        write(&mut self.out).map_err(|source| Error::Write { path: self.path.clone(), source })
    }

    /// Makes sure that all of it is on the disk, and returns its size.
    fn finish(mut self) -> Result<u64> {
        // A file that is renamed into place before its bytes are there could be found empty after a power cut.
        self.write(|out| out.flush().and_then(|()| out.get_ref().sync_all()))?;
        Ok(self.bytes)
    }
}
