//! Writes the graph that the runtime gets: what was read of the file, with every weight by name only.

use super::data_type::DataType;
use super::external::{Weight, WeightFile};
use super::graph::{Dimension, Model, Port};
use super::skim::{Skim, field};
use super::tensor::{Data, Tensor};
use super::wire::{Fields, Value, Writer};
use super::wiring::{Projection, Wiring};
use crate::Result;

/// What stands for the place of a weight. There must be one; nobody looks there.
const PLACE: &[u8] = b"weights";

/// A graph without its weights, and where these lie.
#[derive(Debug)]
pub struct Skeleton {
    /// A `ModelProto`. Every weight in `weights` is an initializer marked as external, without a real location: it must
    /// be given to the runtime by name.
    pub model: Vec<u8>,
    /// The weights.
    pub weights: Vec<Weight>,
    /// The files they lie in, open for reading; the first is the one with the graph.
    pub files: Vec<WeightFile>,
}

/// The projection to the scores, cut to the last position.
pub(super) struct LastRow<'a> {
    projection: Projection<'a>,
    /// The output with scores.
    scores: &'a str,
    /// Names that the graph does not have yet: of the hidden state that is left, and of the bounds.
    hidden: String,
    bounds: [(String, i64); 3],
}

impl<'a> LastRow<'a> {
    pub(super) fn new(projection: Projection<'a>, scores: &'a str, wiring: &Wiring<'_, 'a>) -> Self {
        let free = |end: &str| {
            let mut name = format!("trillm/last_row/{end}");
            while wiring.has(&name) {
                name.push('_');
            }
            name
        };
        let bounds = [("starts", -1), ("ends", i64::MAX), ("axes", 1)].map(|(name, bound)| (free(name), bound));
        Self { projection, scores, hidden: free("hidden"), bounds }
    }

    /// `Slice`, from the last position to the end of the sequence.
    fn slice(&self, node: &mut Writer) {
        node.bytes(1, self.projection.hidden.as_bytes());
        for (name, _) in &self.bounds {
            node.bytes(1, name.as_bytes());
        }
        node.bytes(2, self.hidden.as_bytes());
        node.bytes(3, self.hidden.as_bytes());
        node.bytes(4, b"Slice");
    }

    /// The projection with its first input replaced.
    fn project(&self, node: &mut Writer, fields: Fields<'_>) -> Result<()> {
        let mut is_first = true;
        for it in fields {
            let it = it?;
            if it.number == 1 && std::mem::replace(&mut is_first, false) {
                node.bytes(1, self.hidden.as_bytes());
            } else {
                node.0.extend_from_slice(it.raw);
            }
        }
        Ok(())
    }
}

/// Writes a `ModelProto`.
pub(super) fn write(skim: &Skim, model: &Model<'_>, last_row: Option<&LastRow<'_>>) -> Result<Vec<u8>> {
    let mut graph = Writer::default();
    let (mut tensors, mut outputs) = (model.graph.tensors.iter(), model.graph.outputs.iter());
    let mut nodes = 0;
    for piece in &skim.graph {
        let bytes = skim.bytes(piece);
        match piece.number {
            field::GRAPH_NODE => {
                match last_row.filter(|it| it.projection.node == nodes) {
                    None => graph.bytes(piece.number, bytes),
                    Some(it) => {
                        graph.message(field::GRAPH_NODE, |node| it.slice(node));
                        let mut node = Writer::default();
                        it.project(&mut node, skim.field(piece, "the graph").message("a node")?)?;
                        graph.bytes(piece.number, &node.0);
                    }
                }
                nodes += 1;
            }
            field::GRAPH_TENSOR => match tensors.next() {
                Some(tensor) if !matches!(tensor.data, Data::Inline) => {
                    graph.message(piece.number, |writer| stand_in(writer, tensor));
                }
                _ => graph.bytes(piece.number, bytes),
            },
            field::GRAPH_OUTPUT => match (outputs.next(), last_row) {
                (Some(port), Some(it)) if port.name == it.scores => {
                    graph.message(piece.number, |output| cut_output(output, port));
                }
                _ => graph.bytes(piece.number, bytes),
            },
            // What exporters note about shapes on the way to the scores is no longer so.
            field::GRAPH_VALUE if last_row.is_some_and(|it| it.projection.values.contains(&value_name(bytes))) => {}
            field::GRAPH_NAME | field::GRAPH_INPUT | field::GRAPH_VALUE => graph.bytes(piece.number, bytes),
            // Texts for people.
            _ => {}
        }
    }
    for (name, bound) in last_row.iter().flat_map(|it| &it.bounds) {
        graph.message(field::GRAPH_TENSOR, |tensor| {
            tensor.number(1, 1);
            tensor.number(2, DataType::I64 as u64);
            tensor.bytes(8, name.as_bytes());
            tensor.bytes(field::TENSOR_RAW, &bound.to_le_bytes());
        });
    }
    let mut written = Writer::default();
    written.number(field::MODEL_IR, skim.ir.unwrap_or_default());
    for piece in &skim.model {
        if matches!(piece.number, field::MODEL_PRODUCER | field::MODEL_OPSET | field::MODEL_FUNCTION) {
            written.bytes(piece.number, skim.bytes(piece));
        }
    }
    written.bytes(field::MODEL_GRAPH, &graph.0);
    Ok(written.0)
}

/// A tensor without its numbers.
fn stand_in(writer: &mut Writer, tensor: &Tensor<'_>) {
    for &length in &tensor.shape {
        writer.number(1, length);
    }
    writer.number(2, tensor.element as u64);
    writer.bytes(8, tensor.name.as_bytes());
    if tensor.bytes == 0 {
        return writer.bytes(field::TENSOR_RAW, &[]);
    }
    let length = tensor.bytes.to_string();
    for (key, value) in [(&b"location"[..], PLACE), (b"offset", b"0"), (b"length", length.as_bytes())] {
        writer.message(13, |entry| {
            entry.bytes(1, key);
            entry.bytes(2, value);
        });
    }
    writer.number(14, 1);
}

/// The scores with one position.
fn cut_output(output: &mut Writer, port: &Port<'_>) {
    output.bytes(1, port.name.as_bytes());
    output.message(2, |kind| {
        kind.message(1, |tensor| {
            tensor.number(1, port.element.unwrap_or_default() as u64);
            tensor.message(2, |shape| {
                for (axis, &length) in port.shape.iter().flatten().enumerate() {
                    let length = if axis == 1 { Dimension::Fixed(1) } else { length };
                    shape.message(1, |dimension| match length {
                        Dimension::Fixed(length) => dimension.number(1, length),
                        Dimension::Named(name) => dimension.bytes(2, name.as_bytes()),
                        Dimension::Free => {}
                    });
                }
            });
        });
    });
}

/// The name in a `ValueInfoProto`; empty if it is not sound, which the runtime will say.
fn value_name(bytes: &[u8]) -> &str {
    let mut fields = Fields::new("a value", bytes, 0).flatten();
    let name = fields.find_map(|it| match (it.number, it.value) {
        (1, Value::Bytes(name)) => std::str::from_utf8(name).ok(),
        _ => None,
    });
    name.unwrap_or_default()
}
