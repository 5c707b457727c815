//! Functions between layers, by the names that torch has for them.

use trillm_core::Activation;

use crate::huggingface::fields::Fields;
use crate::{Result, json};

/// A function by the path of its class in torch: `torch.nn.modules.activation.Tanh`.
pub(super) fn read(fields: &Fields<'_>, key: &'static str, default: Activation) -> Result<Activation> {
    let path = match fields.raw(key) {
        None => return Ok(default),
        Some(value) => value.as_str().ok_or_else(|| fields.wrong(key, json::excerpt(value), "a class of torch.nn")),
    }?;
    let class = path.strip_prefix("torch.nn.").map(|rest| rest.rsplit('.').next().unwrap_or(rest));
    let found = class.and_then(|class| Activation::ALL.into_iter().find(|known| known.name() == class));
    found.ok_or_else(|| {
        let known: Vec<_> = Activation::ALL.iter().map(|known| known.name()).collect();
        fields.wrong(key, json::excerpt(&path.into()), format!("a class of torch.nn: {}", known.join(", ")))
    })
}
