//! How fast engines are with the models of this machine: what was measured, kept for whoever chooses among them.
//!
//! One small file for all models. A measurement is of a model's files as they are (their names, sizes and times), of a
//! machine and of a version of this program: where one of these is another, it does not count. Beside each other stand
//! only engines that were measured alike, which `how` says in words of whoever measured.
//!
//! Speed is all that is lost with the file. So what cannot be read of it is left out, which a note says, and of two
//! processes that write at the same moment the later one's file stays.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use trillm_machine::Processors;

/// How the file is called in the folder that all of this program's files of a user are in.
const NAME: &str = "speeds.json";

/// Bytes that are read of it: far more than what is written to it.
const MOST_BYTES: u64 = 4 << 20;

/// Measurements that are kept, the newest first; some 300 bytes each.
const MOST: usize = 500;

/// Entries of a folder that are looked at.
const ENTRIES: usize = 10_000;

/// How fast an engine was.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Speed {
    /// The engine's name.
    pub engine: String,
    /// Tokens a second, the reading of the prompt included; `None` if it failed.
    pub tokens_per_second: Option<f64>,
    /// The stable name of the error, if it failed.
    pub error: Option<String>,
}

/// Engines that were measured alike with one model.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// Where the model is.
    model: String,
    /// What its files were.
    files: String,
    machine: String,
    version: String,
    /// What was measured, and with which settings.
    pub how: String,
    /// When: seconds since 1970.
    pub time: u64,
    /// Each engine once.
    pub speeds: Vec<Speed>,
}

/// The file with all measurements.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Speeds {
    file: PathBuf,
}

impl Speeds {
    /// That in the folder of a user's store.
    pub fn in_folder(folder: &Path) -> Self {
        Self { file: folder.join(NAME) }
    }

    /// What was measured with the model at a path as it is now, on this machine, the newest first; and what cannot be
    /// read of the file, as a note for people.
    pub fn of(&self, model: &Path) -> (Vec<Measured>, Option<String>) {
        let (mut all, note) = self.read();
        if !all.is_empty() {
            let now = Measured::now(model, "");
            all.retain(|it| it.is_of(&now));
        }
        (all, note)
    }

    /// Keeps what was measured with the model at a path. Engines that were measured in the same way before stay beside
    /// these; what was measured of other files at that place goes.
    ///
    /// # Errors
    /// Why it could not be written.
    pub fn keep(&self, model: &Path, how: &str, speeds: Vec<Speed>) -> io::Result<()> {
        let (mut all, _) = self.read();
        let mut new = Measured { speeds, ..Measured::now(model, how) };
        all.retain(|it| it.model != new.model || it.files == new.files);
        if let Some(place) = all.iter().position(|it| it.is_of(&new) && it.how == new.how) {
            let others = all.remove(place).speeds.into_iter();
            let is_new = |other: &Speed| new.speeds.iter().any(|it| it.engine == other.engine);
            let kept: Vec<_> = others.filter(|other| !is_new(other)).collect();
            new.speeds.extend(kept);
        }
        all.insert(0, new);
        all.truncate(MOST);
        self.write(&all)
    }

    fn read(&self) -> (Vec<Measured>, Option<String>) {
        let file = match File::open(&self.file) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return (Vec::new(), None),
            Err(error) => return (Vec::new(), Some(self.left_out(&error))),
        };
        let mut bytes = Vec::new();
        let read = file.take(MOST_BYTES).read_to_end(&mut bytes);
        match read.and_then(|_| Ok(serde_json::from_slice(&bytes)?)) {
            Ok(all) => (all, None),
            Err(error) => (Vec::new(), Some(self.left_out(&error))),
        }
    }

    fn left_out(&self, why: &io::Error) -> String {
        format!("what was measured of engines is left out: {} cannot be read: {why}", self.file.display())
    }

    fn write(&self, all: &[Measured]) -> io::Result<()> {
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder)?;
        }
        // By rename, so that nobody reads half of it.
        let new = self.file.with_extension(process::id().to_string());
        let written = fs::write(&new, serde_json::to_vec_pretty(all)?).and_then(|()| fs::rename(&new, &self.file));
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written
    }
}

impl Measured {
    /// None yet, of a model as it is now.
    fn now(model: &Path, how: &str) -> Self {
        Self {
            model: model.canonicalize().unwrap_or_else(|_| model.to_owned()).to_string_lossy().into_owned(),
            files: files(model),
            machine: Processors::now().name(),
            version: env!("CARGO_PKG_VERSION").into(),
            how: how.into(),
            time: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
            speeds: Vec::new(),
        }
    }

    /// One for tests of those who choose.
    #[cfg(test)]
    pub(crate) fn of_others(model: &str, how: &str, speeds: Vec<Speed>) -> Self {
        let text = String::new;
        Self { model: model.into(), files: text(), machine: text(), version: text(), how: how.into(), time: 0, speeds }
    }

    fn is_of(&self, now: &Self) -> bool {
        (&self.model, &self.files, &self.machine, &self.version) == (&now.model, &now.files, &now.machine, &now.version)
    }
}

/// What changes with any of a model's files: a hash of all names, sizes and times, those of folders in the folder too.
///
/// The hash may be another in another version of Rust: then it is measured anew.
fn files(model: &Path) -> String {
    let mut found = Vec::new();
    if model.is_dir() {
        look(model, "", true, &mut found);
    } else {
        found.extend(stamp(model, String::new()));
    }
    found.sort();
    let mut hasher = DefaultHasher::new();
    found.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

type Stamp = (String, u64, Option<u128>);

fn look(folder: &Path, name: &str, deeper: bool, found: &mut Vec<Stamp>) {
    for entry in fs::read_dir(folder).into_iter().flatten().take(ENTRIES).flatten() {
        let own = entry.file_name().to_string_lossy().into_owned();
        let (path, whole) = (entry.path(), format!("{name}/{own}"));
        if path.is_file() {
            found.extend(stamp(&path, whole));
        } else if deeper && !own.starts_with('.') {
            look(&path, &whole, false, found);
        }
    }
}

/// Links are followed: in a store, names lead to files that are called by their digest.
fn stamp(path: &Path, name: String) -> Option<Stamp> {
    let facts = path.metadata().ok()?;
    let time = facts.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Some((name, facts.len(), time.map(|time| time.as_nanos())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speed(engine: &str, rate: f64) -> Speed {
        Speed { engine: engine.into(), tokens_per_second: Some(rate), error: None }
    }

    /// A folder with a model of two files, and the file of measurements.
    fn there() -> (tempfile::TempDir, PathBuf, Speeds) {
        let root = tempfile::tempdir().expect("a folder");
        let model = root.path().join("model");
        fs::create_dir_all(model.join("onnx")).expect("a folder");
        fs::write(model.join("model.safetensors"), "weights").expect("a file");
        fs::write(model.join("onnx/model.onnx"), "graph").expect("a file");
        let speeds = Speeds::in_folder(&root.path().join("home"));
        (root, model, speeds)
    }

    fn known(speeds: &Speeds, model: &Path) -> Vec<(String, Vec<Speed>)> {
        let (found, note) = speeds.of(model);
        assert_eq!(note, None);
        found.into_iter().map(|it| (it.how, it.speeds)).collect()
    }

    #[test]
    fn engines_that_were_measured_alike_stand_beside_each_other() {
        let (root, model, speeds) = there();
        assert_eq!(known(&speeds, &model), []);
        speeds.keep(&model, "a", vec![speed("candle", 10.0)]).expect("room");
        speeds.keep(&model, "b", vec![speed("candle", 30.0)]).expect("room");
        speeds.keep(&model, "a", vec![speed("onnx", 20.0)]).expect("room");
        let a = vec![speed("onnx", 20.0), speed("candle", 10.0)];
        assert_eq!(known(&speeds, &model), [("a".into(), a), ("b".into(), vec![speed("candle", 30.0)])]);
        let failed = Speed { engine: "onnx".into(), tokens_per_second: None, error: Some("unsupported".into()) };
        speeds.keep(&model, "a", vec![failed.clone()]).expect("room");
        assert_eq!(known(&speeds, &model)[0].1, [failed, speed("candle", 10.0)]);
        assert_eq!(known(&speeds, &root.path().join("another")), []);
        let home = fs::read_dir(root.path().join("home")).expect("a folder");
        assert_eq!(home.count(), 1, "nothing is left but the file");
    }

    #[test]
    fn what_changes_the_files_makes_it_another_model() {
        let changes: [&dyn Fn(&Path); 4] = [
            &|model| fs::write(model.join("model.safetensors"), "other words").expect("a file"),
            &|model| fs::write(model.join("onnx/model.onnx_data"), "data").expect("a file"),
            &|model| fs::remove_file(model.join("onnx/model.onnx")).expect("it is there"),
            &|model| {
                let file = File::options().write(true).open(model.join("model.safetensors")).expect("it is there");
                file.set_modified(UNIX_EPOCH).expect("a time");
            },
        ];
        for change in changes {
            let (_root, model, speeds) = there();
            speeds.keep(&model, "a", vec![speed("candle", 10.0)]).expect("room");
            assert_eq!(known(&speeds, &model).len(), 1);
            change(&model);
            assert_eq!(known(&speeds, &model), []);
            // What is measured now is all that there is of it.
            speeds.keep(&model, "a", vec![speed("onnx", 1.0)]).expect("room");
            assert_eq!(speeds.read().0.len(), 1);
        }
    }

    #[test]
    fn another_machine_or_version_has_measured_nothing_for_this_one() {
        let (_root, model, speeds) = there();
        let ours = Measured { speeds: vec![speed("candle", 10.0)], ..Measured::now(&model, "a") };
        let machine = Measured { machine: "2 × other".into(), ..ours.clone() };
        let version = Measured { version: "0.0.1".into(), ..ours.clone() };
        speeds.write(&[machine.clone(), version.clone()]).expect("room");
        assert_eq!(known(&speeds, &model), []);
        speeds.keep(&model, "a", ours.speeds.clone()).expect("room");
        assert_eq!(known(&speeds, &model), [("a".into(), ours.speeds)]);
        assert_eq!(speeds.read().0[1..], [machine, version]);
    }

    #[test]
    fn a_damaged_file_is_left_out_with_a_note_and_written_anew() {
        let (root, model, speeds) = there();
        fs::create_dir(root.path().join("home")).expect("a folder");
        for text in ["", "[", "{}", "[{}]", "[1]", "null", "\u{0}\u{1}"] {
            fs::write(&speeds.file, text).expect("a file");
            let (found, note) = speeds.of(&model);
            assert_eq!(found, [], "{text:?}");
            assert!(note.expect("a note").contains("speeds.json cannot be read"), "{text:?}");
            speeds.keep(&model, "a", vec![speed("candle", 10.0)]).expect("room");
            assert_eq!(known(&speeds, &model).len(), 1);
        }
        fs::write(&speeds.file, vec![b' '; (MOST_BYTES + 1) as usize]).expect("a file");
        assert!(speeds.of(&model).1.is_some());
        // Where there is a folder of that name, nothing can be kept.
        fs::remove_file(&speeds.file).expect("it is there");
        fs::create_dir(&speeds.file).expect("a folder");
        assert!(speeds.of(&model).1.is_some());
        assert!(speeds.keep(&model, "a", vec![speed("candle", 10.0)]).is_err());
        assert_eq!(fs::read_dir(root.path().join("home")).expect("a folder").count(), 1);
    }

    #[test]
    fn the_file_stays_small() {
        let (_root, model, speeds) = there();
        let one = Measured { speeds: vec![speed("candle", 10.0); 3], ..Measured::now(&model, "a") };
        let many: Vec<_> = (0..MOST).map(|each| Measured { model: format!("/m/{each}"), ..one.clone() }).collect();
        speeds.write(&many).expect("room");
        speeds.keep(&model, "a", vec![speed("candle", 10.0)]).expect("room");
        let (all, note) = speeds.read();
        assert_eq!((all.len(), note), (MOST, None));
        assert_eq!(all.last(), Some(&many[MOST - 2]));
    }
}
