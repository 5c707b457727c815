//! What a pool and the leases of its models have in common: the table behind its lock, and what is done outside of it.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::table::{Going, Room, Table};
use crate::{Error, Event, GoesOn, Keep, Limits, Source, Why};

/// How long somebody waits before it is asked whether it still wants to.
const SLICE: Duration = Duration::from_millis(50);

/// Longer than that the thread that closes what is idle does not sleep.
const LONGEST: Duration = Duration::from_hours(1);

pub(crate) struct Shared<S: Source> {
    pub(crate) source: S,
    state: Mutex<State<S>>,
    /// Something happened that others may wait for.
    pub(crate) changed: Condvar,
    /// Something has to go earlier than was known.
    pub(crate) sooner: Condvar,
}

pub(crate) struct State<S: Source> {
    pub(crate) table: Table<S::Model>,
    /// Those on their way, with what becomes of them if they fail.
    pub(crate) coming: HashMap<String, Arc<OnceLock<S::Error>>>,
    /// How many wait for each that somebody brings.
    pub(crate) awaited: HashMap<String, usize>,
    /// Those who wait for `changed`.
    waiting: usize,
    /// When the thread that closes what is idle looks again: `None` if there is no such thread.
    next_look: Option<Instant>,
    pub(crate) closed: bool,
}

impl<S: Source> Shared<S> {
    pub(crate) fn new(source: S, limits: Limits) -> Self {
        let state = State {
            table: Table::new(limits),
            coming: HashMap::new(),
            awaited: HashMap::new(),
            waiting: 0,
            next_look: None,
            closed: false,
        };
        let (changed, sooner) = (Condvar::new(), Condvar::new());
        Self { source, state: Mutex::new(state), changed, sooner }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something happened.
    pub(crate) fn wait<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<S>>,
        name: &str,
        goes_on: &GoesOn,
    ) -> Result<MutexGuard<'a, State<S>>, Error> {
        state.waiting += 1;
        let (mut state, _) = self.changed.wait_timeout(state, SLICE).unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        drop(state);
        if goes_on() { Ok(self.lock()) } else { Err(Error::Cancelled { name: name.into() }) }
    }

    /// As [`wait`](Self::wait), for a model that somebody else brings: who brings it sees that it is wanted.
    pub(crate) fn wait_for<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<S>>,
        name: &str,
        goes_on: &GoesOn,
    ) -> Result<MutexGuard<'a, State<S>>, Error> {
        *state.awaited.entry(name.to_owned()).or_default() += 1;
        let waited = self.wait(state, name, goes_on);
        let (mut state, over) = match waited {
            Ok(state) => (state, None),
            Err(error) => (self.lock(), Some(error)),
        };
        if let Some(count) = state.awaited.get_mut(name) {
            *count -= 1;
            if *count == 0 {
                state.awaited.remove(name);
            }
        }
        over.map_or(Ok(state), Err)
    }

    /// Whether somebody waits for a model that another one brings.
    pub(crate) fn is_awaited(&self, name: &str) -> bool {
        self.lock().awaited.contains_key(name)
    }

    pub(crate) fn make_room(&self, name: &str, bytes: u64, goes_on: &GoesOn) -> Result<(), Error> {
        let start = Instant::now();
        let mut state = self.lock();
        loop {
            if state.closed {
                return Err(Error::Closed);
            }
            let limits = state.table.limits();
            match state.table.room(name, bytes) {
                Room::Taken => return Ok(()),
                Room::After(going) => {
                    drop(state);
                    self.close(going, Why::Room(name));
                    state = self.lock();
                }
                Room::Wait if start.elapsed() > limits.patience => {
                    return Err(Error::AllBusy { name: name.into(), seconds: limits.patience.as_secs_f64() });
                }
                Room::Wait => state = self.wait(state, name, goes_on)?,
                Room::Never { free: Some(free) } => {
                    let limit = limits.bytes.unwrap_or(u64::MAX);
                    return Err(Error::TooLarge { name: name.into(), needed: bytes, free, limit });
                }
                Room::Never { free: None } => {
                    return Err(Error::AllPinned { name: name.into(), limit: limits.models.unwrap_or(usize::MAX) });
                }
            }
        }
    }

    /// Has those go that are idle, as far as the system lacks the memory that they have.
    pub(crate) fn make_fit(&self, name: &str, found: &S::Found) -> Result<(), S::Error> {
        loop {
            let idle = self.lock().table.idle();
            let needless = self.source.fit(name, found, &idle)?;
            drop(idle);
            if needless.is_empty() {
                return Ok(());
            }
            for name_of in needless {
                // Whoever uses it meanwhile keeps it, and the source is asked again.
                let going = self.lock().table.unload_idle(&name_of);
                if let Some(going) = going {
                    self.close(going, Why::Room(name));
                }
            }
        }
    }

    pub(crate) fn close(&self, going: Going<S::Model>, why: Why<'_>) {
        let Going { name, load, model } = going;
        self.source.close(&model);
        drop(model);
        self.lock().table.closed(&name, load);
        self.changed.notify_all();
        self.source.event(&Event::Unloaded { name: &name, why });
    }

    /// A lease ended.
    pub(crate) fn release(self: &Arc<Self>, name: &str, load: u64, keep: Option<Keep>) {
        let mut state = self.lock();
        let end = state.table.release(name, load, keep, Instant::now());
        if state.waiting > 0 {
            self.changed.notify_all();
        }
        let Some(end) = end else { return };
        if state.next_look.is_none_or(|next| end < next) {
            drop(state);
            self.look();
        }
    }

    /// Has a thread look who is idle for long enough: the one there is, or a new one. Where the system gives none, the next
    /// release tries again, and models stay meanwhile.
    pub(crate) fn look(self: &Arc<Self>) {
        let mut state = self.lock();
        if state.next_look.is_some() {
            self.sooner.notify_one();
            return;
        }
        state.next_look = Some(Instant::now());
        drop(state);
        let shared = self.clone();
        let started = thread::Builder::new().name("trillm-idle".into()).spawn(move || shared.close_idle());
        if started.is_err() {
            self.lock().next_look = None;
        }
    }

    /// Closes what is idle for long enough, until nothing is left that could be.
    fn close_idle(&self) {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let (going, next) = state.table.due(now);
            if let Some(going) = going {
                drop(state);
                self.close(going, Why::Idle);
                state = self.lock();
                continue;
            }
            let Some(next) = next.filter(|_| !state.closed) else {
                state.next_look = None;
                return;
            };
            state.next_look = Some(next);
            let time = next.saturating_duration_since(now).min(LONGEST);
            (state, _) = self.sooner.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
