//! What a reference stood for, and stands for now.
//!
//! A reference has a folder in `models/`. Each generation is a manifest there, named by its id. `current` is a copy of
//! the manifest in use, not its name: so one rename switches, and a collection that forgets a generation at the moment
//! in which someone puts it in use takes nothing away from them.

use std::{
    ffi::OsStr,
    fs, io,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    Error, Lease, Manifest, Model, Result, Store, files,
    files::At,
    snapshot,
    store::{self, key},
};

/// All models of a store.
#[derive(Debug)]
pub struct Listing {
    /// The generations in use, by reference.
    pub models: Vec<Manifest>,
    /// Manifests that could not be read: of any generation.
    pub problems: Vec<Error>,
}

/// What is in the folder of a reference.
#[derive(Debug, Default)]
pub(crate) struct Generations {
    /// The newest first.
    pub(crate) manifests: Vec<Manifest>,
    /// What `current` says; `None` if it is not there.
    current: Option<Result<Manifest>>,
    /// Generations that cannot be read.
    pub(crate) problems: Vec<Error>,
}

impl Store {
    /// Makes a model visible as the generation in use. All its blobs must be in the store. What is there already is
    /// put in use again and keeps its number.
    pub fn put(&self, model: Model) -> Result<Manifest> {
        self.add(model, true)
    }

    /// As [`Self::put`], but the generation in use stays the one that it is, if there is one.
    pub fn keep(&self, model: Model) -> Result<Manifest> {
        self.add(model, false)
    }

    fn add(&self, model: Model, in_use: bool) -> Result<Manifest> {
        model.check()?;
        let _lease = self.check_and_lease(&model)?;
        let there = Generations::read(&self.model_path(&model.reference), &key(&model.reference))?;
        let id = model.id();
        let (generation, created) = match there.manifests.iter().find(|manifest| manifest.model.id() == id) {
            Some(manifest) => (manifest.generation, manifest.created),
            None => (
                there.manifests.first().map_or(0, |newest| newest.generation).saturating_add(1),
                SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            ),
        };
        let manifest = Manifest::new(generation, created, model);
        snapshot::ensure(self, &manifest)?;
        let name = format!("{id}.json");
        let names: &[&str] = if in_use || there.manifests.is_empty() { &[&name, "current"] } else { &[&name] };
        self.write(&manifest, names)?;
        Ok(manifest)
    }

    /// The generation in use of what this reference stands for, if it is complete and unchanged since it was verified.
    pub fn get(&self, reference: &str) -> Result<Manifest> {
        let manifest = self.current(reference)?;
        self.check(&manifest.model)?;
        Ok(manifest)
    }

    /// The generation in use, whatever became of its blobs.
    pub(crate) fn current(&self, reference: &str) -> Result<Manifest> {
        self.generations(reference).map(|(_, in_use)| in_use)?
    }

    /// One generation, if it is complete: by its number, or by the start of its id (at least four digits), with or
    /// without `sha256:`. A number wins over an id.
    pub fn generation(&self, reference: &str, which: &str) -> Result<Manifest> {
        let manifest = self.generations(reference)?.0.find(reference, which)?;
        self.check(&manifest.model)?;
        Ok(manifest)
    }

    /// The generation `which`, as [`generation`](Self::generation) takes it, or the one in use.
    pub fn find(&self, reference: &str, which: Option<&str>) -> Result<Manifest> {
        which.map_or_else(|| self.get(reference), |which| self.generation(reference, which))
    }

    /// All generations of a reference, the newest first, and the id of the one in use. Those that cannot be read are
    /// left out; [`list`](Self::list) reports them.
    pub fn history(&self, reference: &str) -> Result<(Vec<Manifest>, String)> {
        let (there, in_use) = self.generations(reference)?;
        Ok((there.manifests, in_use?.model.id().to_string()))
    }

    /// Puts another generation in use: the one before the one in use, or `to` (see [`Self::generation`]).
    pub fn rollback(&self, reference: &str, to: Option<&str>) -> Result<Manifest> {
        let (there, in_use) = self.generations(reference)?;
        let target = if let Some(which) = to {
            there.find(reference, which)?
        } else {
            let in_use = in_use?;
            let which = || format!("before {}, which is in use", in_use.generation);
            let before = there.manifests.into_iter().find(|manifest| manifest.order() < in_use.order());
            before.ok_or_else(|| Error::NoGeneration { reference: reference.into(), which: which() })?
        };
        let _lease = self.check_and_lease(&target.model)?;
        self.write(&target, &["current"])?;
        Ok(target)
    }

    /// The generation in use of every model. One that cannot be read is reported and does not hide the others.
    pub fn list(&self) -> Result<Listing> {
        let mut listing = Listing { models: Vec::new(), problems: Vec::new() };
        for key in self.model_keys()? {
            let mut there = Generations::read(&self.models().join(&key), &key)?;
            listing.problems.append(&mut there.problems);
            match there.take_in_use() {
                Some(Ok(manifest)) => listing.models.push(manifest),
                Some(Err(problem)) => listing.problems.push(problem),
                None => {}
            }
        }
        listing.models.sort_by(|a, b| a.model.reference.cmp(&b.model.reference));
        Ok(listing)
    }

    /// The names of the folders of all references.
    pub(crate) fn model_keys(&self) -> Result<Vec<String>> {
        let folder = self.models();
        let mut keys = Vec::new();
        for entry in fs::read_dir(&folder).at("list", &folder)? {
            let entry = entry.at("list", &folder)?;
            if entry.path().is_dir() {
                // Ours are ASCII.
                keys.extend(entry.file_name().into_string().ok());
            }
        }
        Ok(keys)
    }

    /// All generations of a reference that can be read, and the one in use.
    fn generations(&self, reference: &str) -> Result<(Generations, Result<Manifest>)> {
        let path = self.model_path(reference);
        let mut there = Generations::read(&path, &key(reference))?;
        // Half a digest in the folder's name keeps honest references apart; this keeps the others.
        if let Some(other) = there.manifests.iter().find(|manifest| manifest.model.reference != reference) {
            let reason = format!("it is about \"{}\", expected \"{reference}\"", other.model.reference);
            return Err(Error::CorruptManifest { path, reason });
        }
        match there.take_in_use() {
            Some(in_use) => Ok((there, in_use)),
            None => Err(there.problems.pop().unwrap_or_else(|| Error::NotFound { reference: reference.into() })),
        }
    }

    /// Writes a manifest under these names. A removal may take the folder away meanwhile; then all of them again.
    fn write(&self, manifest: &Manifest, names: &[&str]) -> Result<()> {
        let folder = self.model_path(&manifest.model.reference);
        let text = manifest.to_json();
        let mut tries = 0;
        loop {
            if !folder.is_dir() {
                fs::create_dir_all(&folder).at("create", &folder)?;
                files::sync_folder(&self.models())?;
            }
            let mut paths = names.iter().map(|name| folder.join(name));
            match paths.try_for_each(|path| files::replace(&path, self.staging(), text.as_bytes())) {
                Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound && tries < 100 => tries += 1,
                written => return written,
            }
        }
    }

    /// What is whole now stays so, until a manifest refers to it.
    fn check_and_lease(&self, model: &Model) -> Result<Lease> {
        let blobs: Vec<_> = model.files.iter().map(|file| file.sha256).collect();
        let lease = self.lease(&blobs)?;
        self.check(model).map(|()| lease)
    }

    /// That every blob is there, and as it was when it came in.
    fn check(&self, model: &Model) -> Result<()> {
        for file in &model.files {
            self.await_blob(file.sha256);
            if let Some(reason) = self.check_blob(file.sha256, file.size)? {
                let reference = model.reference.clone();
                return Err(Error::Damaged { reference, name: file.name.to_string(), reason });
            }
        }
        Ok(())
    }
}

impl Generations {
    /// What this folder, which has or had the name `key`, holds: nothing, if there is no such folder.
    pub(crate) fn read(folder: &Path, key: &str) -> Result<Self> {
        let mut there = Self::default();
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(there),
            entries => entries.at("list", folder)?,
        };
        for entry in entries {
            let path = entry.at("list", folder)?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                match read(&path, key, path.file_stem()) {
                    Some(Ok(manifest)) => there.manifests.push(manifest),
                    Some(Err(problem)) => there.problems.push(problem),
                    None => {}
                }
            }
        }
        there.current = read(&folder.join("current"), key, None);
        if let Some(Ok(current)) = &there.current
            && there.manifests.iter().all(|manifest| manifest.model.id() != current.model.id())
        {
            there.manifests.push(current.clone());
        }
        there.manifests.sort_by_cached_key(|manifest| std::cmp::Reverse(manifest.order()));
        Ok(there)
    }

    /// What `current` says, or else the newest. To be asked once.
    pub(crate) fn take_in_use(&mut self) -> Option<Result<Manifest>> {
        self.current.take().or_else(|| self.manifests.first().cloned().map(Ok))
    }

    fn find(self, reference: &str, which: &str) -> Result<Manifest> {
        let none = |which: String| Error::NoGeneration { reference: reference.into(), which };
        let mut fitting = Vec::new();
        // A whole digest is one, even if it has only digits.
        if let Some(number) = which.parse::<u32>().ok().filter(|_| which.len() <= 10) {
            fitting.extend(self.manifests.iter().filter(|manifest| manifest.generation == number));
        }
        let start = which.strip_prefix("sha256:").unwrap_or(which).to_ascii_lowercase();
        if fitting.is_empty() && start.len() >= 4 {
            fitting
                .extend(self.manifests.iter().filter(|manifest| manifest.model.id().to_string().starts_with(&start)));
        }
        match fitting.as_slice() {
            [one] => Ok((*one).clone()),
            // It may be the one that cannot be read.
            [] => Err(self.problems.into_iter().next().unwrap_or_else(|| none(which.into()))),
            many => {
                let ids: Vec<_> = many.iter().map(|manifest| manifest.model.id().to_string()).collect();
                Err(none(format!("that \"{which}\" alone names: it may be {}", ids.join(" or "))))
            }
        }
    }
}

/// A manifest of the folder `key`, which is named `id` if that is given; `None` if it is not there.
fn read(path: &Path, key: &str, id: Option<&OsStr>) -> Option<Result<Manifest>> {
    let manifest = match Manifest::read(path) {
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return None,
        Err(problem) => return Some(Err(problem)),
        Ok(manifest) => manifest,
    };
    let Model { reference, .. } = &manifest.model;
    let found = manifest.model.id();
    let reason = if store::key(reference) != key {
        format!("it is about \"{reference}\", which belongs elsewhere")
    } else if id.is_some_and(|id| id != found.to_string().as_str()) {
        format!("its files make it {found}, which is not its name")
    } else {
        return Some(Ok(manifest));
    };
    Some(Err(Error::CorruptManifest { path: path.to_owned(), reason }))
}
