//! Loading, and several sessions of what was loaded.

use std::sync::{Arc, Mutex};
use std::thread;

use trillm_core::{Engine, Error, LoadOptions, Model, ModelFile, SessionOptions};

use super::driver::{Driver, Trace, options, prompt};

/// Two threads, each with a session of its own, do not disturb each other; nor does a session that is gone.
pub fn two_sessions_run_at_once(model: &dyn Model) {
    const STEPS: usize = 16;
    drop(Driver::new(model));
    let prompts = [prompt(model, 140, 12), prompt(model, 141, 25)];
    let traces = [0, 1].map(|index| Trace::of(model, &prompts[index], STEPS));
    thread::scope(|scope| {
        for (prompt, trace) in prompts.iter().zip(&traces) {
            scope.spawn(move || {
                let mut driver = Driver::new(model);
                trace.check(0, &driver.feed(0, prompt));
                for step in 0..STEPS {
                    trace.check(step + 1, &driver.feed(0, &trace.tokens[step..=step]));
                }
            });
        }
    });
}

/// As many as were asked for: whoever shares cores among models counts on it.
pub fn limits_say_how_many_threads_compute(model: &dyn Model) {
    for threads in [1, 2] {
        let session = model.session(&SessionOptions { threads: Some(threads), ..options() }).expect("a session");
        assert_eq!(session.limits().threads, threads);
    }
    let session = model.session(&SessionOptions { threads: None, ..options() }).expect("a session");
    assert!(session.limits().threads >= 1);
}

/// Loading stops when the caller's progress function says so, and tells it no nonsense. For engines that report
/// progress; not part of [`conformance!`](crate::conformance!), which knows no engine and no file. `open` reads the file.
pub fn cancels_loading(engine: &dyn Engine, open: impl Fn() -> ModelFile) {
    let cancelled = LoadOptions { progress: Some(Arc::new(|_| false)), ..LoadOptions::default() };
    let result = engine.load(open(), &cancelled).map(|_| "a model");
    assert_eq!(result, Err(Error::Cancelled));

    let told = Arc::new(Mutex::new(Vec::new()));
    let progress = {
        let told = told.clone();
        Arc::new(move |share| {
            told.lock().expect("no panic here").push(share);
            true
        })
    };
    let options = LoadOptions { progress: Some(progress), ..LoadOptions::default() };
    engine.load(open(), &options).expect("the same file loads when nobody objects");
    let told = told.lock().expect("no panic here");
    assert!(!told.is_empty() && told.is_sorted(), "{told:?}");
    assert!(told.iter().all(|share| (0.0..=1.0).contains(share)), "{told:?}");
}
