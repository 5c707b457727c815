//! The small files that a model needs beside its weights.

use std::collections::{BTreeMap, BTreeSet};

use trillm_formats::names;

use super::candidate::{Candidate, below, ends, folder, join, last};
use super::modules::{ModuleList, Modules, at, upwards};

/// Which files a repository has, and which of them are small ones that have no name of their own.
#[derive(Debug)]
pub(super) struct Small<'a> {
    pub(super) paths: BTreeSet<&'a str>,
    pub(super) modules: Modules<'a>,
    /// Chat templates with a name, wherever they lie: a repository may have ten thousand files and as many models.
    templates: Vec<&'a str>,
}

impl<'a> Small<'a> {
    pub(super) fn new(paths: impl Iterator<Item = &'a str>, lists: &[ModuleList]) -> Self {
        let paths: BTreeSet<&str> = paths.collect();
        let is_template = |path: &&&str| ends(path, ".jinja") && last(folder(path)) == names::TEMPLATES;
        let templates = paths.iter().filter(is_template).copied().collect();
        let modules = Modules::new(&paths, lists);
        Self { paths, modules, templates }
    }

    /// The small files of a model: their paths by their names below its folder.
    pub(super) fn beside(&self, model: &Candidate<'a>) -> BTreeMap<String, &'a str> {
        match model.root {
            Some(root) => self.of_network(root, model.folder()),
            None => self.near(model.folder()),
        }
    }

    /// Those for weights in a folder: each is the one in the nearest folder upwards; `""` is the repository itself.
    fn near(&self, weights: &str) -> BTreeMap<String, &'a str> {
        let nearest = |name: &str| Some((name.to_owned(), self.nearest(name, weights)?));
        let mut found: BTreeMap<_, _> = companions().filter_map(nearest).collect();
        let named = upwards(weights).map(|above| self.templates_in(above));
        let named = named.into_iter().find(|named| !named.is_empty()).unwrap_or_default();
        found.extend(named.into_iter().map(|path| (join(names::TEMPLATES, last(path)), path)));
        // Only where they are listed: a repository may have ten thousand files and as many models.
        if let Some(list) = found.get(names::MODULES) {
            let parts = self.parts(folder(list));
            found.extend(parts);
        }
        found
    }

    /// Those of a model whose network lies below it, each where it is: they are looked for nowhere else.
    fn of_network(&self, root: &str, network: &str) -> BTreeMap<String, &'a str> {
        let there = |place: &str| {
            let files = companions().filter_map(|name| self.paths.get(&*join(place, name)).copied());
            files.chain(self.templates_in(place)).collect::<Vec<_>>()
        };
        let files = there(root).into_iter().chain(there(network));
        let mut found: BTreeMap<_, _> = files.map(|path| (below(root, path).to_owned(), path)).collect();
        found.extend(self.parts(root));
        found
    }

    /// The path of one of them: there, or in the nearest folder upwards that has it.
    pub(super) fn nearest(&self, name: &str, weights: &str) -> Option<&'a str> {
        upwards(weights).find_map(|above| self.paths.get(&*join(above, name)).copied())
    }

    /// The chat templates with a name of a folder.
    fn templates_in(&self, place: &str) -> Vec<&'a str> {
        let place = join(place, names::TEMPLATES);
        self.templates.iter().filter(|path| folder(path) == place).copied().collect()
    }

    /// What the list in this folder names beside the network, weights included.
    fn parts(&self, root: &str) -> BTreeMap<String, &'a str> {
        let mut found = BTreeMap::new();
        for part in self.modules.of(root).iter().filter(|part| !part.is_network && !part.folder.is_empty()) {
            let place = at(root, part);
            let at = |name: &&str| self.paths.get(&*join(&place, name)).copied();
            // Of its weights, the first that are there count.
            let weights = WEIGHTS.into_iter().find(|name| at(name).is_some());
            let files = std::iter::once("config.json").chain(weights);
            found.extend(files.filter_map(|name| Some((join(&part.folder, name), at(&name)?))));
        }
        found
    }
}

/// Names for the weights of a part: one of them.
pub(super) const WEIGHTS: [&str; 2] = [names::SAFETENSORS, names::PYTORCH];

fn companions() -> impl Iterator<Item = &'static str> {
    names::COMPANIONS.into_iter().chain(names::ABOUT_TOKENS)
}
