//! Tables that a graph looks its inputs up in.

use std::collections::HashSet;

use super::graph::Node;
use super::wiring::Wiring;

/// Follows values through a graph to the tables that they are looked up in.
pub(super) struct Lookup<'w, 'm, 'a, 's> {
    pub(super) wiring: &'w Wiring<'m, 'a>,
    /// What is followed, in whatever shape and type.
    pub(super) values: HashSet<&'s str>,
    /// Operators of the standard that leave a value what it is, beyond [`SAME`].
    pub(super) also: &'static [&'static str],
    /// Whether a node makes such values of others.
    pub(super) makes: &'w dyn Fn(&Node<'_>) -> bool,
    /// Whether a node looks its second input up in its first.
    pub(super) looks_up: fn(&Node<'_>) -> bool,
}

/// Operators that change no number.
const SAME: [&str; 7] = ["Cast", "Identity", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Expand"];

impl<'s> Lookup<'_, '_, '_, 's> {
    /// Rows of the smallest table; `None` if none was found.
    pub(super) fn rows(mut self, nodes: &'s [Node<'_>]) -> Option<u32> {
        let mut rows = None;
        self.follow(nodes, &mut rows);
        rows.and_then(|rows| u32::try_from(rows).ok())
    }

    /// Nodes come in the order in which they are computed, those of branches included.
    fn follow(&mut self, nodes: &'s [Node<'_>], least: &mut Option<u64>) {
        for node in nodes {
            let is_followed = |index| node.input(index).is_some_and(|name| self.values.contains(name));
            let keeps = node.domain.is_empty() && (SAME.contains(&node.op) || self.also.contains(&node.op));
            // Along another axis it is no table of rows.
            let looks_up = (self.looks_up)(node) && is_followed(1) && node.int("axis").unwrap_or(0) == 0;
            if (self.makes)(node) || keeps && is_followed(0) {
                self.values.extend(node.outputs.iter().copied());
            }
            if looks_up {
                let rows = node.input(0).and_then(|table| self.wiring.rows(table));
                *least = [*least, rows].into_iter().flatten().min();
            }
            node.graphs().for_each(|graph| self.follow(&graph.nodes, least));
        }
    }
}
