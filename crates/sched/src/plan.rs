//! What the next step computes: a pure function, after vLLM V1's scheduler.
//!
//! There are no phases: each sequence has tokens that are known and tokens that are computed, and a step brings the
//! second closer to the first. Every sequence that generates comes first, with its one token; what is left of the
//! budget goes to prompts, in chunks, so that a long prompt never makes the others wait for the whole of it.

/// A running sequence, as far as the planner needs to know it. Given in the order of precedence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    /// Known tokens that are not computed yet; at least one.
    pub(crate) pending: u32,
    /// Its reader has fallen behind: it takes no part in this step.
    pub(crate) blocked: bool,
}

/// What a step may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Budget {
    /// Tokens in a step.
    pub(crate) tokens: u32,
    /// Of those, tokens for prompts when some sequence generates: bounds how long it waits for its next token.
    pub(crate) prompt_beside: u32,
    /// Other models wait until this step is done: prompts come in small chunks, as if a sequence generated.
    pub(crate) awaited: bool,
    /// Free cells in the cache.
    pub(crate) cells: u32,
}

/// A row's part in the step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Take {
    /// Index into the rows.
    pub(crate) row: usize,
    /// Tokens to compute.
    pub(crate) count: u32,
}

/// Fills `takes` with the next step. Returns how many cells are missing for it to make full progress: for every
/// sequence that generates one, and for the first prompt at least one if none generates.
pub(crate) fn plan(rows: &[Row], budget: Budget, takes: &mut Vec<Take>) -> u32 {
    takes.clear();
    let able = || rows.iter().enumerate().filter(|(_, row)| !row.blocked);
    let mut tokens = budget.tokens;
    let mut cells = budget.cells;
    let mut missing = 0;
    for (row, _) in able().filter(|(_, row)| row.pending == 1) {
        if tokens == 0 {
            break;
        }
        if cells == 0 {
            missing += 1;
            continue;
        }
        takes.push(Take { row, count: 1 });
        tokens -= 1;
        cells -= 1;
    }
    let generating = !takes.is_empty() || missing > 0;
    if generating || budget.awaited {
        tokens = tokens.min(budget.prompt_beside);
    }
    for (row, &Row { pending, .. }) in able().filter(|(_, row)| row.pending > 1) {
        let count = pending.min(tokens).min(cells);
        if count == 0 {
            missing += u32::from(!generating && takes.is_empty() && tokens > 0);
            break;
        }
        takes.push(Take { row, count });
        tokens -= count;
        cells -= count;
    }
    missing
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(pending: u32) -> Row {
        Row { pending, blocked: false }
    }

    fn takes(rows: &[Row], budget: Budget) -> (Vec<(usize, u32)>, u32) {
        let mut takes = Vec::new();
        let missing = plan(rows, budget, &mut takes);
        (takes.iter().map(|take| (take.row, take.count)).collect(), missing)
    }

    const AMPLE: Budget = Budget { tokens: 512, prompt_beside: 64, awaited: false, cells: 4096 };

    #[test]
    fn a_lone_prompt_gets_the_whole_step() {
        assert_eq!(takes(&[row(2000)], AMPLE), (vec![(0, 512)], 0));
    }

    #[test]
    fn a_prompt_beside_a_generating_sequence_comes_in_small_chunks() {
        assert_eq!(takes(&[row(2000), row(1)], AMPLE), (vec![(1, 1), (0, 64)], 0));
    }

    #[test]
    fn a_prompt_that_other_models_wait_for_comes_in_small_chunks() {
        assert_eq!(takes(&[row(50), row(2000)], Budget { awaited: true, ..AMPLE }), (vec![(0, 50), (1, 14)], 0));
    }

    #[test]
    fn a_blocked_reader_holds_nobody_up() {
        let blocked = Row { pending: 1, blocked: true };
        assert_eq!(takes(&[blocked, row(1), row(9)], AMPLE), (vec![(1, 1), (2, 9)], 0));
    }

    #[test]
    fn cells_that_are_missing_are_counted() {
        let budget = Budget { cells: 1, ..AMPLE };
        assert_eq!(takes(&[row(1), row(1), row(1), row(30)], budget), (vec![(0, 1)], 2));
        assert_eq!(takes(&[row(30)], Budget { cells: 0, ..AMPLE }), (vec![], 1));
        assert_eq!(takes(&[row(30)], Budget { cells: 7, ..AMPLE }), (vec![(0, 7)], 0));
    }

    proptest! {
        #[test]
        fn invariants(
            rows in prop::collection::vec((1u32..600, any::<bool>()), 0..40),
            tokens in 1u32..600,
            prompt_beside in 1u32..600,
            awaited: bool,
            cells in 0u32..2000,
        ) {
            let rows: Vec<Row> = rows.into_iter().map(|(pending, blocked)| Row { pending, blocked }).collect();
            let mut takes = Vec::new();
            let missing = plan(&rows, Budget { tokens, prompt_beside, awaited, cells }, &mut takes);

            let total: u32 = takes.iter().map(|take| take.count).sum();
            prop_assert!(total <= tokens && total <= cells);
            for (index, take) in takes.iter().enumerate() {
                prop_assert!(take.count >= 1 && take.count <= rows[take.row].pending);
                prop_assert!(!rows[take.row].blocked);
                prop_assert!(takes[..index].iter().all(|other| other.row != take.row), "a row twice");
            }
            // Every sequence that generates has its token, unless tokens or cells ran out, and then no prompt has any.
            let generating = rows.iter().filter(|row| !row.blocked && row.pending == 1).count();
            let served = takes.iter().filter(|take| rows[take.row].pending == 1).count();
            if served < generating {
                prop_assert!(served as u32 == tokens.min(cells));
                prop_assert_eq!(served, takes.len());
            }
            if generating > 0 || awaited {
                prop_assert!(total - served as u32 <= prompt_beside);
            }
            // Whoever can run makes progress, or the lack is reported: nothing stalls in silence.
            if rows.iter().any(|row| !row.blocked) {
                prop_assert!(!takes.is_empty() || missing > 0);
            }
            // Prompts are served in order: only the last one served may be cut short.
            let prompts: Vec<&Take> = takes.iter().filter(|take| rows[take.row].pending > 1).collect();
            for pair in prompts.windows(2) {
                prop_assert!(pair[0].row < pair[1].row && pair[0].count == rows[pair[0].row].pending);
            }
        }
    }
}
