//! Files that a process cannot open any more because it has too many: the same error, whoever would have opened one.

use std::io::Error;

use crate::Class;

/// Its class and its name.
pub const KIND: (Class, &str) = (Class::Engine, "too_many_files");

/// What to do about it.
pub const HINT: &str = "close files and connections that are not needed, or allow more (ulimit -n)";

/// Whether that is why a file cannot be opened: there are too many in this process, or in the whole system.
pub fn are_too_many(error: &Error) -> bool {
    /// Numbers that all Unix systems have in common; the standard library has no kind for them.
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    matches!(error.raw_os_error(), Some(ENFILE | EMFILE))
}
