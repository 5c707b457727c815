//! How many positions a graph has: what is learned for each position ends with its table.
//!
//! A table is one of positions if what it is looked up by is a list of them: an input, a count up to the length of the
//! text, or the first numbers of a list that the exporter wrote into the graph. Positions that are computed otherwise
//! (from what is no padding, as in `RoBERTa`) are not followed: those graphs end where a run does.

use std::collections::HashSet;

use super::graph::{Model, Node};
use super::wiring::Wiring;
use super::{DataType, Feed, Role};

/// Positions of the smallest table that they are looked up in; `None` if none was found.
pub(super) fn positions(model: &Model<'_>, wiring: &Wiring<'_, '_>, feeds: &[Feed]) -> Option<u32> {
    let given = feeds.iter().filter(|feed| matches!(feed.role, Role::Positions | Role::CachePositions));
    let mut search = Search { wiring, positions: given.map(|feed| feed.name.as_str()).collect(), most: None };
    search.nodes(&model.graph.nodes);
    search.most.and_then(|most| u32::try_from(most).ok())
}

struct Search<'w, 'm, 'a, 's> {
    wiring: &'w Wiring<'m, 'a>,
    /// Values that are positions, in whatever shape and type.
    positions: HashSet<&'s str>,
    most: Option<u64>,
}

impl<'s> Search<'_, '_, '_, 's> {
    fn is_positions(&self, node: &Node<'_>, index: usize) -> bool {
        node.input(index).is_some_and(|name| self.positions.contains(name))
    }

    /// Nodes come in the order in which they are computed, those of branches included.
    fn nodes(&mut self, nodes: &'s [Node<'_>]) {
        /// Operators that leave positions what they are.
        const SAME: [&str; 8] = ["Cast", "Identity", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Expand", "Slice"];
        for node in nodes {
            let is_list = node.is("", "Range") || node.is("", "Slice") && self.list(node).is_some();
            if is_list || node.domain.is_empty() && SAME.contains(&node.op) && self.is_positions(node, 0) {
                self.positions.extend(node.outputs.iter().copied());
            }
            // Along another axis it is no table of rows.
            if node.is("", "Gather") && self.is_positions(node, 1) && node.int("axis").unwrap_or(0) == 0 {
                let rows = node.input(0).and_then(|table| self.wiring.rows(table));
                self.most = [self.most, rows].into_iter().flatten().min();
            }
            node.graphs().for_each(|graph| self.nodes(&graph.nodes));
        }
    }

    /// The length of the list that a node takes the first numbers of, if a table of as many rows is looked up by it.
    fn list(&self, node: &Node<'_>) -> Option<u64> {
        let list = self.wiring.tensor(node.input(0)?)?;
        let (length, others) = list.shape.split_last()?;
        let is_list = list.element == DataType::I64 && others.iter().all(|other| *other == 1);
        let of = |other: &&Node<'_>| other.is("", "Gather") && other.input(1) == node.outputs.first().copied();
        let table = self.wiring.graph.nodes.iter().find(of)?;
        // A list of zeros, for the kinds of tokens, is as long; its table has one row or two.
        let rows = self.wiring.rows(table.input(0)?)?;
        (is_list && rows == *length).then_some(rows)
    }
}
