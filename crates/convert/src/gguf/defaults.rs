//! How a publisher samples, in the keys `general.sampling.*` that llama.cpp reads.

use trillm_core::{Defaults, Setting};

use super::Header;
use crate::left_out::left_out;

/// Writes what there are keys for.
pub(crate) fn write(defaults: &Defaults, header: &mut Header, notes: &mut Vec<String>) {
    for (name, setting, source) in defaults.list() {
        let key = match name {
            "temperature" => "temp",
            "repetition_penalty" => "penalty_repeat",
            "repeat_last_n" => "penalty_last_n",
            "top_k" | "top_p" | "min_p" => name,
            _ => {
                notes.push(left_out(name, source, "a GGUF file"));
                continue;
            }
        };
        let key = format!("general.sampling.{key}");
        match setting {
            Setting::Number(number) => header.set(key, number),
            Setting::Count(count) => header.set(key, i32::try_from(count).unwrap_or(-1)),
            Setting::Text(text) => header.set(key, text),
            Setting::Texts(texts) => header.set(key, texts),
        }
    }
}
