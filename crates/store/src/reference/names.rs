//! What names mean on this machine: the user's own aliases, and the user's own folder of models.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs,
    path::{self, Path, PathBuf},
    str::FromStr,
};

use trillm_formats::names::ENDINGS;

use super::{
    ALIASES, Alias, HuggingFace, Ollama, PIN, Pinned, Pypi, Reference, Url,
    aliases_file::{self, Aliases, AliasesFile},
};
use crate::{Digest, Error, Result, files::At as _, home::folder};

/// The longest text that is looked at, in bytes: twice the longest path.
const LONGEST: usize = 8192;

/// The longest name after `local:`, in bytes.
const LONGEST_LOCAL: usize = 100;

/// Entries of the folder of models that are looked at for names like one that is not known.
const ENTRIES: usize = 10_000;

/// Names that an error shows.
const SHOWN: usize = 10;

/// The user's own names. They win over the built-in ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Aliases: a name, and the reference it stands for.
    pub aliases: BTreeMap<String, String>,
    /// A file with more of them.
    pub file: Option<AliasesFile>,
    /// A folder in which a bare name may be a file or folder.
    pub models: Option<PathBuf>,
}

impl Names {
    /// What this user set: aliases in `TRILLM_ALIASES`, or in `trillm/aliases.toml` in the user's folder for settings;
    /// models in `LOCAL_MODELS_DIR`.
    ///
    /// # Errors
    /// If there is no current folder for a relative path in these.
    pub fn of_user() -> Result<Self> {
        Self::set_by(|name| env::var_os(name), env::home_dir().as_deref())
    }

    /// The same for any environment.
    fn set_by(get: impl Fn(&str) -> Option<OsString>, home: Option<&Path>) -> Result<Self> {
        let set = |name| folder(get(name), home);
        let file = set("TRILLM_ALIASES").map(|path| AliasesFile { path, required: true }).or_else(|| {
            // The standard says to ignore a relative one.
            let settings = set("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
            let settings = settings.or_else(|| home.map(|home| home.join(".config")))?;
            Some(AliasesFile { path: settings.join("trillm/aliases.toml"), required: false })
        });
        Ok(Self { file, models: models(set("LOCAL_MODELS_DIR"))?, ..Self::default() })
    }

    /// The user's own folder of models, if there is one.
    pub(crate) fn folder_of_user() -> Result<Option<PathBuf>> {
        models(folder(env::var_os("LOCAL_MODELS_DIR"), env::home_dir().as_deref()))
    }

    /// What `text` means, as [`look_up`](Self::look_up) has it, for those who warn nobody.
    ///
    /// # Errors
    /// As there.
    pub fn parse(&self, text: &str) -> Result<Pinned> {
        self.look_up(text).map(|(pinned, _)| pinned)
    }

    /// What `text` means, and what is wrong with the user's file of aliases if that could have changed it.
    ///
    /// An alias wins over a file of the same name in the current folder, so that a name means the same everywhere;
    /// `./name` is always the file. A user's alias is replaced by what it stands for: nothing else ever sees its name.
    ///
    /// # Errors
    /// [`Error::InvalidReference`] for what breaks the rules of its form, and for a user's alias that stands for
    /// another one, for a relative path or for anything that is an error itself; [`Error::UnknownAlias`] for a bare name
    /// that nothing has. For one that a file of aliases may have, where it cannot be read, and for one whose line there
    /// is wrong, [`Error::InvalidAliases`] or [`Error::UnreadableAliases`].
    pub fn look_up(&self, text: &str) -> Result<(Pinned, Option<Error>)> {
        if text.is_empty() || text.contains('\0') {
            return Err(Error::invalid_reference(text, "it is empty or has a NUL character"));
        }
        if text.len() > LONGEST {
            return Err(Error::invalid_reference(text, format!("it is longer than {LONGEST} bytes")));
        }
        let (bare, generation) = match text.rsplit_once(PIN) {
            Some((bare, hex)) => (bare, Some(generation(text, hex)?)),
            None => (text, None),
        };
        let file = self.file.as_ref().filter(|_| aliases_file::may_name(bare));
        let Aliases { mut targets, problem, is_about_name } = file.map(|file| file.read(bare)).unwrap_or_default();
        targets.extend(self.aliases.clone());
        let own = Self { aliases: targets, file: None, models: self.models.clone() };
        let found = match own.aliases.get(bare) {
            Some(target) => own.target(bare, target),
            None => own.reference(text, bare).map(|reference| Pinned { reference, generation: None }),
        };
        // What is not known otherwise may be the alias that cannot be read.
        let is_lost = match &found {
            Ok(Pinned { reference: Reference::Path(path), .. }) => !path.exists(),
            Ok(_) => false,
            Err(error) => matches!(error, Error::UnknownAlias { .. }),
        };
        let problem = match problem {
            Some(problem) if is_about_name || is_lost => return Err(problem),
            problem => problem,
        };
        let found = found?;
        let found = match (&found.reference, found.generation, generation) {
            (Reference::Path(_), _, Some(_)) => {
                return Err(Error::invalid_reference(text, "a path has no generations to choose among"));
            }
            (_, Some(_), Some(_)) => return Err(Error::invalid_reference(text, "the alias has a generation already")),
            (_, own, given) => Pinned { generation: own.or(given), ..found },
        };
        Ok((found, problem))
    }

    /// What a user's alias stands for.
    fn target(&self, name: &str, target: &str) -> Result<Pinned> {
        let wrong = |reason: &str| Error::invalid_reference(name, format!("it is an alias of yours, and {reason}"));
        let bare = target.rsplit_once(PIN).map_or(target, |(bare, _)| bare);
        if self.aliases.contains_key(bare) {
            return Err(wrong(&format!("so is \"{bare}\": an alias stands for a source")));
        }
        // Looks for no alias but the built-in ones.
        let others = Self { models: self.models.clone(), ..Self::default() };
        let pinned = others.parse(target).map_err(|error| wrong(&error.to_string()))?;
        if matches!(&pinned.reference, Reference::Path(path) if path.is_relative()) {
            return Err(wrong(&format!("\"{target}\" is another file in each folder: write the whole path")));
        }
        Ok(pinned)
    }

    /// What `bare` means, which is `text` without its generation and no user's alias.
    fn reference(&self, text: &str, bare: &str) -> Result<Reference> {
        if let Some(rest) = bare.strip_prefix("hf:") {
            return HuggingFace::parse(text, rest).map(Reference::HuggingFace);
        }
        if let Some(rest) = bare.strip_prefix("ollama:") {
            return Ollama::parse(text, rest).map(Reference::Ollama);
        }
        if let Some(rest) = bare.strip_prefix("pypi:") {
            return Pypi::parse(text, rest).map(Reference::Pypi);
        }
        if let Some(rest) = bare.strip_prefix("local:") {
            return local(text, rest).map(Reference::Local);
        }
        for scheme in Url::SCHEMES {
            if let Some(rest) = bare.strip_prefix(scheme) {
                return Url::parse(text, scheme, rest).map(Reference::Url);
            }
        }
        if let Some(scheme) = other_scheme(bare) {
            return Err(Error::invalid_reference(text, format!("nothing is known to come from {scheme}://")));
        }
        if let Some(alias) = Alias::find(bare) {
            return Ok(Reference::Alias(alias));
        }
        if bare.is_empty() {
            return Err(Error::invalid_reference(text, "there is nothing before @sha256:"));
        }
        if bare.contains(path::is_separator) || Path::new(bare).exists() {
            return Ok(Reference::Path(bare.into()));
        }
        let file = self.models.as_deref().and_then(|folder| in_folder(folder, bare));
        let file = file.or_else(|| is_model(bare).then(|| bare.into()));
        file.map(Reference::Path).ok_or_else(|| Error::UnknownAlias { name: bare.into(), close: self.close_to(bare) })
    }

    /// The names most like this one; some of all where none is.
    fn close_to(&self, name: &str) -> Vec<String> {
        let mut known: Vec<String> = self.aliases.keys().cloned().collect();
        known.extend(ALIASES.iter().map(|alias| alias.name.into()));
        // What cannot be read has no names, and is no reason to hide the others.
        let entries = self.models.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().take(ENTRIES);
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        known.extend(names.filter(|name| !name.starts_with('.')).map(|name| stem(&name).to_owned()));
        known.sort();
        known.dedup();
        let wanted = name.to_lowercase();
        let mut close: Vec<_> = known
            .iter()
            .map(|name| (strsim::jaro_winkler(&wanted, &name.to_lowercase()), name))
            // Above it lie typing errors and left-out endings, below it other models.
            .filter(|(similarity, _)| *similarity > 0.75)
            .collect();
        close.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        if close.is_empty() {
            known.truncate(SHOWN);
            return known;
        }
        close.into_iter().map(|(_, name)| name.clone()).take(SHOWN).collect()
    }
}

impl FromStr for Reference {
    type Err = Error;

    /// What it means on any machine: without the user's own names, and without a generation, which is an error.
    /// [`Names::parse`] is for what people type.
    fn from_str(text: &str) -> Result<Self> {
        match Names::default().parse(text)? {
            Pinned { reference, generation: None } => Ok(reference),
            Pinned { generation: Some(_), .. } => {
                Err(Error::invalid_reference(text, "there is no @sha256: after a bare reference"))
            }
        }
    }
}

/// A folder of models, whole: what a name leads to does not change with the current folder.
fn models(set: Option<PathBuf>) -> Result<Option<PathBuf>> {
    set.map(|folder| path::absolute(&folder).at("find", &folder)).transpose()
}

/// Reads what is after `@sha256:`.
fn generation(text: &str, hex: &str) -> Result<Digest> {
    hex.parse().map_err(|_| {
        Error::invalid_reference(text, "after @sha256: come 64 lower-case hexadecimal digits and nothing else")
    })
}

/// Reads what is after `local:`.
fn local(text: &str, name: &str) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let is_name = (1..=LONGEST_LOCAL).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(plain);
    let expected = "after local: come 1 to 100 letters, digits and - _ . and no - _ or . at the start";
    if is_name { Ok(name.into()) } else { Err(Error::invalid_reference(text, expected)) }
}

/// The scheme of something like a URL.
fn other_scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c));
    is_scheme.then_some(scheme)
}

/// The file or folder of this name in the user's folder of models; the ending may be left out.
fn in_folder(folder: &Path, name: &str) -> Option<PathBuf> {
    let names = [""].iter().chain(&ENDINGS).map(|ending| folder.join(format!("{name}{ending}")));
    names.into_iter().find(|path| path.exists())
}

/// Whether a name is a file's, even one that is not there: a mistyped file is not an unknown alias.
fn is_model(name: &str) -> bool {
    stem(name) != name
}

/// A name without the ending of a model.
fn stem(name: &str) -> &str {
    let start = |ending: &&'static str| {
        let start = name.len().checked_sub(ending.len())?;
        name.get(start..).filter(|end| end.eq_ignore_ascii_case(ending)).map(|_| start)
    };
    ENDINGS.iter().find_map(start).map_or(name, |start| &name[..start])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of a user with these variables and this home.
    fn names(set: &[(&str, &Path)], home: Option<&Path>) -> Result<Names> {
        let get = |wanted: &str| set.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).into());
        Names::set_by(get, home)
    }

    #[test]
    fn aliases_are_where_the_user_put_them() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, target: &str| {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, format!("x = \"{target}\"")).unwrap();
            path
        };
        let (home, settings) = (folder.path().join("home"), folder.path().join("settings"));
        let target =
            |set: &[(&str, &Path)]| names(set, Some(&home)).unwrap().file.unwrap().read("x").targets.remove("x");
        assert_eq!(target(&[]), None);
        write("home/.config/trillm/aliases.toml", "in home");
        assert_eq!(target(&[]).unwrap(), "in home");
        assert_eq!(target(&[("XDG_CONFIG_HOME", Path::new("relative"))]).unwrap(), "in home");
        assert_eq!(target(&[("XDG_CONFIG_HOME", &settings)]), None);
        write("settings/trillm/aliases.toml", "in settings");
        assert_eq!(target(&[("XDG_CONFIG_HOME", &settings)]).unwrap(), "in settings");
        let own = write("own.toml", "in a file");
        assert_eq!(target(&[("XDG_CONFIG_HOME", &settings), ("TRILLM_ALIASES", &own)]).unwrap(), "in a file");
        assert_eq!(target(&[("TRILLM_ALIASES", Path::new(""))]).unwrap(), "in home");
        assert_eq!(names(&[], None).unwrap(), Names::default());
    }

    #[test]
    fn a_file_of_aliases_that_was_named_must_be_there_for_a_name_that_may_be_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing.toml");
        let names = names(&[("TRILLM_ALIASES", &missing)], None).unwrap();
        let error = names.parse("mine").unwrap_err();
        assert!(matches!(&error, Error::InvalidAliases { path, .. } if *path == missing), "{error}");
        assert!(error.to_string().contains("no such file"), "{error}");
        let (_, problem) = names.look_up("smollm2").unwrap();
        assert!(problem.unwrap().to_string().contains("no such file"));
        assert!(names.look_up("./mine").unwrap().1.is_none());
    }

    #[test]
    fn the_folder_of_models_does_not_move() {
        let models = names(&[("LOCAL_MODELS_DIR", Path::new("models"))], None).unwrap().models.unwrap();
        assert_eq!(models, env::current_dir().unwrap().join("models"));
        let at_home = names(&[("LOCAL_MODELS_DIR", Path::new("~/models"))], Some(Path::new("/home/me"))).unwrap();
        assert_eq!(at_home.models, Some(PathBuf::from("/home/me/models")));
    }

    #[test]
    fn endings_of_models_are_known_in_any_case() {
        for (name, expected) in [("a.gguf", "a"), ("A.GGUF", "A"), ("a.b.onnx", "a.b"), ("é.safetensors", "é")] {
            assert_eq!((stem(name), is_model(name)), (expected, true));
        }
        for name in ["", "gguf", "a.bin", "ééé", "a.gguf.part"] {
            assert_eq!((stem(name), is_model(name)), (name, false));
        }
    }
}
