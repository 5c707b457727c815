//! What a model cannot do without, in a listing or not: for what may be a part of a repository.

use trillm_formats::names;

use super::candidate::{Candidate, Kind, folder, join, last};
use super::candidates::candidates;
use super::companions::{Small, WEIGHTS};
use super::modules::{ModuleList, at, upwards};
use super::sets::whole;

/// Parts of models that are named though they are not there. A name may say that there are a million of them, and the
/// store takes no model of more files than this.
const PARTS: usize = 4096;

/// The small files without which no model opens. A GGUF file has everything in it.
fn small(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Gguf => &[],
        Kind::Safetensors | Kind::Pytorch => &["config.json", "tokenizer.json"],
        Kind::Onnx => &["tokenizer.json"],
    }
}

/// The paths of what the models among these files cannot do without, those that may be chosen unasked. `lists` are those
/// of their lists of modules that can be read.
pub fn needed(paths: &[String], lists: &[ModuleList]) -> Vec<String> {
    let there = Small::new(paths.iter().map(String::as_str), lists);
    let mut needed = Vec::new();
    let mut room = PARTS;
    for model in candidates(&there).iter().filter(|model| model.usual) {
        // Graphs have their small files as a rule in the folder above.
        let home = if model.kind == Kind::Onnx { "" } else { model.folder() };
        let nearest = |name: &str| there.nearest(name, model.folder()).filter(|_| model.root.is_none());
        let at = |name: &&str| nearest(name).map_or_else(|| join(home, name), str::to_owned);
        needed.extend(small(model.kind).iter().map(at));
        needed.extend(parts(model, &mut room));
    }
    needed.extend(lists.iter().flat_map(|list| modules(&there, list)));
    needed.extend(there.paths.iter().filter_map(|path| list_of(&there, path)));
    needed
}

/// The files that a model should have by the numbers in its files' names; where there is no room for all of them, one that
/// is missing. Where an index is there, that says it.
fn parts(model: &Candidate<'_>, room: &mut usize) -> Vec<String> {
    let Some(missing) = &model.missing else { return Vec::new() };
    let Some((count, parts, index)) = whole(model.files[0]) else { return Vec::new() };
    let Some(left) = room.checked_sub(count) else { return vec![missing.clone()] };
    *room = left;
    parts.chain((model.kind != Kind::Gguf).then_some(index)).collect()
}

/// The files without which the parts of a list do not open.
fn modules(there: &Small<'_>, list: &ModuleList) -> Vec<String> {
    let mut needed = Vec::new();
    for module in &list.modules {
        let place = at(folder(&list.path), module);
        if module.needs_configuration {
            needed.push(join(&place, "config.json"));
        }
        let weights = WEIGHTS.map(|name| join(&place, name));
        if module.has_weights && !weights.iter().any(|path| there.paths.contains(path.as_str())) {
            needed.extend(weights.into_iter().take(1));
        }
    }
    needed
}

/// The list of modules that there must be where a file lies that only models with one have.
fn list_of(there: &Small<'_>, path: &str) -> Option<String> {
    let place = folder(path);
    let is_at = |name: &str| path == join(place, name);
    // That of a Pooling lies a folder below the list, and so does what is said of the tokens of a network of its own.
    let above = path == join(folder(place), names::POOLING) || names::is_network(last(place));
    let is_sign = above || is_at(names::ABOUT_MODULES);
    if !(is_sign || names::ABOUT_TOKENS.into_iter().any(is_at)) {
        return None;
    }
    let has_list = |above: &&str| there.paths.contains(join(above, names::MODULES).as_str());
    let home = upwards(place).find(has_list).unwrap_or(if above { folder(place) } else { place });
    Some(join(home, names::MODULES))
}
