//! Whether the system gives threads: libraries that start their own assert that it does, or wait for ever.

use std::io;
use std::sync::mpsc;
use std::thread;

/// Stacks of threads that are started without saying how large: the usual default on Linux.
const STACK: usize = 8 << 20;

/// Starts and ends `threads` - 1 threads, all of them alive at once, as a library would beside the caller's.
///
/// # Errors
/// If the system does not give so many now; the message says how many it gave.
pub fn check_threads(threads: usize) -> io::Result<()> {
    let mut held = Vec::with_capacity(threads);
    let mut failure = None;
    for number in 1..threads {
        let (sender, wait) = mpsc::channel::<()>();
        // Each lives until all have started: then its sender is gone.
        let started = thread::Builder::new().stack_size(STACK).spawn(move || {
            let _ = wait.recv();
        });
        match started {
            Ok(thread) => held.push((sender, thread)),
            Err(error) => {
                let what = format!("{threads} threads cannot be started, {number} can: {error}");
                failure = Some(io::Error::new(error.kind(), what));
                break;
            }
        }
    }
    for (sender, thread) in held {
        drop(sender);
        // It does nothing that could panic.
        let _ = thread.join();
    }
    failure.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_threads_can_be_had() {
        check_threads(0).expect("none");
        check_threads(4).expect("four");
    }
}
