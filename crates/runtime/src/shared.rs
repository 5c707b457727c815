//! What a pool and the leases of its models have in common: the table behind its lock, and what is done outside of it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use trillm_machine::MemoryPressure;

use crate::rotation::Rotation;
use crate::table::{Going, Room, Table};
use crate::{Error, Event, GoesOn, Keep, Limits, Source, Why};

/// How long somebody waits before it is asked whether it still wants to.
const SLICE: Duration = Duration::from_millis(50);

/// The thread that closes what is idle does not sleep for longer, and does not look at memory more often.
const LONGEST: Duration = Duration::from_hours(1);
const SHORTEST: Duration = Duration::from_millis(1);

pub(crate) struct Shared<S: Source> {
    pub(crate) source: S,
    /// What the system says of itself lies below this folder.
    system: PathBuf,
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

impl<S: Source> State<S> {
    /// How often memory is to be looked at.
    fn watched(&self) -> Option<Duration> {
        let every = self.table.limits().pressure.filter(|_| self.table.has_any() && !self.closed)?;
        Some(every.clamp(SHORTEST, LONGEST))
    }

    /// Whether memory is to be looked at, and there is no thread that does.
    fn is_unwatched(&self) -> bool {
        self.next_look.is_none() && self.watched().is_some()
    }
}

impl<S: Source> Shared<S> {
    pub(crate) fn new(system: PathBuf, source: S, limits: Limits) -> Self {
        let state = State {
            table: Table::new(limits),
            coming: HashMap::new(),
            awaited: HashMap::new(),
            waiting: 0,
            next_look: None,
            closed: false,
        };
        let (changed, sooner) = (Condvar::new(), Condvar::new());
        Self { source, system, state: Mutex::new(state), changed, sooner }
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
        let is_late = end.is_some_and(|end| state.next_look.is_none_or(|next| end < next));
        if is_late || state.is_unwatched() {
            drop(state);
            self.look();
        }
    }

    /// A model came: has a thread see whether memory is short, if none does.
    pub(crate) fn watch(self: &Arc<Self>) {
        let is_unwatched = self.lock().is_unwatched();
        if is_unwatched {
            self.look();
        }
    }

    /// Has a thread look who is idle for long enough, and whether memory is short: the one there is, or a new one. Where
    /// the system gives none, the next release tries again, and models stay meanwhile.
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

    /// Closes what is idle for long enough, or in the way where memory is short, until nothing is left that could be.
    fn close_idle(&self) {
        let mut rotation = Rotation::default();
        let mut looked: Option<Instant> = None;
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
            let look = state.watched().map(|every| looked.map_or(now, |looked| looked + every));
            if look.is_some_and(|look| look <= now) {
                drop(state);
                let shortage = rotation.look(&MemoryPressure::now(&self.system), now);
                let going = shortage.as_ref().and_then(|_| self.lock().table.oldest_idle());
                // Once one went it is looked again at once: what it had is free by then.
                looked = going.is_none().then_some(now);
                if let (Some(going), Some(shortage)) = (going, shortage) {
                    self.close(going, Why::Pressure(&shortage));
                    rotation.went(Instant::now());
                }
                state = self.lock();
                continue;
            }
            let Some(next) = next.into_iter().chain(look).min().filter(|_| !state.closed) else {
                state.next_look = None;
                return;
            };
            state.next_look = Some(next);
            let time = next.saturating_duration_since(now).min(LONGEST);
            (state, _) = self.sooner.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
