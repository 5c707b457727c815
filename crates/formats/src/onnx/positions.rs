//! How many positions a graph has: what is learned for each position ends with its table.
//!
//! A table is one of positions if what it is looked up by is a list of them: an input, a count up to the length of the
//! text, or the first numbers of a list that the exporter wrote into the graph. Positions that are computed otherwise
//! (from what is no padding, as in `RoBERTa`) are not followed: those graphs end where a run does.

use super::graph::{Model, Node};
use super::lookup::Lookup;
use super::wiring::Wiring;
use super::{DataType, Feed, Role};

/// Positions of the smallest table that they are looked up in; `None` if none was found.
pub(super) fn positions(model: &Model<'_>, wiring: &Wiring<'_, '_>, feeds: &[Feed]) -> Option<u32> {
    let given = feeds.iter().filter(|feed| matches!(feed.role, Role::Positions | Role::CachePositions));
    let values = given.map(|feed| feed.name.as_str()).collect();
    let makes =
        |node: &Node<'_>| node.is("", "Range") || node.is("", "Slice") && is_list(wiring, node).unwrap_or(false);
    let looks_up = |node: &Node<'_>| node.is("", "Gather");
    Lookup { wiring, values, also: &["Slice"], makes: &makes, looks_up }.rows(&model.graph.nodes)
}

/// Whether a node takes the first numbers of a list that a table of as many rows is looked up by.
fn is_list(wiring: &Wiring<'_, '_>, node: &Node<'_>) -> Option<bool> {
    let list = wiring.tensor(node.input(0)?)?;
    let (length, others) = list.shape.split_last()?;
    let is_list = list.element == DataType::I64 && others.iter().all(|other| *other == 1);
    let of = |other: &&Node<'_>| other.is("", "Gather") && other.input(1) == node.outputs.first().copied();
    let table = wiring.graph.nodes.iter().find(of)?;
    // A list of zeros, for the kinds of tokens, is as long; its table has one row or two.
    let rows = wiring.rows(table.input(0)?)?;
    Some(is_list && rows == *length)
}
