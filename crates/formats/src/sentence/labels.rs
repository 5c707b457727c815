//! A network with a layer of labels at its end: what sentence-transformers calls a cross encoder.
//!
//! Scores are the pipeline of a vector with other steps: the first token's state, the pooler, and the labels' layer, as
//! `BertForSequenceClassification` of transformers has them. A graph has all of these in it, but for the last function.

use serde_json::{Map, Value};
use trillm_core::{Activation, Dense, Pipeline, Pooling, Residual, Step, Stored};

use super::about::About;
use super::activation;
use super::folder::Folder;
use super::modules::Kind;
use super::transformer::Transformer;
use crate::huggingface::fields::Fields;
use crate::{Error, Result};

/// What gives scores for labels.
pub(crate) struct Labels {
    pub(crate) count: u32,
    /// The pooler and the classifier; `None` if the network gives a score for each label itself.
    pub(crate) layers: Option<[Layer; 2]>,
}

/// A matrix and what is added.
pub(crate) struct Layer {
    pub(crate) weight: Stored,
    pub(crate) bias: Stored,
}

/// How `labels` make scores, with what `config.json` and the files of sentence-transformers in `folder` say of it.
pub(crate) fn read(
    folder: &Folder,
    object: &Map<String, Value>,
    about: &About<'_>,
    labels: Labels,
) -> Result<Pipeline> {
    let Folder { path, modules, settings } = folder;
    // Without a list of modules the file beside it is not read, and of another kind of model only the network is taken.
    let modules = modules.as_ref().filter(|_| settings.model_type.as_deref() == Some("CrossEncoder"));
    let (transformer, of_settings) = match modules {
        Some(modules) => {
            if let Some(other) = modules[1..].iter().find(|module| module.kind != Kind::Dropout) {
                return Err(other.refused(&format!("a {} after the labels", other.kind.name())));
            }
            let transformer = Transformer::read(folder.of_network()?)?;
            transformer.check_task("sequence-classification")?;
            (transformer, settings.activation)
        }
        None => (Transformer::default(), None),
    };
    let fields = Fields::new(object);
    let last = match of_settings {
        Some(activation) => activation,
        None => of_config(&fields, labels.count).map_err(|error| error.of(&path.join("config.json")))?,
    };
    let dense = |layer: Layer, outputs: u32, activation| {
        let Layer { weight, bias } = layer;
        let bias = Some(bias);
        Step::Dense(Dense { inputs: about.width, outputs, weight, bias, activation, residual: Residual::None })
    };
    let count = labels.count;
    let (pooling, steps) = match labels.layers {
        Some([pooler, classifier]) => {
            (vec![Pooling::First], vec![dense(pooler, about.width, Activation::Tanh), dense(classifier, count, last)])
        }
        None => (Vec::new(), vec![Step::Activation(last)]),
    };
    let mut pipeline = Pipeline { stated: true, pooling, steps, ..transformer.pipeline(about) };
    if modules.is_some() {
        settings.add_prompts(&mut pipeline);
    }
    Ok(pipeline)
}

/// What `config.json` says of scores; without that, one label is squeezed between 0 and 1, and several stay.
fn of_config(config: &Fields<'_>, labels: u32) -> Result<Activation, Error> {
    const OLDER: &str = "sbert_ce_default_activation_function";
    const KEY: &str = "activation_fn";
    let usual = if labels == 1 { Activation::Sigmoid } else { Activation::Identity };
    // `null` in the newer place says nothing, and that the older one does not count.
    let own = config.object("sentence_transformers")?;
    match own.as_ref().and_then(|own| Some((own, own.raw(KEY)?))) {
        Some((own, value)) if !value.is_null() => activation::read(own, KEY, usual),
        None if config.raw(OLDER).is_some_and(|value| !value.is_null()) => activation::read(config, OLDER, usual),
        _ => Ok(usual),
    }
}
