//! The small files that a model needs beside its weights.

use std::collections::{BTreeMap, BTreeSet};

use trillm_formats::names;

use super::candidate::{ends, folder, join, last};

/// Which files a repository has, and which of them are small ones that have no name of their own.
#[derive(Debug)]
pub(super) struct Small<'a> {
    paths: BTreeSet<&'a str>,
    /// Chat templates with a name, wherever they lie: a repository may have ten thousand files and as many models.
    templates: Vec<&'a str>,
}

impl<'a> Small<'a> {
    pub(super) fn new(paths: impl Iterator<Item = &'a str>) -> Self {
        let paths: BTreeSet<&str> = paths.collect();
        let is_template = |path: &&&str| ends(path, ".jinja") && last(folder(path)) == names::TEMPLATES;
        let templates = paths.iter().filter(is_template).copied().collect();
        Self { paths, templates }
    }

    /// The small files for weights in a folder: their paths by their names beside the weights. Each is the one in the
    /// nearest folder upwards; `""` is the repository itself.
    pub(super) fn beside(&self, weights: &str) -> BTreeMap<String, &'a str> {
        let nearest = |name: &str| Some((name.to_owned(), self.nearest(name, weights)?));
        let mut found: BTreeMap<_, _> = names::COMPANIONS.into_iter().filter_map(nearest).collect();
        let named = upwards(weights).map(|above| {
            let place = join(above, names::TEMPLATES);
            self.templates.iter().filter(move |path| folder(path) == place).copied().collect::<Vec<_>>()
        });
        let named = named.into_iter().find(|named| !named.is_empty()).unwrap_or_default();
        found.extend(named.into_iter().map(|path| (join(names::TEMPLATES, last(path)), path)));
        // Only where they are listed, for the same reason.
        if let Some(list) = found.get("modules.json") {
            let modules = self.modules(folder(list));
            found.extend(modules);
        }
        found
    }

    /// The path of one of them: there, or in the nearest folder upwards that has it.
    pub(super) fn nearest(&self, name: &str, weights: &str) -> Option<&'a str> {
        upwards(weights).find_map(|above| self.paths.get(join(above, name).as_str()).copied())
    }

    /// What comes after the model of sentence-transformers in this folder, weights included.
    fn modules(&self, place: &str) -> BTreeMap<String, &'a str> {
        let start = join(place, "");
        let inside = self.paths.iter().filter_map(|path| path.strip_prefix(start.as_str())?.split_once('/'));
        let modules: BTreeSet<&str> = inside.map(|(module, _)| module).filter(|name| names::is_module(name)).collect();
        let mut found = BTreeMap::new();
        for module in modules {
            let at = |name: &&str| self.paths.get(join(place, &join(module, name)).as_str()).copied();
            // Of its weights, the first that are there count.
            let weights = [names::SAFETENSORS, names::PYTORCH].into_iter().find(|name| at(name).is_some());
            let files = std::iter::once("config.json").chain(weights);
            found.extend(files.filter_map(|name| Some((join(module, name), at(&name)?))));
        }
        found
    }
}

/// A folder and those that it lies in.
fn upwards(inner: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(inner), |inner| (!inner.is_empty()).then(|| folder(inner)))
}
