//! The atomics, cells, locks and threads in use: the standard library's, or loom's when its models are checked.

#[cfg(loom)]
pub(crate) use loom::{
    cell::UnsafeCell,
    future::AtomicWaker,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, fence},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

#[cfg(not(loom))]
pub(crate) use atomic_waker::AtomicWaker;
#[cfg(not(loom))]
pub(crate) use std::{
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, fence},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

/// A cell with loom's interface.
#[cfg(not(loom))]
#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// Registers `task` to be woken; loom's waker takes it by value.
pub(crate) fn register(waker: &AtomicWaker, task: &std::task::Waker) {
    #[cfg(loom)]
    waker.register_by_ref(task);
    #[cfg(not(loom))]
    waker.register(task);
}
