//! How many tokens a graph has embeddings for. Tokenizers may have more: tokens that were added and never trained.

use std::collections::HashSet;

use super::graph::{Model, Node};
use super::rules::MICROSOFT;
use super::wiring::Wiring;
use super::{Feed, Role};

/// Rows of the smallest table that tokens are looked up in; `None` if none was found.
pub(super) fn rows(model: &Model<'_>, wiring: &Wiring<'_, '_>, feeds: &[Feed]) -> Option<u32> {
    let tokens = feeds.iter().filter(|feed| feed.role == Role::Tokens).map(|feed| feed.name.as_str());
    let mut search = Search { wiring, tokens: tokens.collect(), rows: None };
    search.nodes(&model.graph.nodes);
    search.rows.and_then(|rows| u32::try_from(rows).ok())
}

struct Search<'w, 'm, 'a, 's> {
    wiring: &'w Wiring<'m, 'a>,
    /// Values that are the tokens, in whatever shape and type.
    tokens: HashSet<&'s str>,
    rows: Option<u64>,
}

impl<'s> Search<'_, '_, '_, 's> {
    fn is_tokens(&self, node: &Node<'_>, index: usize) -> bool {
        node.input(index).is_some_and(|name| self.tokens.contains(name))
    }

    /// Nodes come in the order in which they are computed, those of branches included.
    fn nodes(&mut self, nodes: &'s [Node<'_>]) {
        /// Operators that change no number.
        const SAME: [&str; 7] = ["Cast", "Identity", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Expand"];
        for node in nodes {
            if node.domain.is_empty() && SAME.contains(&node.op) && self.is_tokens(node, 0) {
                self.tokens.extend(node.outputs.iter().copied());
            }
            let looks_up = node.is("", "Gather") || node.is(MICROSOFT, "GatherBlockQuantized");
            // Along another axis it is no table of rows.
            if looks_up && self.is_tokens(node, 1) && node.int("axis").unwrap_or(0) == 0 {
                let table = node.input(0).and_then(|table| self.wiring.rows(table));
                self.rows = [self.rows, table].into_iter().flatten().min();
            }
            node.graphs().for_each(|graph| self.nodes(&graph.nodes));
        }
    }
}
