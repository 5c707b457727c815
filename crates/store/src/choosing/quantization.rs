//! Names of quantizations, as publishers put them into the names of files.

use std::ops::Range;

use super::Kind;

/// What is in the names of graphs.
const OF_GRAPHS: [&str; 18] = [
    "Q4F16",
    "BNB4",
    "INT4",
    "INT8",
    "UINT4",
    "UINT8",
    "QINT8",
    "QUINT8",
    "QUANTIZED",
    "Q4",
    "Q8",
    "BF16",
    "F16",
    "FP16",
    "FLOAT16",
    "F32",
    "FP32",
    "FLOAT32",
];

/// What is after the bits of GGUF's first quantizations.
const OLD: [&str; 10] = ["_0", "_1", "_0_4_4", "_0_4_8", "_0_8_4", "_0_8_8", "_1_4_4", "_1_4_8", "_1_8_4", "_1_8_8"];

const FOUR_BITS: [&str; 5] = ["Q4", "Q4F16", "BNB4", "INT4", "UINT4"];
const EIGHT_BITS: [&str; 6] = ["INT8", "QUANTIZED", "UINT8", "Q8", "QINT8", "QUINT8"];

/// The longest name, in bytes.
const LONGEST: usize = 9;

/// The one way of writing a quantization: upper case, and `F16` for `fp16`.
pub(super) fn normal(name: &str) -> String {
    let name = name.to_uppercase();
    match name.as_str() {
        "FP16" | "FLOAT16" => "F16".into(),
        "FP32" | "FLOAT32" => "F32".into(),
        _ => name,
    }
}

/// Whether this is a quantization's name, or that of its dialect, and nothing else.
pub(super) fn is_quantization(text: &str) -> bool {
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("UD-").or_else(|| name.strip_prefix("I1-")).unwrap_or(&name);
    is_of_gguf(name) || OF_GRAPHS.contains(&name)
}

/// The quantization that the name of a GGUF file or a graph says.
///
/// Of several the last, since what is before may belong to the model's name. Dialects (`UD-`, `i1-`) are no part of it.
pub(super) fn quantization_of(name: &str, kind: Kind) -> Option<String> {
    place_of(name, kind).map(|place| normal(&name[place]))
}

/// Where in the name it stands.
pub(super) fn place_of(name: &str, kind: Kind) -> Option<Range<usize>> {
    let upper = name.to_ascii_uppercase();
    let bytes = upper.as_bytes();
    // Between letters and digits there is none; but for those a name may hold any character.
    let is_edge = |at: usize| at == 0 || at >= bytes.len() || !bytes[at].is_ascii_alphanumeric();
    let mut found = None;
    let mut start = 0;
    while start < bytes.len() {
        let begins = start == 0 || !bytes[start - 1].is_ascii_alphanumeric();
        let ends = (start + 1..=(start + LONGEST).min(bytes.len())).rev().filter(|end| begins && is_edge(*end));
        let mut names = ends.filter_map(|end| upper.get(start..end));
        let known = names.find(|name| if kind == Kind::Gguf { is_of_gguf(name) } else { OF_GRAPHS.contains(name) });
        let length = known.map_or(1, str::len);
        found = known.map(|_| start..start + length).or(found);
        start += length;
    }
    found
}

/// Bits of most weights, without their scales; 0 where the name says nothing.
pub(super) fn bits(quantization: Option<&str>) -> u32 {
    let name = quantization.unwrap_or_default();
    if name == "QUANTIZED" {
        // Exporters of graphs write it for 8.
        return 8;
    }
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap_or(0)
}

/// The ways to quantize a graph that come nearest to a GGUF file's, the best first.
///
/// `None` is a graph whose name says nothing: as a rule its weights have 32 bits.
pub(super) fn graphs_like(preferred: &str) -> Vec<Option<String>> {
    let preferred = normal(preferred);
    let like: &[&str] = match (preferred.as_str(), bits(Some(&preferred))) {
        ("F32", _) => return vec![Some(preferred), None],
        (_, 4) => &FOUR_BITS,
        (_, 8) => &EIGHT_BITS,
        _ => &[],
    };
    std::iter::once(preferred).chain(like.iter().map(|name| (*name).to_owned())).map(Some).collect()
}

/// Whether a name in upper case is one of GGUF's.
fn is_of_gguf(name: &str) -> bool {
    let numbered = |start: &str, digits: &str, rests: &[&str]| {
        let rest = name.strip_prefix(start).filter(|rest| rest.starts_with(|digit| digits.contains(digit)));
        rest.is_some_and(|rest| rests.contains(&&rest[1..]))
    };
    numbered("IQ", "1234", &["_XXS", "_XS", "_S", "_M", "_NL"])
        || numbered("Q", "2345678", &["_K", "_K_XXS", "_K_XS", "_K_S", "_K_M", "_K_L", "_K_XL"])
        || numbered("Q", "12345678", &OLD)
        || numbered("TQ", "12", &["_0"])
        || ["MXFP4", "NVFP4", "BF16", "F16", "FP16", "F32", "FP32"].contains(&name)
}
