//! A few threads for work that comes in bursts, such as a thousand calls of an event loop.
//!
//! There are none until there is work. A model has its own, so that a child process that loads one has threads that
//! exist there.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::Builder;
use std::time::Duration;

pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// At most so many threads, and the work whose turn comes later. A thread ends when there was none for a while.
pub(crate) struct Pool {
    name: &'static str,
    most: usize,
    jobs: Mutex<Jobs>,
    more: Condvar,
}

#[derive(Default)]
struct Jobs {
    threads: usize,
    /// Of the threads, those that look for work.
    idle: usize,
    waiting: VecDeque<Job>,
}

/// How long a thread waits for work: it costs more to start one than to have it.
const IDLE: Duration = Duration::from_millis(500);

impl Pool {
    pub(crate) fn new(name: &'static str, most: usize) -> Arc<Self> {
        Arc::new(Self { name, most, jobs: Mutex::default(), more: Condvar::new() })
    }

    pub(crate) fn add(self: &Arc<Self>, job: Job) -> std::io::Result<()> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.waiting.push_back(job);
        if jobs.idle >= jobs.waiting.len() || jobs.threads == self.most {
            self.more.notify_one();
            return Ok(());
        }
        let pool = self.clone();
        match Builder::new().name(self.name.into()).spawn(move || pool.serve()) {
            Ok(_) => jobs.threads += 1,
            // Those there are do it, too.
            Err(_) if jobs.threads > 0 => {}
            Err(error) => {
                jobs.waiting.pop_back();
                return Err(error);
            }
        }
        Ok(())
    }

    fn serve(&self) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(job) = jobs.waiting.pop_front() {
                drop(jobs);
                job();
                jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            jobs.idle += 1;
            jobs = self.more.wait_timeout(jobs, IDLE).unwrap_or_else(PoisonError::into_inner).0;
            jobs.idle -= 1;
            if jobs.waiting.is_empty() {
                jobs.threads -= 1;
                return;
            }
        }
    }
}
