//! A model in Hugging Face's layout: where each tensor lies in which file, and what the files beside it say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use trillm_core::{Layer, ModelInfo, Pipeline, Product, Purpose, Shape};

use crate::huggingface::{self, Config, Decoder, OUTPUT, Sidecars, TOKENIZER, plain_names};
use crate::sentence::{self, About, Given, Labels};
use crate::weights::{self, Weights};
use crate::{Error, Result, Tensor, WeightFile, disk};

/// The token embedding of a decoder.
const EMBEDDING: &str = "model.embed_tokens.weight";

/// A model that was read and found sound; its weights were not touched.
#[derive(Clone, PartialEq, Debug)]
pub struct Checkpoint {
    /// The folder that everything lies in.
    pub folder: PathBuf,
    /// The model's own name for itself, or the folder's.
    pub name: String,
    /// `safetensors` or `pytorch`.
    pub format: &'static str,
    /// The files with weights.
    pub files: Vec<WeightFile>,
    /// All tensors by the names that the model's class in transformers has for them, whatever wrapped it when it was
    /// saved. Several names may stand for the same bytes.
    pub tensors: BTreeMap<String, Tensor>,
    /// `config.json`.
    pub config: Config,
    /// Tokens, template and stop tokens, from the small files beside the weights.
    pub sidecars: Sidecars,
    /// The class that it was saved from; empty if `config.json` does not say it.
    pub class: String,
    /// What it is for.
    pub purpose: Purpose,
    /// How texts become vectors.
    pub pipeline: Pipeline,
    /// How pairs of texts become scores, if they do.
    pub scoring: Option<Pipeline>,
    /// Licence, as the front matter of `README.md` says it.
    pub license: Option<String>,
    /// What the reader should know: keys ignored, files not used.
    pub notes: Vec<String>,
}

impl Checkpoint {
    /// Reads a model: a folder, or a file of weights or an index of such files with `config.json` beside it. A folder of
    /// sentence-transformers may have the network in one below it.
    ///
    /// In a folder `model.safetensors` is preferred, then the files of `model.safetensors.index.json`, then the one
    /// file of another name that ends in `.safetensors`, then `pytorch_model.bin` and its index. What a file is shows
    /// in its content.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn open(path: &Path) -> Result<Self> {
        let root = if path.is_dir() { path } else { weights::folder(path) };
        let about_texts = sentence::Folder::open(root)?;
        let below = if path.is_dir() { about_texts.of_network()? } else { path };
        let Weights { folder, format, files, tensors, mut notes } = weights::find(below)?;
        let (mut config, object) = Config::open(&folder, &mut notes)?;
        let tensors = plain_names(tensors, &config, &files)?;
        let class = huggingface::class(&object).to_owned();
        let sidecars = Sidecars::read(&folder, &object)?;
        let (purpose, width, context, causal) = match &mut config {
            Config::Decoder(decoder) => {
                let has_head = tensors.contains_key(OUTPUT);
                let purpose = match huggingface::purpose(&class, has_head) {
                    Purpose::Text if !decoder.causal => Purpose::Vectors,
                    purpose => purpose,
                };
                if purpose == Purpose::Text {
                    tie(decoder, &tensors, &mut notes);
                } else {
                    decoder.headless = true;
                }
                (purpose, decoder.width, decoder.context, decoder.causal)
            }
            Config::Encoder(it) => {
                (huggingface::purpose(&class, false).max(Purpose::Vectors), it.width, it.context, true)
            }
        };
        let about = About { width, context, sidecars: &sidecars, class: &class, causal, given: Given::Tokens };
        let mut unsaid = Vec::new();
        let pipeline = sentence::read(&about_texts, &about, &mut unsaid)?;
        let mut scoring = None;
        if purpose == Purpose::Labels {
            match labels(&config, &class, &files, &tensors)
                .map(|labels| sentence::labels(&about_texts, &object, &about, labels))
            {
                Ok(found) => scoring = Some(found?),
                Err(reason) => notes.push(format!("a {class} makes no scores here: {reason}")),
            }
        }
        match pipeline.pooling_name().filter(|_| scoring.is_some() && !pipeline.stated) {
            Some(way) => notes.push(format!(
                "a {class} is made for scores: a vector is the pooling {way} of its network, as in sentence-transformers"
            )),
            None if purpose != Purpose::Text => notes.append(&mut unsaid),
            None => {}
        }
        let given = object.get("_name_or_path").and_then(serde_json::Value::as_str);
        let given = given.and_then(|name| name.split(['/', '\\']).rfind(|part| !part.is_empty() && *part != "."));
        let name = given.map_or_else(|| folder_name(root), Into::into);
        let license = license(&folder)?;
        Ok(Self {
            folder,
            name,
            format,
            files,
            tensors,
            config,
            sidecars,
            class,
            purpose,
            pipeline,
            scoring,
            license,
            notes,
        })
    }

    /// Checks that a decoder can give scores: it has an output matrix, or one is not asked for.
    ///
    /// # Errors
    /// [`Error::MissingTensor`]: the embedding in place of a matrix that got lost would write nonsense.
    pub fn check_output(&self) -> Result<()> {
        match &self.config {
            Config::Decoder(decoder) if !decoder.tied && !decoder.headless && !self.tensors.contains_key(OUTPUT) => {
                let expected = "it, or tie_word_embeddings in config.json to say that the embedding is it, too";
                Err(Error::MissingTensor { name: OUTPUT.into(), expected: expected.into() })
            }
            _ => Ok(()),
        }
    }

    /// The matrices that rows are multiplied with.
    fn products(&self) -> impl Iterator<Item = Product> {
        let tied = matches!(&self.config, Config::Decoder(it) if it.tied && !it.headless);
        let multiplies = move |name: &str| match name {
            EMBEDDING => tied,
            OUTPUT => !tied,
            name => !name.contains("embeddings."),
        };
        self.tensors.iter().filter_map(move |(name, tensor)| match tensor.shape[..] {
            [rows, columns] if multiplies(name) => {
                Some(Product { kind: tensor.element.name().into(), rows, columns, experts: 1, bytes: tensor.bytes })
            }
            _ => None,
        })
    }

    /// What is known of the model before it is loaded. `path` is the file with weights, or the first of several.
    pub fn info(&self) -> ModelInfo {
        let mut weights: BTreeMap<String, u64> = BTreeMap::new();
        // Several names for the same bytes are one weight.
        let places: BTreeMap<_, _> = self.tensors.values().map(|t| ((t.file, t.offset, t.bytes), t.element)).collect();
        let mut parameters = 0;
        for (&(_, _, bytes), &element) in &places {
            *weights.entry(element.name().into()).or_default() += bytes;
            parameters += bytes / element.size();
        }
        let short_context = match &self.config {
            Config::Decoder(it) => it.ropes.iter().find_map(huggingface::Rope::short_context),
            Config::Encoder(_) => None,
        };
        let (context_trained, width, vocabulary, layers) = match &self.config {
            Config::Decoder(it) => (it.context, it.width, it.vocabulary, it.kept()),
            Config::Encoder(it) => (it.context, it.width, it.vocabulary, vec![Layer::default(); it.layers as usize]),
        };
        let count = layers.len() as u32;
        let heads = match &self.config {
            Config::Decoder(it) => it.heads,
            Config::Encoder(it) => it.heads,
        };
        let is_copied = |it: &&Tensor| it.strides.is_some() || !it.offset.is_multiple_of(it.element.size());
        let copied: BTreeMap<_, _> =
            self.tensors.values().filter(is_copied).map(|it| ((it.file, it.offset), it.bytes)).collect();
        let mut shape = Shape {
            width,
            vocabulary,
            layers: Some(layers),
            weights,
            heads,
            unaligned: copied.values().sum(),
            tokenizer_bytes: disk::length(&self.folder.join(TOKENIZER)),
            ..Shape::default()
        };
        self.products().for_each(|product| shape.add_product(product));
        ModelInfo {
            name: self.name.clone(),
            path: self.files.first().map_or_else(|| self.folder.clone(), |file| file.path.clone()),
            format: self.format,
            architecture: self.config.model_type().into(),
            bytes: self.files.iter().map(|file| file.size).sum(),
            parameters,
            quantization: shape.dominant().into(),
            context_trained,
            short_context,
            width,
            layers: count,
            vocabulary,
            shape,
            class: self.class.clone(),
            purpose: self.purpose,
            pipeline: Some(self.pipeline.clone()),
            scoring: self.scoring.clone(),
            license: self.license.clone(),
            notes: [&self.notes[..], &self.sidecars.notes[..]].concat(),
            ..self.sidecars.info()
        }
    }
}

/// The layer of labels at the end of a network, or why there is none that can be run.
fn labels(
    config: &Config,
    class: &str,
    files: &[WeightFile],
    tensors: &BTreeMap<String, Tensor>,
) -> Result<Labels, String> {
    let Config::Encoder(encoder) = config else { return Err("scores are those of encoders alone".into()) };
    if !class.ends_with("ForSequenceClassification") {
        return Err("it labels no whole texts".into());
    }
    let find = |end: &str, rows: Option<u64>| {
        let found = tensors.iter().find(|(name, _)| name.ends_with(end) && !name.ends_with(&format!("_{end}")));
        let (_, tensor) = found.ok_or_else(|| format!("there is no tensor {end}"))?;
        let width = u64::from(encoder.width);
        let (rows, is_matrix) = (rows.or(tensor.shape.first().copied()).unwrap_or(0), end.ends_with("weight"));
        let expected = if is_matrix { vec![rows, width] } else { vec![rows] };
        if tensor.shape != expected || rows == 0 {
            return Err(format!("{end} has shape {:?}, expected {expected:?}", tensor.shape));
        }
        let stored =
            sentence::stored(tensor, &files[tensor.file].path).map_err(|found| format!("{end} has {found}"))?;
        Ok((rows, stored))
    };
    let width = Some(u64::from(encoder.width));
    let (count, weight) = find("classifier.weight", None)?;
    let classifier = sentence::Layer { weight, bias: find("classifier.bias", Some(count))?.1 };
    let pooler =
        sentence::Layer { weight: find("pooler.dense.weight", width)?.1, bias: find("pooler.dense.bias", width)?.1 };
    let count = u32::try_from(count).map_err(|_| format!("{count} labels"))?;
    Ok(Labels { count, layers: Some([pooler, classifier]) })
}

/// Settles whether the output matrix is the embedding, as transformers does: where `config.json` or the family's default
/// ties them, unless the file has an output matrix of its own.
fn tie(decoder: &mut Decoder, tensors: &BTreeMap<String, Tensor>, notes: &mut Vec<String>) {
    let Some(output) = tensors.get(OUTPUT) else { return };
    let shared = tensors.get(EMBEDDING).is_some_and(|embedding| output.lies_where(embedding));
    if decoder.tied && !shared {
        notes.push(
            "config.json has tie_word_embeddings true, but the weights have an output matrix, which is used".into(),
        );
    }
    decoder.tied = shared;
}

/// What a folder is called: the last part of its full name. Where that is a digest, as stores of models call folders, it is
/// the repository that the cache of `huggingface_hub` has there, or else the whole path.
pub(crate) fn folder_name(folder: &Path) -> String {
    let full = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = full.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if ![40, 64].contains(&name.len()) || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return name;
    }
    let of_cache = full.ancestors().nth(2).and_then(|above| above.file_name()?.to_str()?.strip_prefix("models--"));
    of_cache.map_or_else(|| full.display().to_string(), |repository| repository.replacen("--", "/", 1))
}

/// The line `license:` of the YAML between two lines `---` that model cards begin with.
pub(crate) fn license(folder: &Path) -> Result<Option<String>> {
    /// Bytes of the card that are looked at, and of a licence's name.
    const CARD: u64 = 64 << 10;
    const NAME: usize = 100;
    let path = folder.join("README.md");
    if !path.is_file() {
        return Ok(None);
    }
    let (bytes, _) = disk::beginning(&path, CARD)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines();
    if lines.next().map(str::trim_end) != Some("---") {
        return Ok(None);
    }
    let mut front = lines.take_while(|line| line.trim_end() != "---");
    let license = front.find_map(|line| line.strip_prefix("license:"));
    let license = license.map(|license| license.trim().trim_matches(['"', '\'']));
    Ok(license.filter(|license| !license.is_empty() && license.len() <= NAME).map(Into::into))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_called_by_a_digest_has_a_better_name() {
        let digest = "0123456789abcdef".repeat(4);
        for (path, name) in [
            ("/models/tiny".to_owned(), "tiny".to_owned()),
            (format!("/store/snapshots/{digest}"), format!("/store/snapshots/{digest}")),
            (format!("/hub/models--org--my--name/snapshots/{}", &digest[..40]), "org/my--name".to_owned()),
            (format!("/hub/models--gpt2/snapshots/{}", &digest[..40]), "gpt2".to_owned()),
            ("/cafe".to_owned(), "cafe".to_owned()),
        ] {
            assert_eq!(folder_name(Path::new(&path)), name);
        }
    }
}
