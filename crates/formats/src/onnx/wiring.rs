//! Which node makes which value, and who uses it.

use std::collections::{HashMap, HashSet};

use super::graph::{Graph, Node};
use super::rules::MICROSOFT;
use super::tensor::Tensor;
use super::wire::shortened;
use crate::{Error, Result};

/// Nodes that are followed from a value to where it comes from.
const STEPS: usize = 32;

/// A graph whose values can be looked up by name.
pub(super) struct Wiring<'m, 'a> {
    pub(super) graph: &'m Graph<'a>,
    /// Indexes of nodes by their outputs.
    makers: HashMap<&'a str, usize>,
    tensors: HashMap<&'a str, &'m Tensor<'a>>,
    /// How often each value is an input of a node, nodes of inner graphs included, or an output of a graph.
    uses: HashMap<&'a str, u32>,
}

/// A matrix that turns hidden states into something for each of its columns.
#[derive(Debug)]
pub(super) struct Projection<'a> {
    /// Index of the node.
    pub(super) node: usize,
    /// The hidden states, its first input.
    pub(super) hidden: &'a str,
    /// Rows: the width of the hidden state.
    pub(super) rows: u64,
    pub(super) columns: u64,
    /// The values from the projection's output to the one that was asked about.
    pub(super) values: Vec<&'a str>,
}

impl<'m, 'a> Wiring<'m, 'a> {
    pub(super) fn new(graph: &'m Graph<'a>) -> Result<Self> {
        let mut wiring = Self { graph, makers: HashMap::new(), tensors: HashMap::new(), uses: HashMap::new() };
        let twice = |what, name: &str| Error::Duplicate { what, name: shortened(name), offset: 0 };
        let (mut inputs, mut outputs) = (HashSet::new(), HashSet::new());
        for (list, seen) in [(&graph.inputs, &mut inputs), (&graph.outputs, &mut outputs)] {
            for port in list {
                if !seen.insert(port.name) {
                    return Err(twice("input or output", port.name));
                }
            }
        }
        if let Some(name) = outputs.intersection(&inputs).next() {
            // A run would give back the memory that it was given.
            return Err(twice("input and output", name));
        }
        for tensor in &graph.tensors {
            if wiring.tensors.insert(tensor.name, tensor).is_some() {
                return Err(twice("tensor", tensor.name));
            }
        }
        for (index, node) in graph.nodes.iter().enumerate() {
            for &output in node.outputs.iter().filter(|output| !output.is_empty()) {
                if wiring.makers.insert(output, index).is_some()
                    || wiring.tensors.contains_key(output)
                    || inputs.contains(output)
                {
                    return Err(twice("value", output));
                }
            }
        }
        wiring.count(graph);
        Ok(wiring)
    }

    fn count(&mut self, graph: &Graph<'a>) {
        for output in &graph.outputs {
            *self.uses.entry(output.name).or_default() += 1;
        }
        for node in &graph.nodes {
            for &input in &node.inputs {
                *self.uses.entry(input).or_default() += 1;
            }
            node.graphs().for_each(|inner| self.count(inner));
        }
    }

    pub(super) fn uses(&self, value: &str) -> u32 {
        self.uses.get(value).copied().unwrap_or(0)
    }

    /// Whether a name stands for something already.
    pub(super) fn has(&self, name: &str) -> bool {
        self.uses.contains_key(name) || self.makers.contains_key(name) || self.tensors.contains_key(name)
    }

    pub(super) fn tensor(&self, name: &str) -> Option<&'m Tensor<'a>> {
        self.tensors.get(name).copied()
    }

    pub(super) fn maker(&self, value: &str) -> Option<(usize, &'m Node<'a>)> {
        let index = *self.makers.get(value)?;
        Some((index, self.graph.nodes.get(index)?))
    }

    /// The shape of a value that never changes: a tensor, a `Constant`, or one of them in another type.
    fn constant(&self, value: &str) -> Option<&'m [u64]> {
        let mut value = value;
        for _ in 0..STEPS {
            if let Some(tensor) = self.tensor(value) {
                return Some(&tensor.shape);
            }
            let (_, node) = self.maker(value)?;
            match (node.domain, node.op) {
                ("", "Constant") => {
                    // Without a tensor it is one number, or a list or text, which nobody adds to scores.
                    let tensor = node.attributes.iter().find_map(|attribute| attribute.tensor.as_ref());
                    return Some(tensor.map_or(&[], |tensor| &tensor.shape));
                }
                ("", "Cast" | "Identity") => value = node.input(0)?,
                _ => return None,
            }
        }
        None
    }

    /// Rows and columns of a matrix that never changes: a tensor, as it is, turned over, or stored in fewer bits.
    fn matrix(&self, value: &str) -> Option<[u64; 2]> {
        let (mut value, mut turned) = (value, false);
        for _ in 0..STEPS {
            if let Some(tensor) = self.tensor(value) {
                let [rows, columns] = tensor.shape[..].try_into().ok()?;
                return Some(if turned { [columns, rows] } else { [rows, columns] });
            }
            let (_, node) = self.maker(value)?;
            match (node.domain, node.op) {
                ("", "Transpose") => turned = !turned,
                ("", "Cast" | "Identity" | "DequantizeLinear") | (MICROSOFT, "DequantizeLinear") => {}
                _ => return None,
            }
            value = node.input(0)?;
        }
        None
    }

    /// Rows of a table that never changes: a tensor as it is, in another type, or stored in fewer bits.
    pub(super) fn rows(&self, value: &str) -> Option<u64> {
        let stored = |value| self.tensor(value).map(|it| it.shape.first().copied().filter(|_| it.shape.len() > 1));
        let (mut value, mut scales) = (value, None);
        for _ in 0..STEPS {
            if let Some(rows) = stored(value) {
                return rows.max(scales);
            }
            let (_, node) = self.maker(value)?;
            value = match (node.domain, node.op) {
                ("", "Cast" | "Identity" | "DequantizeLinear") | (MICROSOFT, "DequantizeLinear") => node.input(0)?,
                // Written out: by a scale for all, for each row, or for each column.
                ("", "Mul" | "Sub") => {
                    scales = scales.max(stored(node.input(1)?)?);
                    node.input(0)?
                }
                _ => return None,
            };
        }
        None
    }

    /// The projection that `value` comes from, with nothing but steps between that treat each number alone.
    pub(super) fn projection(&self, value: &'a str) -> Option<Projection<'a>> {
        let mut values = Vec::new();
        let mut value = value;
        for _ in 0..STEPS {
            values.push(value);
            let (index, node) = self.maker(value)?;
            let size = match (node.domain, node.op) {
                ("", "Cast" | "Tanh" | "Identity") => {
                    value = node.input(0)?;
                    continue;
                }
                ("", "Mul" | "Div" | "Add") => {
                    let (left, right) = (node.input(0)?, node.input(1)?);
                    // One number, or one for each column: what is the same for every row.
                    let is_plain = |value| self.constant(value).is_some_and(|shape: &[u64]| shape.len() <= 1);
                    value = match (is_plain(left), is_plain(right)) {
                        (false, true) => left,
                        (true, false) => right,
                        _ => return None,
                    };
                    continue;
                }
                ("", "MatMul") => self.matrix(node.input(1)?)?,
                (MICROSOFT, "MatMulNBits") => {
                    self.tensor(node.input(1)?)?;
                    [node.int("K")?, node.int("N")?].map(|size| u64::try_from(size).unwrap_or(0))
                }
                _ => return None,
            };
            let [rows, columns] = size;
            return Some(Projection { node: index, hidden: node.input(0)?, rows, columns, values });
        }
        None
    }
}
