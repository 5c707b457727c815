//! Folders that the environment names, with the user's home for `~`: a shell leaves it as it is within quotes, and in
//! files of settings nobody expands it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folder that a variable was set to, if it was.
pub(crate) fn folder(value: Option<OsString>, home: Option<&Path>) -> Option<PathBuf> {
    let folder = PathBuf::from(value.filter(|value| !value.is_empty())?);
    Some(match (folder.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => folder,
    })
}

/// The folder that the environment sets, if it does.
pub(crate) fn set(name: &str) -> Option<PathBuf> {
    folder(env::var_os(name), env::home_dir().as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_is_the_home() {
        let home = Some(Path::new("/home/me"));
        for (given, expected) in
            [("~", "/home/me"), ("~/models", "/home/me/models"), ("a/~", "a/~"), ("~other/a", "~other/a"), ("/a", "/a")]
        {
            assert_eq!(folder(Some(given.into()), home), Some(PathBuf::from(expected)), "{given}");
        }
        assert_eq!(folder(Some("~/a".into()), None), Some(PathBuf::from("~/a")));
        assert_eq!(folder(Some("".into()), home), None);
    }
}
