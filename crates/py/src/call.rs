//! A request on its way into the queue: read, prepared, started.
//!
//! Reading arguments needs the interpreter lock. Preparing does not, and takes as long as the text is: seconds for
//! megabytes, up to three for a template. So it is done beside the caller's thread, who looks for signals or serves an
//! event loop meanwhile. A short text is done before another thread would have woken up. For an event loop, what takes
//! long to read is read there, too.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use trillm::{CoreError, Defaults, Error, Generation, Llm, Message, Prompt, Ready};

use crate::aside::{Aside, aside, is_long, reading};
use crate::doorbell::Ticket;
use crate::enter::{outside, panicked};
use crate::heavy::{is_heavy, kept};
use crate::lifetime::Used;
use crate::params::{Chat, Generate, Heavy, messages};
use crate::place::Place;
use crate::prompt::Given;
use crate::stream::Stream;

/// How something is asked for, which is not read yet: its parameters are.
pub(crate) struct Asking {
    place: Place,
    how: How,
}

enum How {
    Prompt(Generate),
    Chat(Box<Chat>, Heavy),
}

impl Asking {
    /// For one prompt, or that of a list with this index.
    pub(crate) fn prompt(
        defaults: &Defaults,
        index: Option<usize>,
        params: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let place = Place { argument: "prompt", index };
        Ok(Self { place, how: How::Prompt(Generate::new(defaults, params)?) })
    }

    /// For one chat, or that of a list with this index.
    pub(crate) fn chat(
        defaults: &Defaults,
        index: Option<usize>,
        params: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let place = Place { argument: "messages", index };
        let (chat, heavy) = Chat::begun(defaults, params)?;
        Ok(Self { place, how: How::Chat(Box::new(chat), heavy) })
    }

    /// Whether it takes long to read what there is beside the prompt or the messages.
    fn is_heavy(&self) -> bool {
        matches!(&self.how, How::Chat(_, heavy) if !heavy.is_empty())
    }

    /// Reads the prompt or the messages, and what of the parameters takes long to read.
    pub(crate) fn of(self, given: &Bound<'_, PyAny>) -> PyResult<Asked> {
        let place = self.place;
        let of = match self.how {
            How::Prompt(params) => {
                let given = Given::new(&place.to_string(), given)?;
                if let Given::Tokens(_) = given {
                    params.check_ids(place)?;
                }
                Of::Prompt { given, params }
            }
            How::Chat(mut chat, heavy) => {
                chat.read(given.py(), heavy)?;
                Of::Chat { messages: messages(place, given)?, chat }
            }
        };
        Ok(Asked { place, of })
    }
}

/// What was asked for, read and owned.
pub(crate) struct Asked {
    pub(crate) place: Place,
    of: Of,
}

enum Of {
    Prompt { given: Given, params: Generate },
    Chat { messages: Vec<Message>, chat: Box<Chat> },
}

impl Asked {
    /// Whether preparing may take longer than a millisecond.
    fn is_long(&self) -> bool {
        match &self.of {
            Of::Prompt { given: Given::Text(text), .. } => is_long(text),
            Of::Prompt { given: Given::Tokens(_), .. } => false,
            // A template does what it likes.
            Of::Chat { .. } => true,
        }
    }

    fn prepare(self, llm: &Llm) -> trillm::Result<Ready> {
        match self.of {
            Of::Prompt { given, params } => {
                let (add_special, parse_special) =
                    (params.add_special.unwrap_or(true), params.parse_special.unwrap_or(false));
                llm.prepare(given.prompt(add_special, parse_special), params.request)
            }
            Of::Chat { messages, chat } => {
                let Chat { generate, options, template } = *chat;
                let prompt = Prompt::Chat { messages: &messages, options: &options, template: template.as_deref() };
                llm.prepare(prompt, generate.request)
            }
        }
    }

    /// Prepares it for a caller who waits; signals are seen meanwhile.
    pub(crate) fn ready(self, py: Python<'_>, llm: &Arc<Llm>) -> PyResult<Ready> {
        let place = self.place;
        aside(py, self.is_long(), llm.clone(), |llm, _| self.prepare(llm))?.map_err(|error| place.raise(error))
    }
}

/// Queues a request, unless the queue is full: then it stays where it is.
///
/// # Errors
/// [`CoreError::DeadlineExceeded`] for one that waited for too long.
pub(crate) fn try_start(llm: &Llm, ready: &mut Option<Ready>) -> trillm::Result<Option<Generation>> {
    if is_late(ready.as_ref()) {
        return Err(CoreError::DeadlineExceeded { generated: 0 }.into());
    }
    match llm.start(ready) {
        Ok(generation) => Ok(Some(generation)),
        Err(Error::Core(CoreError::Overloaded { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_late(ready: Option<&Ready>) -> bool {
    ready.and_then(|ready| ready.request().deadline).is_some_and(|deadline| deadline <= Instant::now())
}

/// A request for an event loop. Dropping it cancels the request.
#[pyclass(frozen, module = "trillm._core")]
pub(crate) struct Call {
    place: Place,
    state: Mutex<State>,
}

/// The model is used until the stream is, or until it is over: whoever holds the object may do so for longer.
enum State {
    Preparing(Aside<Result<Begun, Failure>>, Arc<Used>),
    Prepared(Box<Begun>, Arc<Used>),
    Started(Py<Stream>),
    /// Closed, or failed with an error that was raised.
    Over,
}

/// Why a request was not prepared.
enum Failure {
    /// It cannot be read.
    Read(PyErr),
    Prepare(Error),
}

enum Begun {
    Running(Generation),
    /// For room in the queue.
    Waiting(Ready),
}

impl Begun {
    /// The next step, if there is room for it.
    fn go_on(self, llm: &Llm) -> trillm::Result<Self> {
        let Self::Waiting(ready) = self else { return Ok(self) };
        let mut ready = Some(ready);
        match (try_start(llm, &mut ready)?, ready) {
            (Some(generation), _) => Ok(Self::Running(generation)),
            (None, Some(ready)) => Ok(Self::Waiting(ready)),
            (None, None) => Err(CoreError::Cancelled.into()),
        }
    }
}

impl Call {
    /// Begins to prepare a request, which starts by itself as soon as it can, unless `others_wait` for room before it.
    /// `many` says that it is one of a list: all of them together may take long.
    pub(crate) fn begin(
        used: Arc<Used>,
        asking: Asking,
        given: &Bound<'_, PyAny>,
        others_wait: bool,
        many: bool,
    ) -> PyResult<Self> {
        let (llm, place) = (used.get()?, asking.place);
        let begin = move |llm: &Llm, asked: Asked| {
            let begun = Begun::Waiting(asked.prepare(llm)?);
            if others_wait { Ok(begun) } else { begun.go_on(llm) }
        };
        let preparing = |read: Box<dyn FnOnce() -> PyResult<Asked> + Send>| {
            let work = move |llm: &Llm, given_up: &dyn Fn() -> bool| {
                if given_up() {
                    return Err(Failure::Prepare(CoreError::Cancelled.into()));
                }
                let asked = read().map_err(Failure::Read)?;
                begin(llm, asked).map_err(Failure::Prepare)
            };
            Aside::begin(Some(&used.preparing), llm.clone(), work)
        };
        let state = if asking.is_heavy() || is_heavy(given) {
            let given = kept(given)?;
            State::Preparing(preparing(Box::new(move || reading(given, |given| asking.of(given))))?, used)
        } else {
            let asked = asking.of(given)?;
            if many || asked.is_long() {
                State::Preparing(preparing(Box::new(move || Ok(asked)))?, used)
            } else {
                let prepared = outside(given.py(), || begin(&llm, asked))?.map_err(|error| place.raise(error))?;
                State::Prepared(Box::new(prepared), used)
            }
        };
        Ok(Self { place, state: Mutex::new(state) })
    }

    /// Never held where the interpreter lock is let go of: whoever has that one may want this one.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The model, until the request is a stream.
    fn used(&self) -> Option<Arc<Used>> {
        match &*self.state() {
            State::Preparing(_, used) | State::Prepared(_, used) => Some(used.clone()),
            State::Started(_) | State::Over => None,
        }
    }
}

#[pymethods]
impl Call {
    /// Whether it is prepared; if not, the ticket is called when it is.
    fn poll(&self, ticket: &Ticket) -> PyResult<(bool, Option<Py<PyAny>>)> {
        let Some(used) = self.used() else { return Ok((true, None)) };
        used.get()?;
        let mut state = self.state();
        let State::Preparing(aside, _) = &*state else {
            return Ok((true, None));
        };
        let Some(made) = aside.poll(ticket.waker()) else {
            return Ok((false, None));
        };
        let failed = match made {
            Ok(Ok(begun)) => {
                *state = State::Prepared(Box::new(begun), used);
                return Ok((true, None));
            }
            Ok(Err(error)) => Ok(error),
            Err(panic) => Err(panic),
        };
        let was = std::mem::replace(&mut *state, State::Over);
        drop(state);
        drop(was);
        Err(match failed {
            Ok(Failure::Read(error)) => error,
            Ok(Failure::Prepare(error)) => self.place.raise(error),
            Err(panic) => panicked(&panic),
        })
    }

    /// Its stream; `None` while there is no room in the queue, or it is not prepared.
    fn start(&self, py: Python<'_>) -> PyResult<Option<Py<Stream>>> {
        let llm = self.used().map(|used| used.get()).transpose()?;
        let mut state = self.state();
        let failed = match (std::mem::replace(&mut *state, State::Over), llm) {
            (State::Prepared(begun, used), Some(llm)) => match (*begun).go_on(&llm) {
                Ok(Begun::Running(generation)) => {
                    let stream = Py::new(py, Stream::new(generation, used, self.place))?;
                    *state = State::Started(stream.clone_ref(py));
                    return Ok(Some(stream));
                }
                Ok(waiting) => {
                    *state = State::Prepared(Box::new(waiting), used);
                    return Ok(None);
                }
                Err(error) => error,
            },
            (State::Over, _) => CoreError::Cancelled.into(),
            (as_it_was, _) => {
                let stream = if let State::Started(stream) = &as_it_was { Some(stream.clone_ref(py)) } else { None };
                *state = as_it_was;
                return Ok(stream);
            }
        };
        drop(state);
        Err(self.place.raise(failed))
    }

    /// Whether it waits for room in the queue.
    #[getter]
    fn is_waiting(&self) -> bool {
        matches!(&*self.state(), State::Prepared(begun, _) if matches!(&**begun, Begun::Waiting(_)))
    }

    /// If it waits for room, how many seconds it may; `None` if there is no limit.
    #[getter]
    fn left(&self) -> Option<f64> {
        let State::Prepared(begun, _) = &*self.state() else { return None };
        let Begun::Waiting(ready) = &**begun else { return None };
        ready.request().deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()).as_secs_f64())
    }

    /// Cancels it, however far it is. Harmless when called again.
    fn close(&self) {
        let was = std::mem::replace(&mut *self.state(), State::Over);
        if let State::Started(stream) = was {
            stream.get().close();
        }
    }
}
