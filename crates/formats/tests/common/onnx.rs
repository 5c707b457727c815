//! Writes small ONNX models, and reads what is made of them.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};

pub const F32: u64 = 1;
pub const U8: u64 = 2;
pub const I64: u64 = 7;
pub const BOOL: u64 = 9;
pub const F16: u64 = 10;
pub const BF16: u64 = 16;

/// A protobuf message.
#[derive(Clone, Default)]
pub struct M(pub Vec<u8>);

impl M {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub fn number(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    pub fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    pub fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    pub fn message(self, field: u64, value: &M) -> Self {
        self.bytes(field, &value.0)
    }

    /// This message as the field of another.
    pub fn wrap(&self, field: u64) -> Self {
        Self::default().message(field, self)
    }

    pub fn each<T>(self, items: &[T], add: impl Fn(Self, &T) -> Self) -> Self {
        items.iter().fold(self, add)
    }
}

/// A field: its number, and its bytes or its number as varint.
pub type Field = (u64, Result<Vec<u8>, u64>);

/// The fields of a message without fixed-width ones, if it is one.
pub fn try_fields(bytes: &[u8]) -> Option<Vec<Field>> {
    fn varint(bytes: &mut &[u8]) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = bytes.split_first()?;
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
    let (mut rest, mut found) = (bytes, vec![]);
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        let value = match tag & 7 {
            0 => Err(varint(&mut rest)?),
            2 => {
                let length = varint(&mut rest)?;
                let (value, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                rest = after;
                Ok(value.to_vec())
            }
            _ => return None,
        };
        found.push((tag >> 3, value));
    }
    Some(found)
}

/// The same of a message that is sound.
pub fn fields(bytes: &[u8]) -> Vec<Field> {
    try_fields(bytes).expect("a message")
}

/// The messages of one field.
pub fn all(bytes: &[u8], field: u64) -> Vec<Vec<u8>> {
    fields(bytes).into_iter().filter(|(number, _)| *number == field).map(|(_, value)| value.expect("bytes")).collect()
}

/// The texts of one field.
pub fn texts(bytes: &[u8], field: u64) -> Vec<String> {
    all(bytes, field).into_iter().map(|text| String::from_utf8(text).expect("text")).collect()
}

pub fn tensor(name: &str, element: u64, shape: &[u64], raw: &[u8]) -> M {
    let tensor = M::default().each(shape, |tensor, length| tensor.number(1, *length));
    tensor.number(2, element).text(8, name).bytes(9, raw)
}

pub fn floats(name: &str, shape: &[u64]) -> M {
    tensor(name, F32, shape, &vec![0; 4 * shape.iter().product::<u64>() as usize])
}

pub fn external(name: &str, element: u64, shape: &[u64], entries: &[(&str, &str)]) -> M {
    let tensor = M::default().each(shape, |tensor, length| tensor.number(1, *length)).number(2, element).text(8, name);
    let entry = |tensor: M, (key, value): &(&str, &str)| tensor.message(13, &M::default().text(1, key).text(2, value));
    tensor.each(entries, entry).number(14, 1)
}

pub fn node(domain: &str, op: &str, inputs: &[&str], outputs: &[&str]) -> M {
    let node =
        M::default().each(inputs, |node, name| node.text(1, name)).each(outputs, |node, name| node.text(2, name));
    let node = node.text(3, &format!("node of {op}")).text(4, op);
    if domain.is_empty() { node } else { node.text(7, domain) }
}

pub fn op(op: &str, inputs: &[&str], outputs: &[&str]) -> M {
    node("", op, inputs, outputs)
}

/// A node with whole numbers as attributes.
pub fn with(node: M, attributes: &[(&str, i64)]) -> M {
    node.each(attributes, |node, (name, value)| {
        node.message(5, &M::default().text(1, name).number(3, *value as u64).number(20, 2))
    })
}

/// A node with a graph as attribute.
pub fn branch(node: M, graph: &M) -> M {
    node.message(5, &M::default().text(1, "then_branch").message(6, graph).number(20, 5))
}

/// A length, or the name of one.
#[derive(Clone, Copy)]
pub enum D {
    N(u64),
    S(&'static str),
}

pub fn port(name: &str, element: u64, shape: &[D]) -> M {
    let shape = M::default().each(shape, |shape, length| {
        shape.message(
            1,
            &match length {
                D::N(length) => M::default().number(1, *length),
                D::S(name) => M::default().text(2, name),
            },
        )
    });
    let kind = M::default().number(1, element).message(2, &shape);
    M::default().text(1, name).message(2, &M::default().message(1, &kind))
}

/// The two dimensions of tokens.
pub const TOKENS: [D; 2] = [D::S("batch"), D::S("sequence")];

/// A model whose parts can be added to.
#[derive(Clone)]
pub struct Model {
    pub ir: u64,
    pub opsets: Vec<(String, u64)>,
    pub nodes: Vec<M>,
    pub tensors: Vec<M>,
    pub inputs: Vec<M>,
    pub outputs: Vec<M>,
    pub functions: Vec<M>,
    /// Written behind the other fields of the graph, and of the model.
    pub more: [M; 2],
}

impl Model {
    pub fn empty() -> Self {
        let opsets = vec![(String::new(), 17), ("com.microsoft".into(), 1)];
        let (nodes, tensors, inputs, outputs, functions) = (vec![], vec![], vec![], vec![], vec![]);
        Self { ir: 8, opsets, nodes, tensors, inputs, outputs, functions, more: [M::default(), M::default()] }
    }

    /// An embedding and a matrix: four numbers for each token, then scores for ten.
    pub fn decoder() -> Self {
        let model = Self::empty().tensor(floats("embedding", &[10, 4])).tensor(floats("head", &[4, 10]));
        let model = model.input(port("input_ids", I64, &TOKENS));
        let model = model.node(op("Gather", &["embedding", "input_ids"], &["hidden"]));
        let model = model.node(op("MatMul", &["hidden", "head"], &["logits"]));
        model.output(port("logits", F32, &[D::S("batch"), D::S("sequence"), D::N(10)]))
    }

    /// The same with a mask and a cache of one layer that grows: two heads of eight numbers.
    pub fn cached() -> Self {
        let shape = |length| [D::S("batch"), D::N(2), D::S(length), D::N(8)];
        let mut model = Self::decoder().input(port("attention_mask", I64, &[D::S("batch"), D::S("total")]));
        for part in ["key", "value"] {
            let (past, present) = (format!("past_key_values.0.{part}"), format!("present.0.{part}"));
            model = model.input(port(&past, F32, &shape("past"))).output(port(&present, F32, &shape("total")));
            model = model.node(op("Concat", &[&past, "new"], &[&present]));
        }
        model
    }

    /// The same with `GroupQueryAttention`: two heads for keys of four, of 16 numbers, whose count the graph leaves open.
    pub fn shared() -> Self {
        Self::attention(&[("num_heads", 4), ("kv_num_heads", 2), ("do_rotary", 1)])
    }

    pub fn attention(attributes: &[(&str, i64)]) -> Self {
        let shape = |length| [D::S("batch"), D::N(2), D::S(length), D::S("kv_cache_dim")];
        let mut model = Self::decoder().input(port("attention_mask", I64, &[D::S("batch"), D::S("total")]));
        for part in ["key", "value"] {
            model = model.input(port(&format!("past_key_values.0.{part}"), F32, &shape("past")));
            model = model.output(port(&format!("present.0.{part}"), F32, &shape("total")));
        }
        model = model
            .tensor(floats("qkv_weight", &[4, 128]))
            .tensor(floats("cos", &[64, 8]))
            .tensor(floats("sin", &[64, 8]));
        model = model.node(op("MatMul", &["hidden", "qkv_weight"], &["qkv"]));
        let inputs =
            ["qkv", "", "", "past_key_values.0.key", "past_key_values.0.value", "lengths", "total", "cos", "sin"];
        let outputs = ["attended", "present.0.key", "present.0.value"];
        model.node(with(node("com.microsoft", "GroupQueryAttention", &inputs, &outputs), attributes))
    }

    /// Tokens to vectors of 24 numbers.
    pub fn encoder() -> Self {
        let model = Self::empty().tensor(floats("embedding", &[10, 24])).input(port("input_ids", I64, &TOKENS));
        let model = model.node(op("Gather", &["embedding", "input_ids"], &["last_hidden_state"]));
        model.output(port("last_hidden_state", F32, &[D::S("batch"), D::S("sequence"), D::N(24)]))
    }

    pub fn node(mut self, node: M) -> Self {
        self.nodes.push(node);
        self
    }

    pub fn tensor(mut self, tensor: M) -> Self {
        self.tensors.push(tensor);
        self
    }

    pub fn input(mut self, port: M) -> Self {
        self.inputs.push(port);
        self
    }

    pub fn output(mut self, port: M) -> Self {
        self.outputs.push(port);
        self
    }

    /// With a weight in another file that nothing uses.
    pub fn with_external(self, entries: &[(&str, &str)]) -> Self {
        self.tensor(external("weight", F32, &[16, 16], entries))
    }

    pub fn change(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn graph(&self) -> M {
        let graph = M::default().each(&self.nodes, |graph, node| graph.message(1, node)).text(2, "main");
        let graph = graph.each(&self.tensors, |graph, tensor| graph.message(5, tensor));
        let graph = graph.each(&self.inputs, |graph, port| graph.message(11, port));
        let mut graph = graph.each(&self.outputs, |graph, port| graph.message(12, port));
        graph.0.extend(&self.more[0].0);
        graph
    }

    pub fn bytes(&self) -> Vec<u8> {
        let model = M::default().number(1, self.ir).text(2, "by hand").message(7, &self.graph());
        let model = model.each(&self.opsets, |model, (domain, version)| {
            model.message(8, &M::default().text(1, domain).number(2, *version))
        });
        let mut model = model.each(&self.functions, |model, function| model.message(25, function));
        model.0.extend(&self.more[1].0);
        model.0
    }

    pub fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join("model.onnx");
        std::fs::write(&path, self.bytes()).expect("a file");
        path
    }
}

/// A function of the file.
pub fn function(domain: &str, name: &str, opsets: &[(&str, u64)], nodes: &[M]) -> M {
    let function = M::default().text(1, name).each(nodes, |function, node| function.message(7, node));
    let function = function.each(opsets, |function, (domain, version)| {
        function.message(9, &M::default().text(1, domain).number(2, *version))
    });
    function.text(10, domain)
}
