//! Inputs and outputs by their names: what each means.
//!
//! Nothing in the format says it. The names are those that exporters write, with those of `genai_config.json` first.

use super::facts::Names;
use super::graph::{Dimension, Port};
use super::wire::shortened;
use super::{DataType, Feed, Part, Role};
use crate::{Error, Result};

const PARTS: [Part; 3] = [Part::Key, Part::Value, Part::Both];

const PAST: [(&str, Part); 7] = [
    ("past_key_values.%d.key", Part::Key),
    ("past_key_values.%d.value", Part::Value),
    ("past_key_%d", Part::Key),
    ("past_value_%d", Part::Value),
    ("past_key_self_%d", Part::Key),
    ("past_value_self_%d", Part::Value),
    ("past_%d", Part::Both),
];

const PRESENT: [(&str, Part); 9] = [
    ("present.%d.key", Part::Key),
    ("present.%d.value", Part::Value),
    ("present_key_values.%d.key", Part::Key),
    ("present_key_values.%d.value", Part::Value),
    ("present_key_%d", Part::Key),
    ("present_value_%d", Part::Value),
    ("present_key_self_%d", Part::Key),
    ("present_value_self_%d", Part::Value),
    ("present_%d", Part::Both),
];

/// The number in a name that follows a pattern.
fn numbered(pattern: &str, name: &str) -> Option<u32> {
    let (before, after) = pattern.split_once("%d")?;
    let digits = name.strip_prefix(before)?.strip_suffix(after)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn part(name: &str, given: &[Option<String>; 3], usual: &[(&str, Part)]) -> Option<(u32, Part)> {
    let given = given.iter().zip(PARTS).filter_map(|(pattern, part)| Some((pattern.as_deref()?, part)));
    given.chain(usual.iter().copied()).find_map(|(pattern, part)| Some((numbered(pattern, name)?, part)))
}

/// The layer and the part of an input that is earlier positions.
pub(super) fn past(name: &str, names: &Names) -> Option<(u32, Part)> {
    part(name, &names.past, &PAST)
}

/// The same of an output.
pub(super) fn present(name: &str, names: &Names) -> Option<(u32, Part)> {
    part(name, &names.present, &PRESENT)
}

/// Reads an input that is not cache.
pub(super) fn feed(port: &Port<'_>, names: &Names) -> Result<Feed> {
    const INTEGERS: [DataType; 2] = [DataType::I64, DataType::I32];
    let is = |given: &Option<String>, usual: &str| given.as_deref().unwrap_or(usual) == port.name;
    let (role, ranks, elements): (Role, &[usize], &[DataType]) = match port.name {
        _ if is(&names.tokens, "input_ids") => (Role::Tokens, &[2], &INTEGERS),
        _ if is(&names.mask, "attention_mask") => (Role::Mask, &[2], &INTEGERS),
        _ if is(&names.positions, "position_ids") => (Role::Positions, &[2], &INTEGERS),
        "cache_position" => (Role::CachePositions, &[1], &INTEGERS),
        "token_type_ids" => (Role::TokenTypes, &[2], &INTEGERS),
        "use_cache_branch" => (Role::UseCache, &[1], &[DataType::Bool]),
        "num_logits_to_keep" | "logits_to_keep" => {
            let vector = port.shape.as_ref().is_some_and(|shape| shape.len() == 1);
            (Role::ScoresKept { vector }, &[0, 1], &INTEGERS)
        }
        name => {
            let found = format!("an input that {}", why(name));
            let expected = "inputs that a language model on text needs";
            return Err(refused(port, found, expected));
        }
    };
    let element = port.element.and_then(|element| DataType::known(element).ok());
    let Some(element) = element.filter(|element| elements.contains(element)) else {
        let expected = elements.iter().map(|element| element.name()).collect::<Vec<_>>().join(" or ");
        return Err(refused(port, element_name(port), &expected));
    };
    let Some(shape) = &port.shape else {
        return Err(refused(port, "an input of unknown shape".into(), "a shape"));
    };
    if !ranks.contains(&shape.len()) {
        let expected = ranks.iter().map(usize::to_string).collect::<Vec<_>>().join(" or ");
        return Err(refused(port, format!("an input of {} dimensions", shape.len()), &expected));
    }
    let may_be_fixed = matches!(role, Role::UseCache | Role::ScoresKept { .. });
    if let Some(length) = shape.iter().find_map(|length| length.fixed()).filter(|_| !may_be_fixed) {
        let found = format!("an input with a dimension fixed at {length}");
        return Err(refused(port, found, "batch and sequence of any length"));
    }
    Ok(Feed { name: port.name.into(), role, element })
}

/// Why an input that is not known cannot be given.
fn why(name: &str) -> &'static str {
    const STATE: &str = "is the state of a convolution or recurrence, as LFM2's and Mamba's graphs have it beside keys \
                         and values, which is not supported";
    const KINDS: [(&[&str], &str); 6] = [
        (
            &["encoder", "cross", "decoder_input"],
            "an encoder-decoder model has, of which nothing here runs both halves",
        ),
        (&["past_conv", "conv_state", "ssm", "recurrent", "past_state"], STATE),
        (&["pixel", "image", "vision"], "takes images"),
        (&["input_features", "audio", "input_values"], "takes sound"),
        (&["embeds"], "takes embeddings in place of tokens"),
        (&["past_sequence_length", "total_sequence_length", "seqlens", "beam"], "belongs to another kind of cache"),
    ];
    if let Some((_, why)) = KINDS.iter().find(|(parts, _)| parts.iter().any(|part| name.contains(part))) {
        return why;
    }
    // `past_key_values.0.conv`, `cache.conv1`: a word that others are part of.
    let mut words = name.split(|letter: char| !letter.is_ascii_alphabetic());
    if words.any(|word| ["conv", "convs", "convolution"].contains(&word)) { STATE } else { "is not known here" }
}

/// The element type of a port, for messages.
pub(super) fn element_name(port: &Port<'_>) -> String {
    match port.element {
        None => "no tensor".into(),
        Some(number) => match DataType::known(number) {
            Ok(element) => format!("numbers of type {}", element.name()),
            Err(name) => format!("numbers of type {name}"),
        },
    }
}

/// The element type of scores, vectors and cache: F32 or F16.
pub(super) fn floats(port: &Port<'_>) -> Result<DataType> {
    match port.element.map(DataType::known) {
        Some(Ok(element @ (DataType::F32 | DataType::F16))) => Ok(element),
        Some(Ok(DataType::Bf16)) => {
            let found = "numbers of type BF16, with which ONNX Runtime cannot compute on a CPU";
            Err(refused(port, found.into(), "F32 or F16"))
        }
        _ => Err(refused(port, element_name(port), "F32 or F16")),
    }
}

/// The shape of a port, of `rank` dimensions.
pub(super) fn shape<'p, 'a>(port: &'p Port<'a>, rank: usize) -> Result<&'p [Dimension<'a>]> {
    match &port.shape {
        Some(shape) if shape.len() == rank => Ok(shape),
        Some(shape) => Err(refused(port, format!("{} dimensions", shape.len()), &rank.to_string())),
        None => Err(refused(port, "an unknown shape".into(), &format!("{rank} dimensions"))),
    }
}

/// The error for an input or output that cannot be used.
pub(super) fn refused(port: &Port<'_>, found: String, expected: &str) -> Error {
    Error::Graph { what: format!("{:?}", shortened(port.name)), found, expected: expected.into() }
}
