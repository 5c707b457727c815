//! What sort of trouble an error is, and what can be done about it: by its class, never by words in its message.

use trillm_core::Class;

/// What sort of trouble an error is. Closed, and coarser than [`Class`]: enough for a counter, or for a first answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// There is too little memory.
    Memory,
    /// A model is not there, is damaged, or does not load.
    ModelLoad,
    /// A model that is loaded gave no answer.
    Generation,
    /// Anything else: what a caller asked for amiss, what cannot be done here, errors of other libraries.
    Unknown,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Memory, Self::ModelLoad, Self::Generation, Self::Unknown];

    /// The kind of errors of a class.
    pub fn of(class: Class) -> Self {
        match class {
            Class::OutOfMemory | Class::MemoryRefused => Self::Memory,
            Class::NotFound | Class::Format | Class::Load | Class::Store | Class::Digest => Self::ModelLoad,
            Class::ContextOverflow
            | Class::ChatTemplate
            | Class::Overloaded
            | Class::DeadlineExceeded
            | Class::Cancelled
            | Class::Closed
            | Class::Engine => Self::Generation,
            Class::InvalidRequest | Class::Unsupported | Class::Forked => Self::Unknown,
        }
    }

    /// Its name, stable.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "MEMORY_ERROR",
            Self::ModelLoad => "MODEL_LOAD_ERROR",
            Self::Generation => "GENERATION_ERROR",
            Self::Unknown => "UNKNOWN_ERROR",
        }
    }

    /// What a person may try. An error's own hint says more, where it has one.
    pub fn suggestion(self) -> &'static str {
        match self {
            Self::Memory => "try a smaller model, a quantized version of it, or a smaller `context`",
            Self::ModelLoad => "check that the model's file exists and is valid",
            Self::Generation => "ask again, with a shorter prompt or fewer `max_tokens`",
            Self::Unknown => "read the message and the hint; `trillm doctor` shows what this machine can do",
        }
    }
}

/// What a program may do about an error before it tries once more.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Recovery {
    /// Unload models that nobody uses.
    UnloadModels,
    /// Fetch the model, or what is damaged of it.
    DownloadModel,
    /// Load the model anew.
    ReloadModel,
}

impl Recovery {
    /// What may help against errors of a class; `None` where trying again would only fail again. That is narrower than what a
    /// [`Kind`] would allow: to fetch gigabytes anew helps against no engine that does not load them.
    pub fn of(class: Class) -> Option<Self> {
        match class {
            Class::OutOfMemory | Class::MemoryRefused => Some(Self::UnloadModels),
            Class::NotFound | Class::Format | Class::Digest => Some(Self::DownloadModel),
            Class::Closed | Class::Engine => Some(Self::ReloadModel),
            Class::Load
            | Class::InvalidRequest
            | Class::ContextOverflow
            | Class::ChatTemplate
            | Class::Unsupported
            | Class::Overloaded
            | Class::DeadlineExceeded
            | Class::Cancelled
            | Class::Forked
            | Class::Store => None,
        }
    }

    /// Its name, stable.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnloadModels => "unload_models",
            Self::DownloadModel => "download_model",
            Self::ReloadModel => "reload_model",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_in_the_list_once() {
        let all: std::collections::HashSet<_> = Class::ALL.into_iter().collect();
        assert_eq!(all.len(), Class::ALL.len());
        // Each kind has a class, so none of them is a name alone.
        assert!(Kind::ALL.into_iter().all(|kind| all.iter().any(|class| Kind::of(*class) == kind)));
    }

    #[test]
    fn what_memory_lacks_is_told_from_what_does_not_load() {
        for (class, kind, name, recovery) in [
            (Class::OutOfMemory, Kind::Memory, "MEMORY_ERROR", Some("unload_models")),
            (Class::MemoryRefused, Kind::Memory, "MEMORY_ERROR", Some("unload_models")),
            (Class::NotFound, Kind::ModelLoad, "MODEL_LOAD_ERROR", Some("download_model")),
            (Class::Digest, Kind::ModelLoad, "MODEL_LOAD_ERROR", Some("download_model")),
            (Class::Load, Kind::ModelLoad, "MODEL_LOAD_ERROR", None),
            (Class::Engine, Kind::Generation, "GENERATION_ERROR", Some("reload_model")),
            (Class::ContextOverflow, Kind::Generation, "GENERATION_ERROR", None),
            (Class::InvalidRequest, Kind::Unknown, "UNKNOWN_ERROR", None),
        ] {
            assert_eq!((Kind::of(class), Kind::of(class).name()), (kind, name), "{class:?}");
            assert_eq!(Recovery::of(class).map(Recovery::name), recovery, "{class:?}");
        }
    }
}
