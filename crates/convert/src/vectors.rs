//! How texts become vectors, in both formats: `{architecture}.pooling_type` of a GGUF file, and the files of
//! sentence-transformers in a folder.
//!
//! A GGUF file can say which of three ways a text's tokens are pooled, and nothing else. A folder that does more is refused,
//! whatever its class: embedding models are published as `…ForCausalLM`, too, and nobody sees that a vector is another one.
//! What a caller would notice, as a prompt that has no name any more, is a note.

use serde_json::{Value, json};
use trillm_core::{Pipeline, Pooling, Step};

use crate::{Error, Result};

/// Ways by their numbers in `enum llama_pooling_type`, with the switches that sentence-transformers of all versions reads.
const WAYS: [(u32, Pooling, &str); 3] = [
    (1, Pooling::Mean, "pooling_mode_mean_tokens"),
    (2, Pooling::First, "pooling_mode_cls_token"),
    (3, Pooling::Last, "pooling_mode_lasttoken"),
];

/// The `pooling_type` of a model with `context` positions; `None` if it is what a file is taken for that says none.
pub(crate) fn pooling_type(pipeline: &Pipeline, context: u32, notes: &mut Vec<String>) -> Result<Option<u32>> {
    let refused = |found: String| Error::Vectors {
        found,
        expected: "what a GGUF file can say: the mean over all tokens, the first token or the last",
    };
    let names = pipeline.pooling_name().unwrap_or_default();
    let way = WAYS.iter().find(|(_, way, _)| pipeline.pooling == [*way]);
    let &(number, way, _) = way.ok_or_else(|| refused(format!("the pooling {names}")))?;
    if let Some(step) = pipeline.steps.iter().find(|step| **step != Step::Normalize) {
        return Err(refused(step.to_string()));
    }
    if !pipeline.include_prompt {
        return Err(refused("a pooling that leaves the prompt out".into()));
    }
    if pipeline.lower_case {
        return Err(refused("texts in lower case (do_lower_case)".into()));
    }
    let prompts = || pipeline.prompts.iter().filter(|(_, text)| !text.is_empty()).map(|(name, _)| name.as_str());
    if let Some(default) = pipeline.default_prompt.as_deref()
        && prompts().any(|name| name == default)
    {
        return Err(refused(format!("the prompt {default:?} before every text")));
    }
    if !pipeline.stated {
        return Ok((way != Pooling::unstated(true)).then_some(number));
    }
    let prompts: Vec<&str> = prompts().collect();
    if !prompts.is_empty() {
        let names = prompts.join(", ");
        notes.push(format!(
            "prompts are left out: a GGUF file has no place for them ({names}); a call can give their text"
        ));
    }
    if pipeline.steps.contains(&Step::Normalize) {
        notes.push("a GGUF file has no place for Normalize: vectors have length 1 where a call asks for it".into());
    }
    if let Some(most) = pipeline.max_tokens.filter(|most| *most < context) {
        notes
            .push(format!("a GGUF file has no place for the longest text, {most} tokens: longer ones are not refused"));
    }
    if pipeline.keeps_end {
        notes.push("a GGUF file has no place for truncation_side: a text that is cut loses its end".into());
    }
    Ok(Some(number))
}

/// The files that say how a model of `width` pools, by their paths in its folder; none if its file does not say it.
pub(crate) fn files(pipeline: Option<&Pipeline>, width: u32) -> Vec<(&'static str, Value)> {
    let stated = pipeline.filter(|pipeline| pipeline.stated);
    let ways = stated.map_or(&[][..], |pipeline| &pipeline.pooling);
    let Some((_, _, switch)) = WAYS.iter().find(|(_, way, _)| ways == [*way]) else { return Vec::new() };
    let module = |index: u32, path: &str, name: &str| json!({ "idx": index, "name": index.to_string(), "path": path, "type": format!("sentence_transformers.models.{name}") });
    let mut pooling = json!({ "word_embedding_dimension": width });
    // The mean is what holds where no switch is set.
    for (_, _, other) in WAYS {
        pooling[other] = (other == *switch).into();
    }
    vec![
        ("modules.json", json!([module(0, "", "Transformer"), module(1, "1_Pooling", "Pooling")])),
        ("1_Pooling/config.json", pooling),
    ]
}
