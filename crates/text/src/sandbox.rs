//! A place for a template to fail in.
//!
//! minijinja bounds the work of a template by fuel, but not what values cost that contain others: lists nested a
//! hundred thousand deep overflow the stack when they are dropped, which ends the process, and a value shared a
//! thousand times at each of four levels takes hours to print or compare, which costs no fuel until it is done. So
//! templates are compiled and rendered on a thread of their own, with a stack for the deepest value that the fuel can
//! make (to compare a million lists, each within the next, takes 370 MiB), and are waited for only so long.
//!
//! What remains: such a thread, given up, goes on and may take memory, some megabytes a second. A template may do this
//! twice, then it is not run again.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use trillm_core::{Error as CoreError, memory};

use crate::{Error, Result};

/// Address space for the stack; memory is taken only as far as it is used, by real templates some kilobytes.
const STACK: usize = 512 << 20;

/// Bytes for what a rendering has beside its stack.
const BESIDE: usize = 32 << 20;

/// The thread's name.
const NAME: &str = "trillm-template";

/// How [`DEADLINE`] is called in errors.
pub(crate) const TIME_LIMIT: &str = "time limit of 3 seconds";

/// A thousand times what the largest templates take.
const DEADLINE: Duration = Duration::from_secs(3);

/// Does `work` on a thread of its own; starting one takes about 0.1 ms.
///
/// # Errors
/// [`Error::Exceeded`] when the work is not done in three seconds. It goes on all the same, there being no way to stop
/// a thread: the caller must not try the same again and again. [`NoThread`](CoreError::NoThread) and
/// [`OutOfMemory`](CoreError::OutOfMemory), which say nothing of the template.
pub(crate) fn run<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let (sender, receiver) = sync_channel(1);
    // Address space that the stack takes and leaves nothing of would end the process with the first small value.
    memory::check::<u8>(STACK + BESIDE, &format!("the stack of {NAME}"))?;
    let begin = thread::Builder::new().name(NAME.into()).stack_size(STACK).spawn(move || {
        // Nobody listens any more when it took too long.
        let _ = sender.send(work());
    });
    let thread = begin.map_err(|error| CoreError::no_thread(NAME, &error))?;
    let result = match receiver.recv_timeout(DEADLINE) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => return Err(Error::Exceeded { limit: TIME_LIMIT }),
        Err(RecvTimeoutError::Disconnected) => Err(Error::Failed { reason: "the template engine panicked".into() }),
    };
    // Its stack is given back before the next one is asked for. A panic was told of above.
    let _ = thread.join();
    result
}
