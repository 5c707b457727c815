//! A model's files, read once and found sound, on their way from whoever read them to an engine.

use std::any::Any;
use std::path::PathBuf;

use crate::{Error, ModelInfo, Result};

/// What was read of a model. An engine goes on from there: it opens nothing again that was read already.
///
/// This crate knows no formats, so `contents` is a value of the format's own type: its reader puts it there, and an
/// engine that accepts the format takes it out ([`of`](ModelFile::of)).
pub struct ModelFile<C = Box<dyn Any + Send>> {
    /// The file or folder that was asked for.
    pub path: PathBuf,
    /// What the files say of the model.
    pub info: ModelInfo,
    /// What else was read.
    pub contents: C,
}

impl ModelFile {
    /// What a reader made of the file or folder at `path`.
    pub fn new(path: impl Into<PathBuf>, info: ModelInfo, contents: impl Any + Send) -> Self {
        Self { path: path.into(), info, contents: Box::new(contents) }
    }

    /// The same with contents of the type that `engine` takes.
    ///
    /// # Errors
    /// [`Error::Engine`] if they are of another: the caller did not ask [`accepts`](crate::Engine::accepts).
    pub fn of<C: Any>(self, engine: &'static str) -> Result<ModelFile<C>> {
        let Self { path, info, contents } = self;
        let contents = contents.downcast().map_err(|_| another(engine, &info))?;
        Ok(ModelFile { path, info, contents: *contents })
    }

    /// The contents of the type that `engine` takes, left where they are.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn contents_of<C: Any>(&self, engine: &'static str) -> Result<&C> {
        self.contents.downcast_ref().ok_or_else(|| another(engine, &self.info))
    }
}

/// The error for contents that an engine does not take.
fn another(engine: &'static str, info: &ModelInfo) -> Error {
    let reason = format!("it was handed a model of format {:?}, which it does not run", info.format);
    Error::Engine { engine, reason, log: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Class, Coded};

    #[test]
    fn contents_come_out_as_what_they_went_in() {
        let info = ModelInfo { format: "words", ..ModelInfo::default() };
        let file = || ModelFile::new("a/file", info.clone(), vec!["one", "two"]);
        assert_eq!(file().contents_of::<Vec<&str>>("ours").expect("its own type"), &["one", "two"]);
        assert!(file().contents_of::<String>("ours").is_err());
        let ModelFile { path, info, contents } = file().of::<Vec<&str>>("ours").expect("its own type");
        assert_eq!((path, info.format, contents), (PathBuf::from("a/file"), "words", vec!["one", "two"]));
        let error = file().of::<String>("ours").err().expect("another type");
        assert_eq!(error.kind(), (Class::Engine, "engine_failed"));
        assert!(error.to_string().contains("\"words\""), "{error}");
    }
}
