//! What a caller may ask of loading. Every field has a default that works.

use std::path::PathBuf;
use std::sync::Arc;

use crate::{Error, Pooling, Result};

/// Called with the share loaded so far, 0 to 1; returning `false` cancels the load.
pub type Progress = Arc<dyn Fn(f32) -> bool + Send + Sync>;

/// Where a library is; `None` if it is nowhere.
pub type Find = Arc<dyn Fn() -> Result<Option<PathBuf>> + Send + Sync>;

/// The cache taken when none is asked for, in tokens, unless the model was trained for less.
const CONTEXT_DEFAULT: u32 = 4096;

/// A type that weights can be quantized to while they are loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quantize {
    /// Blocks of 32 numbers in 8 bits each: 8.5 bits a weight.
    Q8_0,
    /// Blocks of 256 numbers in 4 bits each: 4.5 bits a weight.
    Q4K,
}

impl Quantize {
    /// The name used in options and in `info`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Q8_0 => "q8_0",
            Self::Q4K => "q4_k",
        }
    }
}

/// How much a runtime may rewrite a graph before running it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Optimization {
    /// Not at all.
    Disabled,
    /// What keeps every result the same: constants folded, dead nodes removed.
    Basic,
    /// Nodes fused, too.
    Extended,
    /// All of it, layouts included: the default.
    #[default]
    All,
}

/// How a graph is run, for engines that are given one by the model file (ONNX).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GraphOptions {
    /// The runtime's shared library. `None`: what the environment variable `ORT_DYLIB_PATH` names, or else what
    /// [`LoadOptions::find_runtime`] finds.
    pub library: Option<PathBuf>,
    /// Execution providers by name, the preferred one first; one that is absent is an error. Empty: the processor.
    pub providers: Vec<String>,
    /// How much the graph may be rewritten.
    pub optimization: Optimization,
    /// Run nodes that do not need each other at the same time. Default false.
    pub parallel: bool,
    /// Threads that run nodes, if `parallel`; those within a node are [`SessionOptions::threads`]. `None`: two.
    pub inter_threads: Option<u32>,
    /// Rearrange weights for speed, which takes some more memory. Default true.
    pub prepack: bool,
}

impl Default for GraphOptions {
    fn default() -> Self {
        Self {
            library: None,
            providers: Vec::new(),
            optimization: Optimization::default(),
            parallel: false,
            inter_threads: None,
            prepack: true,
        }
    }
}

/// How to load a model's weights.
#[derive(Clone)]
pub struct LoadOptions {
    /// Map the file rather than read it. Default true. Read where others may write to the file meanwhile.
    pub mmap: bool,
    /// Lock the weights in memory, so that they are never paged out. Default false.
    pub mlock: bool,
    /// Layers to put on a GPU; `None` puts all there if a GPU was compiled in and is present.
    pub gpu_layers: Option<u32>,
    /// Quantize the weights while loading; they are in memory of their own then. `None` leaves them as they are.
    pub quantize: Option<Quantize>,
    /// LoRA adapters, each with a scale.
    pub lora: Vec<(PathBuf, f32)>,
    /// A folder with `tokenizer.json`, or that file, for a model that has none beside it.
    pub tokenizer: Option<PathBuf>,
    /// How a graph is run.
    pub graph: GraphOptions,
    /// Asked for a graph's runtime when one is needed and neither `graph` nor the environment names it.
    pub find_runtime: Option<Find>,
    /// Told of progress; may cancel.
    pub progress: Option<Progress>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            mmap: true,
            mlock: false,
            gpu_layers: None,
            quantize: None,
            lora: Vec::new(),
            tokenizer: None,
            graph: GraphOptions::default(),
            find_runtime: None,
            progress: None,
        }
    }
}

impl LoadOptions {
    /// Tells whoever wants to know that `share` of the work, 0 to 1, is done.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if they want no more.
    pub fn tell(&self, share: f32) -> Result<()> {
        match &self.progress {
            Some(progress) if !progress(share) => Err(Error::Cancelled),
            _ => Ok(()),
        }
    }

    /// Whether every engine would take these: nothing is asked for that another engine refuses.
    pub fn suits_all(&self) -> bool {
        self.gpu_layers.is_none_or(|layers| layers == 0)
            && self.quantize.is_none()
            && self.lora.is_empty()
            && self.without_graph("").is_ok()
    }

    /// Checks that nothing is asked for that only an engine with graphs can do. Whoever does not know the format yet names
    /// the library in the environment.
    ///
    /// # Errors
    /// [`Error::Unsupported`], by `engine`.
    pub fn without_graph(&self, engine: &str) -> Result<()> {
        let unsupported = |what: &str| Err(Error::Unsupported { what: what.into(), by: engine.into() });
        if self.tokenizer.is_some() {
            return unsupported("a tokenizer from elsewhere");
        }
        if self.graph.library.is_some() {
            return unsupported("a library of ONNX Runtime");
        }
        if self.graph != GraphOptions::default() {
            return unsupported("an option for graphs (providers, execution mode, optimization, prepacking)");
        }
        Ok(())
    }
}

/// Element type of the key-value cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CacheType {
    /// 32-bit floats.
    F32,
    /// 16-bit floats: the default.
    #[default]
    F16,
    /// 8-bit blocks: half of F16.
    Q8_0,
    /// 4-bit blocks: a quarter of F16; costs accuracy.
    Q4_0,
}

impl CacheType {
    /// The name used in options.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
            Self::Q4_0 => "q4_0",
        }
    }

    /// Bytes of a row of so many numbers: blocks of 32 have a scale of two bytes beside them.
    pub fn bytes(self, numbers: u64) -> u64 {
        match self {
            Self::F32 => numbers.saturating_mul(4),
            Self::F16 => numbers.saturating_mul(2),
            Self::Q8_0 => numbers.div_ceil(32).saturating_mul(34),
            Self::Q4_0 => numbers.div_ceil(32).saturating_mul(18),
        }
    }
}

/// What the rows of a session are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Output {
    /// A score (logit) for every token of the vocabulary.
    #[default]
    Scores,
    /// One vector for the whole span, pooled in these ways, which stand side by side; in none if the model itself gives
    /// one vector for a text.
    Embedding(Vec<Pooling>),
}

/// How to run a loaded model.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// Cache size in tokens, shared by all slots, and the longest sequence. `None`: the trained length, at most 4096.
    pub context: Option<u32>,
    /// Sequences that may run at once. Default 8.
    pub parallel: u32,
    /// Sessions of the model, each with a cache of so many tokens and sequences, and with compute threads of its own; they
    /// have the weights in common where the engine keeps those apart from its sessions. Default 1. An engine makes one
    /// session, whatever this says.
    pub replicas: u32,
    /// Compute threads. `None`: one for each physical core the process may use.
    pub threads: Option<u32>,
    /// The most tokens in one step. Default 512.
    pub batch: u32,
    /// The most tokens computed together within a step. Default 512, at most `batch`.
    pub ubatch: u32,
    /// Element type of cached keys and values.
    pub cache_type: CacheType,
    /// Flash attention; `None` lets the engine choose.
    pub flash_attention: Option<bool>,
    /// Scores or embeddings.
    pub output: Output,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            context: None,
            parallel: 8,
            replicas: 1,
            threads: None,
            batch: 512,
            ubatch: 512,
            cache_type: CacheType::default(),
            flash_attention: None,
            output: Output::default(),
        }
    }
}

impl SessionOptions {
    /// Checks that every number is in its range.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`].
    pub fn check(&self) -> Result<()> {
        within("context", self.context.unwrap_or(1))?;
        within("parallel", self.parallel)?;
        within("replicas", self.replicas)?;
        within("batch", self.batch)?;
        within("ubatch", self.ubatch)?;
        within("threads", self.threads.unwrap_or(1))
    }

    /// Whether every engine would take these: nothing is asked for that another engine refuses.
    pub fn suits_all(&self) -> bool {
        matches!(self.cache_type, CacheType::F32 | CacheType::F16) && self.flash_attention.is_none()
    }

    /// What a number of this name may be.
    pub fn expected(name: &str) -> Option<&'static str> {
        RANGES.iter().find(|(known, ..)| *known == name).map(|(.., expected)| *expected)
    }

    /// Checks that the context is no longer than what the model has positions for ([`Model::positions`]).
    ///
    /// [`Model::positions`]: crate::Model::positions
    ///
    /// # Errors
    /// [`Error::InvalidParameter`].
    pub fn check_positions(&self, most: Option<u32>) -> Result<()> {
        match (self.context, most) {
            (Some(context), Some(most)) if context > most => {
                let found = format!("{context} for a model with {most} positions");
                let expected = "at most as many tokens as there are positions";
                Err(Error::InvalidParameter { name: "context", found, expected })
            }
            _ => Ok(()),
        }
    }

    /// The tokens of the cache, for a model trained on sequences of `trained`; zero if that is not known.
    pub fn context_for(&self, trained: u32) -> u32 {
        self.context.unwrap_or(if trained == 0 { CONTEXT_DEFAULT } else { trained.min(CONTEXT_DEFAULT) })
    }
}

/// The largest number of each name, and what the range is for people. All begin at one.
const RANGES: [(&str, u32, &str); 6] = [
    ("context", 1 << 30, "1 to 1073741824"),
    ("parallel", 256, "1 to 256"),
    ("replicas", 64, "1 to 64"),
    ("batch", 1 << 20, "1 to 1048576"),
    ("ubatch", 1 << 20, "1 to 1048576"),
    ("threads", 512, "1 to 512"),
];

fn within(name: &'static str, value: u32) -> Result<()> {
    let outside = |&&(known, most, _): &&(&str, u32, &str)| known == name && !(1..=most).contains(&value);
    match RANGES.iter().find(outside) {
        Some(&(_, _, expected)) => Err(Error::InvalidParameter { name, found: value.to_string(), expected }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_engine_refuses_does_not_suit_all() {
        assert!(LoadOptions::default().suits_all());
        assert!(LoadOptions { gpu_layers: Some(0), mmap: false, mlock: true, ..LoadOptions::default() }.suits_all());
        let graph = GraphOptions { prepack: false, ..GraphOptions::default() };
        for options in [
            LoadOptions { gpu_layers: Some(1), ..LoadOptions::default() },
            LoadOptions { quantize: Some(Quantize::Q8_0), ..LoadOptions::default() },
            LoadOptions { lora: vec![("adapter.gguf".into(), 1.0)], ..LoadOptions::default() },
            LoadOptions { tokenizer: Some("tokenizer.json".into()), ..LoadOptions::default() },
            LoadOptions { graph, ..LoadOptions::default() },
        ] {
            assert!(!options.suits_all());
        }
        assert!(
            SessionOptions { context: Some(8), cache_type: CacheType::F32, ..SessionOptions::default() }.suits_all()
        );
        assert!(!SessionOptions { cache_type: CacheType::Q8_0, ..SessionOptions::default() }.suits_all());
        assert!(!SessionOptions { flash_attention: Some(false), ..SessionOptions::default() }.suits_all());
    }
}
