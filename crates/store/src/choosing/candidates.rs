//! The models in a repository, by the names of its files: which belong together, and which may be chosen unasked.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use trillm_formats::names;

use super::candidate::{Candidate, Kind, begins_with_word, ends, folder, join, last};
use super::companions::Small;
use super::modules::Role;
use super::quantization::quantization_of;
use super::sets::{Set, sets};

/// Names of graphs that write text, the best first. The merged one can do what the two after it do.
const GRAPHS: [&str; 4] = ["model", "decoder_model_merged", "decoder_model", "decoder_with_past_model"];

/// Graphs that are parts of a model and cannot write text.
const NO_DECODER: [&str; 4] = ["encoder", "vision", "audio", "embed_tokens"];

/// Words in the names of folders with graphs for one kind of device.
const ACCELERATORS: [&str; 10] = ["cuda", "directml", "dml", "gpu", "npu", "qnn", "rocm", "tensorrt", "trt", "webgpu"];

/// The files of one folder, in order.
type Files<'a> = BTreeSet<&'a str>;

/// All models; a file with weights is in at least one of them.
pub(super) fn candidates<'a>(there: &Small<'a>) -> Vec<Candidate<'a>> {
    let mut folders: BTreeMap<&str, Files<'_>> = BTreeMap::new();
    for path in there.paths.iter().copied() {
        folders.entry(folder(path)).or_default().insert(path);
    }
    let mut found = Vec::new();
    let mut all_graphs = Vec::new();
    for (place, files) in &folders {
        let role = there.modules.role(place);
        found.extend(sets(files.iter().copied(), ".gguf").into_iter().map(gguf));
        all_graphs.extend(graphs(files));
        found.extend(checkpoints(files, role, Kind::Safetensors));
        found.extend(checkpoints(files, role, Kind::Pytorch));
        // The originals of some publishers. Where no index names them, each is a model of its own.
        let originals = files.iter().filter(|path| ends(path, ".pt") || ends(path, ".pth"));
        found.extend(originals.map(|path| Candidate { usual: false, ..Candidate::new(Kind::Pytorch, vec![path]) }));
    }
    let is_general = |graph: &Candidate<'_>| {
        let folder = graph.folder().to_lowercase();
        graph.usual && !folder.split(['-', '_', '.', '/']).any(|word| ACCELERATORS.contains(&word))
    };
    if all_graphs.iter().any(is_general) {
        for graph in &mut all_graphs {
            graph.usual = is_general(graph);
        }
    }
    found.extend(all_graphs);
    found
}

fn gguf(set: Set<'_>) -> Candidate<'_> {
    let beside = last(folder(set.files[0]));
    let of = |name| quantization_of(name, Kind::Gguf);
    let dialect = set.stem.match_indices("UD-").any(|(at, _)| at == 0 || set.stem[..at].ends_with(['-', '_', '.']));
    Candidate {
        quantization: of(set.stem).or_else(|| of(beside)),
        usual: !names::is_beside_models(set.stem),
        // A dialect of a quantization comes after the plain one.
        rank: dialect.into(),
        missing: set.missing,
        ..Candidate::new(Kind::Gguf, set.files)
    }
}

fn graphs<'a>(files: &Files<'a>) -> Vec<Candidate<'a>> {
    let mut owners: BTreeMap<&str, Vec<&str>> =
        files.iter().filter(|path| ends(path, ".onnx")).map(|path| (*path, vec![*path])).collect();
    // Some tools name the data of `model.onnx` after the model; it may be any graph's.
    let mut orphans = Vec::new();
    for path in files {
        if let Some(graph) = graph_of_data(path) {
            owners.get_mut(graph).unwrap_or(&mut orphans).push(path);
        }
    }
    let rank_of = |graph: &str| rank(stem(last(graph)));
    let best = owners.keys().filter_map(|graph| rank_of(graph)).min();
    let graph = |(graph, mut files): (&'a str, Vec<&'a str>)| {
        files.extend(&orphans);
        let rank = rank_of(graph);
        // Its own name says it, or that of a folder.
        let mut parts = stem(graph).rsplit('/');
        Candidate {
            quantization: parts.find_map(|part| quantization_of(part, Kind::Onnx)),
            usual: rank.is_some() && rank == best,
            rank: rank.unwrap_or(0),
            ..Candidate::new(Kind::Onnx, files)
        }
    };
    owners.into_iter().map(graph).collect()
}

fn stem(graph: &str) -> &str {
    graph.strip_suffix(".onnx").unwrap_or(graph)
}

/// The graph that a file holds the weights of: `model.onnx_data`, `model.onnx_data_1`, `model.onnx.data`.
fn graph_of_data(path: &str) -> Option<&str> {
    let stem = path.trim_end_matches(|c: char| c.is_ascii_digit());
    let stem = if stem == path { stem } else { stem.strip_suffix(['.', '_']).unwrap_or(stem) };
    stem.strip_suffix("data")?.strip_suffix(['.', '_']).filter(|graph| ends(graph, ".onnx"))
}

/// How a graph compares to others of its folder; `None` for what cannot write text.
fn rank(name: &str) -> Option<usize> {
    let lower = name.to_lowercase();
    let ends_in_encoder = || lower.match_indices("_encoder").any(|(at, _)| begins_with_word(&lower[at..], "_encoder"));
    let is_part = || NO_DECODER.iter().any(|word| begins_with_word(&lower, word)) || ends_in_encoder();
    let known = GRAPHS.iter().position(|known| begins_with_word(name, known));
    known.or_else(|| (!is_part()).then_some(GRAPHS.len()))
}

/// Weights of one folder. Which of them the folder stands for is what the readers of `trillm_formats` say.
fn checkpoints<'a>(files: &Files<'a>, role: Role<'a>, kind: Kind) -> Vec<Candidate<'a>> {
    let (ending, name) =
        if kind == Kind::Pytorch { (".bin", names::PYTORCH) } else { (".safetensors", names::SAFETENSORS) };
    let mut sets = sets(files.iter().copied(), ending);
    sets.retain(|set| !names::is_left_behind(set.stem));
    let mut main = main(files, &sets, kind, name);
    if let Some(main) = &mut main {
        main.usual = role != Role::Part;
        main.root =
            if let Role::Network(root) = role { Some(root).filter(|root| *root != main.folder()) } else { None };
    }
    let taken: HashSet<&str> = main.iter().flat_map(|main| main.files.iter().copied()).collect();
    let others =
        sets.into_iter().filter(|set| !taken.contains(set.files[0])).map(|set| other(files, set, kind, ending));
    main.iter().cloned().chain(others).collect()
}

/// The model that a folder stands for.
fn main<'a>(files: &Files<'a>, sets: &[Set<'a>], kind: Kind, name: &str) -> Option<Candidate<'a>> {
    // Weights that need others, or are in a layout of their publisher's own.
    let is_part = |set: &&Set<'_>| set.stem.starts_with("adapter_") || set.stem.starts_with("consolidated");
    let sets: Vec<&Set<'a>> = sets.iter().filter(|set| !is_part(set)).collect();
    let folder = folder(sets.first()?.files[0]);
    let model = |files: Vec<&'a str>, missing: Option<String>| {
        Some(Candidate { by_folder: true, missing, ..Candidate::new(kind, files) })
    };
    let single = join(folder, name);
    if let Some(single) = files.get(single.as_str()) {
        return model(vec![single], None);
    }
    let index = format!("{single}.index.json");
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let named = || sets.iter().copied().filter(|set| set.stem == stem && set.several);
    // An upload with another number of shards may have left the rest of an older one.
    let parts: [Vec<&Set<'a>>; 3] =
        [named().filter(|set| set.missing.is_none()).collect(), named().collect(), sets.clone()];
    let parts = parts.into_iter().find(|parts| !parts.is_empty())?;
    if let Some(index) = files.get(index.as_str()) {
        // Without a numbered set it may name any.
        let missing = parts.iter().find_map(|set| set.missing.clone());
        return model(std::iter::once(*index).chain(parts.iter().flat_map(|set| set.files.clone())).collect(), missing);
    }
    match parts[..] {
        [only] if only.several => model(only.files.clone(), only.missing.clone().or(Some(index))),
        [only] if kind == Kind::Safetensors => model(only.files.clone(), None),
        _ => None,
    }
}

/// Weights that their folder does not stand for.
fn other<'a>(files: &Files<'a>, set: Set<'a>, kind: Kind, ending: &str) -> Candidate<'a> {
    let unusual = Candidate { usual: false, ..Candidate::new(kind, set.files) };
    if !set.several {
        return Candidate { by_folder: kind == Kind::Safetensors, ..unusual };
    }
    let index = join(unusual.folder(), &format!("{}{ending}.index.json", set.stem));
    match files.get(index.as_str()) {
        Some(index) => {
            let files = std::iter::once(*index).chain(unusual.files).collect();
            Candidate { usual: false, missing: set.missing, ..Candidate::new(kind, files) }
        }
        None => Candidate { missing: set.missing.or(Some(index)), ..unusual },
    }
}
