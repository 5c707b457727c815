//! What a pool tells of a model.

use std::time::Duration;

use trillm_llm::Stats;

/// Where a model is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Phase {
    /// It is looked for, waits for room, or is loaded.
    #[default]
    Coming,
    /// It can be used.
    Here,
    /// It is closed.
    Going,
}

/// A model in memory, or on its way.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub phase: Phase,
    /// What it takes, as it was planned; zero until it has room.
    pub bytes: u64,
    /// Those who use it now.
    pub leases: usize,
    /// How many wait for it, beside the one who brings it.
    pub awaited: usize,
    /// Those who used it since it was loaded.
    pub requests: u64,
    /// Whether it stays whatever others need.
    pub pinned: bool,
    /// How long loading took.
    pub load_time: Duration,
    /// How long nobody has used it; `None` while somebody does.
    pub idle: Option<Duration>,
    /// When it goes, from now on, unless somebody uses it; `None` if it stays.
    pub left: Option<Duration>,
    /// What it has done since it was loaded, and how long its requests took: percentiles from their submission to their
    /// first token and to their end. `None` if it is not here, or its source does not count such things.
    pub stats: Option<Stats>,
}
