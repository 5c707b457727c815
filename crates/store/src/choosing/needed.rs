//! What a model cannot do without, in a listing or not: for what may be a part of a repository.

use super::candidate::{Candidate, Kind, join};
use super::candidates::candidates;
use super::companions::Small;
use super::sets::whole;

/// The small files without which no model opens. A GGUF file has everything in it.
fn small(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Gguf => &[],
        Kind::Safetensors | Kind::Pytorch => &["config.json", "tokenizer.json"],
        Kind::Onnx => &["tokenizer.json"],
    }
}

/// The paths of what the models among these files cannot do without, those that may be chosen unasked.
pub fn needed(paths: &[String]) -> Vec<String> {
    let paths = || paths.iter().map(String::as_str);
    let there = Small::new(paths());
    let mut needed = Vec::new();
    for model in candidates(paths()).iter().filter(|model| model.usual) {
        // Graphs have their small files as a rule in the folder above.
        let home = if model.kind == Kind::Onnx { "" } else { model.folder() };
        let at = |name: &&str| there.nearest(name, model.folder()).map_or_else(|| join(home, name), str::to_owned);
        needed.extend(small(model.kind).iter().map(at));
        needed.extend(parts(model));
    }
    needed
}

/// The files that a model should have by the numbers in its files' names. Where an index is there, that says it.
fn parts(model: &Candidate<'_>) -> Vec<String> {
    match whole(model.files[0]).filter(|_| model.missing.is_some()) {
        None => Vec::new(),
        Some((parts, _)) if model.kind == Kind::Gguf => parts,
        Some((mut parts, index)) => {
            parts.push(index);
            parts
        }
    }
}
