//! How a publisher samples, in the keys `general.sampling.*` that llama.cpp reads.

use trillm_core::Defaults;

use super::Header;

/// Writes what there are keys for.
pub(crate) fn write(defaults: &Defaults, header: &mut Header) {
    let numbers = [
        ("temp", &defaults.temperature),
        ("top_p", &defaults.top_p),
        ("min_p", &defaults.min_p),
        ("penalty_repeat", &defaults.repetition_penalty),
    ];
    for (key, given) in numbers {
        if let Some(given) = given {
            header.set(format!("general.sampling.{key}"), given.value);
        }
    }
    for (key, given) in [("top_k", &defaults.top_k), ("penalty_last_n", &defaults.repeat_last_n)] {
        if let Some(given) = given {
            header.set(format!("general.sampling.{key}"), i32::try_from(given.value).unwrap_or(-1));
        }
    }
}
