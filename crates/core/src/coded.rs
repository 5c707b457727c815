//! What every crate's errors have in common: a class, a name, and advice.

/// What kind of thing went wrong. Closed, so that whoever treats classes apart treats them all: Python has an exception
/// for each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Class {
    /// There is no such model, file or generation.
    NotFound,
    /// A file that is no model, is damaged, or must not reach an engine.
    Format,
    /// An engine could not load a model.
    Load,
    /// A parameter, a message or a name that means nothing.
    InvalidRequest,
    /// A prompt, or what was asked for with it, does not fit.
    ContextOverflow,
    /// The chat template is missing or invalid, failed, or refused the messages.
    ChatTemplate,
    /// What an engine, a model or this build cannot do.
    Unsupported,
    /// The queue is full.
    Overloaded,
    /// The deadline passed.
    DeadlineExceeded,
    /// The caller cancelled.
    Cancelled,
    /// The model was closed.
    Closed,
    /// The model belongs to another process.
    Forked,
    /// The system gives no more memory.
    OutOfMemory,
    /// What there is of memory would not suffice: nothing was loaded.
    MemoryRefused,
    /// An engine failed, the system gives it no threads or files, or a bug of ours.
    Engine,
    /// The folder of models, or another place on the disk, could not be read or written.
    Store,
    /// Bytes that are not the ones that were announced.
    Digest,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::NotFound,
        Self::Format,
        Self::Load,
        Self::InvalidRequest,
        Self::ContextOverflow,
        Self::ChatTemplate,
        Self::Unsupported,
        Self::Overloaded,
        Self::DeadlineExceeded,
        Self::Cancelled,
        Self::Closed,
        Self::Forked,
        Self::OutOfMemory,
        Self::MemoryRefused,
        Self::Engine,
        Self::Store,
        Self::Digest,
    ];
}

/// An error with a class, a stable name and, where there is one, advice. Every crate's error enum implements it.
pub trait Coded: std::error::Error {
    /// Its class, and its name: both in one place, so that no name is without a class.
    fn kind(&self) -> (Class, &'static str);

    /// What kind of thing went wrong.
    fn class(&self) -> Class {
        self.kind().0
    }

    /// A stable, snake-case name: what programs match on. A name has one class, whichever crate says it.
    fn code(&self) -> &'static str {
        self.kind().1
    }

    /// What to do about it, as a sentence; kept out of the message. A parameter is named as Python gives it, between
    /// backticks: the command line names its flag instead.
    fn hint(&self) -> Option<String> {
        None
    }
}
