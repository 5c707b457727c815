//! How many tokens a graph has embeddings for. Tokenizers may have more: tokens that were added and never trained.

use super::graph::{Model, Node};
use super::lookup::Lookup;
use super::rules::MICROSOFT;
use super::wiring::Wiring;
use super::{Feed, Role};

/// Rows of the smallest table that tokens are looked up in; `None` if none was found.
pub(super) fn rows(model: &Model<'_>, wiring: &Wiring<'_, '_>, feeds: &[Feed]) -> Option<u32> {
    let tokens = feeds.iter().filter(|feed| feed.role == Role::Tokens).map(|feed| feed.name.as_str());
    let looks_up = |node: &Node<'_>| node.is("", "Gather") || node.is(MICROSOFT, "GatherBlockQuantized");
    Lookup { wiring, values: tokens.collect(), also: &[], makes: &|_| false, looks_up }.rows(&model.graph.nodes)
}
