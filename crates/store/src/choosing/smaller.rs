//! The same model in other quantizations, as far as names say that: what a plan may propose where a model does not fit.

use super::among::Among;
use super::candidate::{Candidate, Kind, last};
use super::quantization::place_of;
use super::repository::Repository;
use super::sets;

/// What publishers put before a quantization to say how it was made.
const DIALECTS: [&str; 2] = ["ud", "i1"];

/// The GGUF models of a repository that differ from the one that `path` belongs to by their quantization alone, and have
/// fewer bytes: the file to ask for of each, and its bytes. The largest come first. None if that is no GGUF file, or
/// one whose size is not known.
pub fn smaller(files: impl IntoIterator<Item = (String, Option<u64>)>, path: &str) -> Vec<(String, u64)> {
    let sizes = files.into_iter().filter(|(path, _)| crate::name::fault(path).is_none()).collect();
    let repository = Repository::new(&sizes, &Among::default());
    let chosen = repository.models.iter().find(|model| model.kind == Kind::Gguf && model.files.contains(&path));
    let chosen = chosen.and_then(|chosen| Some((chosen, repository.size(chosen)?)));
    let Some((chosen, most)) = chosen else { return Vec::new() };
    let same = unquantized(chosen);
    let others = repository.usual(Kind::Gguf).filter(|model| model.missing.is_none() && unquantized(model) == same);
    let with_size = others.filter_map(|model| Some((model.files[0].to_owned(), repository.size(model)?)));
    let mut found: Vec<_> = with_size.filter(|(_, bytes)| *bytes < most).collect();
    found.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    found
}

/// What is left of a model's name without its quantization.
fn unquantized(model: &Candidate<'_>) -> String {
    let name = sets::stem(last(model.files[0]), ".gguf");
    let rest = match place_of(name, Kind::Gguf) {
        Some(place) => [&name[..place.start], &name[place.end..]].concat(),
        None => name.to_owned(),
    };
    let rest = rest.to_lowercase();
    let words = rest.split(['-', '_', '.']).filter(|word| !word.is_empty() && !DIALECTS.contains(word));
    words.collect::<Vec<_>>().join("-")
}
