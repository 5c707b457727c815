//! Time that passes.

use std::thread;
use std::time::{Duration, Instant};

/// Waits to within a microsecond: it sleeps as long as a late wake-up does no harm, and spins for the rest.
pub(super) fn wait(time: Duration) {
    const LATE: Duration = Duration::from_micros(200);
    if time.is_zero() {
        return;
    }
    let end = Instant::now() + time;
    thread::sleep(time.saturating_sub(LATE));
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}
