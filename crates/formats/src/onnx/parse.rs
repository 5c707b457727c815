//! Reads the tree from what was copied of the file.
//!
//! Only fields of ONNX are read, and every tensor anywhere in the tree passes through `tensor.rs`: there is no place left
//! where a path could hide.

use super::graph::{Attribute, Dimension, Function, Graph, Model, Node, Opset, Port, qualified};
use super::skim::{Skim, field};
use super::tensor::{Data, Tensor};
use super::wire::{Field, Fields, shortened};
use crate::{Error, Result};

/// Nodes of all graphs together.
const NODES: u32 = 200_000;
/// Names, attributes and tensors of all graphs together: each takes some dozen bytes of memory and as few as two of the
/// file.
const ITEMS: u32 = 4_000_000;
/// Graphs within graphs.
const DEPTH: u32 = 8;
/// Dimensions of an input or output.
const DIMENSIONS: usize = 16;

/// The default domain has two names.
fn domain<'a>(field: &Field<'a>) -> Result<&'a str> {
    field.text().map(|name| if name == "ai.onnx" { "" } else { name })
}

/// The tree of what was copied.
pub(super) fn model(skim: &Skim) -> Result<Model<'_>> {
    let mut reader = Reader { nodes: NODES, items: ITEMS };
    let (mut opsets, mut functions) = (Vec::new(), Vec::new());
    for piece in &skim.model {
        let it = skim.field(piece, "the model");
        match it.number {
            field::MODEL_OPSET => opsets.push(opset(it.message("an opset")?)?),
            field::MODEL_FUNCTION => functions.push(reader.function(it.message("a function")?)?),
            // Who exported it, domain, doc_string, metadata_props, configuration: nothing that is computed.
            field::MODEL_PRODUCER | 3 | 4 | 6 | 14 | 26 => {}
            20 => return Err(Error::Unsupported { what: "training_info".into(), expected: "a model for inference" }),
            _ => return Err(it.unknown()),
        }
    }
    let mut graph = Graph::default();
    for piece in &skim.graph {
        reader.field(&mut graph, &skim.field(piece, "the graph"), piece.left, 0)?;
    }
    Ok(Model { opsets, functions, graph })
}

/// `OperatorSetIdProto`.
fn opset(fields: Fields<'_>) -> Result<Opset<'_>> {
    let (mut name, mut version) = (None, None);
    for it in fields {
        let it = it?;
        match it.number {
            1 => it.once(&mut name, domain(&it)?)?,
            2 => it.once(&mut version, it.int64()?)?,
            _ => return Err(it.unknown()),
        }
    }
    Ok(Opset { domain: name.unwrap_or_default(), version: version.unwrap_or_default() })
}

/// Reads, and counts what may still come.
struct Reader {
    nodes: u32,
    items: u32,
}

impl Reader {
    fn count(left: &mut u32, what: &str, limit: u32, it: &Field<'_>) -> Result<()> {
        let over = || {
            let (found, limit) = (u64::from(limit) + 1, u64::from(limit));
            Error::Limit { what: what.into(), offset: it.offset, found, limit }
        };
        *left = left.checked_sub(1).ok_or_else(over)?;
        Ok(())
    }

    fn item(&mut self, it: &Field<'_>) -> Result<()> {
        Self::count(&mut self.items, "the names, attributes and tensors of the graph", ITEMS, it)
    }

    /// One field of `GraphProto`; `left` is where the bytes of a tensor lie that were not copied.
    fn field<'a>(&mut self, graph: &mut Graph<'a>, it: &Field<'a>, left: Option<(u64, u64)>, depth: u32) -> Result<()> {
        self.item(it)?;
        match it.number {
            field::GRAPH_NODE => graph.nodes.push(self.node(it, depth)?),
            field::GRAPH_TENSOR if depth == 0 => graph.tensors.push(Tensor::read(it.message("a tensor")?, left)?),
            field::GRAPH_TENSOR => graph.tensors.push(inline(it)?),
            field::GRAPH_INPUT => graph.inputs.push(port(it.message("an input")?)?),
            field::GRAPH_OUTPUT => graph.outputs.push(port(it.message("an output")?)?),
            15 => return Err(it.error("a sparse tensor", "dense ones")),
            // name, doc_string, value_info, quantization_annotation, metadata_props.
            field::GRAPH_NAME | 10 | field::GRAPH_VALUE | 14 | 16 => drop(it.bytes()?),
            _ => return Err(it.unknown()),
        }
        Ok(())
    }

    /// `NodeProto`.
    fn node<'a>(&mut self, node: &Field<'a>, depth: u32) -> Result<Node<'a>> {
        Self::count(&mut self.nodes, "the nodes of all graphs", NODES, node)?;
        let (mut name, mut op, mut node_domain, mut overload) = (None, None, None, None);
        let (mut inputs, mut outputs, mut attributes) = (Vec::new(), Vec::new(), Vec::new());
        for it in node.message("a node")? {
            let it = it?;
            self.item(&it)?;
            match it.number {
                1 => inputs.push(it.text()?),
                2 => outputs.push(it.text()?),
                3 => it.once(&mut name, it.text()?)?,
                4 => it.once(&mut op, it.text()?)?,
                5 => attributes.push(self.attribute(&it, depth)?),
                7 => it.once(&mut node_domain, domain(&it)?)?,
                8 => it.once(&mut overload, it.text()?)?,
                // doc_string, metadata_props, device_configurations.
                6 | 9 | 10 => drop(it.bytes()?),
                _ => return Err(it.unknown()),
            }
        }
        if overload.is_some_and(|overload| !overload.is_empty()) {
            return Err(node.error("an overload of a function", "functions of one kind"));
        }
        let (name, op, domain) = (name.unwrap_or_default(), op.unwrap_or_default(), node_domain.unwrap_or_default());
        Ok(Node { name, domain, op, inputs, outputs, attributes })
    }

    /// `AttributeProto`.
    fn attribute<'a>(&mut self, attribute: &Field<'a>, depth: u32) -> Result<Attribute<'a>> {
        let (mut name, mut int, mut tensor, mut graph) = (None, None, None, None);
        let (mut float, mut kind, mut graphs) = (None, None, Vec::new());
        for it in attribute.message("an attribute")? {
            let it = it?;
            match it.number {
                1 => it.once(&mut name, it.text()?)?,
                2 => it.once(&mut float, it.fixed(4)?)?,
                3 => it.once(&mut int, it.int64()?)?,
                5 => it.once(&mut tensor, inline(&it)?)?,
                6 => it.once(&mut graph, self.subgraph(&it, depth + 1)?)?,
                7 => drop(it.fixed(4)?),
                8 => drop(it.int64s(|_| ())?),
                10 => {
                    self.item(&it)?;
                    inline(&it)?;
                }
                11 => graphs.push(self.subgraph(&it, depth + 1)?),
                20 => it.once(&mut kind, it.int32()?)?,
                // s, strings, doc_string, tp, type_protos, ref_attr_name.
                4 | 9 | 13 | 14 | 15 | 21 => drop(it.bytes()?),
                22 | 23 => return Err(it.error("a sparse tensor", "dense ones")),
                _ => return Err(it.unknown()),
            }
        }
        graphs.extend(graph);
        Ok(Attribute { name: name.unwrap_or_default(), int, tensor, graphs })
    }

    fn subgraph<'a>(&mut self, it: &Field<'a>, depth: u32) -> Result<Graph<'a>> {
        if depth > DEPTH {
            let (found, limit) = (u64::from(depth), u64::from(DEPTH));
            return Err(Error::Limit { what: "the depth of graphs".into(), offset: it.offset, found, limit });
        }
        let mut graph = Graph::default();
        for it in it.message("a graph in a node")? {
            self.field(&mut graph, &it?, None, depth)?;
        }
        Ok(graph)
    }

    /// `FunctionProto`.
    fn function<'a>(&mut self, fields: Fields<'a>) -> Result<Function<'a>> {
        let (mut name, mut function_domain, mut overload) = (None, None, None);
        let (mut opsets, mut nodes) = (Vec::new(), Vec::new());
        for it in fields {
            let it = it?;
            self.item(&it)?;
            match it.number {
                1 => it.once(&mut name, it.text()?)?,
                7 => nodes.push(self.node(&it, 0)?),
                9 => opsets.push(opset(it.message("an opset")?)?),
                10 => it.once(&mut function_domain, domain(&it)?)?,
                11 => drop(self.attribute(&it, 0)?),
                13 => it.once(&mut overload, it.text()?)?,
                // input, output, attribute names, doc_string, value_info, metadata_props.
                4 | 5 | 6 | 8 | 12 | 14 => drop(it.bytes()?),
                _ => return Err(it.unknown()),
            }
        }
        let (domain, name) = (function_domain.unwrap_or_default(), name.unwrap_or_default());
        if overload.is_some_and(|overload| !overload.is_empty()) {
            let what = format!("an overload of the function {}", qualified(domain, name));
            return Err(Error::Unsupported { what, expected: "functions of one kind" });
        }
        Ok(Function { domain, name, opsets, nodes })
    }
}

/// A tensor whose numbers must be in the graph: in an attribute, or in a graph within the graph.
fn inline<'a>(it: &Field<'a>) -> Result<Tensor<'a>> {
    let tensor = Tensor::read(it.message("a tensor")?, None)?;
    if matches!(tensor.data, Data::Inline) {
        return Ok(tensor);
    }
    let found = format!("the tensor {:?}, whose numbers are in another file", shortened(tensor.name));
    Err(it.error(found, "tensors of the main graph alone in other files"))
}

/// `ValueInfoProto`: a name and a type, of which tensors' are read.
fn port(fields: Fields<'_>) -> Result<Port<'_>> {
    let (mut name, mut held) = (None, None);
    for it in fields {
        let it = it?;
        match it.number {
            1 => it.once(&mut name, it.text()?)?,
            2 => it.once(&mut held, it)?,
            3 | 4 => drop(it.bytes()?),
            _ => return Err(it.unknown()),
        }
    }
    let mut tensor = None;
    for it in held.map(|it| it.message("a type")).transpose()?.into_iter().flatten() {
        let it = it?;
        match it.number {
            1 => it.once(&mut tensor, it)?,
            // Sequences, maps, opaque and optional values, denotation.
            4..=9 => drop(it.bytes()?),
            _ => return Err(it.unknown()),
        }
    }
    let (mut element, mut shape) = (None, None);
    for it in tensor.map(|it| it.message("the type of a tensor")).transpose()?.into_iter().flatten() {
        let it = it?;
        match it.number {
            1 => it.once(&mut element, it.int32()?)?,
            2 => it.once(&mut shape, dimensions(it.message("a shape")?)?)?,
            _ => return Err(it.unknown()),
        }
    }
    Ok(Port { name: name.unwrap_or_default(), element, shape })
}

/// `TensorShapeProto`.
fn dimensions(fields: Fields<'_>) -> Result<Vec<Dimension<'_>>> {
    let mut shape = Vec::new();
    for it in fields {
        let it = it?;
        if it.number != 1 {
            return Err(it.unknown());
        }
        if shape.len() == DIMENSIONS {
            return Err(it.error("more dimensions", "16 dimensions at most"));
        }
        let (mut length, mut name) = (None, None);
        for it in it.message("a dimension")? {
            let it = it?;
            match it.number {
                1 => {
                    let number = it.int64()?;
                    // Some exporters write -1 or 0 for a length that is not fixed.
                    it.once(&mut length, u64::try_from(number).ok().filter(|&number| number > 0))?;
                }
                2 => it.once(&mut name, it.text()?)?,
                3 => drop(it.bytes()?),
                _ => return Err(it.unknown()),
            }
        }
        shape.push(match (length.flatten(), name) {
            (Some(_), Some(_)) => return Err(it.error("a length and a name", "one of them")),
            (Some(length), None) => Dimension::Fixed(length),
            (None, Some(name)) if !name.is_empty() => Dimension::Named(name),
            (None, _) => Dimension::Free,
        });
    }
    Ok(shape)
}
