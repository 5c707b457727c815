//! The network from tokens to the last hidden state, but for norms and attention, which exporters write in two ways.

use super::graph::{Graph, Value};
use crate::models::huggingface::tensor_name;
use crate::models::weights::{Part, Shape};

/// Under the root of a norm, so that nothing is divided by zero.
pub(super) const EPSILON: f32 = 1e-5;

/// What the two ways of exporting do differently.
pub(super) trait Operators {
    /// `values` scaled to a mean square of 1, times `weight`.
    fn norm(&self, graph: &mut Graph, values: &str, weight: &str) -> Value;

    /// The embedded tokens, with their positions if those are added here.
    fn placed(&self, _: &mut Graph, hidden: Value) -> Value {
        hidden
    }

    /// Attention of a layer, from the normed values to before the output matrix: `[batch, sequence, width]` both.
    fn attention(&self, graph: &mut Graph, layer: u32, values: &str) -> Value;
}

/// Adds all layers and the norm after them; gives the hidden state, `[batch, sequence, width]`.
pub(super) fn hidden_state(graph: &mut Graph, shape: &Shape, operators: &impl Operators) -> Value {
    let mut hidden = graph.apply("Gather", &[&tensor_name(Part::Embedding, None), "input_ids"], &[]);
    hidden = operators.placed(graph, hidden);
    for layer in 0..shape.layers {
        let weight = |part| tensor_name(part, Some(layer));

        let normed = operators.norm(graph, &hidden, &weight(Part::AttentionNorm));
        let attended = operators.attention(graph, layer, &normed);
        let attended = graph.apply("MatMul", &[&attended, &weight(Part::AttentionOutput)], &[]);
        hidden = graph.apply("Add", &[&hidden, &attended], &[]);

        let normed = operators.norm(graph, &hidden, &weight(Part::FeedForwardNorm));
        let gate = graph.apply("MatMul", &[&normed, &weight(Part::Gate)], &[]);
        let up = graph.apply("MatMul", &[&normed, &weight(Part::Up)], &[]);
        let sigmoid = graph.apply("Sigmoid", &[&gate], &[]);
        let gate = graph.apply("Mul", &[&gate, &sigmoid], &[]);
        let inner = graph.apply("Mul", &[&gate, &up], &[]);
        let down = graph.apply("MatMul", &[&inner, &weight(Part::Down)], &[]);
        hidden = graph.apply("Add", &[&hidden, &down], &[]);
    }
    operators.norm(graph, &hidden, &tensor_name(Part::OutputNorm, None))
}

/// How often each pair of a head turns in a position, in radians: `10000^(-2 i / head)` for pair `i`.
pub(super) fn frequencies(shape: &Shape) -> impl Iterator<Item = f64> {
    let head = f64::from(shape.head());
    (0..shape.head() / 2).map(move |pair| 10_000f64.powf(f64::from(pair) * -2.0 / head))
}
