//! A model test of the table: any order of events, with what must be true after each of them, and an end for everybody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::table::{Asked, Going, Room, Table, Unload};
use crate::{Keep, Limits, Phase};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// What each takes.
const BYTES: [u64; 4] = [10, 20, 30, 40];

#[derive(Clone, Debug)]
enum Step {
    /// A user wants a model.
    Want {
        user: usize,
        name: usize,
    },
    /// All that can go on does, one step.
    Work {
        which: usize,
    },
    /// A user lets go of its lease.
    Release {
        user: usize,
        keep: Option<u64>,
    },
    /// A user that waits, or brings, gives up.
    GiveUp {
        user: usize,
    },
    Pin {
        name: usize,
        pinned: bool,
    },
    Unload {
        name: usize,
        at_once: bool,
    },
    /// Time passes, in seconds.
    Pass {
        seconds: u64,
    },
    /// The thread that closes what is idle looks.
    Look,
    /// Memory is short.
    Pressure,
    /// What somebody closes is closed.
    Closed {
        which: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (user, name) = (0..6_usize, 0..4_usize);
    let step = prop_oneof![
        6 => (user.clone(), name.clone()).prop_map(|(user, name)| Step::Want { user, name }),
        8 => (0..8_usize).prop_map(|which| Step::Work { which }),
        5 => (user.clone(), prop::option::of(0..30_u64)).prop_map(|(user, keep)| Step::Release { user, keep }),
        1 => user.prop_map(|user| Step::GiveUp { user }),
        1 => (name.clone(), any::<bool>()).prop_map(|(name, pinned)| Step::Pin { name, pinned }),
        1 => (name, prop::bool::weighted(0.2)).prop_map(|(name, at_once)| Step::Unload { name, at_once }),
        2 => (0..20_u64).prop_map(|seconds| Step::Pass { seconds }),
        2 => Just(Step::Look),
        1 => Just(Step::Pressure),
        4 => (0..4_usize).prop_map(|which| Step::Closed { which }),
    ];
    prop::collection::vec(step, 1..200)
}

/// What one caller is doing.
#[derive(Clone, PartialEq, Debug)]
enum User {
    Idle,
    Waits(usize),
    Brings { name: usize, load: u64, has_room: bool },
    Leases { name: usize, load: u64 },
}

/// The table, and what the world around it knows.
struct World {
    table: Table<u64>,
    users: Vec<User>,
    going: Vec<Going<u64>>,
    now: Instant,
    limits: Limits,
    /// When each load was used last, by its number.
    used: BTreeMap<u64, Instant>,
    keep: BTreeMap<u64, Keep>,
    pinned: BTreeSet<usize>,
    /// Loads that were ended though they were leased.
    ended: BTreeSet<u64>,
    /// Those who asked for room and did not get it yet, as they asked.
    line: Vec<usize>,
    refused: usize,
}

impl World {
    fn new(limits: Limits) -> Self {
        Self {
            table: Table::new(limits),
            users: vec![User::Idle; 6],
            going: Vec::new(),
            now: Instant::now(),
            limits,
            used: BTreeMap::new(),
            keep: BTreeMap::new(),
            pinned: BTreeSet::new(),
            ended: BTreeSet::new(),
            line: Vec::new(),
            refused: 0,
        }
    }

    fn load(&self, name: usize) -> Option<u64> {
        self.table.load_of(NAMES[name])
    }

    fn leases(&self, load: u64) -> usize {
        self.users.iter().filter(|user| matches!(user, User::Leases { load: mine, .. } if *mine == load)).count()
    }

    /// A model begins to go.
    fn goes(&mut self, going: Going<u64>, by_force: bool) {
        let name = NAMES.iter().position(|name| *name == going.name).unwrap();
        if by_force {
            self.ended.insert(going.load);
        } else {
            assert_eq!(self.leases(going.load), 0, "a model that is leased goes: {going:?}");
            assert!(!self.pinned.contains(&name) || by_force, "a pinned model goes: {going:?}");
        }
        self.pinned.remove(&name);
        self.going.push(going);
    }

    /// Who goes for want of room was used least recently of those who could.
    fn was_oldest(&self, going: &Going<u64>) {
        for (status, _) in self.table.all(self.now) {
            let name = NAMES.iter().position(|name| *name == status.name).unwrap();
            if status.phase == Phase::Here && status.leases == 0 && !status.pinned {
                let other = self.used[&self.load(name).unwrap()];
                assert!(self.used[&going.load] <= other, "{} goes before {}", going.name, status.name);
            }
        }
    }

    fn ask(&mut self, user: usize, name: usize) {
        match self.table.ask(NAMES[name], self.now) {
            Asked::Lease(load, model) => {
                assert_eq!(*model, load, "the lease is one of another load");
                assert!(!self.ended.contains(&load), "a lease of what has ended");
                self.used.insert(load, self.now);
                self.users[user] = User::Leases { name, load };
            }
            Asked::Bring(load) => {
                let others =
                    self.users.iter().filter(|other| matches!(other, User::Brings { name: same, .. } if *same == name));
                assert_eq!(others.count(), 0, "two bring {}", NAMES[name]);
                self.users[user] = User::Brings { name, load, has_room: false };
            }
            Asked::Wait => self.users[user] = User::Waits(name),
        }
    }

    /// One step of a user; whether anything changed.
    fn work(&mut self, user: usize) -> bool {
        match self.users[user].clone() {
            User::Idle | User::Leases { .. } => false,
            User::Waits(name) => {
                self.ask(user, name);
                self.users[user] != User::Waits(name)
            }
            User::Brings { name, load, has_room: true } => {
                self.table.came(NAMES[name], Arc::new(load), Duration::ZERO, self.now);
                self.used.insert(load, self.now);
                self.keep.insert(load, self.limits.idle);
                self.users[user] = User::Leases { name, load };
                true
            }
            User::Brings { name, load, has_room: false } => {
                if !self.line.contains(&name) {
                    self.line.push(name);
                }
                match self.table.room(NAMES[name], BYTES[name]) {
                    Room::Taken => {
                        assert_eq!(self.line.remove(0), name, "somebody else was first");
                        self.users[user] = User::Brings { name, load, has_room: true };
                        true
                    }
                    Room::After(going) => {
                        self.was_oldest(&going);
                        self.goes(going, false);
                        true
                    }
                    Room::Wait => false,
                    Room::Never { .. } => {
                        let held: u64 = self.pinned.iter().map(|name| BYTES[*name]).sum();
                        let is_full = self.limits.models.is_some_and(|most| self.pinned.len() >= most)
                            || self.limits.bytes.is_some_and(|most| held + BYTES[name] > most);
                        assert!(is_full, "{} is refused, and there could be room", NAMES[name]);
                        self.line.retain(|other| *other != name);
                        self.table.gave_up(NAMES[name]);
                        self.users[user] = User::Idle;
                        self.refused += 1;
                        true
                    }
                }
            }
        }
    }

    fn release(&mut self, user: usize, keep: Option<u64>) {
        let User::Leases { name, load } = self.users[user] else { return };
        self.users[user] = User::Idle;
        let keep = keep.map(|seconds| Keep::For(Duration::from_secs(seconds)));
        self.table.release(NAMES[name], load, keep, self.now);
        self.used.insert(load, self.now);
        self.keep.insert(load, keep.unwrap_or(self.limits.idle));
    }

    fn look(&mut self) {
        while let (Some(going), next) = self.table.due(self.now) {
            assert_eq!(next, Some(self.now));
            let end = self.keep[&going.load].until(self.used[&going.load]);
            assert!(end.is_some_and(|end| end <= self.now), "{} goes before its time", going.name);
            self.goes(going, false);
        }
        for (status, _) in self.table.all(self.now) {
            assert_ne!(status.left, Some(Duration::ZERO), "{} should have gone", status.name);
        }
    }

    /// Memory is short: one that nobody uses goes, if there is one.
    fn relieve(&mut self) {
        let mut idle: Vec<_> = self.table.idle().into_iter().map(|(name, _)| name).collect();
        match self.table.oldest_idle() {
            Some(going) => {
                assert_eq!(idle.remove(0), going.name, "another one was first");
                self.was_oldest(&going);
                self.goes(going, false);
            }
            None => assert!(idle.is_empty(), "{idle:?} could go"),
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Want { user, name } => {
                if self.users[user] == User::Idle {
                    self.ask(user, name);
                }
            }
            Step::Work { which } => {
                self.work(which % self.users.len());
            }
            Step::Release { user, keep } => self.release(user, keep),
            Step::GiveUp { user } => match self.users[user] {
                User::Waits(_) => self.users[user] = User::Idle,
                User::Brings { name, .. } => {
                    self.line.retain(|other| *other != name);
                    self.table.gave_up(NAMES[name]);
                    self.users[user] = User::Idle;
                }
                User::Idle | User::Leases { .. } => {}
            },
            Step::Pin { name, pinned } => {
                if self.table.pin(NAMES[name], pinned) {
                    let changed = if pinned { self.pinned.insert(name) } else { self.pinned.remove(&name) };
                    let _ = changed;
                }
            }
            Step::Unload { name, at_once } => match self.table.unload(NAMES[name], at_once) {
                Unload::Close(going) => {
                    let by_force = self.leases(going.load) > 0 || self.pinned.contains(&name);
                    assert!(at_once || self.leases(going.load) == 0, "what is used goes unasked");
                    self.goes(going, by_force);
                }
                Unload::Wait => self.table.stays(NAMES[name]),
                Unload::Absent => assert_eq!(self.load(name), None),
            },
            Step::Pass { seconds } => self.now += Duration::from_secs(seconds),
            Step::Look => self.look(),
            Step::Pressure => self.relieve(),
            Step::Closed { which } => {
                if !self.going.is_empty() {
                    let going = self.going.remove(which % self.going.len());
                    self.table.closed(&going.name, going.load);
                }
            }
        }
        self.check();
    }

    /// What is always true.
    fn check(&self) {
        let mut taken = (0, 0);
        for (status, _) in self.table.all(self.now) {
            let name = NAMES.iter().position(|name| *name == status.name).unwrap();
            let load = self.load(name).unwrap();
            match status.phase {
                Phase::Here => assert_eq!(status.leases, self.leases(load), "leases of {}", status.name),
                Phase::Going => assert!(self.going.iter().any(|going| going.load == load), "nobody closes it"),
                Phase::Coming => assert!(
                    self.users.iter().any(|user| matches!(user, User::Brings { load: mine, .. } if *mine == load)),
                    "nobody brings {}",
                    status.name
                ),
            }
            if status.bytes > 0 {
                taken = (taken.0 + 1, taken.1 + status.bytes);
            }
        }
        assert!(self.limits.models.is_none_or(|most| taken.0 <= most), "{} models", taken.0);
        assert!(self.limits.bytes.is_none_or(|most| taken.1 <= most), "{} bytes", taken.1);
    }

    /// Everybody comes to an end once those that lease let go: nobody waits for ever.
    fn finish(&mut self) {
        for _ in 0..1000 {
            let mut changed = false;
            for user in 0..self.users.len() {
                changed |= self.work(user);
                self.check();
            }
            while !self.going.is_empty() {
                self.step(&Step::Closed { which: 0 });
                changed = true;
            }
            if let Some(user) = self.users.iter().position(|user| matches!(user, User::Leases { .. })) {
                self.release(user, None);
                changed = true;
            }
            if !changed {
                break;
            }
        }
        assert!(self.users.iter().all(|user| *user == User::Idle), "somebody waits: {:?}", self.users);
        for name in 0..NAMES.len() {
            self.step(&Step::Pin { name, pinned: false });
        }
        self.now += Duration::from_hours(1);
        self.step(&Step::Look);
        while !self.going.is_empty() {
            self.step(&Step::Closed { which: 0 });
        }
        assert_eq!(self.table.all(self.now).len(), 0, "something is left");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whoever_asks_is_served_and_nothing_that_is_used_goes(
        steps in steps(),
        models in prop::option::of(1..4_usize),
        bytes in prop::option::of(40..101_u64),
    ) {
        let idle = Keep::For(Duration::from_secs(15));
        let mut world = World::new(Limits { models, bytes, idle, ..Limits::default() });
        for step in &steps {
            world.step(step);
        }
        world.finish();
    }

    /// Nobody asks any more: what nobody uses goes at once, and the rest with its last lease, whatever was said of it.
    #[test]
    fn what_is_abandoned_goes_with_its_last_lease(steps in steps(), keep in prop::option::of(1..30_u64)) {
        let mut world = World::new(Limits { models: Some(3), idle: Keep::Forever, ..Limits::default() });
        for step in &steps {
            world.step(step);
        }
        for user in 0..world.users.len() {
            world.step(&Step::GiveUp { user });
        }
        world.pinned.clear();
        for going in world.table.abandon() {
            world.goes(going, false);
        }
        let here = |world: &World| -> Vec<usize> {
            let all = world.table.all(world.now);
            all.iter().filter(|(status, _)| status.phase == Phase::Here).map(|(status, _)| status.leases).collect()
        };
        prop_assert!(!here(&world).contains(&0));
        while let Some(user) = world.users.iter().position(|user| matches!(user, User::Leases { .. })) {
            let User::Leases { load, .. } = world.users[user] else { continue };
            world.release(user, keep);
            world.keep.insert(load, Keep::For(Duration::ZERO));
            world.look();
            world.check();
        }
        prop_assert!(here(&world).is_empty());
    }
}

#[test]
fn those_who_come_again_and_again_keep_nobody_from_a_turn() {
    let now = Instant::now();
    let mut table = Table::new(Limits { models: Some(1), ..Limits::default() });
    let Asked::Bring(first) = table.ask("busy", now) else { panic!("it is there") };
    assert!(matches!(table.room("busy", 1), Room::Taken));
    table.came("busy", Arc::new(0), Duration::ZERO, now);
    let Asked::Bring(_) = table.ask("other", now) else { panic!("it is there") };
    assert!(matches!(table.room("other", 1), Room::Wait));
    // The next one for the busy model waits until the other had its turn.
    assert!(matches!(table.ask("busy", now), Asked::Wait));
    table.release("busy", first, None, now);
    assert!(matches!(table.room("other", 1), Room::After(going) if going.name == "busy"));
}

#[test]
fn smaller_limits_hold_as_soon_as_somebody_is_idle() {
    let now = Instant::now();
    let mut table = Table::new(Limits { models: Some(2), idle: Keep::Forever, ..Limits::default() });
    for name in ["a", "b"] {
        let Asked::Bring(load) = table.ask(name, now) else { panic!("it is there") };
        assert!(matches!(table.room(name, 1), Room::Taken));
        table.came(name, Arc::new(load), Duration::ZERO, now);
    }
    table.set_limits(Limits { models: Some(1), ..table.limits() });
    assert!(matches!(table.due(now), (None, None)));
    assert_eq!(table.release("b", table.load_of("b").unwrap(), None, now), Some(now));
    assert!(matches!(table.due(now), (Some(going), Some(_)) if going.name == "b"));
}
