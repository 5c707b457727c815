//! Norms and attention in ONNX Runtime's own operators, as the model builder of onnxruntime-genai writes them.

use super::array::{Array, Number};
use super::graph::{Attribute, Graph, Value};
use super::interface::{past, present};
use super::llama::{EPSILON, Operators, frequencies};
use crate::models::weights::Shape;

/// What all layers have in common.
pub(super) struct Fused<'a> {
    shape: &'a Shape,
    /// Of each row, how many positions the mask counts, less one: 32 bits, `[batch]`.
    lengths: Value,
    /// Positions of the longest row: 32 bits, no dimension.
    total: Value,
}

impl<'a> Fused<'a> {
    /// Adds what comes before the first layer.
    pub(super) fn new(graph: &mut Graph, shape: &'a Shape) -> Self {
        let narrow = [("to", Attribute::Integer(Number::I32 as i64))];
        let axis = graph.integers(&[1]);
        let counts = graph.apply("ReduceSum", &["attention_mask", &axis], &[("keepdims", Attribute::Integer(0))]);
        let lengths = graph.apply("Sub", &[&counts, &axis], &[]);
        let lengths = graph.apply("Cast", &[&lengths], &narrow);

        let sizes = graph.apply("Shape", &["attention_mask"], &[]);
        let one = graph.integer(1);
        let total = graph.apply("Gather", &[&sizes, &one], &[("axis", Attribute::Integer(0))]);
        let total = graph.apply("Cast", &[&total], &narrow);
        Self { shape, lengths, total }
    }
}

impl Operators for Fused<'_> {
    fn norm(&self, graph: &mut Graph, values: &str, weight: &str) -> Value {
        let attributes = [
            ("epsilon", Attribute::Float(EPSILON)),
            ("axis", Attribute::Integer(-1)),
            ("stash_type", Attribute::Integer(1)),
        ];
        // One of ONNX Runtime's, though it has no domain.
        graph.apply("SimplifiedLayerNormalization", &[values, weight], &attributes)
    }

    fn attention(&self, graph: &mut Graph, layer: u32, values: &str) -> Value {
        let packed = graph.apply("MatMul", &[values, &packed_name(layer)], &[]);
        let inputs = [
            packed.as_str(),
            // Keys and values are packed with the queries.
            "",
            "",
            &past(layer, 0),
            &past(layer, 1),
            &self.lengths,
            &self.total,
            "cos_cache",
            "sin_cache",
        ];
        let attributes = [
            ("num_heads", Attribute::Integer(self.shape.heads.into())),
            ("kv_num_heads", Attribute::Integer(self.shape.kv_heads.into())),
            ("scale", Attribute::Float(1.0 / (self.shape.head() as f32).sqrt())),
            ("local_window_size", Attribute::Integer(-1)),
            ("softcap", Attribute::Float(0.0)),
            ("do_rotary", Attribute::Integer(1)),
            ("rotary_interleaved", Attribute::Integer(0)),
        ];
        let attended = graph.fresh("attended");
        let outputs = [attended.as_str(), &present(layer, 0), &present(layer, 1)];
        graph.node("com.microsoft.GroupQueryAttention", &inputs, &outputs, &attributes);
        attended
    }
}

/// The matrix of queries, keys and values side by side.
pub(super) fn packed_name(layer: u32) -> String {
    format!("model.layers.{layer}.attn.qkv_proj.MatMul.weight")
}

/// Cosines and sines of the angles of every position, `[context, head / 2]`. Made in 64 bits, so that rounding hides
/// the last bit, which platforms differ in.
pub(super) fn rotation_tables(shape: &Shape) -> [(String, Array); 2] {
    let table = |name: &str, function: fn(f64) -> f64| {
        let row = |position| frequencies(shape).map(move |frequency| function(f64::from(position) * frequency) as f32);
        let array = Array::of_floats(&[shape.context, shape.head() / 2], (0..shape.context).flat_map(row));
        (name.into(), array)
    };
    [table("cos_cache", f64::cos), table("sin_cache", f64::sin)]
}
