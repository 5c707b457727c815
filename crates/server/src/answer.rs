//! What comes of a question, for an event loop: a model is leased, a request queued, its pieces read.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use trillm_core::{Class, Error as CoreError, Piece, Ready, Request};
use trillm_llm::{Completion, Generation, Llm};
use trillm_runtime::Keep;
use trillm_text::RenderOptions;

use crate::app::App;
use crate::aside::aside;
use crate::ask::{Ask, Asked, Settings};
use crate::input::SHORT;
use crate::options::Scope;
use crate::served::InUse;
use crate::trace::Trace;
use crate::{Refusal, Served};

/// A request that runs. Dropping it, as happens to that of a client who left, cancels the request and ends its use of
/// the model.
pub(crate) struct Answer {
    generation: Generation,
    /// Tokens of the prompt.
    pub(crate) prompt_tokens: u32,
    /// How long it took to have the model.
    pub(crate) load: Duration,
    /// What is noted of the request.
    trace: Option<Arc<Trace>>,
    /// Until the server ends what runs.
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
    is_over: bool,
    /// Lets go of the model after the request.
    _in_use: Arc<dyn InUse>,
}

/// The model that a client calls `name`, to use; brought if it is not here.
///
/// What is not on this machine is fetched for those alone who may manage models: others could have the server ask any
/// address, and fill its disk.
pub(crate) async fn lease(app: &App, name: &str, scope: Scope, keep: Option<Keep>) -> Result<Arc<dyn InUse>, Refusal> {
    if let Some(trace) = Trace::current() {
        trace.model(name);
    }
    let kept = move |mut lease: Box<dyn InUse>| {
        if let Some(keep) = keep {
            lease.keep(keep);
        }
        lease.into()
    };
    let name = app.served.name(name).map_err(|refusal| refusal.about("model"))?;
    if let Some(lease) = app.served.lease_now(&name) {
        return Ok(kept(lease));
    }
    let served: Arc<dyn Served> = app.served.clone();
    let lease = aside(move |goes_on| {
        if scope < Scope::Admin && !served.is_here(&name) {
            let refusal =
                Refusal::new(Class::NotFound, "model_not_found", format!("{name:.200} is not on this machine"));
            return Err(refusal.about("model").advising("GET /v1/models lists what is"));
        }
        served.lease(&name, goes_on)
    });
    lease.await.map(kept)
}

impl Answer {
    /// Asks for an answer.
    pub(crate) async fn begin(app: &App, ask: Ask) -> Result<Self, Refusal> {
        let mut one = Self::begin_several(app, ask, 1).await?;
        one.pop().ok_or_else(|| CoreError::Cancelled.into())
    }

    /// Asks for `count` answers to one question; those with a seed have it and the ones that follow it.
    pub(crate) async fn begin_several(app: &App, ask: Ask, count: u32) -> Result<Vec<Self>, Refusal> {
        let Ask { model, prompt, settings, scope, keep, size } = ask;
        let start = Instant::now();
        let lease = lease(app, &model, scope, keep).await?;
        let load = start.elapsed();
        let llm = lease.clone();
        let start = move || (0..count).map(|index| started(llm.llm(), &prompt, &settings, index)).collect();
        let started: Vec<(Generation, u32)> = if size <= SHORT { start()? } else { aside(move |_| start()).await? };
        let answer = |(generation, prompt_tokens)| Self {
            generation,
            prompt_tokens,
            load,
            trace: Trace::current(),
            over: Box::pin(app.is_over()),
            is_over: false,
            _in_use: lease.clone(),
        };
        Ok(started.into_iter().map(answer).collect())
    }

    /// The next piece; `None` after the last, and once the server ends what runs.
    pub(crate) async fn next(&mut self) -> Option<Piece> {
        poll_fn(|context| {
            loop {
                if let Some(piece) = self.generation.try_next() {
                    return Poll::Ready(Some(piece));
                }
                if self.is_over || self.generation.is_done() {
                    return Poll::Ready(None);
                }
                if self.over.as_mut().poll(context).is_ready() {
                    self.is_over = true;
                    return Poll::Ready(None);
                }
                if !self.generation.stream().poll_ready(context.waker()) {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// A piece that is here already; nobody waits.
    pub(crate) fn ready(&mut self) -> Option<Piece> {
        self.generation.try_next()
    }

    /// What all pieces came to.
    pub(crate) fn completion(&self) -> Result<Completion, Refusal> {
        let ended = self.is_over && !self.generation.is_done();
        let completion =
            if ended { Err(Refusal::stopping()) } else { self.generation.completion().map_err(Into::into) };
        if let Some(trace) = &self.trace {
            match &completion {
                Ok(completion) => trace.answered(completion.usage),
                Err(refusal) => trace.failed(refusal),
            }
        }
        completion
    }

    /// Reads it to its end.
    pub(crate) async fn collect(mut self) -> Result<Completion, Refusal> {
        self.generation.stream().read_lazily();
        while self.next().await.is_some() {}
        self.completion()
    }
}

/// Reads several answers to their ends.
pub(crate) async fn collected(answers: Vec<Answer>) -> Result<Vec<Completion>, Refusal> {
    let mut all = Vec::with_capacity(answers.len());
    for answer in answers {
        all.push(answer.collect().await?);
    }
    Ok(all)
}

/// Tokens of what a model would be asked, whether or not it has room for them.
pub(crate) async fn count(app: &App, ask: Ask) -> Result<u32, Refusal> {
    let Ask { model, prompt, settings, scope, keep, size } = ask;
    let lease = lease(app, &model, scope, keep).await?;
    let counted = move || match prepared(lease.llm(), &prompt, &settings, 0) {
        Ok(ready) => Ok(ready.prompt().len() as u32),
        Err(trillm_llm::Error::Core(CoreError::ContextOverflow { prompt, .. })) => Ok(prompt as u32),
        Err(error) => Err(error.into()),
    };
    if size <= SHORT { counted() } else { aside(move |_| counted()).await }
}

/// A request on its way, and the tokens of its prompt.
fn started(llm: &Llm, prompt: &Asked, settings: &Settings, index: u32) -> Result<(Generation, u32), Refusal> {
    let ready = prepared(llm, prompt, settings, index)?;
    let tokens = ready.prompt().len() as u32;
    Ok((llm.start(&mut Some(ready))?, tokens))
}

/// A request that was checked. One that would go beyond the context ends there, as a model's answer does of itself.
fn prepared(llm: &Llm, prompt: &Asked, settings: &Settings, index: u32) -> Result<Ready, trillm_llm::Error> {
    let plain = RenderOptions::default();
    let prompt = || prompt.prompt(llm, &plain);
    let mut request = settings.over(llm.request());
    request.sampling.seed = request.sampling.seed.map(|seed| seed.wrapping_add(u64::from(index)));
    let ready = match llm.prepare(prompt(), request.clone()) {
        Err(trillm_llm::Error::Core(CoreError::ContextOverflow { prompt: tokens, max_tokens: Some(_), context }))
            if tokens < context as usize =>
        {
            llm.prepare(prompt(), Request { max_tokens: None, ..request.clone() })?
        }
        ready => ready?,
    };
    let tokens = ready.prompt().len();
    match settings.context.map(|context| (context, context.saturating_sub(tokens as u32))) {
        Some((context, 0)) => Err(CoreError::ContextOverflow { prompt: tokens, max_tokens: None, context }.into()),
        Some((_, room)) if ready.max_tokens() > room => {
            llm.prepare(prompt(), Request { max_tokens: Some(room), ..request })
        }
        _ => Ok(ready),
    }
}
