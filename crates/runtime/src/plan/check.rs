//! The gate before a load.

use trillm_core::{Class, Coded};

use super::machine::Counts;
use super::planned::Plan;
use super::verdict::{Verdict, counted};

/// A load that would not fit.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", message(.0))]
pub struct MemoryRefused(pub Box<Plan>);

/// Lets a plan through that fits, or is `force`d.
///
/// # Errors
/// [`MemoryRefused`], with the plan.
pub fn check(plan: Plan, force: bool) -> Result<Plan, MemoryRefused> {
    if plan.verdict == Verdict::Refused && !force { Err(MemoryRefused(Box::new(plan))) } else { Ok(plan) }
}

fn message(plan: &Plan) -> String {
    let Some(limit) = &plan.limit else { return "what memory there is, is not known".into() };
    let (needed, there) = (megabytes(counted(&plan.need, limit)), megabytes(limit.bytes));
    let what = if limit.counts == Counts::Addresses { "addresses" } else { "memory" };
    let (context, parallel) = (plan.context, plan.parallel);
    format!(
        "a context of {context} for {parallel} at once needs {needed} of {what}, and there are {there} ({})",
        limit.source
    )
}

/// Rounded up: what is refused never looks as if it would fit.
fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

impl Coded for MemoryRefused {
    fn kind(&self) -> (Class, &'static str) {
        (Class::MemoryRefused, "memory_refused")
    }

    fn hint(&self) -> Option<String> {
        let fitting: Vec<_> = self.0.alternatives.iter().map(ToString::to_string).collect();
        // What a pool may take is its own to say, and nobody is forced over it.
        let is_a_pools = self.0.limit.as_ref().is_some_and(|limit| limit.counts == Counts::Planned);
        let force = if is_a_pools { "" } else { "; `force=True` loads it all the same" };
        Some(match &fitting[..] {
            [] => format!("nothing smaller of this model fits{force}"),
            fitting => format!("what would fit: {}{force}", fitting.join(", or ")),
        })
    }
}

#[cfg(test)]
mod tests {
    use trillm_core::{LoadOptions, SessionOptions};

    use super::super::alternatives::Others;
    use super::super::alternatives::tests::smollm2;
    use super::super::machine::tests::machine;
    use super::super::options::Options;
    use super::super::planned::plan;
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_unless_it_is_forced() {
        let load = LoadOptions::default();
        let session = SessionOptions { context: Some(8192), ..SessionOptions::default() };
        let options = Options { narrows: true, ..Options::new(&load, &session) };
        let planned = plan(&smollm2(), options, &machine(150_000_000), &Others::default());
        let error = check(planned.clone(), false).expect_err("too much");
        assert_eq!(error.kind(), (Class::MemoryRefused, "memory_refused"));
        // Cache 189,136,896, compute 22,249,472, scores 1,572,864, tokenizer 18,825,984, runtime 3,145,728.
        assert_eq!(planned.need.private(), 234_930_944);
        assert_eq!(
            error.to_string(),
            "a context of 8192 for 8 at once needs 235 MB of memory, and there are 150 MB (a test)"
        );
        let hint = error.hint().expect("advice");
        assert!(hint.starts_with("what would fit: `cache_type=\"q8_0\"`, or `context=4096`"), "{hint}");
        assert_eq!(*error.0, planned);
        assert_eq!(check(planned.clone(), true), Ok(planned));
        let roomy = plan(&smollm2(), options, &machine(1 << 30), &Others::default());
        assert_eq!(check(roomy.clone(), false), Ok(roomy));
    }
}
