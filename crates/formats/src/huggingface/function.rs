//! The function between the two halves of an encoder's feed-forward part: those of decoders, and some that none has.

use super::Activation;
use super::fields::Fields;
use crate::Result;

/// A function by the names that transformers has for them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Function {
    /// One that decoders have, too.
    Common(Activation),
    /// max(x, 0).
    Relu,
    /// tanh(x).
    Tanh,
    /// x · sigmoid(1.702 x).
    QuickGelu,
    /// Gelu by the error function, from -10 to 10.
    Gelu10,
    /// x · tanh(ln(1 + eˣ)).
    Mish,
}

impl Function {
    pub(super) fn read(config: &Fields<'_>) -> Result<Self> {
        Ok(match config.text("hidden_act")? {
            Some("relu") => Self::Relu,
            Some("tanh") => Self::Tanh,
            Some("quick_gelu") => Self::QuickGelu,
            Some("gelu_10") => Self::Gelu10,
            Some("mish") => Self::Mish,
            _ => Self::Common(Activation::read(config, "hidden_act", "gelu")?),
        })
    }
}
