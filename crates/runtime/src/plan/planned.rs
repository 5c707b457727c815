//! The plan.

use trillm_core::ModelInfo;

use super::alternatives::{Alternative, Others, alternatives};
use super::engines::{engine, need};
use super::machine::{Limit, Machine};
use super::need::Need;
use super::options::Options;
use super::verdict::{Verdict, judged};

/// What a model needs, what there is, and what follows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// The engine that is planned for; empty if no rules are known for the format.
    pub engine: &'static str,
    /// Tokens of the cache.
    pub context: u32,
    /// Sequences that may run at once.
    pub parallel: u32,
    /// What it needs.
    pub need: Need,
    /// What this process can get, or a pool has left, whichever refuses it, and who says so; `None` where the system does
    /// not tell.
    pub limit: Option<Limit>,
    /// Whether that suffices.
    pub verdict: Verdict,
    /// What would fit, the least loss first; none if this fits.
    pub alternatives: Vec<Alternative>,
}

/// Plans for a model whose files say `info`.
pub fn plan(info: &ModelInfo, options: Options<'_>, machine: &Machine, others: &Others) -> Plan {
    let need = need(info, options, machine);
    let (verdict, limit) = judged(&need, machine, &others.budget);
    let alternatives =
        if verdict == Verdict::Refused { alternatives(info, options, machine, others) } else { Vec::new() };
    Plan {
        engine: engine(info.format),
        context: options.session.context_for(info.context_trained),
        parallel: options.session.parallel,
        need,
        limit,
        verdict,
        alternatives,
    }
}
