//! Memory that the system does not give: found out before llama.cpp takes it, or from what it says.

use trillm_core::{Error, SessionOptions, Shape};
use trillm_machine::Memory;

/// The error for a failure whose `reason`, or whose log, is about memory.
pub(crate) fn missing(reason: &str, log: &[String]) -> Option<Error> {
    // What ggml's allocators say, what the system says of a file that is mapped, and what C++ throws itself.
    const WORDS: [&str; 5] = [
        "failed to allocate",
        "insufficient memory",
        "Cannot allocate memory",
        "bad_alloc",
        "vector::_M_default_append",
    ];
    let lines = || std::iter::once(reason).chain(log.iter().map(String::as_str));
    lines().find(|line| WORDS.iter().any(|words| line.contains(words)))?;
    let bytes = lines().find_map(bytes).unwrap_or(0);
    Some(Error::OutOfMemory { what: "llama.cpp's cache and buffers".into(), bytes })
}

/// The number in a line like `failed to allocate CPU buffer of size 1024`.
fn bytes(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("buffer of size ")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

/// Checks that there is memory for a cache of `cells` tokens, if the model's `shape` tells how much that is.
///
/// llama.cpp writes zeros to all of it when it makes a context, so what a system promises and does not have would end the
/// process, and others.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub(crate) fn check_cache(shape: &Shape, cells: u32, options: &SessionOptions) -> Result<(), Error> {
    /// Bytes that llama.cpp keeps of a cell beside keys and values: its position, and a bit for each of 256 sequences.
    const CELL: u64 = 48;
    let Some(kept) = shape.cache_bytes(cells.into(), options.parallel, options.cache_type) else { return Ok(()) };
    let bytes = kept.saturating_add(u64::from(cells) * CELL);
    let fits = Memory::now().is_none_or(|memory| bytes <= memory.available.saturating_add(memory.swap))
        && Vec::<u8>::new().try_reserve_exact(usize::try_from(bytes).unwrap_or(usize::MAX)).is_ok();
    if fits { Ok(()) } else { Err(Error::OutOfMemory { what: format!("a cache of {cells} tokens"), bytes }) }
}

#[cfg(test)]
mod tests {
    use trillm_core::Layer;

    use super::*;

    #[test]
    fn memory_is_named_with_what_was_asked_for() {
        let log = ["alloc_tensor_range: failed to allocate CPU buffer of size 25769803776".to_owned()];
        let found = missing("llama.cpp gave no context", &log);
        assert!(matches!(found, Some(Error::OutOfMemory { bytes: 25_769_803_776, .. })), "{found:?}");
        assert!(matches!(missing("std::bad_alloc", &[]), Some(Error::OutOfMemory { bytes: 0, .. })));
        let map = ["llama_model_load: error loading model: mmap failed: Cannot allocate memory".to_owned()];
        assert!(matches!(missing("", &map), Some(Error::OutOfMemory { bytes: 0, .. })));
        assert_eq!(missing("a step ended with status -3", &["unknown op".into()]), None);
    }

    #[test]
    fn a_cache_that_no_machine_has_is_refused() {
        let layer = Layer { kv_heads: 8, key: 64, value: 64, ..Layer::default() };
        let shape = Shape { layers: Some(vec![layer; 32]), ..Shape::default() };
        let options = SessionOptions::default();
        check_cache(&shape, 4096, &options).expect("268 MB");
        let error = check_cache(&shape, 1 << 30, &options).expect_err("70 TB");
        assert_eq!(
            error,
            Error::OutOfMemory { what: "a cache of 1073741824 tokens".into(), bytes: (48 + (2 << 15)) << 30 }
        );
    }
}
