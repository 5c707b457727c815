//! Files that are numbered together: `model-00001-of-00003.safetensors`.

use std::collections::{BTreeMap, HashMap};

use super::candidate::last;

/// One file, or all that are numbered together.
#[derive(Debug)]
pub(super) struct Set<'a> {
    /// The name without folder, number and ending.
    pub(super) stem: &'a str,
    pub(super) files: Vec<&'a str>,
    /// The first that is not there.
    pub(super) missing: Option<String>,
    pub(super) several: bool,
}

/// A name that says which part of a model it is.
struct Shard<'a> {
    stem: &'a str,
    number: &'a str,
    count: &'a str,
}

/// The files of one folder that have this ending, each alone or with the others of its set.
pub(super) fn sets<'a>(files: impl Iterator<Item = &'a str>, ending: &str) -> Vec<Set<'a>> {
    let mut found = Vec::new();
    let mut numbered: Vec<(Shard<'a>, BTreeMap<u32, &'a str>)> = Vec::new();
    let mut places = HashMap::new();
    for path in files {
        let Some(stem) = path.strip_suffix(ending) else { continue };
        let Some((number, shard)) = shard(stem) else {
            found.push(Set { stem: last(stem), files: vec![path], missing: None, several: false });
            continue;
        };
        let place = *places.entry((shard.stem, shard.count, shard.number.len())).or_insert(numbered.len());
        if place == numbered.len() {
            numbered.push((shard, BTreeMap::new()));
        }
        numbered[place].1.insert(number, path);
    }
    for (Shard { stem, number, count }, parts) in numbered {
        let most = count.parse().unwrap_or(0);
        let absent = (1..=most).find(|number| !parts.contains_key(number));
        let width = number.len();
        let missing = absent.map(|absent| format!("{stem}-{absent:0width$}-of-{count}{ending}"));
        found.push(Set { stem: last(stem), files: parts.into_values().collect(), missing, several: most > 1 });
    }
    found
}

/// How many parts the set has that a file belongs to, their names, and that of the index that lists them; `None` for a file
/// that stands alone.
pub(super) fn whole(path: &str) -> Option<(usize, impl Iterator<Item = String>, String)> {
    let (stem, ending) = path.rsplit_once('.')?;
    let (_, Shard { stem, number, count }) = shard(stem)?;
    let width = number.len();
    let part = move |number: usize| format!("{stem}-{number:0width$}-of-{count}.{ending}");
    let most: usize = count.parse().ok()?;
    Some((most, (1..=most).map(part), format!("{stem}.{ending}.index.json")))
}

/// A file's name without its ending, and without the number that it has in its set.
pub(super) fn stem<'a>(name: &'a str, ending: &str) -> &'a str {
    let stem = name.strip_suffix(ending).unwrap_or(name);
    shard(stem).map_or(stem, |(_, shard)| shard.stem)
}

fn shard(stem: &str) -> Option<(u32, Shard<'_>)> {
    let is_number = |text: &str| (1..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let (rest, count) = stem.rsplit_once("-of-").filter(|(_, count)| is_number(count))?;
    let (stem, number) = rest.rsplit_once('-').filter(|(_, number)| is_number(number))?;
    let (index, most): (u32, u32) = (number.parse().ok()?, count.parse().ok()?);
    (1..=most).contains(&index).then_some((index, Shard { stem, number, count }))
}
