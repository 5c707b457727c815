//! Threads that want models, and a pool that has room for some of them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::wait_for;
use trillm_runtime::{Error, Event, GoesOn, Keep, Limits, Phase, Pool, Source, When, Why};

/// Models that only know whether they are closed, and how many there are.
#[derive(Default)]
struct Fake {
    alive: Arc<AtomicUsize>,
    most: AtomicUsize,
    loads: AtomicUsize,
    slow: Duration,
    /// What these do not load for.
    broken: Mutex<BTreeMap<String, &'static str>>,
    /// Models that the system has memory for; any number if it is zero.
    memory: AtomicUsize,
    events: Mutex<Vec<String>>,
}

struct Model {
    name: String,
    closed: AtomicBool,
}

#[derive(Clone, Debug)]
enum Failure {
    Pool(Error),
    Broken(&'static str),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Pool(error)
    }
}

impl Source for Fake {
    type Found = ();
    type Model = Model;
    type Error = Failure;

    fn find(&self, name: &str, _: &GoesOn) -> Result<((), u64), Failure> {
        Ok(((), name.len() as u64))
    }

    fn fit(&self, _: &str, (): &(), idle: &[(String, Arc<Model>)]) -> Result<Vec<String>, Failure> {
        let (alive, room) = (self.alive.load(SeqCst), self.memory.load(SeqCst));
        let too_many = if room == 0 { 0 } else { (alive + 1).saturating_sub(room) };
        match idle.get(..too_many) {
            Some(needless) => Ok(needless.iter().map(|(name, _)| name.clone()).collect()),
            None => Err(Failure::Broken("no memory")),
        }
    }

    fn load(&self, name: &str, (): (), _: &GoesOn) -> Result<Model, Failure> {
        self.loads.fetch_add(1, SeqCst);
        thread::sleep(self.slow);
        if let Some(why) = self.broken.lock().unwrap().get(name) {
            return Err(Failure::Broken(why));
        }
        let alive = self.alive.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(alive, SeqCst);
        Ok(Model { name: name.into(), closed: AtomicBool::new(false) })
    }

    fn close(&self, model: &Model) {
        assert!(!model.closed.swap(true, SeqCst), "{} is closed twice", model.name);
        self.alive.fetch_sub(1, SeqCst);
    }

    fn is_giving_up(&self, error: &Failure) -> bool {
        matches!(error, Failure::Pool(Error::Cancelled { .. }))
    }

    fn event(&self, event: &Event<'_>) {
        let text = match *event {
            Event::Loading { name } => format!("{name} comes"),
            Event::Loaded { name, .. } => format!("{name} is here"),
            Event::Failed { name } => format!("{name} failed"),
            Event::Unloaded { name, why: Why::Room(other) } => format!("{name} goes for {other}"),
            Event::Unloaded { name, why: Why::Pressure(shortage) } => format!("{name} goes, {shortage}"),
            Event::Unloaded { name, why: Why::Idle } => format!("{name} was idle"),
            Event::Unloaded { name, why: Why::Asked } => format!("{name} had to go"),
        };
        self.events.lock().unwrap().push(text);
    }
}

fn patient() -> GoesOn {
    Arc::new(|| true)
}

#[test]
fn threads_get_what_they_ask_for_and_nothing_that_is_used_goes() {
    for idle in [Keep::Forever, Keep::For(Duration::from_millis(1)), Keep::For(Duration::ZERO)] {
        let limits = Limits { models: Some(2), idle, ..Limits::default() };
        let pool = Pool::new(Fake::default(), limits);
        let start = Barrier::new(8);
        thread::scope(|scope| {
            for thread in 0..8_u64 {
                let (pool, start) = (&pool, &start);
                scope.spawn(move || {
                    start.wait();
                    let mut random = thread * 7919 + 1;
                    for _ in 0..300 {
                        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                        let name = ["a", "b", "c", "d"][(random >> 33) as usize % 4];
                        if (random >> 40) % 16 == 0 {
                            let _ = pool.unload(name, When::Unused, &patient());
                            continue;
                        }
                        let mut lease = pool.lease(name, &patient()).unwrap();
                        assert_eq!(lease.name, name);
                        if (random >> 50) % 4 == 0 {
                            thread::yield_now();
                        }
                        assert!(!lease.closed.load(SeqCst), "{name} is closed while it is used");
                        if (random >> 55) % 4 == 0 {
                            lease.keep(Keep::For(Duration::ZERO));
                        }
                    }
                });
            }
        });
        assert!(pool.source().most.load(SeqCst) <= 2, "more than there is room for");
        pool.close();
        assert_eq!(pool.source().alive.load(SeqCst), 0);
    }
}

#[test]
fn idle_models_go_for_memory_and_none_in_vain() {
    let pool = Pool::new(Fake { memory: AtomicUsize::new(2), ..Fake::default() }, Limits::default());
    drop(pool.lease("a", &patient()).unwrap());
    drop(pool.lease("b", &patient()).unwrap());
    // The one that was used least recently goes, and no more than it takes.
    let used = pool.lease("c", &patient()).unwrap();
    let here = || pool.status().into_iter().map(|status| status.name).collect::<Vec<_>>();
    assert_eq!(here(), ["b", "c"]);
    // What would not fit without them either leaves them where they are.
    let also_used = pool.lease("b", &patient()).unwrap();
    assert!(matches!(pool.lease("d", &patient()), Err(Failure::Broken("no memory"))));
    assert_eq!(here(), ["b", "c"]);
    drop((used, also_used));
    pool.pin("b", true).unwrap();
    drop(pool.lease("d", &patient()).unwrap());
    assert_eq!(here(), ["b", "d"], "what is pinned stays");
}

#[test]
fn one_load_is_enough_for_all_who_ask() {
    let pool = Pool::new(Fake { slow: Duration::from_millis(50), ..Fake::default() }, Limits::default());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| pool.lease("a", &patient()).map(drop).unwrap());
        }
    });
    assert_eq!(pool.source().loads.load(SeqCst), 1);
    let [status] = pool.status().try_into().unwrap();
    assert_eq!((status.phase, status.requests, status.leases), (Phase::Here, 8, 0));
    assert!(status.load_time >= Duration::from_millis(50));
}

#[test]
fn all_who_wait_for_a_load_that_fails_are_told_why_and_the_next_tries_again() {
    let source = Fake { slow: Duration::from_millis(200), ..Fake::default() };
    source.broken.lock().unwrap().insert("a".into(), "it is damaged");
    let pool = Pool::new(source, Limits::default());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let failure = pool.lease("a", &patient()).map(drop).unwrap_err();
                assert!(matches!(failure, Failure::Broken("it is damaged")), "{failure:?}");
            });
        }
    });
    assert_eq!(pool.source().loads.load(SeqCst), 1);
    pool.source().broken.lock().unwrap().clear();
    pool.lease("a", &patient()).map(drop).unwrap();
    assert_eq!(*pool.source().events.lock().unwrap(), ["a comes", "a failed", "a comes", "a is here"]);
}

#[test]
fn who_gives_up_leaves_the_load_to_another() {
    let limits = Limits { models: Some(1), ..Limits::default() };
    let pool = Pool::new(Fake::default(), limits);
    let busy = pool.lease("busy", &patient()).unwrap();
    thread::scope(|scope| {
        let looks = AtomicUsize::new(0);
        let impatient: GoesOn = Arc::new(move || looks.fetch_add(1, SeqCst) < 2);
        let other = scope.spawn(|| {
            // Behind the first, which brings it.
            wait_for("the first", || pool.status().iter().any(|status| status.name == "a"));
            pool.lease("a", &patient()).map(drop)
        });
        let given_up = pool.lease("a", &impatient).map(drop).unwrap_err();
        assert!(matches!(given_up, Failure::Pool(Error::Cancelled { .. })), "{given_up:?}");
        drop(busy);
        other.join().unwrap().unwrap();
    });
}

#[test]
fn the_least_recently_used_goes_and_what_is_pinned_stays() {
    let pool = Pool::new(Fake::default(), Limits { models: Some(2), ..Limits::default() });
    for name in ["a", "b", "a"] {
        pool.lease(name, &patient()).map(drop).unwrap();
    }
    pool.lease("c", &patient()).map(drop).unwrap();
    pool.pin("a", true).unwrap();
    pool.lease("d", &patient()).map(drop).unwrap();
    let gone = |event: &&String| event.contains("goes");
    assert_eq!(
        pool.source().events.lock().unwrap().iter().filter(gone).collect::<Vec<_>>(),
        ["b goes for c", "c goes for d"]
    );
    pool.pin("d", true).unwrap();
    let refused = pool.lease("e", &patient()).map(drop).unwrap_err();
    assert!(matches!(refused, Failure::Pool(Error::AllPinned { limit: 2, .. })), "{refused:?}");
    assert!(matches!(pool.pin("e", true), Err(Error::NotLoaded { .. })));
}

#[test]
fn bytes_count_too() {
    let pool = Pool::new(Fake::default(), Limits { models: None, bytes: Some(5), ..Limits::default() });
    for name in ["aa", "bbb", "c"] {
        pool.lease(name, &patient()).map(drop).unwrap();
    }
    let here: Vec<String> = pool.status().into_iter().map(|status| status.name).collect();
    assert_eq!(here, ["bbb", "c"]);
    let refused = pool.lease("dddddd", &patient()).map(drop).unwrap_err();
    assert!(matches!(refused, Failure::Pool(Error::TooLarge { needed: 6, free: 5, limit: 5, .. })), "{refused:?}");
}

#[test]
fn whoever_waits_for_room_in_vain_is_told() {
    let patience = Duration::from_millis(100);
    let pool = Pool::new(Fake::default(), Limits { models: Some(1), patience, ..Limits::default() });
    let busy = pool.lease("busy", &patient()).unwrap();
    let refused = pool.lease("a", &patient()).map(drop).unwrap_err();
    assert!(matches!(refused, Failure::Pool(Error::AllBusy { .. })), "{refused:?}");
    // It gets leases again.
    pool.lease("busy", &patient()).map(drop).unwrap();
    drop(busy);
    pool.lease("a", &patient()).map(drop).unwrap();
}

#[test]
fn what_nobody_uses_goes_in_its_time() {
    let idle = Keep::For(Duration::from_millis(100));
    let pool = Pool::new(Fake::default(), Limits { models: None, idle, ..Limits::default() });
    let lease = pool.lease("used", &patient()).unwrap();
    pool.lease("pinned", &patient()).map(drop).unwrap();
    pool.pin("pinned", true).unwrap();
    pool.lease("kept", &patient()).unwrap().keep(Keep::Forever);
    pool.lease("short", &patient()).unwrap().keep(Keep::For(Duration::ZERO));
    pool.lease("a", &patient()).map(drop).unwrap();
    let here = || pool.status().into_iter().map(|status| status.name).collect::<Vec<_>>();
    wait_for("the end of two", || here() == ["kept", "pinned", "used"]);
    drop(lease);
    wait_for("the end of a third", || here() == ["kept", "pinned"]);
    assert_eq!(pool.source().events.lock().unwrap().iter().filter(|event| event.ends_with("was idle")).count(), 3);
    pool.pin("pinned", false).unwrap();
    wait_for("the end of the pinned", || here() == ["kept"]);
}

#[test]
fn unloading_waits_for_those_who_use_it_unless_it_is_at_once() {
    let pool = Pool::new(Fake::default(), Limits::default());
    let lease = pool.lease("a", &patient()).unwrap();
    let given_up = pool.unload("a", When::Unused, &(Arc::new(|| false) as GoesOn));
    assert!(matches!(given_up, Err(Error::Cancelled { .. })));
    // Nobody wants it gone any more.
    pool.lease("a", &patient()).map(drop).unwrap();
    thread::scope(|scope| {
        let unload = scope.spawn(|| pool.unload("a", When::Unused, &patient()));
        thread::sleep(Duration::from_millis(60));
        assert!(!lease.closed.load(SeqCst));
        drop(lease);
        unload.join().unwrap().unwrap();
    });
    assert!(matches!(pool.unload("a", When::Unused, &patient()), Err(Error::NotLoaded { .. })));
    let lease = pool.lease("a", &patient()).unwrap();
    pool.unload("a", When::AtOnce, &patient()).unwrap();
    assert!(lease.closed.load(SeqCst));
    // The lease of the one that is gone says nothing of the next.
    let next = pool.lease("a", &patient()).unwrap();
    drop(lease);
    assert_eq!(pool.status()[0].leases, 1);
    drop(next);
}

#[test]
fn unloading_waits_no_longer_than_it_is_told() {
    let pool = Pool::new(Fake::default(), Limits::default());
    let (first, second) = (pool.lease("a", &patient()).unwrap(), pool.lease("a", &patient()).unwrap());
    for time in [Duration::ZERO, Duration::from_millis(60)] {
        let start = Instant::now();
        let error = pool.unload("a", When::Within(time), &patient()).unwrap_err();
        assert!(matches!(&error, Error::Busy { name, uses: 2, .. } if name == "a"), "{error}");
        assert!(start.elapsed() >= time);
    }
    // It has leases again.
    drop(pool.lease_now("a").unwrap());
    drop(first);
    thread::scope(|scope| {
        let unload = scope.spawn(|| pool.unload("a", When::Within(Duration::from_hours(1)), &patient()));
        wait_for("somebody who waits", || pool.lease_now("a").is_none());
        drop(second);
        unload.join().unwrap().unwrap();
    });
    pool.lease("a", &patient()).map(drop).unwrap();
    pool.unload("a", When::Within(Duration::ZERO), &patient()).unwrap();
    assert!(pool.status().is_empty());
}

#[test]
fn who_uses_a_model_of_a_pool_that_is_dropped_has_it_until_they_are_done() {
    let source = Fake::default();
    let alive = source.alive.clone();
    let pool = Pool::new(source, Limits::default());
    let mut lease = pool.lease("a", &patient()).unwrap();
    lease.keep(Keep::Forever);
    pool.pin("a", true).unwrap();
    pool.lease("b", &patient()).unwrap().keep(Keep::Forever);
    assert_eq!(alive.load(SeqCst), 2);
    drop(pool);
    assert_eq!(alive.load(SeqCst), 1);
    assert!(!lease.closed.load(SeqCst));
    let model = lease.model().clone();
    drop(lease);
    wait_for("the end of the last", || alive.load(SeqCst) == 0);
    assert!(model.closed.load(SeqCst));
}

#[test]
fn what_is_left_is_what_limits_leave_beside_the_others() {
    let limits = Limits { models: Some(3), bytes: Some(100), idle: Keep::Forever, ..Limits::default() };
    let pool = Pool::new(Fake::default(), limits);
    let left = |name| {
        let budget = pool.left_for(name);
        (budget.bytes.unwrap().free, budget.models.unwrap().free)
    };
    assert_eq!(left("aa"), (100, 3));
    let held = pool.lease("b", &patient()).unwrap();
    pool.lease("aa", &patient()).map(drop).unwrap();
    // Each takes a byte for each letter, and what comes again gives its own back.
    assert_eq!((pool.bytes_of("aa"), pool.bytes_of("c")), (2, 0));
    assert_eq!(left("c"), (97, 1));
    assert_eq!(left("aa"), (99, 2));
    drop(held);
}

#[test]
fn a_pool_that_is_closed_gives_nothing() {
    let pool = Pool::new(Fake { slow: Duration::from_millis(100), ..Fake::default() }, Limits::default());
    let lease = pool.lease("a", &patient()).unwrap();
    thread::scope(|scope| {
        let late = scope.spawn(|| pool.lease("b", &patient()).map(drop));
        wait_for("the load", || pool.source().loads.load(SeqCst) == 2);
        pool.close();
        assert!(matches!(late.join().unwrap().unwrap_err(), Failure::Pool(Error::Closed)));
    });
    assert!(lease.closed.load(SeqCst));
    assert!(matches!(pool.lease("a", &patient()).map(drop), Err(Failure::Pool(Error::Closed))));
    assert_eq!(pool.source().alive.load(SeqCst), 0);
}

#[test]
fn a_panic_while_it_loads_leaves_nothing_behind() {
    struct Panics;
    impl Source for Panics {
        type Found = ();
        type Model = ();
        type Error = Error;

        fn find(&self, _: &str, _: &GoesOn) -> Result<((), u64), Error> {
            panic!("a bug")
        }

        fn load(&self, _: &str, (): (), _: &GoesOn) -> Result<(), Error> {
            Ok(())
        }

        fn close(&self, (): &()) {}

        fn is_giving_up(&self, _: &Error) -> bool {
            false
        }
    }
    let pool = Pool::new(Panics, Limits::default());
    for _ in 0..2 {
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pool.lease("a", &patient()))).is_err());
        assert_eq!(pool.status(), []);
    }
}

/// Loads until it is told that it is done, or that nobody wants it.
#[derive(Default)]
struct Endless {
    done: AtomicBool,
    loads: AtomicUsize,
    /// How often it was asked whether it is still wanted.
    asked: AtomicUsize,
}

impl Source for Endless {
    type Found = ();
    type Model = ();
    type Error = Failure;

    fn find(&self, _: &str, _: &GoesOn) -> Result<((), u64), Failure> {
        Ok(((), 1))
    }

    fn load(&self, name: &str, (): (), goes_on: &GoesOn) -> Result<(), Failure> {
        self.loads.fetch_add(1, SeqCst);
        while !self.done.load(SeqCst) {
            if !goes_on() {
                return Err(Failure::Pool(Error::Cancelled { name: name.into() }));
            }
            self.asked.fetch_add(1, SeqCst);
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn close(&self, (): &()) {}

    fn is_giving_up(&self, error: &Failure) -> bool {
        matches!(error, Failure::Pool(Error::Cancelled { .. }))
    }
}

#[test]
fn what_is_brought_aside_is_brought_for_all_who_wait() {
    let pool = Pool::new(Endless::default(), Limits::default());
    let source = pool.source();
    let flag = || Arc::new(AtomicBool::new(true));
    let until_unset = |flag: &Arc<AtomicBool>| -> GoesOn {
        let flag = flag.clone();
        Arc::new(move || flag.load(SeqCst))
    };
    thread::scope(|scope| {
        // Alone, it ends with whoever wanted it.
        let wanted = flag();
        let goes_on = until_unset(&wanted);
        let alone = scope.spawn({
            let pool = &pool;
            move || pool.lease_aside("a", &goes_on).map(drop)
        });
        wait_for("the load", || source.asked.load(SeqCst) > 0);
        wanted.store(false, SeqCst);
        assert!(matches!(alone.join().unwrap(), Err(Failure::Pool(Error::Cancelled { .. }))));
        assert!(pool.status().is_empty());

        let wanted = flag();
        let goes_on = until_unset(&wanted);
        let bringer = scope.spawn({
            let pool = &pool;
            move || pool.lease_aside("a", &goes_on).map(drop)
        });
        wait_for("the load", || source.loads.load(SeqCst) == 2);
        // One who waits is asked for the first time once it does.
        let waits = Arc::new(AtomicBool::new(false));
        let asked: GoesOn = {
            let waits = waits.clone();
            Arc::new(move || {
                waits.store(true, SeqCst);
                true
            })
        };
        let other = scope.spawn({
            let pool = &pool;
            move || pool.lease("a", &asked).map(drop)
        });
        wait_for("the other", || waits.load(SeqCst));
        wanted.store(false, SeqCst);
        let before = source.asked.load(SeqCst);
        wait_for("more of the load", || source.asked.load(SeqCst) > before + 3);
        source.done.store(true, SeqCst);
        bringer.join().unwrap().unwrap();
        other.join().unwrap().unwrap();
        assert_eq!(source.loads.load(SeqCst), 2, "it went on, and did not begin again");
    });
}
