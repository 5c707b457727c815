//! Statements that give names their values: loops, assignments and `with`.
//!
//! What is looped over goes through a filter, which makes a list of a text: minijinja does not know its length. So does
//! what is taken apart. The values of `with` are all those from before it, where minijinja gives each to the next.

use std::borrow::Cow;

use crate::tokens::{between_commas, reads, tokens};

/// The filter that what is looped over goes through.
pub(crate) const ITEMS: &str = "__items_of";
/// The filter that what is looped over goes through where an item is taken apart.
pub(crate) const PAIRS: &str = "__pairs_of";
/// A loop whose list goes through [`ITEMS`]: what stands between `in` and `if`, `recursive` or the end.
pub(crate) fn looped(inside: &str) -> Cow<'_, str> {
    let (mut at, mut depth, mut start, mut end) = (0, 0usize, None, inside.len());
    for token in tokens(inside) {
        match token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            "in" if depth == 0 && start.is_none() => start = Some(at + token.len()),
            "if" | "recursive" if depth == 0 && start.is_some() => {
                end = at;
                break;
            }
            _ => {}
        }
        at += token.len();
    }
    match start {
        Some(start) if !inside[start..end].trim().is_empty() => {
            let filter = if inside[..start].contains(',') { PAIRS } else { ITEMS };
            format!("{} ({})|{filter} {}", &inside[..start], inside[start..end].trim(), &inside[end..]).into()
        }
        _ => inside.into(),
    }
}

/// Whether this is the rest of an assignment, and not of a block whose text is kept.
pub(crate) fn assigns(inside: &str) -> bool {
    let mut depth = 0usize;
    tokens(inside).any(|token| {
        match token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && token == "="
    })
}

/// An assignment to several names, which a text is taken apart for too.
pub(crate) fn unpacked(inside: &str) -> Cow<'_, str> {
    match inside.split_once('=') {
        Some((names, value)) if names.contains(',') && !names.contains(['(', '[', '"', '\'']) => {
            format!("{names}= ({})|{ITEMS}", value.trim()).into()
        }
        _ => inside.into(),
    }
}

/// The names of a `with` block, whose values are computed before any name has its own.
pub(crate) fn at_once(inside: &str) -> Cow<'_, str> {
    let pairs = between_commas(inside).into_iter().filter_map(|pair| pair.split_once('='));
    let pairs: Vec<(&str, &str)> = pairs.map(|(name, value)| (name.trim(), value.trim())).collect();
    let is_late = |at: usize| pairs[..at].iter().any(|(target, _)| names(target).any(|name| reads(pairs[at].1, name)));
    if !(1..pairs.len()).any(is_late) {
        return inside.into();
    }
    let kept = pairs.iter().enumerate().map(|(at, (_, value))| format!("__with_{at} = ({value})"));
    let given = pairs.iter().enumerate().map(|(at, (name, _))| format!("{name} = __with_{at}"));
    format!(" {} ", kept.chain(given).collect::<Vec<_>>().join(", ")).into()
}

/// The names in a target: those in brackets are several, for which a value is taken apart.
fn names(target: &str) -> impl Iterator<Item = &str> {
    tokens(target).filter(|token| token.starts_with(|c: char| c.is_alphabetic() || c == '_'))
}
