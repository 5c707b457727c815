//! What the threads of one process share, and a forked child must not.
//!
//! A child has the memory of its parent and none of its threads. A lock that one of them held is held for ever there,
//! and what the two have in common through the system, one takes from the other. So the child begins anew; what was its
//! parent's stays where it is.

use std::process;
use std::sync::OnceLock;

/// One value for each process.
pub struct PerProcess<T>(OnceLock<Box<Of<T>>>);

struct Of<T> {
    process: u32,
    value: T,
    /// That of a child, for whom this is its parent's.
    child: PerProcess<T>,
}

impl<T> PerProcess<T> {
    /// None yet.
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// This process's, made by `make` when it is first asked for.
    pub fn get(&self, make: impl Fn() -> T) -> &T {
        let process = process::id();
        let mut at = self;
        loop {
            let of = at.0.get_or_init(|| Box::new(Of { process, value: make(), child: Self::new() }));
            if of.process == process {
                return &of.value;
            }
            at = &of.child;
        }
    }
}

impl<T> Default for PerProcess<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_keeps_its_value() {
        static VALUE: PerProcess<u32> = PerProcess::new();
        assert_eq!([1, 2].map(|number| *VALUE.get(|| number)), [1, 1]);
    }

    #[test]
    fn what_is_a_parents_is_passed_over() {
        let parents = Of { process: process::id() + 1, value: 1, child: PerProcess::new() };
        let value = PerProcess(OnceLock::from(Box::new(parents)));
        assert_eq!([2, 3].map(|number| *value.get(|| number)), [2, 2]);
    }
}
