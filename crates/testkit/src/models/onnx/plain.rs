//! Norms and attention in ONNX's own operators, as `torch.onnx.export` and optimum write them.

use super::array::{Array, Number};
use super::graph::{Attribute, Graph, Value};
use super::interface::{Cache, past, present};
use super::llama::{EPSILON, Operators, frequencies};
use crate::models::huggingface::tensor_name;
use crate::models::weights::{Part, Shape};

/// The table of positions.
pub(super) const TABLE: &str = "position_embedding";

/// What all layers have in common.
pub(super) struct Plain<'a> {
    shape: &'a Shape,
    cache: Cache,
    /// Cosines of the angles of every position, each twice: for the first and for the second half of a head.
    /// `[batch, 1, sequence, head]`, and the sines likewise.
    cosines: Value,
    sines: Value,
    /// `[batch, sequence]`, or the same for every text: `[1, sequence]`.
    positions: Value,
    /// Whether a row of [`TABLE`] is added to each token, by its position.
    pub(super) placed: bool,
    /// 0 where a query sees a key, the lowest float where not. `[batch, 1, 1, sequence, total]`.
    bias: Value,
}

impl<'a> Plain<'a> {
    /// Adds what comes before the first layer. `positions` are `[batch, sequence]`; without them a token's position is
    /// its place.
    pub(super) fn new(graph: &mut Graph, shape: &'a Shape, cache: Cache, positions: Option<&str>) -> Self {
        let places = Places::new(graph, cache);
        let bias = bias(graph, &places);
        let positions = positions.map_or_else(
            || {
                let zero = graph.integers(&[0]);
                graph.apply("Unsqueeze", &[&places.queries, &zero], &[])
            },
            Value::from,
        );
        let [cosines, sines] = rotations(graph, shape, &positions);
        Self { shape, cache, cosines, sines, positions, placed: false, bias }
    }

    /// A projection, `[batch, sequence, width]`, as `[batch, heads, sequence, head]`.
    fn heads(&self, graph: &mut Graph, values: &str, weight: &str, heads: u32) -> Value {
        let projected = graph.apply("MatMul", &[values, weight], &[]);
        let shape = graph.integers(&[0, 0, heads.into(), self.shape.head().into()]);
        let split = graph.apply("Reshape", &[&projected, &shape], &[]);
        graph.apply("Transpose", &[&split], &[("perm", Attribute::Integers(vec![0, 2, 1, 3]))])
    }

    /// Turns every pair of a head, whose second number is half a head after the first, by the angle of its position.
    fn rotate(&self, graph: &mut Graph, heads: &str) -> Value {
        let (first, second) = (graph.fresh("first"), graph.fresh("second"));
        graph.node("Split", &[heads], &[&first, &second], &[("axis", Attribute::Integer(-1))]);
        let negative = graph.apply("Neg", &[&second], &[]);
        let across = graph.apply("Concat", &[&negative, &first], &[("axis", Attribute::Integer(-1))]);
        let kept = graph.apply("Mul", &[heads, &self.cosines], &[]);
        let moved = graph.apply("Mul", &[&across, &self.sines], &[]);
        graph.apply("Add", &[&kept, &moved], &[])
    }

    /// Keys and values of all positions, from those of the new ones. What the graph gives back gets its name here.
    fn cached(&self, graph: &mut Graph, layer: u32, new: [Value; 2]) -> [Value; 2] {
        let along = |axis| [("axis", Attribute::Integer(axis))];
        match self.cache {
            Cache::None => new,
            Cache::Begun => [0, 1].map(|part| {
                let name = present(layer, part);
                graph.node("Identity", &[&new[part]], &[&name], &[]);
                name
            }),
            Cache::Grown | Cache::Resumed => [0, 1].map(|part| {
                let name = present(layer, part);
                graph.node("Concat", &[&past(layer, part), &new[part]], &[&name], &along(2));
                name
            }),
            Cache::Joined => {
                let all = [0, 1].map(|part: usize| {
                    let which = graph.integer(part as i64);
                    let old = graph.apply("Gather", &[&format!("past_{layer}"), &which], &along(0));
                    graph.apply("Concat", &[&old, &new[part]], &along(2))
                });
                let zero = graph.integers(&[0]);
                let [keys, values] = all.each_ref().map(|all| graph.apply("Unsqueeze", &[all, &zero], &[]));
                graph.node("Concat", &[&keys, &values], &[&format!("present_{layer}")], &along(0));
                all
            }
        }
    }
}

impl Operators for Plain<'_> {
    fn placed(&self, graph: &mut Graph, hidden: Value) -> Value {
        if !self.placed {
            return hidden;
        }
        // As OPT's graphs have it, whose offset is two: a reader of the graph does not see what is looked up.
        let offset = graph.integer(0);
        let positions = graph.apply("Add", &[&self.positions, &offset], &[]);
        let rows = graph.apply("Gather", &[TABLE, &positions], &[]);
        graph.apply("Add", &[&hidden, &rows], &[])
    }

    fn norm(&self, graph: &mut Graph, values: &str, weight: &str) -> Value {
        let two = graph.float(2.0);
        let squares = graph.apply("Pow", &[values, &two], &[]);
        let last = [("axes", Attribute::Integers(vec![-1])), ("keepdims", Attribute::Integer(1))];
        let mean = graph.apply("ReduceMean", &[&squares], &last);
        let epsilon = graph.float(EPSILON);
        let mean = graph.apply("Add", &[&mean, &epsilon], &[]);
        let root = graph.apply("Sqrt", &[&mean], &[]);
        let normed = graph.apply("Div", &[values, &root], &[]);
        graph.apply("Mul", &[weight, &normed], &[])
    }

    fn attention(&self, graph: &mut Graph, layer: u32, values: &str) -> Value {
        let Shape { heads, kv_heads, width, .. } = *self.shape;
        let weight = |part| tensor_name(part, Some(layer));
        let queries = self.heads(graph, values, &weight(Part::Query), heads);
        let queries = self.rotate(graph, &queries);
        let keys = self.heads(graph, values, &weight(Part::Key), kv_heads);
        let keys = self.rotate(graph, &keys);
        let values = self.heads(graph, values, &weight(Part::Value), kv_heads);
        let [keys, values] = self.cached(graph, layer, [keys, values]);

        // The query heads of one key head are an axis of their own, along which its keys and values are repeated.
        let grouped = [0, kv_heads.into(), (heads / kv_heads).into(), -1, self.shape.head().into()];
        let grouped = graph.integers(&grouped);
        let queries = graph.apply("Reshape", &[&queries, &grouped], &[]);
        let two = graph.integers(&[2]);
        let [keys, values] = [keys, values].map(|all| graph.apply("Unsqueeze", &[&all, &two], &[]));
        let keys = graph.apply("Transpose", &[&keys], &[("perm", Attribute::Integers(vec![0, 1, 2, 4, 3]))]);

        let scores = graph.apply("MatMul", &[&queries, &keys], &[]);
        let scale = graph.float(1.0 / (self.shape.head() as f32).sqrt());
        let scores = graph.apply("Mul", &[&scores, &scale], &[]);
        let scores = graph.apply("Add", &[&scores, &self.bias], &[]);
        let weights = graph.apply("Softmax", &[&scores], &[("axis", Attribute::Integer(-1))]);
        let mixed = graph.apply("MatMul", &[&weights, &values], &[]);

        let mixed = graph.apply("Transpose", &[&mixed], &[("perm", Attribute::Integers(vec![0, 3, 1, 2, 4]))]);
        let joined = graph.integers(&[0, 0, width.into()]);
        graph.apply("Reshape", &[&mixed, &joined], &[])
    }
}

/// Places in the cache, counted from its beginning whether or not the mask leaves them out.
struct Places {
    /// Of the new positions, `[sequence]`; or one for all of them.
    queries: Value,
    /// Of all positions, `[total]`.
    keys: Value,
}

impl Places {
    fn new(graph: &mut Graph, cache: Cache) -> Self {
        let (zero, one) = (graph.integer(0), graph.integer(1));
        let kept = match cache {
            Cache::None | Cache::Begun => zero.clone(),
            Cache::Grown | Cache::Resumed => length(graph, &past(0, 0), 2),
            Cache::Joined => length(graph, "past_0", 3),
        };
        let new = length(graph, "input_ids", 1);
        let total = graph.apply("Add", &[&kept, &new], &[]);
        let queries = if cache == Cache::Resumed {
            let first = graph.integers(&[0]);
            graph.apply("Unsqueeze", &[&total, &first], &[])
        } else {
            graph.apply("Range", &[&kept, &total, &one], &[])
        };
        let keys = graph.apply("Range", &[&zero, &total, &one], &[]);
        Self { queries, keys }
    }
}

/// The length of a dimension, without a dimension itself.
fn length(graph: &mut Graph, value: &str, axis: i64) -> Value {
    let shape = graph.apply("Shape", &[value], &[]);
    let axis = graph.integer(axis);
    graph.apply("Gather", &[&shape, &axis], &[("axis", Attribute::Integer(0))])
}

/// A query sees the keys up to its own place that the mask does not leave out. One that sees none, in padding, gets the
/// mean of all values: the lowest float swallows its scores.
fn bias(graph: &mut Graph, places: &Places) -> Value {
    let one = graph.integers(&[1]);
    let queries = graph.apply("Unsqueeze", &[&places.queries, &one], &[]);
    let before = graph.apply("LessOrEqual", &[&places.keys, &queries], &[]);
    let axes = graph.integers(&[1, 2, 3]);
    let mask = graph.apply("Unsqueeze", &["attention_mask", &axes], &[]);
    let zero = graph.integer(0);
    let counts = graph.apply("Greater", &[&mask, &zero], &[]);
    let seen = graph.apply("And", &[&before, &counts], &[]);
    let (nothing, lowest) = (graph.float(0.0), graph.float(f32::MIN));
    graph.apply("Where", &[&seen, &nothing, &lowest], &[])
}

/// Cosines and sines of the angles of `positions`, `[batch, sequence]`; see [`Plain`].
fn rotations(graph: &mut Graph, shape: &Shape, positions: &str) -> [Value; 2] {
    let axes = graph.integers(&[1, 3]);
    let positions = graph.apply("Unsqueeze", &[positions, &axes], &[]);
    let positions = graph.apply("Cast", &[&positions], &[("to", Attribute::Integer(Number::F32 as i64))]);
    let once: Vec<f32> = frequencies(shape).map(|frequency| frequency as f32).collect();
    let frequencies = graph.constant(Array::of_floats(&[shape.head()], once.iter().chain(&once).copied()));
    let angles = graph.apply("Mul", &[&positions, &frequencies], &[]);
    ["Cos", "Sin"].map(|function| graph.apply(function, &[&angles], &[]))
}
