//! Several sessions of one model: each has a cache and a thread of its own, and all have the weights in common.
//!
//! Who asks gets the one that is used least, the first of equals: alone, a caller finds its prefixes where it left them.
//! Nothing is moved once it was begun. A use counts until whoever has it drops it, and not until it is computed: a count
//! that the decode thread kept would be one more that it shares with callers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::Result;

/// What is there several times. At least once.
pub(crate) struct Replicas<T>(Vec<Replica<T>>);

struct Replica<T> {
    one: T,
    uses: Arc<AtomicUsize>,
}

/// A use of one of them, until it is dropped.
pub(crate) struct Use(Arc<AtomicUsize>);

impl Drop for Use {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl<T> Replicas<T> {
    /// Makes so many, one after the other. If one cannot be made, those that were go.
    ///
    /// # Errors
    /// What `make` says.
    pub(crate) fn new(count: u32, mut make: impl FnMut() -> Result<T>) -> Result<Self> {
        let each = (0..count.max(1)).map(|_| Ok(Replica { one: make()?, uses: Arc::default() }));
        Ok(Self(each.collect::<Result<_>>()?))
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|replica| &replica.one)
    }

    /// One of them, for what all have alike.
    pub(crate) fn first(&self) -> &T {
        &self.0[0].one
    }

    /// Those there are, the one that is used least first; each use counts from here on, until it is dropped.
    pub(crate) fn least_used(&self) -> impl Iterator<Item = (&T, Use)> {
        let mut order: Vec<_> = self.0.iter().map(|replica| (replica.uses.load(Relaxed), replica)).collect();
        order.sort_by_key(|(uses, _)| *uses);
        order.into_iter().map(|(_, replica)| {
            replica.uses.fetch_add(1, Relaxed);
            (&replica.one, Use(replica.uses.clone()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_is_used_least_is_taken_and_the_first_of_equals() {
        let mut number = 0;
        let replicas = Replicas::new(3, || {
            number += 1;
            Ok(number)
        });
        let replicas = replicas.expect("three");
        let take = || replicas.least_used().next().map(|(one, held)| (*one, held)).expect("one of three");
        let (first, second, third) = (take(), take(), take());
        assert_eq!((first.0, second.0, third.0), (1, 2, 3));
        let again = take();
        assert_eq!(again.0, 1);
        drop(second);
        assert_eq!(take().0, 2);
        drop((first, again));
        assert_eq!(take().0, 1);
        assert_eq!((replicas.iter().sum::<u32>(), *replicas.first()), (6, 1));
    }

    #[test]
    fn if_one_cannot_be_made_none_stays() {
        let there = Arc::new(());
        let mut number = 0;
        let made = Replicas::new(3, || {
            number += 1;
            if number < 3 { Ok(there.clone()) } else { Err(trillm_core::Error::Closed.into()) }
        });
        assert!(made.is_err());
        assert_eq!((number, Arc::strong_count(&there)), (3, 1));
    }
}
