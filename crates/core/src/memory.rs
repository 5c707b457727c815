//! Memory that may not be there. What options, files and requests decide the size of is asked for here, so that too much
//! is an error and not the end of the process.

use crate::{Error, Result};

/// Bytes: what is smaller finds what it needs wherever a request may begin, and is not asked for.
pub const LARGE: usize = 1 << 16;

/// The error for `count` values of `T` that there is no memory for.
pub fn none<T>(count: usize, what: impl Into<String>) -> Error {
    let bytes = (count as u64).saturating_mul(size_of::<T>() as u64);
    Error::OutOfMemory { what: what.into(), bytes }
}

/// Makes room for `more` values at the end of `list`.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn reserve<T>(list: &mut Vec<T>, more: usize, what: &str) -> Result<()> {
    list.try_reserve(more).map_err(|_| none::<T>(list.len().saturating_add(more), what))
}

/// Makes `list` `length` values long; new ones are `value`.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn resize<T: Clone>(list: &mut Vec<T>, length: usize, value: T, what: &str) -> Result<()> {
    let more = length.saturating_sub(list.len());
    // Exactly: these lists are as long as the largest step, and kept.
    list.try_reserve_exact(more).map_err(|_| none::<T>(length, what))?;
    list.resize(length, value);
    Ok(())
}

/// Checks that `count` values are there to be had: for what is made in many small pieces, none of which may fail. So it
/// says no in time to nearly all that there is not enough for, and to no less.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn check<T>(count: usize, what: &str) -> Result<()> {
    Vec::<T>::new().try_reserve_exact(count).map_err(|_| none::<T>(count, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_is_an_error_with_the_numbers() {
        let mut list = vec![1u32];
        let wanted = Error::OutOfMemory { what: "a list".into(), bytes: 1 << 62 };
        assert_eq!(resize(&mut list, 1 << 60, 0, "a list"), Err(wanted));
        assert_eq!(list, [1]);
        let error = reserve(&mut list, usize::MAX, "a list").expect_err("too much");
        assert_eq!(error.to_string(), format!("no memory for a list: {} bytes were asked for", u64::MAX));
        assert_eq!(
            check::<u8>(usize::MAX, "a list"),
            Err(Error::OutOfMemory { what: "a list".into(), bytes: u64::MAX })
        );
        check::<u8>(1 << 20, "a list").expect("room");
        resize(&mut list, 3, 7, "a list").expect("room");
        assert_eq!(list, [1, 7, 7]);
    }
}
