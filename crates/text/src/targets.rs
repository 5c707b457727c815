//! Statements that give names their values: loops, assignments and `with`.
//!
//! What is looped over goes through a filter, which makes a list of a text: minijinja does not know its length. So does
//! what is taken apart. The values of `with` are all those from before it, where minijinja gives each to the next.

use std::borrow::Cow;

use crate::tokens::{between, reads, tokens};

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
        Some((names, value)) if names.contains(',') && !names.contains(['[', '"', '\'']) => {
            format!("{names}= ({})|{ITEMS}", value.trim()).into()
        }
        _ => inside.into(),
    }
}

/// The names of a `with` block, whose values are computed before any name has its own.
pub(crate) fn at_once(inside: &str) -> Cow<'_, str> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut before: Vec<&str> = Vec::new();
    for part in between(",", inside) {
        let Some((name, value)) = part.split_once('=') else {
            before.push(part.trim());
            continue;
        };
        before.push(name.trim());
        // Several names without brackets take one value apart, as with them.
        let target = if before.len() > 1 { format!("({})", before.join(", ")) } else { before.concat() };
        before.clear();
        let several = target.starts_with('(');
        let value = if several { format!("({})|{ITEMS}", value.trim()) } else { value.trim().to_owned() };
        pairs.push((target, value));
    }
    let several = pairs.iter().any(|(target, _)| target.starts_with('('));
    let is_late = |at: usize| pairs[..at].iter().any(|(target, _)| names(target).any(|name| reads(&pairs[at].1, name)));
    let late = (1..pairs.len()).any(is_late);
    if !before.is_empty() || !several && !late {
        return inside.into();
    }
    let kept = pairs.iter().enumerate().filter(|_| late).map(|(at, (_, value))| format!("__with_{at} = ({value})"));
    let kept = kept.collect::<Vec<_>>();
    let given = pairs
        .iter()
        .enumerate()
        .map(|(at, (name, value))| if late { format!("{name} = __with_{at}") } else { format!("{name} = {value}") });
    format!(" {} ", kept.into_iter().chain(given).collect::<Vec<_>>().join(", ")).into()
}

/// The names in a target: those in brackets are several, for which a value is taken apart.
fn names(target: &str) -> impl Iterator<Item = &str> {
    tokens(target).filter(|token| token.starts_with(|c: char| c.is_alphabetic() || c == '_'))
}
