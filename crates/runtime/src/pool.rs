//! Models in memory: brought when they are asked for, by one load for all who ask, and closed when they have to go.
//!
//! Everything that is decided is decided in `table.rs`; here it is done. The one lock is held for moments, never while a
//! model is found, loaded or closed.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::plan::Budget;
use crate::shared::Shared;
use crate::table::{Asked, Unload};
use crate::{Error, Event, GoesOn, Lease, Limits, Source, Status, Why};

/// Models in memory. Any number of threads may use it at once.
pub struct Pool<S: Source>(Arc<Shared<S>>);

impl<S: Source> Pool<S> {
    /// An empty one.
    pub fn new(source: S, limits: Limits) -> Self {
        Self::on(PathBuf::from("/"), source, limits)
    }

    /// An empty one that sees whether memory is short by the files that the system has in another folder than `/`.
    pub fn on(system: PathBuf, source: S, limits: Limits) -> Self {
        Self(Arc::new(Shared::new(system, source, limits)))
    }

    /// Where its models come from.
    pub fn source(&self) -> &S {
        &self.0.source
    }

    /// A model to use until the lease is dropped; brings it if it is not here. While that takes, `goes_on` is asked now
    /// and then whether the caller still wants it.
    ///
    /// # Errors
    /// Those of the source, and [`Error`]'s.
    pub fn lease(&self, name: &str, goes_on: &GoesOn) -> Result<Lease<S>, S::Error> {
        self.lease_while(name, goes_on, goes_on)
    }

    /// The same on a thread that nobody is kept waiting by: what it brings it goes on to bring for others who wait, also
    /// once its own caller wants it no more.
    ///
    /// # Errors
    /// As [`lease`](Self::lease).
    pub fn lease_aside(&self, name: &str, goes_on: &GoesOn) -> Result<Lease<S>, S::Error> {
        let (shared, own, of) = (Arc::downgrade(&self.0), goes_on.clone(), name.to_owned());
        let wanted = move || own() || shared.upgrade().is_some_and(|shared| shared.is_awaited(&of));
        let while_wanted: GoesOn = Arc::new(wanted);
        self.lease_while(name, goes_on, &while_wanted)
    }

    /// Waits for what others bring while `goes_on`, and brings it while `brings_on`.
    fn lease_while(&self, name: &str, goes_on: &GoesOn, brings_on: &GoesOn) -> Result<Lease<S>, S::Error> {
        let shared = &self.0;
        let mut state = shared.lock();
        loop {
            if state.closed {
                return Err(Error::Closed.into());
            }
            match state.table.ask(name, Instant::now()) {
                Asked::Lease(load, model) => return Ok(Lease::new(shared.clone(), name, load, model)),
                Asked::Bring(load) => {
                    let failure = Arc::new(OnceLock::new());
                    state.coming.insert(name.to_owned(), failure.clone());
                    drop(state);
                    return self.bring(name, load, &failure, brings_on);
                }
                Asked::Wait => {
                    let coming = state.coming.get(name).cloned();
                    state = shared.wait_for(state, name, goes_on)?;
                    if let Some(error) = coming.as_ref().and_then(|failure| failure.get()) {
                        return Err(error.clone());
                    }
                }
            }
        }
    }

    /// A model to use until the lease is dropped, if it is here; nobody waits.
    pub fn lease_now(&self, name: &str) -> Option<Lease<S>> {
        let mut state = self.0.lock();
        if state.closed {
            return None;
        }
        let (load, model) = state.table.here_now(name, Instant::now())?;
        Some(Lease::new(self.0.clone(), name, load, model))
    }

    fn bring(
        &self,
        name: &str,
        load: u64,
        failure: &OnceLock<S::Error>,
        goes_on: &GoesOn,
    ) -> Result<Lease<S>, S::Error> {
        /// Takes it out of the table if it did not come, also after a panic.
        struct OnItsWay<'a, S: Source>(&'a Shared<S>, &'a str);
        impl<S: Source> Drop for OnItsWay<'_, S> {
            fn drop(&mut self) {
                let mut state = self.0.lock();
                if state.coming.remove(self.1).is_some() {
                    state.table.gave_up(self.1);
                }
                self.0.changed.notify_all();
            }
        }
        let shared = &self.0;
        let on_its_way = OnItsWay(shared, name);
        shared.source.event(&Event::Loading { name });
        let loaded = shared.source.find(name, goes_on).and_then(|(found, bytes)| {
            shared.make_room(name, bytes, goes_on)?;
            shared.make_fit(name, &found)?;
            let start = Instant::now();
            Ok((shared.source.load(name, found, goes_on)?, start.elapsed()))
        });
        match loaded {
            Ok((model, time)) => {
                let model = Arc::new(model);
                let mut state = shared.lock();
                if state.closed {
                    drop(state);
                    shared.source.close(&model);
                    return Err(Error::Closed.into());
                }
                state.coming.remove(name);
                state.table.came(name, model.clone(), time, Instant::now());
                drop((state, on_its_way));
                shared.watch();
                shared.source.event(&Event::Loaded { name, seconds: time.as_secs_f64() });
                Ok(Lease::new(shared.clone(), name, load, model))
            }
            Err(error) => {
                if !shared.source.is_giving_up(&error) {
                    let _ = failure.set(error.clone());
                }
                drop(on_its_way);
                shared.source.event(&Event::Failed { name });
                Err(error)
            }
        }
    }

    /// Closes a model as `when` says. Who asks for it meanwhile waits and gets it anew.
    ///
    /// # Errors
    /// [`Error::NotLoaded`], [`Error::Busy`], [`Error::Cancelled`].
    pub fn unload(&self, name: &str, when: When, goes_on: &GoesOn) -> Result<(), Error> {
        let shared = &self.0;
        let start = Instant::now();
        let mut state = shared.lock();
        let mut load = None;
        loop {
            // Whoever waits for one load does not wait for the next of the same name.
            let now = state.table.load_of(name);
            if load.is_some() && load != now {
                return Ok(());
            }
            load = load.or(now);
            match state.table.unload(name, when == When::AtOnce) {
                Unload::Absent => return Err(Error::NotLoaded { name: name.into() }),
                Unload::Close(going) => {
                    drop(state);
                    shared.close(going, Why::Asked);
                    return Ok(());
                }
                Unload::Wait => {
                    let uses = state.table.uses(name);
                    let waited = match when {
                        // What is loaded or closed just now comes to its end by itself.
                        When::Within(limit) if uses > 0 && start.elapsed() >= limit => {
                            drop(state);
                            Err(Error::Busy { name: name.into(), uses, seconds: limit.as_secs_f64() })
                        }
                        _ => shared.wait(state, name, goes_on),
                    };
                    state = waited.inspect_err(|_| {
                        shared.lock().table.stays(name);
                        shared.changed.notify_all();
                    })?;
                }
            }
        }
    }

    /// Keeps a model that is here from going, or lets it go as others do.
    ///
    /// # Errors
    /// [`Error::NotLoaded`].
    pub fn pin(&self, name: &str, pinned: bool) -> Result<(), Error> {
        let is_here = self.0.lock().table.pin(name, pinned);
        self.0.changed.notify_all();
        self.0.look();
        if is_here { Ok(()) } else { Err(Error::NotLoaded { name: name.into() }) }
    }

    /// A model that is here, to look at: it may go at any time.
    pub fn model(&self, name: &str) -> Option<Arc<S::Model>> {
        self.0.lock().table.model(name)
    }

    /// Those that nobody uses and that may go, with their names, the least recently used first.
    pub fn idle(&self) -> Vec<(String, Arc<S::Model>)> {
        self.0.lock().table.idle()
    }

    /// What the limits leave for a model of this name, beside the others.
    pub fn left_for(&self, name: &str) -> Budget {
        self.0.lock().table.left_for(name)
    }

    /// What a model takes by its plan; zero if it is not here, and has no room.
    pub fn bytes_of(&self, name: &str) -> u64 {
        self.0.lock().table.bytes_of(name)
    }

    /// What may be here.
    pub fn limits(&self) -> Limits {
        self.0.lock().table.limits()
    }

    /// Sets what may be here. What is too much goes as it becomes idle.
    pub fn set_limits(&self, limits: Limits) {
        self.0.lock().table.set_limits(limits);
        self.0.changed.notify_all();
        self.0.look();
    }

    /// All models, by name.
    pub fn status(&self) -> Vec<Status> {
        let all = {
            let state = self.0.lock();
            let mut all = state.table.all(Instant::now());
            for (status, _) in &mut all {
                status.awaited = state.awaited.get(&status.name).copied().unwrap_or(0);
            }
            all
        };
        let counted = |(mut status, model): (Status, Option<Arc<S::Model>>)| {
            status.stats = model.and_then(|model| self.source().stats(&model));
            status
        };
        all.into_iter().map(counted).collect()
    }

    /// Ends what runs and closes all models; nobody gets one any more.
    pub fn close(&self) {
        let shared = &self.0;
        let all = {
            let mut state = shared.lock();
            state.closed = true;
            state.table.all_here()
        };
        shared.changed.notify_all();
        shared.sooner.notify_all();
        for going in all {
            shared.close(going, Why::Asked);
        }
    }
}

/// When a model goes that somebody wants gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// Now: what runs ends.
    AtOnce,
    /// Once nobody uses it, however long that takes.
    Unused,
    /// The same, if it is within this time.
    Within(Duration),
}

impl<S: Source> Drop for Pool<S> {
    /// Whoever uses a model has it until they are done, as they would without a pool; then it goes. [`Pool::close`] ends
    /// what runs.
    fn drop(&mut self) {
        let shared = &self.0;
        let unused = shared.lock().table.abandon();
        shared.sooner.notify_all();
        for going in unused {
            shared.close(going, Why::Asked);
        }
    }
}
