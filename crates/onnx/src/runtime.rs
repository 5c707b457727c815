//! The runtime's library, loaded once, and the one environment that a process may have.

use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{
    AtomicU32,
    Ordering::{AcqRel, Acquire, Release},
};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;
use trillm_core::{Error, LoadOptions, PerProcess, Result, memory};

use crate::fault::no_memory;
use crate::{NAME, ffi};

/// How it is called in errors.
const LIBRARY: &str = "the library of ONNX Runtime";

/// What to do where it cannot be used.
const ADVICE: &str = "install the Python package onnxruntime, set ORT_DYLIB_PATH to the library, or name it when loading (`runtime_library`)";

/// The oldest library that works, as the features of `ort` say.
const OLDEST: u32 = ort::MINOR_VERSION;

/// Loaded for ever: `ort` allows one environment in the life of a process.
static STARTED: OnceLock<Runtime> = OnceLock::new();

/// The process that began to load it, unless that failed. A child that was forked in the middle of it has a library that
/// is half there, and waits for ever where it asks for it: for the thread that is not there, which would go on.
static BEGUN: AtomicU32 = AtomicU32::new(0);

/// Held by the one thread of a process that loads it.
static LOADING: PerProcess<Mutex<()>> = PerProcess::new();

/// ONNX Runtime.
#[derive(Clone)]
pub(crate) struct Runtime {
    pub(crate) environment: Environment,
    library: PathBuf,
}

impl Runtime {
    /// Loads the library, the first time; later it must be the same one.
    pub(crate) fn start(options: &LoadOptions) -> Result<Self> {
        let named = options.graph.library.clone().or_else(named);
        // Before the lock: whoever is asked may wait for an interpreter that another thread has, which wants the lock.
        let found = match (&named, &options.find_runtime) {
            (None, Some(find)) if STARTED.get().is_none() => find()?,
            _ => None,
        };
        let _one_at_a_time = LOADING.get(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = STARTED.get() {
            return runtime.expect(named.as_deref());
        }
        let library = absolute(&named.or(found).ok_or_else(missing)?)?;
        let own = process::id();
        if BEGUN.compare_exchange(0, own, AcqRel, Acquire).is_err_and(|by| by != own) {
            let reason = "this process was forked while its parent loaded the library, which neither can be gone on \
                          with nor begun again: fork before that or after it, or start processes by \"spawn\"";
            return Err(failed(&library, reason));
        }
        let loaded = load(&library).inspect_err(|_| BEGUN.store(0, Release))?;
        tracing::debug!(library = %library.display(), build = ort::info(), "ONNX Runtime is loaded");
        Ok(STARTED.get_or_init(|| Self { environment: loaded, library }).clone())
    }

    /// Checks that the library that is asked for, if one is, is a file, and the one that this process has, if it has one.
    /// Nothing is loaded: what is in the file is seen when it is.
    pub(crate) fn expect_named(options: &LoadOptions) -> Result<()> {
        let Some(asked) = &options.graph.library else { return Ok(()) };
        match STARTED.get() {
            Some(runtime) => runtime.expect(Some(asked)).map(drop),
            None => absolute(asked).map(drop),
        }
    }

    fn expect(&self, asked: Option<&Path>) -> Result<Self> {
        match asked {
            Some(asked) if absolute(asked)? != self.library => {
                let loaded = self.library.display();
                Err(failed(asked, &format!("this process runs with {loaded} already, and there can be only one")))
            }
            _ => Ok(self.clone()),
        }
    }
}

/// The library that the environment names.
fn named() -> Option<PathBuf> {
    std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn missing() -> Error {
    let reason = format!("the library of ONNX Runtime 1.{OLDEST} or newer was not found");
    Error::NoLibrary { engine: NAME, reason, advice: ADVICE }
}

/// By its absolute path: `ort` looks beside the program for others. A pipe would keep the loader of libraries waiting.
fn absolute(path: &Path) -> Result<PathBuf> {
    match path.canonicalize() {
        Ok(absolute) if absolute.is_file() => Ok(absolute),
        Ok(_) => Err(failed(path, "not a regular file")),
        Err(error) => Err(failed(path, &error.to_string())),
    }
}

fn load(library: &Path) -> Result<Environment> {
    ffi::silence();
    // The loader of libraries tells a lack of memory by other names. What the library takes at once is about as much again.
    let bytes = library.metadata().map_or(0, |file| file.len());
    memory::check::<[u8; 2]>(bytes as usize, LIBRARY)?;
    let builder = ort::init_from(library).map_err(|error| failed(library, &error.to_string()))?;
    let logger = |level: LogLevel, _: &str, _: &str, place: &str, message: &str| match level {
        LogLevel::Fatal | LogLevel::Error => tracing::error!(target: "onnxruntime", place, "{message}"),
        LogLevel::Warning => tracing::warn!(target: "onnxruntime", place, "{message}"),
        LogLevel::Info | LogLevel::Verbose => tracing::debug!(target: "onnxruntime", place, "{message}"),
    };
    let built = builder.with_name("trillm").with_telemetry(false).with_logger(Arc::new(logger)).build();
    let environment = built.map_err(|error| failed(library, error.message()))?;
    environment.set_log_level(LogLevel::Warning);
    Ok(environment)
}

fn failed(library: &Path, reason: &str) -> Error {
    if let Some(error) = no_memory(reason, LIBRARY) {
        return error;
    }
    let reason = format!("ONNX Runtime cannot be used from {}: {reason}", library.display());
    Error::NoLibrary { engine: NAME, reason, advice: ADVICE }
}
