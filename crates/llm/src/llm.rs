//! A model that is loaded and served.

use std::mem;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use trillm_core::{
    Defaults, Error as CoreError, LoadOptions, Model, ModelInfo, Pipeline, Pooling, Purpose, Ready, Request,
    SessionOptions,
};
use trillm_formats::open_regular;
use trillm_machine::usable_processors;
use trillm_sched::{Embedder, Latencies, Scheduler, SchedulerOptions, Stats};
use trillm_text::{ChatFormat, ChatFormats, Message, RenderOptions};

use crate::choice::{By, Choice, Wanted, choose};
use crate::cores::cores;
use crate::prompt::with_system;
use crate::replicas::Replicas;
use crate::speeds::Speeds;
use crate::steps::Steps;
use crate::{Error, Generation, Prompt, Result, room};

/// How to open a model. The defaults work.
#[derive(Clone, Default)]
pub struct OpenOptions {
    /// The engine's name; `None` leaves the choice to [`choose`](crate::choose).
    pub engine: Option<String>,
    /// What was measured of engines, for that choice. `None` (default) chooses without.
    pub speeds: Option<Speeds>,
    /// How the weights are loaded.
    pub load: LoadOptions,
    /// How the model is run.
    pub session: SessionOptions,
    /// How requests are queued.
    pub scheduler: SchedulerOptions,
    /// The system message of chats that have none; `None` takes the publisher's, or leaves it to the model's template.
    pub system: Option<String>,
    /// How whoever published the model says it is used best: goes before what its files say.
    pub published: Defaults,
    /// Leave out what the publisher says, there and in the files.
    pub neutral: bool,
}

impl OpenOptions {
    /// By what an engine is chosen.
    pub fn wanted(&self) -> Wanted<'_> {
        let Self { engine, load, session, speeds, .. } = self;
        Wanted { engine: engine.as_deref(), preferred: None, load, session, speeds: speeds.as_ref() }
    }
}

/// A model file, loaded. Any number of threads may use it at once; their requests run as one batch.
pub struct Llm {
    pub(crate) model: Arc<dyn Model>,
    /// Or why there is none: a model that does not generate.
    schedulers: Result<Replicas<Scheduler>, CoreError>,
    pub(crate) session: SessionOptions,
    chats: ChatFormats,
    pub(crate) embedding: Mutex<Embedding>,
    /// Of what generates and of what embeds.
    pub(crate) latencies: Arc<Latencies>,
    /// What is done to a pooled vector.
    pub(crate) steps: Steps,
    /// The same where pairs are scored.
    pub(crate) scoring: Steps,
}

/// What embeds: it has a cache of its own.
pub(crate) enum Embedding {
    /// Nobody has asked yet.
    Unused,
    /// Made at the first `embed`, and again when another pooling is asked for.
    By(Vec<Pooling>, Arc<Replicas<Embedder>>),
    /// The model is closed.
    Closed,
}

impl Llm {
    /// Loads the model file at `path`: reads and checks its files, picks the engine, loads, starts the decode thread.
    pub fn open(path: &Path, options: OpenOptions) -> Result<Self> {
        room::check(room::MODEL, "loading a model")?;
        let choice = choose(path, options.wanted())?;
        choice.check(&options.load, &options.session)?;
        let Choice { engine, mut file, by, reason, note } = choice;
        let info = &mut file.info;
        info.notes.extend(note);
        if by == By::Measured {
            info.notes.push(format!("of the formats that there are, {} is run: {reason}", info.format));
        }
        info.defaults = if options.neutral {
            Defaults::default()
        } else {
            options.published.checked(&mut info.notes).or(mem::take(&mut info.defaults))
        };
        info.system = options.system.or(info.defaults.system.as_ref().map(|given| given.value.clone()));
        let context = options.session.context_for(info.context_trained);
        if let Some(short) = info.short_context.filter(|short| context > *short) {
            info.notes.push(format!(
                "a context of {context} is over {short}, so longrope's long factors count, for short texts too: load with \
                 context={short} for the short factors"
            ));
        }
        let usable = usable_processors();
        if let Some(threads) = options.session.threads.filter(|&threads| threads > usable) {
            info.warn(format!("threads is {threads}, and this process may use {usable} processors: more slow it down"));
        }
        for warning in &info.warnings {
            tracing::warn!("{warning}");
        }
        let model = engine.load(file, &options.load).map_err(|error| not_there(error, path))?;
        Self::serve(model, options.session, options.scheduler)
    }

    /// Serves a model that is already loaded, in as many sessions as `session.replicas` says: if one of them cannot be made,
    /// none stays.
    pub fn serve(model: Arc<dyn Model>, session: SessionOptions, options: SchedulerOptions) -> Result<Self> {
        room::check(room::MODEL, "a model's threads")?;
        // A model that only embeds gets its session with the first text: that is late to say so.
        session.check_positions(model.positions())?;
        let info = model.info();
        let load = |pipeline: &Option<Pipeline>| Steps::load(pipeline.as_ref().map_or(&[], |it| &it.steps));
        let (steps, scoring) = (load(&info.pipeline)?, load(&info.scoring)?);
        let latencies = Arc::new(Latencies::default());
        let start = || {
            room::check(room::MODEL, "a model's threads")?;
            Ok(Scheduler::start(model.clone(), session.clone(), options, cores(), latencies.clone())?)
        };
        let schedulers = match does_not_generate(info) {
            Some(error) => Err(error.into()),
            None => Replicas::new(session.replicas, start),
        };
        let schedulers = match schedulers {
            Ok(schedulers) => Ok(schedulers),
            Err(Error::Core(error @ (CoreError::EmbedsOnly { .. } | CoreError::LabelsOnly { .. }))) => Err(error),
            Err(error) => return Err(error),
        };
        let chats = ChatFormats::new(model.info());
        let embedding = Mutex::new(Embedding::Unused);
        Ok(Self { model, schedulers, session, chats, embedding, latencies, steps, scoring })
    }

    /// What the file says, and what was decided.
    pub fn info(&self) -> &ModelInfo {
        self.model.info()
    }

    /// The model, with its tokenizer.
    pub fn model(&self) -> &dyn Model {
        &*self.model
    }

    /// A request as the model's publisher recommends: what a caller does not choose begins from it.
    pub fn request(&self) -> Request {
        self.info().defaults.request()
    }

    /// The longest sequence, in tokens. A graph may have fewer positions than its configuration says: the first sequence
    /// that is longer finds out.
    pub fn context(&self) -> u32 {
        match &self.schedulers {
            Ok(schedulers) => schedulers.iter().map(Scheduler::longest).min().unwrap_or(0),
            // Nobody waits here for a session that is being made.
            Err(_) => match self.embedding.try_lock().as_deref() {
                Ok(Embedding::By(_, embedders)) => embedders.iter().map(Embedder::longest).min().unwrap_or(0),
                _ => self.session.context_for(self.info().context_trained),
            },
        }
    }

    /// The counters of all of its sessions together, all zero for a model that only embeds; and how long requests took,
    /// for text and for vectors alike.
    pub fn stats(&self) -> Stats {
        let together = |schedulers: &Replicas<Scheduler>| {
            schedulers.iter().map(Scheduler::stats).reduce(|all, one| all.with(&one))
        };
        self.schedulers.as_ref().ok().and_then(together).unwrap_or_else(|| self.latencies.read())
    }

    /// Checks and tokenises a request on this thread, and queues it: [`prepare`](Self::prepare) and
    /// [`start`](Self::start).
    ///
    /// # Errors
    /// Theirs.
    pub fn generate(&self, prompt: Prompt<'_>, request: Request) -> Result<Generation> {
        self.start(&mut Some(self.prepare(prompt, request)?))
    }

    /// Checks and tokenises a request on this thread, which takes as long as its text is.
    ///
    /// # Errors
    /// [`ContextOverflow`](CoreError::ContextOverflow), [`InvalidParameter`](CoreError::InvalidParameter),
    /// [`EmbedsOnly`](CoreError::EmbedsOnly), [`LabelsOnly`](CoreError::LabelsOnly), or the chat template's.
    pub fn prepare(&self, prompt: Prompt<'_>, request: Request) -> Result<Ready> {
        let scheduler = self.schedulers.as_ref().map_err(CoreError::clone)?.first();
        room::check(room::REQUEST, "a request")?;
        let tokenizer = self.model.tokenizer();
        let tokens = prompt.encode(tokenizer, self.system(), &self.chats)?;
        Ok(request.prepare(tokens, scheduler.limits().context, tokenizer.vocabulary())?)
    }

    /// Queues a request, at once, in the session that is used least; while all queues are full, it stays where it is.
    ///
    /// # Errors
    /// [`Overloaded`](CoreError::Overloaded), [`Closed`](CoreError::Closed).
    pub fn start(&self, ready: &mut Option<Ready>) -> Result<Generation> {
        let schedulers = self.schedulers.as_ref().map_err(CoreError::clone)?;
        let mut full = CoreError::Closed;
        for (scheduler, held) in schedulers.least_used() {
            match scheduler.submit_from(ready) {
                Ok(stream) => return Ok(Generation::new(stream, held)),
                Err(error @ CoreError::Overloaded { .. }) => full = error,
                Err(error) => return Err(error.into()),
            }
        }
        Err(full.into())
    }

    /// The model's chat format for chats with these options.
    ///
    /// # Errors
    /// If the model has no such template, or one that does not parse.
    pub fn chat_format(&self, options: &RenderOptions) -> Result<&ChatFormat> {
        Ok(self.chats.choose(options, self.model.tokenizer())?)
    }

    /// The text that a chat prompt is tokenised from; `template` replaces the model's own.
    pub fn render_chat(&self, messages: &[Message], options: &RenderOptions, template: Option<&str>) -> Result<String> {
        with_system(messages, self.system(), |messages| {
            Ok(match template {
                Some(source) => self.chats.other(source, self.model.tokenizer())?.render(messages, options)?,
                None => self.chat_format(options)?.render(messages, options)?,
            })
        })
    }

    fn system(&self) -> Option<&str> {
        self.info().system.as_deref()
    }

    /// Ends what runs with [`Closed`](CoreError::Closed) and waits for the threads. Harmless when called again.
    pub fn close(&self) {
        if let Ok(schedulers) = &self.schedulers {
            schedulers.iter().for_each(Scheduler::close);
        }
        let mut embedding = self.embedding.lock().unwrap_or_else(PoisonError::into_inner);
        if let Embedding::By(_, embedders) = mem::replace(&mut *embedding, Embedding::Closed) {
            embedders.iter().for_each(Embedder::close);
        }
    }
}

/// The error for a file beside the model, a LoRA adapter, that cannot be opened or is none: engines say less of that,
/// among lines about the model.
fn not_there(error: CoreError, model: &Path) -> Error {
    match &error {
        CoreError::Load { path, .. } if path != model => match open_regular(path) {
            Err(cause) => cause.into(),
            Ok(_) => error.into(),
        },
        _ => error.into(),
    }
}

/// Why a model makes no text, if its files say what else it is for.
fn does_not_generate(info: &ModelInfo) -> Option<CoreError> {
    let class = info.kind().to_owned();
    match info.purpose {
        Purpose::Text => None,
        Purpose::Vectors => Some(CoreError::EmbedsOnly { architecture: class }),
        Purpose::Labels => {
            Some(CoreError::LabelsOnly { class, scores: info.scoring.is_some(), embeds: info.pipeline.is_some() })
        }
    }
}
