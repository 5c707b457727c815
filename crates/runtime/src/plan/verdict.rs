//! Whether what there is suffices.

use super::budget::Budget;
use super::machine::{Counts, Limit, Machine};
use super::need::Need;

/// What follows from a need and a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// All of it fits.
    Fits,
    /// The process's own memory fits, and not all of the files beside it: weights would be read again and again.
    Tight,
    /// The process's own memory does not fit.
    Refused,
    /// The system does not tell what there is.
    Unknown,
}

impl Verdict {
    /// The name that programs are given.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fits => "fits",
            Self::Tight => "tight",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

/// Addresses that are taken beside what becomes resident, where they are limited: stacks of 2 to 8 MiB for each thread,
/// and 64 MiB for each of those that glibc gives memory of their own. Measured with two threads: 160 to 190 MiB, by
/// whichever engine.
const ADDRESSES: u64 = 192 << 20;

/// What counts against a limit.
pub(super) fn counted(need: &Need, limit: &Limit) -> u64 {
    match limit.counts {
        Counts::Private => need.private(),
        Counts::Addresses => need.total().saturating_add(ADDRESSES),
        Counts::Planned => need.total(),
    }
}

/// What follows from a need, and the limit that decides it: the machine's, unless it would suffice and a pool's does not.
pub(super) fn judged(need: &Need, machine: &Machine, budget: &Budget) -> (Verdict, Option<Limit>) {
    let limit = machine.limit.as_ref();
    match (verdict(need, limit), budget.exceeded(need)) {
        (Verdict::Fits | Verdict::Tight | Verdict::Unknown, Some(exceeded)) => (Verdict::Refused, Some(exceeded)),
        (by_machine, _) => (by_machine, limit.cloned()),
    }
}

fn verdict(need: &Need, limit: Option<&Limit>) -> Verdict {
    match limit {
        None => Verdict::Unknown,
        Some(limit) if counted(need, limit) > limit.bytes => Verdict::Refused,
        Some(limit) if need.total() > limit.bytes => Verdict::Tight,
        Some(_) => Verdict::Fits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_memory_is_refused_and_that_of_files_is_not() {
        let need = Need { weights_mapped: 500, weights_private: 100, ..Need::default() };
        let limit = |bytes, counts| Limit { bytes, source: String::new(), counts };
        let of = |bytes, counts| verdict(&need, Some(&limit(bytes, counts)));
        assert_eq!([99, 100, 599, 600].map(|bytes| of(bytes, Counts::Private)), {
            use Verdict::{Fits, Refused, Tight};
            [Refused, Tight, Tight, Fits]
        });
        assert_eq!(
            [600 + ADDRESSES - 1, 600 + ADDRESSES].map(|bytes| of(bytes, Counts::Addresses)),
            [Verdict::Refused, Verdict::Fits]
        );
        assert_eq!(verdict(&need, None), Verdict::Unknown);
    }
}
