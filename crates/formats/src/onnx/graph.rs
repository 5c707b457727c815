//! The graph as a tree: nodes, tensors, inputs and outputs.

use super::tensor::Tensor;
use super::wire::shortened;

/// What a model is made of.
#[derive(Debug)]
pub(super) struct Model<'a> {
    pub(super) opsets: Vec<Opset<'a>>,
    pub(super) functions: Vec<Function<'a>>,
    pub(super) graph: Graph<'a>,
}

/// A set of operators that is used, and its version.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opset<'a> {
    pub(super) domain: &'a str,
    pub(super) version: i64,
}

/// An operator that the file itself defines.
#[derive(Debug)]
pub(super) struct Function<'a> {
    pub(super) domain: &'a str,
    pub(super) name: &'a str,
    pub(super) opsets: Vec<Opset<'a>>,
    pub(super) nodes: Vec<Node<'a>>,
}

#[derive(Default, Debug)]
pub(super) struct Graph<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) tensors: Vec<Tensor<'a>>,
    pub(super) inputs: Vec<Port<'a>>,
    pub(super) outputs: Vec<Port<'a>>,
}

#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) name: &'a str,
    /// The default domain is empty here, under both of its names.
    pub(super) domain: &'a str,
    pub(super) op: &'a str,
    /// Empty where an input is left out.
    pub(super) inputs: Vec<&'a str>,
    pub(super) outputs: Vec<&'a str>,
    pub(super) attributes: Vec<Attribute<'a>>,
}

#[derive(Debug)]
pub(super) struct Attribute<'a> {
    pub(super) name: &'a str,
    /// The number, if it is a whole one.
    pub(super) int: Option<i64>,
    pub(super) tensor: Option<Tensor<'a>>,
    pub(super) graphs: Vec<Graph<'a>>,
}

/// An input or output of a graph.
#[derive(Clone, Debug)]
pub(super) struct Port<'a> {
    pub(super) name: &'a str,
    /// Element type, as a number; `None` for what is no tensor.
    pub(super) element: Option<i32>,
    /// `None` if nothing is said about the shape.
    pub(super) shape: Option<Vec<Dimension<'a>>>,
}

/// A length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dimension<'a> {
    Fixed(u64),
    Named(&'a str),
    Free,
}

impl Dimension<'_> {
    pub(super) fn fixed(self) -> Option<u64> {
        match self {
            Self::Fixed(length) => Some(length),
            _ => None,
        }
    }
}

impl<'a> Node<'a> {
    pub(super) fn is(&self, domain: &str, op: &str) -> bool {
        self.domain == domain && self.op == op
    }

    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.attributes.iter().find(|attribute| attribute.name == name).and_then(|attribute| attribute.int)
    }

    /// The input at `index`, unless it is left out.
    pub(super) fn input(&self, index: usize) -> Option<&'a str> {
        self.inputs.get(index).copied().filter(|name| !name.is_empty())
    }

    pub(super) fn graphs(&self) -> impl Iterator<Item = &Graph<'a>> {
        self.attributes.iter().flat_map(|attribute| &attribute.graphs)
    }

    /// Its name for messages: few exporters leave it out.
    pub(super) fn label(&self) -> String {
        format!("the node {:?} ({})", shortened(self.name), qualified(self.domain, self.op))
    }
}

/// An operator with its domain.
pub(super) fn qualified(domain: &str, op: &str) -> String {
    let (domain, op) = (shortened(domain), shortened(op));
    if domain.is_empty() { op } else { format!("{domain}::{op}") }
}
