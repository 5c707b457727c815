//! The choice itself: what is wanted, unasked or by a path, a folder, a pattern or a quantization.

use std::collections::{BTreeMap, HashSet};

use super::among::Among;
use super::candidate::{Candidate, Kind, below, ends, join, last};
use super::pattern;
use super::quantization::{bits, graphs_like, is_quantization, normal};
use super::repository::{Repository, either};

use crate::Result;

/// What to take of a repository that has several models.
#[derive(Clone, Debug)]
pub struct Preferences {
    /// The best first; a format that is not among them is not taken.
    pub formats: Vec<Kind>,
    /// The best first, as GGUF files are called; any other is taken only where none of these is there.
    pub quantizations: Vec<String>,
}

/// The files of a model.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choice {
    /// Their paths in the repository by their names inside the model.
    pub files: BTreeMap<String, String>,
    /// The name of the one to open; `None` for the folder, or the only file.
    pub open: Option<String>,
    /// What was chosen out of what, and by which preference; a sentence for people.
    pub why: String,
}

/// The files to fetch, of those that a repository has: paths, and sizes in bytes where they are known.
///
/// `wanted` is a path, a folder (`/` at its end), a pattern (`*`, `?`, `[`) or a quantization; `None` leaves it to the
/// preferences. A path of one part of a model is the whole model. A choice with a list of modules in it that was not read
/// is to be made again once it was.
///
/// # Errors
/// [`Error::NotInRepository`](crate::Error::NotInRepository).
pub fn choose(
    files: impl IntoIterator<Item = (String, Option<u64>)>,
    wanted: Option<&str>,
    preferences: &Preferences,
    among: &Among<'_>,
) -> Result<Choice> {
    let sizes = files.into_iter().filter(|(path, _)| crate::name::fault(path).is_none()).collect();
    let repository = Repository::new(&sizes, among);
    match wanted {
        None => unasked(&repository, preferences),
        Some(path) if sizes.contains_key(path) => by_path(&repository, path),
        Some(folder) if folder.ends_with('/') => by_folder(&repository, folder),
        Some(pattern) if pattern.contains(['*', '?', '[']) => by_pattern(&repository, pattern),
        Some(name) if is_quantization(name) => by_quantization(&repository, name, preferences),
        Some(path) => Err(repository.nothing(format!("{} has no file {path}", among.place))),
    }
}

fn unasked(repository: &Repository<'_>, preferences: &Preferences) -> Result<Choice> {
    let has = |kind: &Kind| repository.usual(*kind).next().is_some();
    let titles = |kinds: &[Kind]| either(kinds.iter().map(|kind| kind.title()));
    let found: Vec<Kind> = preferences.formats.iter().copied().filter(has).collect();
    let [kind, rest @ ..] = &found[..] else {
        let others: Vec<Kind> = Kind::ALL.into_iter().filter(has).collect();
        let but = if others.is_empty() { String::new() } else { format!(", only in {}", titles(&others)) };
        let message = format!("{} has no model in {}{but}", repository.place, titles(&preferences.formats));
        return Err(repository.nothing(message));
    };
    let (model, reason) = best(repository, *kind, preferences);
    if rest.is_empty() {
        return whole(repository, model, &reason);
    }
    whole(repository, model, &format!("{reason}; preferred_formats has {} before {}", kind.title(), titles(rest)))
}

/// The model to take of those in one format, of which there is one at least, and why.
fn best<'r, 'a>(repository: &'r Repository<'a>, kind: Kind, preferences: &Preferences) -> (&'r Candidate<'a>, String) {
    let models: Vec<_> = repository.usual(kind).collect();
    if let [only] = models[..] {
        return (only, format!("the only model in {}", kind.title()));
    }
    let among = format!("of {} models in {}", models.len(), kind.title());
    if !kind.is_quantized() {
        return (models[0], format!("{among} the one in the outermost folder"));
    }
    for preferred in &preferences.quantizations {
        let same = normal(preferred);
        let ways = if kind == Kind::Onnx { graphs_like(preferred) } else { vec![Some(same.clone())] };
        for way in ways {
            let fitting: Vec<_> = models.iter().filter(|model| model.quantization == way).collect();
            if let [first, ..] = fitting[..] {
                let like = if way.as_ref() == Some(&same) { String::new() } else { format!("for {preferred} ") };
                let with = way.as_deref().unwrap_or("no quantization in its name");
                let said = format!("{among} {} with {with}", one(fitting.len()));
                return (first, format!("{said}, {like}by quantization_preference"));
            }
        }
    }
    let wanted = either(preferences.quantizations.iter().map(String::as_str));
    let among = format!("{among} none with {wanted} (quantization_preference), so");
    let mut plain = models.iter().filter(|model| model.quantization.is_none());
    if let Some(first) = plain.next().filter(|_| kind == Kind::Onnx) {
        return (first, format!("{among} {} with no quantization in its name", one(1 + plain.count())));
    }
    let of = |model: &Candidate<'_>| bits(model.quantization.as_deref());
    // What has no size is the largest.
    let size = |model: &Candidate<'_>| repository.size(model).filter(|size| *size > 0).unwrap_or(u64::MAX);
    let enough = models.iter().filter(|model| of(model) >= 4);
    if let Some(smallest) = enough.min_by_key(|model| (size(model), of(model))) {
        let name = smallest.quantization.as_deref().unwrap_or_default();
        return (smallest, format!("{among} the smallest with at least four bits ({name})"));
    }
    // The first of equals.
    let largest = models.iter().rev().max_by_key(|model| repository.size(model).unwrap_or(0));
    (largest.unwrap_or(&models[0]), format!("{among} the largest"))
}

fn by_path(repository: &Repository<'_>, wanted: &str) -> Result<Choice> {
    if let Some(model) = repository.models.iter().find(|model| model.files.contains(&wanted)) {
        return whole(repository, model, "as asked for");
    }
    let files = BTreeMap::from([(last(wanted).to_owned(), wanted.to_owned())]);
    Ok(choice(files, None, format!("{wanted}: as asked for")))
}

fn by_quantization(repository: &Repository<'_>, wanted: &str, preferences: &Preferences) -> Result<Choice> {
    let mut kinds =
        Kind::ALL.map(|kind| (preferences.formats.iter().position(|known| *known == kind).unwrap_or(9), kind));
    kinds.sort_by_key(|(place, _)| *place);
    let mut there = Vec::new();
    for (_, kind) in kinds.into_iter().filter(|(_, kind)| kind.is_quantized()) {
        let models: Vec<_> = repository.usual(kind).collect();
        // A dialect, `UD-Q4_K_XL`, is asked for by its whole name.
        let plain = wanted.rsplit('-').next().unwrap_or(wanted);
        let fits = |model: &&&Candidate<'_>| {
            model.quantization.as_ref() == Some(&normal(plain))
                && (plain == wanted || model.files[0].to_lowercase().contains(&wanted.to_lowercase()))
        };
        let fitting: Vec<_> = models.iter().filter(fits).collect();
        if let [first, ..] = fitting[..] {
            let among = format!("of {} models in {}", models.len(), kind.title());
            return whole(repository, first, &format!("{among} {} with {wanted}, as asked for", one(fitting.len())));
        }
        there.extend(models.iter().filter_map(|model| model.quantization.clone()));
    }
    there.sort();
    there.dedup();
    Err(repository.nothing_but(format!("{} has no model with {wanted}", repository.place), there))
}

fn by_folder(repository: &Repository<'_>, wanted: &str) -> Result<Choice> {
    let inside = repository.sizes.keys().filter_map(|path| Some((path.strip_prefix(wanted)?.to_owned(), path.clone())));
    let files: BTreeMap<_, _> = inside.collect();
    if files.is_empty() {
        return Err(repository.nothing(format!("{} has no folder {wanted}", repository.place)));
    }
    let is_inside = |model: &&Candidate<'_>| format!("{}/", model.folder()).starts_with(wanted);
    let models: Vec<_> = repository.models.iter().filter(is_inside).collect();
    let why = format!("{wanted}: all of its {}, as asked for", count(files.len()));
    Ok(choice(files, opened(repository, &models, wanted)?, why))
}

fn by_pattern(repository: &Repository<'_>, wanted: &str) -> Result<Choice> {
    let fits = |path: &&String| pattern::fits(path, wanted) || pattern::fits(last(path), wanted);
    let matching: Vec<&String> = repository.sizes.keys().filter(fits).collect();
    if matching.is_empty() {
        return Err(repository.nothing(format!("no file of {} fits {wanted}", repository.place)));
    }
    let why = format!("{wanted}: {} of {}, as asked for", matching.len(), count(repository.sizes.len()));
    let mut files: BTreeMap<String, String> = matching.iter().map(|path| ((*path).clone(), (*path).clone())).collect();
    // A pattern for small files is none for the weights that an index among them names.
    let weights: HashSet<&str> =
        matching.iter().map(|path| path.as_str()).filter(|path| !ends(path, ".json")).collect();
    let is_meant = |model: &&Candidate<'_>| model.files.iter().any(|path| weights.contains(path));
    let models: Vec<_> = repository.models.iter().filter(is_meant).collect();
    for model in &models {
        files.extend(model.files.iter().map(|path| ((*path).to_owned(), (*path).to_owned())));
        for (name, path) in repository.beside(model) {
            files.entry(join(model.home(), &name)).or_insert(path.to_owned());
        }
    }
    Ok(choice(files, opened(repository, &models, "")?, why))
}

/// Which file to open of those that keep their places below `prefix`.
fn opened(repository: &Repository<'_>, models: &[&Candidate<'_>], prefix: &str) -> Result<Option<String>> {
    let usual: Vec<_> = models.iter().filter(|model| model.usual).copied().collect();
    let [model] = (if usual.is_empty() { models } else { &usual[..] }) else { return Ok(None) };
    if model.usual {
        repository.check(model)?;
    }
    if model.root.is_some() {
        // Opened by its network alone, it would be another model.
        return Ok(None);
    }
    let name = model.files[0].strip_prefix(prefix).unwrap_or(model.files[0]);
    Ok((!model.by_folder || name.contains('/')).then(|| name.to_owned()))
}

/// A model with its small files, without the folders it lies in.
fn whole<'a>(repository: &Repository<'a>, model: &Candidate<'a>, reason: &str) -> Result<Choice> {
    repository.check(model)?;
    let mut files: BTreeMap<String, String> =
        model.files.iter().map(|path| (below(model.home(), path).to_owned(), (*path).to_owned())).collect();
    for (name, path) in repository.beside(model) {
        files.entry(name).or_insert(path.to_owned());
    }
    let opened = (!model.by_folder).then(|| last(model.files[0]).to_owned());
    Ok(choice(files, opened, format!("{}: {reason}", model.files[0])))
}

fn choice(files: BTreeMap<String, String>, open: Option<String>, why: String) -> Choice {
    let open = open.filter(|_| files.len() > 1);
    Choice { files, open, why }
}

fn one(fitting: usize) -> String {
    if fitting == 1 { "the one".into() } else { format!("the first of {fitting}") }
}

fn count(files: usize) -> String {
    format!("{files} file{}", if files == 1 { "" } else { "s" })
}
