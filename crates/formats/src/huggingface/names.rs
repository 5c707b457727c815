//! Names of tensors, as the model's own class gives them, whatever wrapped it when it was saved.
//!
//! `torch.compile`, `DistributedDataParallel`, PEFT and models that see put names of their own before those of the text
//! model. Which ones is not asked: what stands before the embedding's name (or, without one, before the layers') stands
//! before all of them, and the output matrix is found beside the text model or beside whatever that is a part of. So every reader behind this one knows
//! `model.embed_tokens.weight`, `model.layers.…`, `model.norm.weight` and `lm_head.weight`, and no other spelling.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::Config;
use crate::{Result, Tensor, WeightFile, same};

/// Parts of a path that wrappers put anywhere in it, and that no model has of its own.
const WRAPPERS: [&str; 4] = ["_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"];

const EMBEDDING: &str = "embed_tokens.weight";
/// The embedding of an encoder.
const ENCODER_EMBEDDING: &str = "word_embeddings.weight";
const FIRST_LAYER: &str = "layers.0.";
/// What a decoder's tensors are called by.
const MODEL: &str = "model.";
/// The output matrix of a decoder.
pub(crate) const OUTPUT: &str = "lm_head.weight";

/// Gives `tensors` the names that the class of `config` has for them.
///
/// # Errors
/// Two tensors of one name that differ.
pub(crate) fn plain(
    tensors: BTreeMap<String, Tensor>,
    config: &Config,
    files: &[WeightFile],
) -> Result<BTreeMap<String, Tensor>> {
    let unwrapped = collect(tensors, unwrapped, files)?;
    match config {
        Config::Decoder(decoder) => {
            let prefix = prefix(&unwrapped).unwrap_or_else(|| MODEL.into());
            let output = parents(&prefix).into_iter().map(|parent| format!("{parent}{OUTPUT}"));
            let output = { output }.find(|name| unwrapped.contains_key(name));
            let name = |name: &str| match name.strip_prefix(&*prefix) {
                _ if output.as_deref() == Some(name) => OUTPUT.into(),
                Some(rest) => format!("{MODEL}{rest}"),
                None => name.into(),
            };
            let mut named = collect(unwrapped, name, files)?;
            // Of two names for one matrix a file may have either.
            if decoder.tied
                && let Some(output) = named.get(OUTPUT).cloned()
            {
                named.entry(format!("{MODEL}{EMBEDDING}")).or_insert(output);
            }
            Ok(named)
        }
        // Converters from TensorFlow left its names for what a norm multiplies by and adds.
        Config::Encoder(_) => collect(
            unwrapped,
            |name| {
                let renamed = |old, new| name.strip_suffix(old).map(|path| format!("{path}{new}"));
                let weight = renamed("LayerNorm.gamma", "LayerNorm.weight");
                weight.or_else(|| renamed("LayerNorm.beta", "LayerNorm.bias")).unwrap_or_else(|| name.into())
            },
            files,
        ),
    }
}

/// Whether a tensor of this name is the token embedding of a network, whatever wrapped it.
pub(crate) fn is_embedding(name: &str) -> bool {
    [EMBEDDING, ENCODER_EMBEDDING].iter().any(|end| name.ends_with(end))
}

/// Whether a tensor of this name belongs to a layer of a network.
pub(crate) fn is_of_layer(name: &str) -> bool {
    let mut parts = name.split('.').skip_while(|part| !["layers", "layer"].contains(part));
    parts.nth(1).is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The tensors under other names. Two of one name are one if they are the same.
fn collect(
    tensors: BTreeMap<String, Tensor>,
    name: impl Fn(&str) -> String,
    files: &[WeightFile],
) -> Result<BTreeMap<String, Tensor>> {
    let mut named = BTreeMap::new();
    for (old, tensor) in tensors {
        match named.entry(name(&old)) {
            Entry::Vacant(entry) => {
                entry.insert(tensor);
            }
            Entry::Occupied(entry) => same::check(entry.key(), entry.get(), &tensor, files)?,
        }
    }
    Ok(named)
}

/// A name without what wrappers put into it.
fn unwrapped(name: &str) -> String {
    let parts: Vec<&str> = name.split('.').filter(|part| !WRAPPERS.contains(part)).collect();
    parts.join(".")
}

/// What stands before the name of the token embedding. Of several, as in a model that also hears, it is that of the
/// one that has layers beside it; the shortest of those. Where there is none, what stands before the name of a layer.
fn prefix(tensors: &BTreeMap<String, Tensor>) -> Option<String> {
    let has_embedding = tensors.keys().any(|name| name.ends_with(EMBEDDING));
    let prefixes = tensors.keys().filter_map(|name| {
        if has_embedding {
            name.strip_suffix(EMBEDDING)
        } else {
            name.split_once(FIRST_LAYER).map(|(before, _)| before)
        }
    });
    let prefixes = prefixes.filter(|prefix| prefix.is_empty() || prefix.ends_with('.'));
    let has_layers = |prefix: &str| {
        let layers = format!("{prefix}layers.");
        tensors.range(layers.clone()..).next().is_some_and(|(name, _)| name.starts_with(&layers))
    };
    prefixes.min_by_key(|prefix| (!has_layers(prefix), prefix.len())).map(Into::into)
}

/// A path that ends with a dot, and all that it is a part of: `a.b.`, `a.`, and nothing.
fn parents(prefix: &str) -> Vec<&str> {
    let mut parents = vec![prefix];
    while let Some(rest) = parents.last().and_then(|path| path.strip_suffix('.')) {
        parents.push(&prefix[..rest.rfind('.').map_or(0, |dot| dot + 1)]);
    }
    parents
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_of_a_path() {
        assert_eq!(parents("a.bc."), ["a.bc.", "a.", ""]);
        assert_eq!(parents(""), [""]);
    }

    #[test]
    fn wrappers_are_whole_parts() {
        assert_eq!(
            unwrapped("module._orig_mod.model.layers.0._orig_mod.mlp.up_proj.weight"),
            "model.layers.0.mlp.up_proj.weight"
        );
        assert_eq!(unwrapped("submodule.weight"), "submodule.weight");
    }
}
