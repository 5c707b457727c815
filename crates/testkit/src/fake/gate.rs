//! A gate that steps pass one by one, so that a test decides what has arrived before each of them.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Holds every step until it is allowed. Clones are the same gate. It starts closed; open it before
/// closing what steps, or that waits for ever.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    allowed: u64,
    arrived: u64,
}

impl Gate {
    /// Lets `steps` more steps pass.
    pub fn allow(&self, steps: u64) {
        self.change(|state| state.allowed = state.allowed.saturating_add(steps));
    }

    /// Lets all steps pass from now on.
    pub fn open(&self) {
        self.change(|state| state.allowed = u64::MAX);
    }

    /// Waits until `steps` steps, counted from the beginning, have come to the gate.
    pub fn wait_for(&self, steps: u64) {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.0.changed.wait_while(state, |state| state.arrived < steps));
    }

    /// Called by a step.
    pub(super) fn pass(&self) {
        self.change(|state| state.arrived += 1);
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.0.changed.wait_while(state, |state| state.allowed < state.arrived));
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.changed.notify_all();
    }
}
