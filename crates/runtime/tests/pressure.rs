//! A pool on a system that says how much memory it has: files that a test writes, which models that go change.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::wait_for;
use trillm_runtime::{Error, Event, GoesOn, Keep, Limits, Pool, Source, Why};

/// What the machine has, in MB: it is short below 1000 and until 2000.
const MACHINE: u64 = 16_000;

/// What each model gives back, in MB.
const MODEL: u64 = 700;

/// Looks while nothing should happen: more than enough for one.
const WHILE: Duration = Duration::from_millis(60);

/// A machine, whose files are in a folder.
#[derive(Clone)]
struct System {
    root: PathBuf,
    free: Arc<Mutex<u64>>,
}

impl System {
    fn new(root: &Path) -> Self {
        fs::create_dir_all(root.join("proc/pressure")).unwrap();
        let system = Self { root: root.into(), free: Arc::default() };
        system.set(MACHINE);
        system
    }

    /// So many MB can be had.
    fn set(&self, free: u64) {
        *self.free.lock().unwrap() = free;
        let kilobytes = |megabytes: u64| megabytes * 1_000_000 / 1024;
        let text = format!("MemTotal: {} kB\nMemAvailable: {} kB\n", kilobytes(MACHINE), kilobytes(free));
        self.write("proc/meminfo", &text);
    }

    /// Something waits for memory in so many of a hundred seconds.
    fn stall(&self, percent: u64) {
        self.write("proc/pressure/memory", &format!("some avg10={percent}.00 avg60=0.00 avg300=0.00 total=0\n"));
    }

    /// By rename, so that nobody reads half of it.
    fn write(&self, name: &str, text: &str) {
        let new = self.root.join("new");
        fs::write(&new, text).unwrap();
        fs::rename(&new, self.root.join(name)).unwrap();
    }
}

/// Models of a size, which is free again when they go.
struct Sized {
    system: System,
    gone: Mutex<Vec<(String, String)>>,
}

impl Source for Sized {
    type Found = ();
    type Model = ();
    type Error = Error;

    fn find(&self, _: &str, _: &GoesOn) -> Result<((), u64), Error> {
        Ok(((), MODEL * 1_000_000))
    }

    fn load(&self, _: &str, (): (), _: &GoesOn) -> Result<(), Error> {
        Ok(())
    }

    fn close(&self, (): &()) {
        let free = *self.system.free.lock().unwrap();
        self.system.set(free + MODEL);
    }

    fn is_giving_up(&self, _: &Error) -> bool {
        false
    }

    fn event(&self, event: &Event<'_>) {
        if let Event::Unloaded { name, why: Why::Pressure(shortage) } = event {
            self.gone.lock().unwrap().push(((*name).into(), shortage.to_string()));
        }
    }
}

const LIMITS: Limits = Limits {
    models: None,
    bytes: None,
    idle: Keep::Forever,
    patience: Duration::from_mins(1),
    pressure: Some(Duration::from_millis(5)),
};

/// A pool with these models, used in that order.
fn pool(system: &System, limits: Limits, names: &[&str]) -> Pool<Sized> {
    let pool = Pool::on(system.root.clone(), Sized { system: system.clone(), gone: Mutex::default() }, limits);
    for name in names {
        drop(lease(&pool, name));
    }
    pool
}

fn lease(pool: &Pool<Sized>, name: &str) -> trillm_runtime::Lease<Sized> {
    pool.lease(name, &(Arc::new(|| true) as GoesOn)).unwrap()
}

fn here(pool: &Pool<Sized>) -> Vec<String> {
    pool.status().into_iter().map(|status| status.name).collect()
}

/// Those that went because memory was short, and what was said of it.
fn gone(pool: &Pool<Sized>) -> Vec<(String, String)> {
    pool.source().gone.lock().unwrap().clone()
}

#[test]
fn those_used_least_recently_go_until_there_is_enough_and_then_it_is_quiet() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::new(folder.path());
    let pool = pool(&system, LIMITS, &["a", "b", "c", "d", "e", "a"]);
    // Neither short nor far from it.
    system.set(1100);
    thread::sleep(WHILE);
    assert_eq!(here(&pool).len(), 5);
    // 600, 1300, 2000: two go, the first in the order of use, and the second because it is still below the high mark.
    system.set(600);
    wait_for("the end of two", || here(&pool) == ["a", "d", "e"]);
    thread::sleep(WHILE);
    assert_eq!(here(&pool), ["a", "d", "e"]);
    // Between the marks nothing goes any more.
    system.set(1100);
    thread::sleep(WHILE);
    assert_eq!(here(&pool), ["a", "d", "e"]);
    system.set(999);
    // A model is told to have gone once it has.
    wait_for("the end of two more", || gone(&pool).len() == 4);
    assert_eq!(here(&pool), ["a"]);
    let told = |free| format!("{free} MB of 16000 MB are free (this machine)");
    let expected = [("b", told(599)), ("c", told(1299)), ("d", told(998)), ("e", told(1698))];
    assert_eq!(gone(&pool), expected.map(|(name, why)| (name.to_owned(), why)));
}

#[test]
fn what_is_used_or_pinned_stays_however_short_memory_is() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::new(folder.path());
    let pool = pool(&system, LIMITS, &["pinned", "used", "idle"]);
    pool.pin("pinned", true).unwrap();
    let used = lease(&pool, "used");
    system.set(0);
    wait_for("the end of the idle one", || here(&pool) == ["pinned", "used"]);
    thread::sleep(WHILE);
    assert_eq!(here(&pool), ["pinned", "used"]);
    // As soon as nobody uses it: 700 is still too little.
    drop(used);
    wait_for("the end of the used one", || here(&pool) == ["pinned"]);
    system.set(0);
    pool.pin("pinned", false).unwrap();
    wait_for("the end of the pinned one", || here(&pool).is_empty());
    // Whoever asks gets a model all the same, and the next shortage finds it.
    system.set(MACHINE);
    drop(lease(&pool, "pinned"));
    system.set(0);
    wait_for("the end of the one that came again", || here(&pool).is_empty());
}

#[test]
fn what_waits_for_memory_makes_one_go_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::new(folder.path());
    let pool = pool(&system, LIMITS, &["a", "b"]);
    system.stall(19);
    thread::sleep(WHILE);
    assert_eq!(here(&pool), ["a", "b"]);
    system.stall(31);
    wait_for("the end of one", || gone(&pool).len() == 1);
    // What that gained shows in ten seconds.
    thread::sleep(WHILE);
    assert_eq!(here(&pool), ["b"]);
    assert_eq!(gone(&pool), [("a".into(), "something waited for memory in 31 % of the last 10 s".into())]);
}

#[test]
fn nothing_goes_where_nobody_looks_and_it_can_be_changed_while_models_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::new(folder.path());
    let pool = pool(&system, Limits { pressure: None, ..LIMITS }, &["a", "b"]);
    system.set(0);
    thread::sleep(WHILE);
    assert_eq!(here(&pool), ["a", "b"]);
    pool.set_limits(LIMITS);
    wait_for("the end of both", || here(&pool).is_empty());
}
