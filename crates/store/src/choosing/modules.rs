//! The parts of models of sentence-transformers among the files of a repository: which folders are one, by the list that
//! names them.
//!
//! Names of files do not say what a list names; who has read it does. Of lists that nobody has read, the usual names are
//! believed (`0_Transformer`, `1_Pooling`): that much has to be chosen before anything is fetched.

use std::collections::{BTreeMap, BTreeSet};

use trillm_formats::{NamedModule, names};

use super::candidate::{folder, join, last};

/// A list of modules that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModuleList {
    /// Its path in the repository.
    pub path: String,
    /// What it names.
    pub modules: Vec<NamedModule>,
}

/// What a folder is to a model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role<'a> {
    /// Its network lies there; the model is this folder, which has the list.
    Network(&'a str),
    /// Another part of it lies there.
    Part,
    /// None of its parts.
    Other,
}

/// The lists of a repository.
#[derive(Debug)]
pub(super) struct Modules<'a> {
    /// What is named, by the folder of the list.
    lists: BTreeMap<&'a str, Vec<NamedModule>>,
}

impl<'a> Modules<'a> {
    pub(super) fn new(paths: &BTreeSet<&'a str>, read: &[ModuleList]) -> Self {
        let read: BTreeMap<&str, &[NamedModule]> = read.iter().map(|list| (&*list.path, &*list.modules)).collect();
        let mut lists = BTreeMap::new();
        let mut unread: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for path in paths.iter().copied().filter(|path| last(path) == names::MODULES) {
            if let Some(modules) = read.get(path) {
                lists.insert(folder(path), modules.to_vec());
            } else {
                unread.insert(folder(path), BTreeSet::new());
            }
        }
        for place in paths.iter().map(|path| folder(path)).filter(|place| names::is_module(last(place))) {
            if let Some(parts) = unread.get_mut(folder(place)) {
                parts.insert(last(place));
            }
        }
        let usual = |name: &str| NamedModule {
            folder: name.to_owned(),
            is_network: names::is_network(name),
            ..NamedModule::default()
        };
        lists.extend(unread.into_iter().map(|(place, parts)| (place, parts.into_iter().map(usual).collect())));
        Self { lists }
    }

    /// The parts that the list in this folder names.
    pub(super) fn of(&self, place: &str) -> &[NamedModule] {
        self.lists.get(place).map(Vec::as_slice).unwrap_or_default()
    }

    /// What a folder is, by the nearest list that names it.
    pub(super) fn role(&self, place: &'a str) -> Role<'a> {
        let named = upwards(place).find_map(|root| {
            let mut here = self.of(root).iter().filter(|module| at(root, module) == place);
            let first = here.next()?;
            // A part without files of its own may be said to lie where the network does.
            let is_network = first.is_network || here.any(|module| module.is_network);
            if is_network { Some(Role::Network(root)) } else { (!first.folder.is_empty()).then_some(Role::Part) }
        });
        let usual = || if names::is_module(last(place)) { Role::Part } else { Role::Other };
        named.unwrap_or_else(usual)
    }
}

/// Where a part lies whose list is in this folder.
pub(super) fn at(root: &str, module: &NamedModule) -> String {
    if module.folder.is_empty() { root.to_owned() } else { join(root, &module.folder) }
}

/// A folder and those that it lies in.
pub(super) fn upwards(inner: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(inner), |inner| (!inner.is_empty()).then(|| folder(inner)))
}
