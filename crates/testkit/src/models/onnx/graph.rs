//! A graph as it is built: each node is given the names of values before it and names its own.
//!
//! Field numbers are those of `onnx.proto`: <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>.

use super::array::{Array, Number};
use super::wire::Message;

/// The name of a value: a node's output, an input of the graph, or an initializer.
pub(super) type Value = String;

/// The length of a dimension.
#[derive(Clone, Copy, Debug)]
pub(super) enum Axis {
    /// Always the same.
    Fixed(u32),
    /// Known when the graph is run; the same name is the same length.
    Named(&'static str),
}

/// A parameter of a node.
#[derive(Clone, Debug)]
pub(super) enum Attribute {
    Integer(i64),
    Float(f32),
    Integers(Vec<i64>),
    Array(Array),
    Graph(Graph),
}

/// A `GraphProto`.
#[derive(Clone, Default, Debug)]
pub(super) struct Graph {
    nodes: Vec<Message>,
    inputs: Vec<Message>,
    outputs: Vec<Message>,
    initializers: Vec<Message>,
}

impl Graph {
    /// Declares an input.
    pub(super) fn input(&mut self, name: &str, number: Number, shape: &[Axis]) {
        self.inputs.push(declaration(name, number, shape));
    }

    /// Declares an output, which some node must give.
    pub(super) fn output(&mut self, name: &str, number: Number, shape: &[Axis]) {
        self.outputs.push(declaration(name, number, shape));
    }

    /// Adds a weight: a `TensorProto`.
    pub(super) fn initializer(&mut self, tensor: Message) {
        self.initializers.push(tensor);
    }

    /// Adds a node and names what it gives. An operator beyond ONNX's own has its domain before it, with a dot between.
    pub(super) fn node(&mut self, operator: &str, inputs: &[&str], outputs: &[&str], attributes: &[(&str, Attribute)]) {
        let (domain, operator) = operator.rsplit_once('.').unwrap_or(("", operator));
        let attributes: Vec<_> = attributes.iter().map(|(name, attribute)| attribute.message(name)).collect();
        let node = Message::default()
            .texts(1, inputs)
            .texts(2, outputs)
            .text(3, &format!("/{operator}_{}", self.nodes.len()))
            .text(4, operator)
            .messages(5, &attributes)
            .text(7, domain);
        self.nodes.push(node);
    }

    /// Adds a node that gives one value.
    pub(super) fn apply(&mut self, operator: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> Value {
        let output = self.fresh(operator);
        self.node(operator, inputs, &[&output], attributes);
        output
    }

    /// A name that no other value of this graph has, for the next node.
    pub(super) fn fresh(&self, hint: &str) -> Value {
        format!("/{hint}_{}_output", self.nodes.len())
    }

    /// A list of integers, as a node.
    pub(super) fn integers(&mut self, values: &[i64]) -> Value {
        self.constant(Array::of_integers(values))
    }

    /// An integer without dimensions, as a node.
    pub(super) fn integer(&mut self, value: i64) -> Value {
        self.constant(Array::of_integer(value))
    }

    /// A float without dimensions, as a node.
    pub(super) fn float(&mut self, value: f32) -> Value {
        self.constant(Array::of_floats(&[], [value]))
    }

    /// Any numbers, as a node.
    pub(super) fn constant(&mut self, array: Array) -> Value {
        self.apply("Constant", &[], &[("value", Attribute::Array(array))])
    }

    fn message(&self) -> Message {
        Message::default()
            .messages(1, &self.nodes)
            .text(2, "main_graph")
            .messages(5, &self.initializers)
            .messages(11, &self.inputs)
            .messages(12, &self.outputs)
    }

    /// A `ModelProto` with this graph. `operators` has the version of each domain whose operators occur.
    pub(super) fn model(&self, ir_version: i64, operators: &[(&str, i64)]) -> Vec<u8> {
        let set = |&(domain, version): &(&str, i64)| Message::default().text(1, domain).integer(2, version);
        Message::default()
            .integer(1, ir_version)
            .text(2, "trillm-testkit")
            .message(7, &self.message())
            .messages(8, &operators.iter().map(set).collect::<Vec<_>>())
            .into_bytes()
    }
}

impl Attribute {
    /// An `AttributeProto`: the value in the field of its type, and the type in field 20.
    fn message(&self, name: &str) -> Message {
        let named = Message::default().text(1, name);
        match self {
            Self::Float(value) => named.float(2, *value).integer(20, 1),
            Self::Integer(value) => named.integer(3, *value).integer(20, 2),
            Self::Array(array) => named.message(5, &array.inline("")).integer(20, 4),
            Self::Graph(graph) => named.message(6, &graph.message()).integer(20, 5),
            Self::Integers(values) => named.integers(8, values).integer(20, 7),
        }
    }
}

/// A `ValueInfoProto`.
fn declaration(name: &str, number: Number, shape: &[Axis]) -> Message {
    let axis = |axis: &Axis| match *axis {
        Axis::Fixed(length) => Message::default().integer(1, length.into()),
        Axis::Named(length) => Message::default().text(2, length),
    };
    let shape = Message::default().messages(1, &shape.iter().map(axis).collect::<Vec<_>>());
    let tensor = Message::default().integer(1, number as i64).message(2, &shape);
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}
