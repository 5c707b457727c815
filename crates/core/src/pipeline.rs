//! From a text to its vector, or from two to a score: what a model's files say of it, as values. Nothing is computed
//! here but the ways of pooling, which sessions run; the steps behind them are run once for all engines, in
//! `crates/trillm`.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use crate::Pooling;

/// What becomes of a text.
#[derive(Clone, PartialEq, Debug)]
pub struct Pipeline {
    /// Whether the files say so; else it is what sentence-transformers does with a model that says nothing.
    pub stated: bool,
    /// Lower the case of texts before they become tokens.
    pub lower_case: bool,
    /// Whether the model is told which of two texts a token belongs to.
    pub tells_texts_apart: bool,
    /// The longest text, in tokens, if a file says it.
    pub max_tokens: Option<u32>,
    /// Whether a text that is to be cut loses its beginning rather than its end.
    pub keeps_end: bool,
    /// Ways of pooling, whose vectors stand side by side. None if the engine gives one vector for each text itself.
    pub pooling: Vec<Pooling>,
    /// Whether the tokens of a prompt are pooled, too.
    pub include_prompt: bool,
    /// What is done to the pooled vector, in order.
    pub steps: Vec<Step>,
    /// Texts to put before a text, by name.
    pub prompts: Vec<(String, String)>,
    /// The one that is put there if none is asked for.
    pub default_prompt: Option<String>,
}

impl Default for Pipeline {
    /// The mean over tokens: what sentence-transformers takes for models of which it knows nothing.
    fn default() -> Self {
        Self {
            stated: false,
            lower_case: false,
            tells_texts_apart: true,
            max_tokens: None,
            keeps_end: false,
            pooling: vec![Pooling::Mean],
            include_prompt: true,
            steps: Vec::new(),
            prompts: Vec::new(),
            default_prompt: None,
        }
    }
}

impl Pipeline {
    /// Numbers in a pooled vector, for token vectors of `width` numbers.
    pub fn pooled_width(&self, width: usize) -> usize {
        width * self.pooling.len().max(1)
    }

    /// The ways of pooling by name: `mean`, `cls+max`; `None` if there are none.
    pub fn pooling_name(&self) -> Option<String> {
        let names: Vec<_> = self.pooling.iter().map(|way| way.name()).collect();
        (!names.is_empty()).then(|| names.join("+"))
    }

    /// Every step from text to vector, in the words of sentence-transformers.
    pub fn describe(&self) -> Vec<String> {
        let longest = self.max_tokens.map_or_else(|| "None".into(), |most| most.to_string());
        let lower_case = python(self.lower_case);
        let transformer = format!("Transformer(max_seq_length={longest}, do_lower_case={lower_case})");
        let pooling = match (self.pooling_name(), self.stated) {
            (Some(names), true) => {
                format!("Pooling(pooling_mode={names}, include_prompt={})", python(self.include_prompt))
            }
            (Some(names), false) => format!("Pooling(pooling_mode={names}), by default"),
            (None, _) => "Pooling, by the model itself".into(),
        };
        [transformer, pooling].into_iter().chain(self.steps.iter().map(Step::to_string)).collect()
    }
}

/// What is done to a vector.
#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    /// A matrix, and a function of each number.
    Dense(Dense),
    /// Each vector less its mean and divided by its deviation, then scaled and shifted place by place.
    LayerNorm {
        /// Places.
        width: u32,
        /// One number for each place.
        weight: Stored,
        /// One number for each place.
        bias: Stored,
    },
    /// A function of its numbers.
    Activation(Activation),
    /// To length 1.
    Normalize,
    /// The first numbers alone.
    Truncate(u32),
}

impl Step {
    /// The numbers in files that it needs.
    pub fn stored(&self) -> impl Iterator<Item = &Stored> {
        let found = match self {
            Self::Dense(Dense { weight, bias, residual, .. }) => {
                let residual = if let Residual::Projected(matrix) = residual { Some(matrix) } else { None };
                [Some(weight), bias.as_ref(), residual]
            }
            Self::LayerNorm { weight, bias, .. } => [Some(weight), Some(bias), None],
            Self::Activation(_) | Self::Normalize | Self::Truncate(_) => [None; 3],
        };
        found.into_iter().flatten()
    }
}

/// A linear layer.
#[derive(Clone, PartialEq, Debug)]
pub struct Dense {
    /// Numbers it takes.
    pub inputs: u32,
    /// Numbers it gives.
    pub outputs: u32,
    /// `outputs` rows of `inputs` numbers.
    pub weight: Stored,
    /// Added to the outputs.
    pub bias: Option<Stored>,
    /// Of each output.
    pub activation: Activation,
    /// What is added after that.
    pub residual: Residual,
}

/// What a linear layer adds to its outputs at the end.
#[derive(Clone, PartialEq, Debug)]
pub enum Residual {
    /// Nothing.
    None,
    /// Its inputs.
    Inputs,
    /// Its inputs by another matrix: as many rows and columns as the layer's own.
    Projected(Stored),
}

/// Numbers in a file, little-endian: a matrix, or one row of it. How many is known from what they are for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// The file.
    pub path: PathBuf,
    /// Where they begin, in bytes.
    pub offset: u64,
    /// Of which kind they are.
    pub number: Number,
    /// Numbers of the file from one to the one below, and to the one beside; `None` if they lie back to back in rows. A
    /// matrix that was transposed before it was saved lies so.
    pub strides: Option<[u64; 2]>,
}

/// A kind of number in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names are those of the formats")]
pub enum Number {
    F64,
    F32,
    F16,
    Bf16,
}

impl Number {
    /// Bytes of one.
    pub fn size(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }
}

/// A function of the numbers of a vector, by the name of its class in `torch.nn`, with that class's defaults. Most take
/// each by itself; the soft ones at the end take all of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names are torch's")]
pub enum Activation {
    Identity,
    Tanh,
    Sigmoid,
    ReLU,
    LeakyReLU,
    ELU,
    SELU,
    GELU,
    SiLU,
    Mish,
    Softplus,
    Softsign,
    Hardtanh,
    LogSigmoid,
    Hardswish,
    CELU,
    ReLU6,
    Hardsigmoid,
    Tanhshrink,
    Softshrink,
    Hardshrink,
    RReLU,
    Softmax,
    Softmin,
    LogSoftmax,
}

impl Activation {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::Identity,
        Self::Tanh,
        Self::Sigmoid,
        Self::ReLU,
        Self::LeakyReLU,
        Self::ELU,
        Self::SELU,
        Self::GELU,
        Self::SiLU,
        Self::Mish,
        Self::Softplus,
        Self::Softsign,
        Self::Hardtanh,
        Self::LogSigmoid,
        Self::Hardswish,
        Self::CELU,
        Self::ReLU6,
        Self::Hardsigmoid,
        Self::Tanhshrink,
        Self::Softshrink,
        Self::Hardshrink,
        Self::RReLU,
        Self::Softmax,
        Self::Softmin,
        Self::LogSoftmax,
    ];

    /// The name of its class.
    pub fn name(self) -> String {
        format!("{self:?}")
    }
}

impl Display for Step {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dense(dense) => {
                let (inputs, outputs, activation) = (dense.inputs, dense.outputs, dense.activation.name());
                let bias = python(dense.bias.is_some());
                write!(formatter, "Dense(in_features={inputs}, out_features={outputs}, bias={bias}, ")?;
                write!(formatter, "activation_function={activation}")?;
                if dense.residual != Residual::None {
                    write!(formatter, ", use_residual=True")?;
                }
                write!(formatter, ")")
            }
            Self::LayerNorm { width, .. } => write!(formatter, "LayerNorm(dimension={width})"),
            Self::Activation(function) => write!(formatter, "{}()", function.name()),
            Self::Normalize => write!(formatter, "Normalize()"),
            Self::Truncate(width) => write!(formatter, "Truncate(truncate_dim={width})"),
        }
    }
}

fn python(flag: bool) -> &'static str {
    if flag { "True" } else { "False" }
}
