//! Which models are in memory, and who goes when another one needs the room: a state machine that has no threads, no
//! locks and no clock of its own, so that every order of events can be tried.
//!
//! A model is absent, *coming* (one caller brings it: finds it, waits in line for room, loads it), *here*, or *going*
//! (somebody closes it; its room is taken until that is done). Callers lease what is here, and nothing that is leased or
//! pinned goes. Where nobody idle can make room, the one that was used least recently is *retiring*: it gets no new
//! leases, so that the first in line has its turn however busy the others are.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::plan::{Budget, Left};
use crate::{Keep, Limits, Phase, Status};

/// What is in memory, or on its way.
#[derive(Debug)]
pub(crate) struct Table<M> {
    models: BTreeMap<String, Entry<M>>,
    /// Those that come and have no room yet, the first first.
    line: VecDeque<String>,
    limits: Limits,
    /// Nobody asks for a model any more, and each goes with its last lease.
    is_abandoned: bool,
    /// Numbers for loads: a lease of one that is gone says nothing of the next.
    next: u64,
}

#[derive(Debug)]
struct Entry<M> {
    load: u64,
    /// What it takes, once it has room.
    bytes: u64,
    state: State<M>,
}

#[derive(Debug)]
enum State<M> {
    /// Whether it has its room, and is being loaded.
    Coming {
        has_room: bool,
    },
    Here(Here<M>),
    Going,
}

#[derive(Debug)]
struct Here<M> {
    model: Arc<M>,
    leases: usize,
    used: Instant,
    /// As its last lease said, or the limits say.
    keep: Keep,
    pinned: bool,
    retiring: bool,
    /// Leases so far.
    requests: u64,
    load_time: Duration,
}

impl<M> Here<M> {
    /// Whether nobody uses it, and it may go.
    fn is_idle(&self) -> bool {
        self.leases == 0 && !self.pinned
    }

    /// When it goes, if nobody uses it meanwhile.
    fn end(&self) -> Option<Instant> {
        if self.is_idle() { self.keep.until(self.used) } else { None }
    }
}

/// A model that somebody has to close now.
#[derive(Debug)]
pub(crate) struct Going<M> {
    pub(crate) name: String,
    pub(crate) load: u64,
    pub(crate) model: Arc<M>,
}

/// The answer to who asks for a model.
#[derive(Debug)]
pub(crate) enum Asked<M> {
    /// It is here, and leased.
    Lease(u64, Arc<M>),
    /// It is not, and the one who asked brings it; the load has this number.
    Bring(u64),
    /// Others have to finish first.
    Wait,
}

/// The answer to who brings one and asks for room.
#[derive(Debug)]
pub(crate) enum Room<M> {
    /// It is taken.
    Taken,
    /// This one goes first.
    After(Going<M>),
    /// Others have to finish first.
    Wait,
    /// It does not fit, whoever goes; those that are pinned stay.
    Never {
        /// Bytes that all of the others may have; `None` where it is their number that counts.
        free: Option<u64>,
    },
}

/// The answer to who wants one gone.
#[derive(Debug)]
pub(crate) enum Unload<M> {
    /// Whoever asked closes it.
    Close(Going<M>),
    /// Others have to finish first.
    Wait,
    /// It is not here.
    Absent,
}

impl<M> Table<M> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { models: BTreeMap::new(), line: VecDeque::new(), limits, is_abandoned: false, next: 0 }
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Sets what may be here from now on. What is too much goes as it becomes idle: see [`due`](Self::due).
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Somebody wants to use a model.
    pub(crate) fn ask(&mut self, name: &str, now: Instant) -> Asked<M> {
        if let Some((load, model)) = self.here_now(name, now) {
            return Asked::Lease(load, model);
        }
        if self.models.contains_key(name) {
            return Asked::Wait;
        }
        self.next += 1;
        let entry = Entry { load: self.next, bytes: 0, state: State::Coming { has_room: false } };
        self.models.insert(name.to_owned(), entry);
        Asked::Bring(self.next)
    }

    /// A lease of a model that is here and has leases; as [`ask`](Self::ask), but nobody brings it or waits.
    pub(crate) fn here_now(&mut self, name: &str, now: Instant) -> Option<(u64, Arc<M>)> {
        let Entry { load, state: State::Here(here), .. } = self.models.get_mut(name)? else { return None };
        if here.retiring {
            return None;
        }
        here.leases += 1;
        here.requests += 1;
        here.used = now;
        Some((*load, here.model.clone()))
    }

    /// Those that nobody uses and that may go, the least recently used first.
    pub(crate) fn idle(&self) -> Vec<(String, Arc<M>)> {
        let idle = self.models.iter().filter_map(|(name, entry)| match &entry.state {
            State::Here(here) if here.is_idle() => Some((here.used, name, &here.model)),
            _ => None,
        });
        let mut idle: Vec<_> = idle.collect();
        idle.sort_unstable_by_key(|(used, name, _)| (*used, *name));
        idle.into_iter().map(|(_, name, model)| (name.clone(), model.clone())).collect()
    }

    /// A model goes if nobody uses it and it may.
    pub(crate) fn unload_idle(&mut self, name: &str) -> Option<Going<M>> {
        let here = self.here(name)?;
        if here.is_idle() { self.going(name) } else { None }
    }

    /// Who brings a model knows what it takes, and wants the room for it.
    pub(crate) fn room(&mut self, name: &str, bytes: u64) -> Room<M> {
        if !self.line.iter().any(|other| other == name) {
            self.line.push_back(name.to_owned());
        }
        if self.line.front().is_none_or(|first| first != name) {
            return Room::Wait;
        }
        let (count, taken) = self.taken();
        if self.fits(count + 1, taken.saturating_add(bytes)) {
            self.leave(name);
            if let Some(entry) = self.models.get_mut(name) {
                entry.bytes = bytes;
                entry.state = State::Coming { has_room: true };
            }
            return Room::Taken;
        }
        if let Some(never) = self.never(bytes) {
            self.leave(name);
            return never;
        }
        if let Some(going) = self.oldest_idle() {
            return Room::After(going);
        }
        // What goes already may be enough.
        let is_on_its_way = |entry: &Entry<M>| match &entry.state {
            State::Going => true,
            State::Here(here) => here.retiring,
            State::Coming { .. } => false,
        };
        if !self.models.values().any(is_on_its_way)
            && let Some(busy) = self.oldest(|_| true)
            && let Some(here) = self.here(&busy)
        {
            here.retiring = true;
        }
        Room::Wait
    }

    /// Whether it can never fit, because of its size or of those that are pinned.
    fn never(&self, bytes: u64) -> Option<Room<M>> {
        let pinned = self.models.values().filter(|entry| matches!(&entry.state, State::Here(here) if here.pinned));
        let (count, held) =
            pinned.fold((0, 0_u64), |(count, held), entry| (count + 1, held.saturating_add(entry.bytes)));
        if self.limits.models.is_some_and(|most| count + 1 > most) {
            return Some(Room::Never { free: None });
        }
        let free = self.limits.bytes?.saturating_sub(held);
        (bytes > free).then_some(Room::Never { free: Some(free) })
    }

    /// A model is here, and whoever brought it has the first lease.
    pub(crate) fn came(&mut self, name: &str, model: Arc<M>, load_time: Duration, now: Instant) {
        let keep = self.limits.idle;
        if let Some(entry) = self.models.get_mut(name) {
            let (leases, requests, pinned, retiring) = (1, 1, false, false);
            entry.state = State::Here(Here { model, leases, used: now, keep, pinned, retiring, requests, load_time });
        }
    }

    /// Whoever brought a model gave up, for whatever reason.
    pub(crate) fn gave_up(&mut self, name: &str) {
        self.leave(name);
        self.models.remove(name);
    }

    /// Leaves the line. Whoever was asked to make room for it may stay.
    fn leave(&mut self, name: &str) {
        self.line.retain(|other| other != name);
        if self.line.is_empty() {
            for entry in self.models.values_mut() {
                if let State::Here(here) = &mut entry.state {
                    here.retiring = false;
                }
            }
        }
    }

    /// A lease ended; says when the model goes if nobody uses it. With `keep` it stays for that long, and not as long as
    /// the limits say.
    pub(crate) fn release(&mut self, name: &str, load: u64, keep: Option<Keep>, now: Instant) -> Option<Instant> {
        let idle = self.limits.idle;
        let entry = self.models.get_mut(name).filter(|entry| entry.load == load)?;
        let State::Here(here) = &mut entry.state else { return None };
        here.leases = here.leases.saturating_sub(1);
        here.used = now;
        here.keep = if self.is_abandoned { Keep::For(Duration::ZERO) } else { keep.unwrap_or(idle) };
        let (end, may_go) = (here.end(), here.is_idle());
        // One too many, since the limits became smaller, goes at once.
        let (count, taken) = self.taken();
        if may_go && !self.fits(count, taken) { Some(now) } else { end }
    }

    /// Pins a model that is here, or lets it go; `false` if it is not here.
    pub(crate) fn pin(&mut self, name: &str, pinned: bool) -> bool {
        let Some(here) = self.here(name) else { return false };
        here.pinned = pinned;
        here.retiring &= !pinned;
        true
    }

    /// Somebody wants a model gone; `at_once` also if it is used.
    pub(crate) fn unload(&mut self, name: &str, at_once: bool) -> Unload<M> {
        match self.models.get_mut(name).map(|entry| &mut entry.state) {
            None => Unload::Absent,
            Some(State::Here(here)) if here.leases == 0 || at_once => {
                self.going(name).map_or(Unload::Wait, Unload::Close)
            }
            Some(State::Here(here)) => {
                here.retiring = true;
                Unload::Wait
            }
            Some(State::Coming { .. } | State::Going) => Unload::Wait,
        }
    }

    /// Whoever wanted a model gone wants it no more: it has leases again. If another one needs its room, that says so.
    pub(crate) fn stays(&mut self, name: &str) {
        if let Some(here) = self.here(name) {
            here.retiring = false;
        }
    }

    /// A model that went is closed, and its room is free.
    pub(crate) fn closed(&mut self, name: &str, load: u64) {
        if self.models.get(name).is_some_and(|entry| entry.load == load) {
            self.models.remove(name);
        }
    }

    /// Who goes because it was idle for long enough, or because the limits became smaller; and when to ask again.
    pub(crate) fn due(&mut self, now: Instant) -> (Option<Going<M>>, Option<Instant>) {
        let (count, taken) = self.taken();
        if !self.fits(count, taken)
            && let Some(going) = self.oldest_idle()
        {
            return (Some(going), Some(now));
        }
        let end = |entry: &Entry<M>| match &entry.state {
            State::Here(here) => here.end(),
            _ => None,
        };
        let first = self.models.iter().filter_map(|(name, entry)| Some((end(entry)?, name.clone()))).min();
        match first {
            Some((end, name)) if end <= now => (self.going(&name), Some(now)),
            Some((end, _)) => (None, Some(end)),
            None => (None, None),
        }
    }

    /// A model that is here.
    pub(crate) fn model(&self, name: &str) -> Option<Arc<M>> {
        match &self.models.get(name)?.state {
            State::Here(here) => Some(here.model.clone()),
            _ => None,
        }
    }

    /// What the limits leave for a model of this name, beside those that are here or have their room.
    pub(crate) fn left_for(&self, name: &str) -> Budget {
        let (mut count, mut taken) = self.taken();
        // It goes before it comes again.
        if let Some(entry) = self.models.get(name)
            && !matches!(entry.state, State::Coming { has_room: false })
        {
            (count, taken) = (count - 1, taken.saturating_sub(entry.bytes));
        }
        Budget {
            bytes: self.limits.bytes.map(|all| Left { free: all.saturating_sub(taken), all }),
            models: self.limits.models.map(|all| Left { free: all.saturating_sub(count), all }),
        }
    }

    /// What a model takes, as it was planned; zero until it has room.
    pub(crate) fn bytes_of(&self, name: &str) -> u64 {
        self.models.get(name).map_or(0, |entry| entry.bytes)
    }

    /// How many use a model that is here.
    pub(crate) fn uses(&self, name: &str) -> usize {
        match self.models.get(name).map(|entry| &entry.state) {
            Some(State::Here(here)) => here.leases,
            _ => 0,
        }
    }

    /// Whether any model is here.
    pub(crate) fn has_any(&self) -> bool {
        self.models.values().any(|entry| matches!(entry.state, State::Here(_)))
    }

    /// The number of a model's load.
    pub(crate) fn load_of(&self, name: &str) -> Option<u64> {
        self.models.get(name).map(|entry| entry.load)
    }

    /// All that are here go, used or not.
    pub(crate) fn all_here(&mut self) -> Vec<Going<M>> {
        let names: Vec<String> = self.models.keys().cloned().collect();
        names.iter().filter_map(|name| self.going(name)).collect()
    }

    /// Nobody can ask for a model any more: those that nobody uses go, and the others once they are not used.
    pub(crate) fn abandon(&mut self) -> Vec<Going<M>> {
        self.is_abandoned = true;
        for entry in self.models.values_mut() {
            if let State::Here(here) = &mut entry.state {
                (here.keep, here.pinned) = (Keep::For(Duration::ZERO), false);
            }
        }
        std::iter::from_fn(|| self.oldest_idle()).collect()
    }

    /// The one that goes where there is no room, or memory is short: the idle one that was used least recently.
    pub(crate) fn oldest_idle(&mut self) -> Option<Going<M>> {
        let name = self.oldest(|here| here.leases == 0)?;
        self.going(&name)
    }

    /// The least recently used of those that may go.
    fn oldest(&self, is_wanted: impl Fn(&Here<M>) -> bool) -> Option<String> {
        let here = self.models.iter().filter_map(|(name, entry)| match &entry.state {
            State::Here(here) if !here.pinned && is_wanted(here) => Some((here.used, name)),
            _ => None,
        });
        here.min().map(|(_, name)| name.clone())
    }

    fn going(&mut self, name: &str) -> Option<Going<M>> {
        let entry = self.models.get_mut(name)?;
        match std::mem::replace(&mut entry.state, State::Going) {
            State::Here(here) => Some(Going { name: name.to_owned(), load: entry.load, model: here.model }),
            other => {
                entry.state = other;
                None
            }
        }
    }

    fn here(&mut self, name: &str) -> Option<&mut Here<M>> {
        match &mut self.models.get_mut(name)?.state {
            State::Here(here) => Some(here),
            _ => None,
        }
    }

    /// How many models have room, and how many bytes they take.
    fn taken(&self) -> (usize, u64) {
        // Those that are still looked for, or wait, take nothing.
        let has_room = |entry: &&Entry<M>| !matches!(entry.state, State::Coming { has_room: false });
        let all = self.models.values().filter(has_room);
        all.fold((0, 0), |(count, taken), entry| (count + 1, taken.saturating_add(entry.bytes)))
    }

    fn fits(&self, count: usize, bytes: u64) -> bool {
        self.limits.models.is_none_or(|most| count <= most) && self.limits.bytes.is_none_or(|most| bytes <= most)
    }

    /// All models, by name; with what can be used of them.
    pub(crate) fn all(&self, now: Instant) -> Vec<(Status, Option<Arc<M>>)> {
        let status = |(name, entry): (&String, &Entry<M>)| {
            let mut model = None;
            let mut status = Status { name: name.clone(), bytes: entry.bytes, ..Status::default() };
            match &entry.state {
                State::Coming { .. } => status.phase = Phase::Coming,
                State::Going => status.phase = Phase::Going,
                State::Here(here) => {
                    model = Some(here.model.clone());
                    status.phase = Phase::Here;
                    status.leases = here.leases;
                    status.requests = here.requests;
                    status.pinned = here.pinned;
                    status.load_time = here.load_time;
                    if here.leases == 0 {
                        status.idle = Some(now.saturating_duration_since(here.used));
                        status.left = here.end().map(|end| end.saturating_duration_since(now));
                    }
                }
            }
            (status, model)
        };
        self.models.iter().map(status).collect()
    }
}
