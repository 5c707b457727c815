//! Work that may wait, or takes long, beside the event loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use trillm_core::Class;
use trillm_runtime::GoesOn;

use crate::Refusal;

/// Does what may wait on a thread where that may be. `work` is told when nobody wants it any more.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce(&GoesOn) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    struct Wanted(Arc<AtomicBool>);
    impl Drop for Wanted {
        fn drop(&mut self) {
            self.0.store(false, Relaxed);
        }
    }
    let wanted = Arc::new(AtomicBool::new(true));
    let guard = Wanted(wanted.clone());
    let goes_on: GoesOn = Arc::new(move || wanted.load(Relaxed));
    let done = tokio::task::spawn_blocking(move || work(&goes_on)).await;
    drop(guard);
    done.unwrap_or_else(|panic| Err(Refusal::new(Class::Engine, "internal", panic.to_string())))
}
