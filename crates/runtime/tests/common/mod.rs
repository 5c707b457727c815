//! What tests of pools have in common.

use std::thread;
use std::time::{Duration, Instant};

/// Waits for something that comes soon.
pub(crate) fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what} did not come");
        thread::sleep(Duration::from_millis(1));
    }
}
