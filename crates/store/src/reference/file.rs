//! The file of a model that a reference names.

use crate::{Error, FileName, Result};

/// Checks a file, or a folder that ends with `/`, that a reference names. `plain` is what its name is judged by.
pub(super) fn check(reference: &str, file: &str, plain: &str) -> Result<()> {
    match plain.strip_suffix('/').unwrap_or(plain).parse::<FileName>() {
        Ok(_) => Ok(()),
        Err(Error::InvalidName { reason, .. }) => {
            Err(Error::invalid_reference(reference, format!("\"{file}\" is no file name: {reason}")))
        }
        Err(error) => Err(error),
    }
}
