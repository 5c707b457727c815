//! How a text becomes a vector, or two a score: what sentence-transformers writes beside a model.
//!
//! What a file means, and what holds where it says nothing, follows sentence-transformers 6.2. A module, a way or a
//! function that is not known would change vectors, so it is an error by its name; nothing is put in its place.

mod about;
mod activation;
mod config;
mod folder;
mod keys;
mod labels;
mod layer;
mod modules;
mod pooling;
mod transformer;

use std::path::Path;

use trillm_core::{Pipeline, Pooling, Step};

use crate::names::POOLING;
use crate::{Error, Result};

pub(crate) use about::{About, Given};
pub(crate) use folder::Folder;
pub(crate) use labels::{Labels, Layer, read as labels};
pub(crate) use layer::stored;
pub(crate) use modules::network;
pub use modules::{NamedModule, named as named_modules};

use config::Settings;
use modules::{Kind, Module};
use transformer::Transformer;

/// How texts become vectors by what `folder` says, and by the files of its parts, which may all be absent. What the reader
/// should know goes to `notes`.
///
/// # Errors
/// What is wrong with which file, and what of it is not supported.
pub(crate) fn read(folder: &Folder, about: &About<'_>, notes: &mut Vec<String>) -> Result<Pipeline> {
    let Folder { path, modules, settings } = folder;
    let modules = match (modules, settings.model_type.as_deref()) {
        (Some(modules), None | Some("SentenceTransformer")) => modules,
        // Of a cross encoder sentence-transformers takes the network alone, as of a folder without modules.
        (Some(_), Some("CrossEncoder")) => return Ok(unstated(about, notes)),
        (None, _) => return without_list(folder, about, notes),
        (_, Some(other)) => {
            let what = format!("the kind of model {other:?} (config_sentence_transformers.json)");
            return Err(Error::Unsupported { what, expected: "SentenceTransformer or CrossEncoder" });
        }
    };
    let transformer = Transformer::read(folder.of_network()?)?;
    transformer.check_task("feature-extraction")?;
    let mut pipeline = transformer.pipeline(about);
    pipeline.stated = true;
    if about.given == Given::Whole {
        pipeline.pooling.clear();
    } else {
        if !add_modules(&mut pipeline, &modules[1..], about, notes)? {
            return Err(modules::missing(path, "Pooling"));
        }
        if let Some(most) = settings.truncate {
            pipeline.steps.push(Step::Truncate(most));
        }
    }
    settings.add_prompts(&mut pipeline);
    Ok(pipeline)
}

/// A folder without a list of modules. Copies of models come without it that do have what it would name.
fn without_list(folder: &Folder, about: &About<'_>, notes: &mut Vec<String>) -> Result<Pipeline> {
    let pooling = folder.path.join(POOLING);
    if about.given == Given::Whole || !pooling.is_file() {
        return Ok(unstated(about, notes));
    }
    let mut pipeline = Transformer::read(&folder.path)?.pipeline(about);
    pipeline.stated = true;
    add_pooling(&mut pipeline, pooling.parent().unwrap_or(&folder.path), about, notes)?;
    folder.settings.add_prompts(&mut pipeline);
    notes.push("there is no modules.json: what it would list is taken to be 1_Pooling alone".into());
    Ok(pipeline)
}

/// What sentence-transformers does with a model of which no modules are listed.
fn unstated(about: &About<'_>, notes: &mut Vec<String>) -> Pipeline {
    let mut pipeline = Transformer::default().pipeline(about);
    if let Given::Texts(output) = about.given {
        notes.push(format!("no modules.json says how texts become vectors: they are the graph's {output}"));
    }
    if about.given == Given::Tokens {
        let way = Pooling::unstated(about.class.ends_with("ForCausalLM") && about.causal);
        pipeline.pooling = vec![way];
        let name = if way == Pooling::Last { "the last token's vector" } else { "the mean over tokens" };
        notes.push(format!("no modules.json says how texts become vectors: it is {name}, as in sentence-transformers"));
    } else {
        pipeline.pooling.clear();
    }
    Settings::default().add_prompts(&mut pipeline);
    pipeline
}

/// Adds a Pooling, whose files lie in `folder`.
fn add_pooling(pipeline: &mut Pipeline, folder: &Path, about: &About<'_>, notes: &mut Vec<String>) -> Result<()> {
    /// The first token's vector, through a layer that was trained to tell whether two sentences follow each other.
    const POOLER: &str = "pooler_output";
    let read = pooling::read(folder)?;
    (pipeline.pooling, pipeline.include_prompt) = (read.ways, read.include_prompt);
    let Given::Texts(output) = about.given else { return Ok(()) };
    let names = pipeline.pooling_name().unwrap_or_default();
    if output == POOLER || pipeline.pooling.len() > 1 || !pipeline.include_prompt {
        let prompt = if pipeline.include_prompt { "" } else { " without the prompt" };
        let what = format!("the pooling {names}{prompt} of a graph that gives no vectors of tokens, but {output}");
        let expected = "an output last_hidden_state, which can be pooled so, or sentence_embedding, which is all of it";
        return Err(Error::Unsupported { what, expected }.of(&folder.join("config.json")));
    }
    notes.push(format!("the graph gives no vectors of tokens: its {output} is taken to be the pooling {names}"));
    pipeline.pooling.clear();
    Ok(())
}

/// Adds what comes after the network; says whether there was a Pooling.
fn add_modules(
    pipeline: &mut Pipeline,
    modules: &[Module],
    about: &About<'_>,
    notes: &mut Vec<String>,
) -> Result<bool> {
    let mut width = about.width;
    let mut pooled = false;
    for module in modules {
        let of_file = |error: Error| error.of(&module.folder);
        match module.kind {
            Kind::Transformer => return Err(module.refused("a second Transformer")),
            Kind::Pooling => {
                // It begins anew, with the vectors of tokens, and what was made of them before is lost.
                if pooled {
                    pipeline.steps.clear();
                    notes.push("of several modules Pooling the last counts, and what follows it".into());
                }
                add_pooling(pipeline, &module.folder, about, notes)?;
                width = pipeline.pooled_width(about.width as usize) as u32;
                pooled = true;
            }
            // It looks for a vector of the text, finds none, and does nothing.
            Kind::Normalize if !pooled => notes.push(format!("{} does nothing before a Pooling", module.kind.name())),
            Kind::Dense | Kind::LayerNorm if !pooled => {
                return Err(module.refused(&format!("a {} before Pooling", module.kind.name())));
            }
            Kind::Dense => {
                let dense = layer::dense(&module.folder, width).map_err(of_file)?;
                width = dense.outputs;
                pipeline.steps.push(Step::Dense(dense));
            }
            Kind::LayerNorm => pipeline.steps.push(layer::norm(&module.folder, width).map_err(of_file)?),
            Kind::Normalize => {
                layer::check_names(&module.folder)?;
                pipeline.steps.push(Step::Normalize);
            }
            Kind::Dropout => layer::check_dropout(&module.folder)?,
        }
    }
    Ok(pooled)
}
