//! Inputs and outputs by the names that exporters give them.

use super::array::Number;
use super::form::OnnxForm;
use super::graph::{Axis, Graph};
use crate::models::weights::Shape;

const BATCH: Axis = Axis::Named("batch_size");
const SEQUENCE: Axis = Axis::Named("sequence_length");
const PAST: Axis = Axis::Named("past_sequence_length");
const TOTAL: Axis = Axis::Named("total_sequence_length");

/// How a graph in plain operators keeps earlier positions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cache {
    /// It does not.
    None,
    /// It gives keys and values, but takes none: a branch for the first step.
    Begun,
    /// It takes keys and values, and gives them with the new ones after.
    Grown,
    /// The same for one new token: of several, each sees all.
    Resumed,
    /// As [`Grown`](Self::Grown), keys and values in one tensor.
    Joined,
}

/// The input with the keys (0) or values (1) of a layer.
pub(super) fn past(layer: u32, part: usize) -> String {
    format!("past_key_values.{layer}.{}", ["key", "value"][part])
}

/// The output with the keys (0) or values (1) of a layer.
pub(super) fn present(layer: u32, part: usize) -> String {
    format!("present.{layer}.{}", ["key", "value"][part])
}

/// Declares what a form takes.
pub(super) fn declare_inputs(graph: &mut Graph, shape: &Shape, form: OnnxForm) {
    let cached = form != OnnxForm::NoCache && !form.gives_vectors();
    graph.input("input_ids", Number::I64, &[BATCH, SEQUENCE]);
    graph.input("attention_mask", Number::I64, &[BATCH, if cached { TOTAL } else { SEQUENCE }]);
    if form != OnnxForm::Shared && !form.gives_vectors() {
        graph.input("position_ids", Number::I64, &[BATCH, SEQUENCE]);
    }
    for (name, axes) in cache_tensors(shape, form, PAST, past, "past") {
        graph.input(&name, Number::F32, &axes);
    }
    if form == OnnxForm::Merged {
        graph.input("use_cache_branch", Number::Bool, &[Axis::Fixed(1)]);
    }
}

/// Declares what a form gives.
pub(super) fn declare_outputs(graph: &mut Graph, shape: &Shape, form: OnnxForm) {
    for (name, axes) in outputs(shape, form) {
        graph.output(&name, Number::F32, &axes);
    }
}

/// The names of what a form gives, in order.
pub(super) fn output_names(shape: &Shape, form: OnnxForm) -> Vec<String> {
    outputs(shape, form).into_iter().map(|(name, _)| name).collect()
}

/// The names and shapes of what a form gives.
fn outputs(shape: &Shape, form: OnnxForm) -> Vec<(String, Vec<Axis>)> {
    let (name, width) =
        if form.gives_vectors() { ("last_hidden_state", shape.width) } else { ("logits", shape.vocabulary) };
    let mut outputs = vec![(name.into(), vec![BATCH, SEQUENCE, Axis::Fixed(width)])];
    outputs.extend(cache_tensors(shape, form, TOTAL, present, "present"));
    outputs
}

/// The names and shapes of the cache's tensors, before a step or after it.
fn cache_tensors(
    shape: &Shape,
    form: OnnxForm,
    length: Axis,
    separate: fn(u32, usize) -> String,
    joined: &str,
) -> Vec<(String, Vec<Axis>)> {
    let axes = [BATCH, Axis::Fixed(shape.kv_heads), length, Axis::Fixed(shape.head())];
    let of_layer = |layer| match form {
        OnnxForm::NoCache | OnnxForm::Encoder | OnnxForm::PlacedEncoder => vec![],
        OnnxForm::Joined => vec![(format!("{joined}_{layer}"), [&[Axis::Fixed(2)], &axes[..]].concat())],
        OnnxForm::Grown | OnnxForm::Placed | OnnxForm::Shared | OnnxForm::Merged => {
            [0, 1].map(|part| (separate(layer, part), axes.into())).into()
        }
    };
    (0..shape.layers).flat_map(of_layer).collect()
}
