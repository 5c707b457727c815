//! A measurement that a machine needs once.

use std::fs;
use std::path::Path;
use std::process;

use crate::{Processors, read_bandwidth};

/// What [`read_bandwidth`] measured, by what `file` keeps of an earlier time: of this machine, and for this `version` of
/// whoever keeps it. Measures, and writes the file, otherwise; one that cannot be written is measured again next time.
pub fn kept_bandwidth(file: &Path, version: &str) -> Option<f64> {
    kept(file, &format!("{version}, {}", Processors::now().name()), read_bandwidth)
}

/// The file has a line with the key and one with bytes a second.
fn kept(file: &Path, key: &str, measure: impl FnOnce() -> Option<f64>) -> Option<f64> {
    let known = || {
        let text = fs::read_to_string(file).ok()?;
        let (of, speed) = text.trim_end().split_once('\n')?;
        speed.parse::<f64>().ok().filter(|speed| of == key && speed.is_finite() && *speed > 0.0)
    };
    known().or_else(|| {
        let speed = measure()?;
        // By rename, so that nobody reads half of it.
        let new = file.with_extension(process::id().to_string());
        if fs::write(&new, format!("{key}\n{speed:.0}\n")).and_then(|()| fs::rename(&new, file)).is_err() {
            let _ = fs::remove_file(&new);
        }
        Some(speed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_measured_once_for_a_key() {
        let root = tempfile::tempdir().expect("a folder");
        let file = root.path().join("bandwidth");
        let never = || panic!("it is known");
        assert_eq!(kept(&file, "a", || None), None);
        assert_eq!(kept(&file, "a", || Some(5e9)), Some(5e9));
        assert_eq!(kept(&file, "a", never), Some(5e9));
        assert_eq!(kept(&file, "b", || Some(6e9)), Some(6e9));
        assert_eq!(kept(&file, "a", || Some(7e9)), Some(7e9));
        assert_eq!(fs::read_dir(root.path()).expect("the folder").count(), 1);
    }

    #[test]
    fn what_is_no_measurement_is_made_anew() {
        let root = tempfile::tempdir().expect("a folder");
        let file = root.path().join("bandwidth");
        for text in ["", "a", "a\n", "a\nfast\n", "a\n-1\n", "a\nNaN\n", "a\ninf\n", "a\n0\n"] {
            fs::write(&file, text).expect("a file");
            assert_eq!(kept(&file, "a", || Some(5e9)), Some(5e9), "{text:?}");
        }
        assert_eq!(kept(&root.path().join("none/bandwidth"), "a", || Some(5e9)), Some(5e9));
    }
}
