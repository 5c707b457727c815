//! What a graph may do: compute, and nothing else.
//!
//! An operator that the runtime knows by a shared library can be any code, and a few that it brings along read files or
//! call Python. So operators are allowed by their domain, and those few are refused by name.

use std::collections::HashMap;

use super::graph::{Function, Graph, Model, Node, qualified};
use super::wire::shortened;
use crate::{Error, Result};

/// Domains of operators, besides those that the file defines itself: ONNX's own and ONNX Runtime's.
const DOMAINS: [&str; 3] = ["", MICROSOFT, "com.microsoft.nchwc"];
/// The domain of ONNX Runtime's operators.
pub(super) const MICROSOFT: &str = "com.microsoft";
/// Nodes that a graph has after its functions were put in their place, which the runtime does before it runs it.
const EXPANDED: u64 = 1_000_000;

/// Operators that do more than compute, and why they are refused.
const REFUSED: [(&str, &str); 7] = [
    ("EPContext", "loads a compiled program from another file"),
    ("PythonOp", "calls Python"),
    ("PythonOpGrad", "calls Python"),
    ("BeamSearch", "has the loop over tokens in it"),
    ("WhisperBeamSearch", "has the loop over tokens in it"),
    ("GreedySearch", "has the loop over tokens in it"),
    ("Sampling", "has the loop over tokens in it"),
];

/// Operators that no language model needs and that end the process, or never end, on inputs made for it (tried with ONNX
/// Runtime 1.32).
const DANGEROUS: [(&str, &str); 11] = [
    ("", "Loop"),
    ("", "Scan"),
    ("", "SequenceMap"),
    ("", "DFT"),
    ("", "STFT"),
    ("", "Unique"),
    (MICROSOFT, "AttnLSTM"),
    (MICROSOFT, "QLinearConcat"),
    (MICROSOFT, "QLinearLeakyRelu"),
    (MICROSOFT, "QLinearSigmoid"),
    (MICROSOFT, "QLinearWhere"),
];

/// Operators of any number of inputs, which read every one without asking whether it is there.
const VARIADIC: [&str; 5] = ["Sum", "Mean", "Max", "Min", "Concat"];

/// Functions by domain and name, with the number of nodes that one call stands for.
type Known<'m, 'a> = HashMap<(&'a str, &'a str), (&'m Function<'a>, Option<u64>)>;

/// Checks all operators of a model.
pub(super) fn check(model: &Model<'_>) -> Result<()> {
    let mut known: Known<'_, '_> = HashMap::new();
    for function in &model.functions {
        if DOMAINS.contains(&function.domain) {
            let what = format!("the function {}", qualified(function.domain, function.name));
            let (found, expected) = ("a domain of operators that are known", "a domain of its own");
            return Err(Error::Graph { what, found: found.into(), expected: expected.into() });
        }
        if known.insert((function.domain, function.name), (function, None)).is_some() {
            let name = qualified(function.domain, function.name);
            return Err(Error::Duplicate { what: "function", name, offset: 0 });
        }
    }
    for function in &model.functions {
        let imported = |domain: &str| function.opsets.iter().any(|opset| opset.domain == domain);
        function.nodes.iter().try_for_each(|node| operators(node, &imported, &known))?;
    }
    // The runtime has versions of its own for its own domains where the graph names none; in a function it has not.
    let imported =
        |domain: &str| DOMAINS[1..].contains(&domain) || model.opsets.iter().any(|opset| opset.domain == domain);
    model.graph.nodes.iter().try_for_each(|node| operators(node, &imported, &known))?;
    let mut calls = Calls { known, open: Vec::new() };
    let nodes = calls.nodes(&model.graph.nodes)?;
    if nodes > EXPANDED {
        let what = "the nodes of the graph and of the functions it calls".into();
        return Err(Error::Limit { what, offset: 0, found: nodes, limit: EXPANDED });
    }
    Ok(())
}

/// Checks the operator of a node, and those of the graphs in it.
fn operators(node: &Node<'_>, imported: &dyn Fn(&str) -> bool, known: &Known<'_, '_>) -> Result<()> {
    let refused = |found: String, expected: &str| Error::Graph { what: node.label(), found, expected: expected.into() };
    let is_local = known.contains_key(&(node.domain, node.op));
    if !is_local && !DOMAINS.contains(&node.domain) {
        let found = format!("an operator of the domain {:?}", shortened(node.domain));
        return Err(refused(found, "operators of ONNX, of com.microsoft, or defined in the file"));
    }
    if !imported(node.domain) {
        return Err(refused("an operator of a domain that opset_import does not name".into(), "one that it names"));
    }
    if let Some((_, why)) = REFUSED.iter().find(|(op, _)| node.is(MICROSOFT, op)) {
        return Err(refused(format!("an operator that {why}"), "operators that compute"));
    }
    if DANGEROUS.iter().any(|(domain, op)| node.is(domain, op)) {
        return Err(refused("an operator that no language model needs".into(), "operators that are safe to run"));
    }
    if node.domain.is_empty() && VARIADIC.contains(&node.op) && node.inputs.contains(&"") {
        return Err(refused("an input that is left out".into(), "all inputs"));
    }
    if node.is("", "GatherND") && node.int("batch_dims").is_some_and(|dims| dims < 0) {
        return Err(refused("a negative batch_dims".into(), "0 or more"));
    }
    node.graphs().flat_map(|graph| &graph.nodes).try_for_each(|node| operators(node, imported, known))
}

/// Follows calls of functions.
struct Calls<'m, 'a> {
    known: Known<'m, 'a>,
    /// Functions that are being followed: one that is met again calls itself.
    open: Vec<(&'a str, &'a str)>,
}

impl<'a> Calls<'_, 'a> {
    /// How many nodes these are with all functions in their place.
    fn nodes(&mut self, nodes: &[Node<'a>]) -> Result<u64> {
        let mut total = 0u64;
        for node in nodes {
            total = total.saturating_add(self.node(node)?);
        }
        Ok(total)
    }

    fn node(&mut self, node: &Node<'a>) -> Result<u64> {
        /// Functions within functions: each takes some stack here and in the runtime.
        const DEPTH: usize = 32;
        let mut total = 1u64;
        for Graph { nodes, .. } in node.graphs() {
            total = total.saturating_add(self.nodes(nodes)?);
        }
        let key = (node.domain, node.op);
        let called = match self.known.get(&key) {
            None => 0,
            Some((_, Some(count))) => *count,
            Some((function, None)) => {
                let function = *function;
                let name = qualified(function.domain, function.name);
                if self.open.contains(&key) {
                    let (what, found) = (format!("the function {name}"), "one that calls itself".into());
                    return Err(Error::Graph { what, found, expected: "functions that end".into() });
                }
                if self.open.len() == DEPTH {
                    let (found, limit) = (DEPTH as u64 + 1, DEPTH as u64);
                    return Err(Error::Limit { what: "the depth of functions".into(), offset: 0, found, limit });
                }
                self.open.push(key);
                let count = self.nodes(&function.nodes)?;
                self.open.pop();
                self.known.insert(key, (function, Some(count)));
                count
            }
        };
        Ok(total.saturating_add(called))
    }
}
