//! The one budget of cores that all models of this process compute on, whichever engine runs them.

use std::sync::Arc;

use trillm_core::PerProcess;
use trillm_machine::default_threads;
use trillm_sched::Cores;

/// A forked child begins anew: threads that it has not got may have had cores, or the list of those who wait.
static CORES: PerProcess<Arc<Cores>> = PerProcess::new();

/// As many as a model has threads by default, now: a control group may give a process more or less while it runs.
pub(crate) fn cores() -> Arc<Cores> {
    let now = default_threads();
    let cores = CORES.get(|| Arc::new(Cores::new(now)));
    cores.set_count(now);
    cores.clone()
}
