//! How large a pattern is that only the library runs: each of its parts may be tried at each place of a text.

use fancy_regex::Expr;

/// The parts of a pattern, copies of repeated ones included. One that is no pattern has none.
pub(crate) fn size(pattern: &str) -> usize {
    Expr::parse_tree(pattern).map_or(0, |tree| of(&tree.expr))
}

/// The parser bounds how deep this goes.
fn of(part: &Expr) -> usize {
    let all = |parts: &[Expr]| parts.iter().map(of).fold(1, usize::saturating_add);
    match part {
        Expr::Concat(parts) | Expr::Alt(parts) => all(parts),
        Expr::Group(part) | Expr::AtomicGroup(part) | Expr::LookAround(part, _) => of(part).saturating_add(1),
        Expr::Repeat { child, lo, hi, .. } => {
            let times = if *hi == usize::MAX { lo.saturating_add(1) } else { *hi };
            of(child).saturating_mul(times).saturating_add(1)
        }
        Expr::Conditional { condition, true_branch, false_branch } => {
            [condition, true_branch, false_branch].into_iter().map(|part| of(part)).fold(1, usize::saturating_add)
        }
        _ => 1,
    }
}
