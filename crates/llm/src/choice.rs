//! Which engine runs a model, and by which of its files: the one rule for whoever loads, plans, measures or shows it.
//!
//! A folder may have a model in several formats, each for another engine, and a format may have several engines. Then
//! counts, in this order: the engine that is asked for; the one that is preferred; the one that was measured fastest
//! here; the first by format (weights, a graph, a GGUF file) and among the engines of this build. What was measured
//! counts only if the one that would be taken otherwise was measured alike, and if nothing is asked for that another
//! engine might refuse: a choice by speed must not be the reason why a model does not load.

use std::path::Path;

use trillm_core::{Engine, LoadOptions, ModelFile, SessionOptions};
use trillm_formats::{formats_in, open, open_in};

use crate::Result;
use crate::engines::{engine_for, engines};
use crate::speeds::{Measured, Speed, Speeds};

/// By what an engine is chosen.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// The engine that is asked for; `None` or `auto` leaves it open.
    pub engine: Option<&'a str>,
    /// The one to take where there are several; another runs a model that it does not run.
    pub preferred: Option<&'a str>,
    /// How the weights are to be loaded.
    pub load: &'a LoadOptions,
    /// How the model is to be run.
    pub session: &'a SessionOptions,
    /// What was measured; `None` does not look.
    pub speeds: Option<&'a Speeds>,
}

/// What decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// It was asked for.
    Asked,
    /// No other engine runs the model.
    Only,
    /// It is preferred.
    Preferred,
    /// It was measured fastest here.
    Measured,
    /// It is the first.
    Order,
}

impl By {
    /// The name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Only => "only",
            Self::Preferred => "preferred",
            Self::Measured => "measured",
            Self::Order => "order",
        }
    }
}

/// An engine for a model, and what it loads.
pub struct Choice {
    /// The engine.
    pub engine: &'static dyn Engine,
    /// What was read of the model in the format that it runs.
    pub file: ModelFile,
    /// What decided.
    pub by: By,
    /// Why it is this one, for people.
    pub reason: String,
    /// What cannot be read of what was measured, where that would have counted.
    pub note: Option<String>,
}

impl Choice {
    /// Checks that the engine loads and runs the model so, before any weight is touched: the one rule for whoever loads
    /// and whoever plans.
    ///
    /// # Errors
    /// What loading says of the options.
    pub fn check(&self, load: &LoadOptions, session: &SessionOptions) -> Result<()> {
        Ok(self.engine.check(&self.file, load, session)?)
    }
}

/// Chooses an engine for the model at `path`, and reads the files that it loads.
///
/// # Errors
/// As [`open`], and [`Error::UnknownEngine`](crate::Error::UnknownEngine),
/// [`Error::WrongEngine`](crate::Error::WrongEngine), [`Error::NoEngine`](crate::Error::NoEngine).
pub fn choose(path: &Path, wanted: Wanted<'_>) -> Result<Choice> {
    if let Some(name) = wanted.engine.filter(|name| *name != "auto") {
        let known = engines().iter().find(|engine| engine.name() == name);
        let file = open_in(path, &|format| known.is_none_or(|engine| engine.accepts(format)))?;
        let engine = engine_for(name, file.info.format)?;
        return Ok(Choice { engine, file, by: By::Asked, reason: "it was asked for".into(), note: None });
    }
    // A file is in one format, which says its content: it is read before anything is chosen, and once.
    let (read, formats) = if path.is_dir() {
        (None, formats_in(path))
    } else {
        let file = open(path)?;
        let format = file.info.format;
        (Some(file), vec![format])
    };
    let runners = runners(&formats);
    if runners.len() < 2 {
        let file = read.map_or_else(|| open(path), Ok)?;
        let engine = engine_for("auto", file.info.format)?;
        let reason = format!("no other engine of this build runs {} files", file.info.format);
        return Ok(Choice { engine, file, by: By::Only, reason, note: None });
    }
    let names: Vec<&str> = runners.iter().map(|engine| engine.name()).collect();
    let mut note = None;
    let (place, by, reason) = among(&names, wanted, || {
        let (measured, left_out) = wanted.speeds.map(|speeds| speeds.of(path)).unwrap_or_default();
        note = left_out;
        measured
    });
    let engine = runners[place];
    let file = read.map_or_else(|| open_in(path, &|format| engine.accepts(format)), Ok)?;
    Ok(Choice { engine: engine_for(engine.name(), file.info.format)?, file, by, reason, note })
}

/// The engines that run some of these formats: those of the first format first, each once.
fn runners(formats: &[&str]) -> Vec<&'static dyn Engine> {
    let mut found: Vec<&'static dyn Engine> = Vec::new();
    for format in formats {
        for engine in engines().iter().filter(|engine| engine.accepts(format)) {
            if !found.iter().any(|known| known.name() == engine.name()) {
                found.push(*engine);
            }
        }
    }
    found
}

/// Which of several engines is taken, what decided, and why.
fn among(names: &[&str], wanted: Wanted<'_>, measured: impl FnOnce() -> Vec<Measured>) -> (usize, By, String) {
    if let Some(place) = names.iter().position(|name| Some(*name) == wanted.preferred) {
        return (place, By::Preferred, format!("it is preferred, of {}", names.join(", ")));
    }
    let first = |why: &str| (0, By::Order, format!("it is the first of {}; {why}", names.join(", ")));
    if !wanted.load.suits_all() || !wanted.session.suits_all() {
        return first("settings are asked for that not every engine takes, so that what was measured does not count");
    }
    let measured = measured();
    if measured.is_empty() {
        return first("none was measured on this machine with these files and this version: `trillm bench` does");
    }
    let Some((fastest, others)) = fastest(names, &measured) else {
        return first("of those that were measured, none was measured alike with it");
    };
    let place = names.iter().position(|name| *name == fastest.engine).unwrap_or(0);
    let others: Vec<String> = others.into_iter().map(said).collect();
    (place, By::Measured, format!("it was measured fastest here: {}; {}", said(fastest), others.join(", ")))
}

/// The fastest by the newest measurement that has the first engine and another one, and those others.
fn fastest<'m>(names: &[&str], measured: &'m [Measured]) -> Option<(&'m Speed, Vec<&'m Speed>)> {
    measured.iter().find_map(|it| {
        let speed = |name: &&str| it.speeds.iter().find(|speed| speed.engine == *name);
        let alike: Vec<&Speed> = names.iter().filter_map(speed).collect();
        if alike.len() < 2 || alike[0].engine != names[0] {
            return None;
        }
        let rate = |speed: &&Speed| speed.tokens_per_second.unwrap_or(f64::NEG_INFINITY);
        // The first of equals.
        let best = alike.iter().copied().rev().max_by(|one, other| rate(one).total_cmp(&rate(other)))?;
        best.tokens_per_second?;
        Some((best, alike.into_iter().filter(|speed| speed.engine != best.engine).collect()))
    })
}

fn said(speed: &Speed) -> String {
    match (speed.tokens_per_second, &speed.error) {
        (Some(rate), _) => format!("{} {rate:.1} tokens/s", speed.engine),
        (None, Some(error)) => format!("{} failed ({error})", speed.engine),
        (None, None) => format!("{} failed", speed.engine),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["candle", "onnx", "llama"];

    /// A measurement of engines with their rates; one without failed.
    fn measured(rates: &[(&str, Option<f64>)]) -> Measured {
        let error = |rate: Option<f64>| rate.is_none().then(|| "unsupported".to_owned());
        let speed = |&(name, rate): &(&str, Option<f64>)| Speed {
            engine: name.into(),
            tokens_per_second: rate,
            error: error(rate),
        };
        Measured::of_others("/m", "a", rates.iter().map(speed).collect())
    }

    fn taken(all: &[Measured]) -> Option<&str> {
        fastest(&NAMES, all).map(|(speed, _)| &*speed.engine)
    }

    #[test]
    fn the_fastest_of_those_that_were_measured_alike_counts() {
        let both = measured(&[("onnx", Some(20.0)), ("candle", Some(10.0))]);
        assert_eq!(taken(std::slice::from_ref(&both)), Some("onnx"));
        assert_eq!(taken(&[measured(&[("candle", Some(10.0)), ("llama", Some(10.0))])]), Some("candle"));
        // One that failed is slower than any.
        assert_eq!(taken(&[measured(&[("candle", None), ("llama", Some(0.1))])]), Some("llama"));
        assert_eq!(taken(&[measured(&[("candle", None), ("llama", None)])]), None);
        // Alone, or without the one that would be taken otherwise, it says nothing.
        let alone = measured(&[("onnx", Some(99.0))]);
        let without = measured(&[("onnx", Some(1.0)), ("llama", Some(99.0))]);
        let elsewhere = measured(&[("candle", Some(1.0)), ("another", Some(99.0))]);
        assert_eq!(taken(&[alone.clone(), without.clone(), elsewhere]), None);
        // Older ones count where newer ones say nothing.
        let newer = measured(&[("llama", Some(30.0)), ("candle", Some(10.0))]);
        assert_eq!(taken(&[alone.clone(), both.clone(), newer.clone()]), Some("onnx"));
        assert_eq!(taken(&[without, newer, both]), Some("llama"));
        assert_eq!(taken(&[]), None);
    }

    #[test]
    fn what_is_asked_for_goes_before_what_was_measured() {
        let (load, session) = (LoadOptions::default(), SessionOptions::default());
        let wanted = Wanted { engine: None, preferred: None, load: &load, session: &session, speeds: None };
        let both = || vec![measured(&[("onnx", Some(20.0)), ("candle", Some(10.5))])];
        let (place, by, reason) = among(&NAMES, wanted, both);
        assert_eq!((NAMES[place], by), ("onnx", By::Measured));
        assert_eq!(reason, "it was measured fastest here: onnx 20.0 tokens/s; candle 10.5 tokens/s");
        let (place, by, _) = among(&NAMES, Wanted { preferred: Some("llama"), ..wanted }, || panic!("not needed"));
        assert_eq!((NAMES[place], by), ("llama", By::Preferred));
        let (place, by, _) = among(&NAMES, Wanted { preferred: Some("another"), ..wanted }, both);
        assert_eq!((NAMES[place], by), ("onnx", By::Measured));
        let load = LoadOptions { lora: vec![("adapter.gguf".into(), 1.0)], ..LoadOptions::default() };
        let (place, by, reason) = among(&NAMES, Wanted { load: &load, ..wanted }, || panic!("not needed"));
        assert_eq!((NAMES[place], by), ("candle", By::Order));
        assert!(reason.starts_with("it is the first of candle, onnx, llama; settings"), "{reason}");
        let (place, by, reason) = among(&NAMES, wanted, Vec::new);
        assert_eq!((NAMES[place], by), ("candle", By::Order));
        assert!(reason.contains("`trillm bench`"), "{reason}");
    }
}
