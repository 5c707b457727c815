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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Coded, Error as CoreError};

    #[test]
    fn what_the_system_says_decides_which_error_it_is() {
        for (number, class, code) in [
            (23, Class::Engine, "too_many_files"),
            (24, Class::Engine, "too_many_files"),
            (12, Class::OutOfMemory, "out_of_memory"),
            (13, Class::Engine, "engine_failed"),
        ] {
            let error = CoreError::not_given("asyncio", "a socket", &Error::from_raw_os_error(number));
            assert_eq!(error.kind(), (class, code), "{error}");
            assert!(error.to_string().contains("a socket"), "{error}");
        }
    }
}
