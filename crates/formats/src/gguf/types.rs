//! The types a tensor's elements come in, as `enum ggml_type` and its `type_traits` in ggml.

/// How elements are stored: in blocks of equal length.
#[derive(PartialEq, Eq, Debug)]
pub struct TensorType {
    /// The number in the file.
    pub id: u32,
    /// The name, as in `ModelInfo::quantization`.
    pub name: &'static str,
    /// Elements in a block.
    pub block: u64,
    /// Bytes of a block.
    pub bytes: u64,
    /// Whether matrices of this type can be multiplied. llama.cpp calls a null pointer for the others.
    pub multiplies: bool,
}

/// What stands for elements of one type without blocks or matrix products.
const fn plain(id: u32, name: &'static str, bytes: u64) -> TensorType {
    TensorType { id, name, block: 1, bytes, multiplies: false }
}

/// A type for matrices.
const fn matrix(id: u32, name: &'static str, block: u64, bytes: u64) -> TensorType {
    TensorType { id, name, block, bytes, multiplies: true }
}

/// All types of ggml 0.26. The numbers 4, 5, 31–33 and 36–38 belonged to types that were removed.
const TYPES: &[TensorType] = &[
    matrix(0, "F32", 1, 4),
    matrix(1, "F16", 1, 2),
    matrix(2, "Q4_0", 32, 18),
    matrix(3, "Q4_1", 32, 20),
    matrix(6, "Q5_0", 32, 22),
    matrix(7, "Q5_1", 32, 24),
    matrix(8, "Q8_0", 32, 34),
    TensorType { id: 9, name: "Q8_1", block: 32, bytes: 36, multiplies: false },
    matrix(10, "Q2_K", 256, 84),
    matrix(11, "Q3_K", 256, 110),
    matrix(12, "Q4_K", 256, 144),
    matrix(13, "Q5_K", 256, 176),
    matrix(14, "Q6_K", 256, 210),
    TensorType { id: 15, name: "Q8_K", block: 256, bytes: 292, multiplies: false },
    matrix(16, "IQ2_XXS", 256, 66),
    matrix(17, "IQ2_XS", 256, 74),
    matrix(18, "IQ3_XXS", 256, 98),
    matrix(19, "IQ1_S", 256, 50),
    matrix(20, "IQ4_NL", 32, 18),
    matrix(21, "IQ3_S", 256, 110),
    matrix(22, "IQ2_S", 256, 82),
    matrix(23, "IQ4_XS", 256, 136),
    plain(24, "I8", 1),
    plain(25, "I16", 2),
    plain(26, "I32", 4),
    plain(27, "I64", 8),
    plain(28, "F64", 8),
    matrix(29, "IQ1_M", 256, 56),
    matrix(30, "BF16", 1, 2),
    matrix(34, "TQ1_0", 256, 54),
    matrix(35, "TQ2_0", 256, 66),
    matrix(39, "MXFP4", 32, 17),
    matrix(40, "NVFP4", 64, 36),
    matrix(41, "Q1_0", 128, 18),
    matrix(42, "Q2_0", 64, 18),
];

impl TensorType {
    /// The type with this number, if it exists still.
    pub fn from_id(id: u32) -> Option<&'static Self> {
        TYPES.iter().find(|kind| kind.id == id)
    }
}

/// Names of `general.file_type` (`enum llama_ftype`), each with the type that most of such a file is stored in.
const FILE_TYPES: &[(u32, &str, &str)] = &[
    (0, "F32", "F32"),
    (1, "F16", "F16"),
    (2, "Q4_0", "Q4_0"),
    (3, "Q4_1", "Q4_1"),
    (7, "Q8_0", "Q8_0"),
    (8, "Q5_0", "Q5_0"),
    (9, "Q5_1", "Q5_1"),
    (10, "Q2_K", "Q2_K"),
    (11, "Q3_K_S", "Q3_K"),
    (12, "Q3_K_M", "Q3_K"),
    (13, "Q3_K_L", "Q3_K"),
    (14, "Q4_K_S", "Q4_K"),
    (15, "Q4_K_M", "Q4_K"),
    (16, "Q5_K_S", "Q5_K"),
    (17, "Q5_K_M", "Q5_K"),
    (18, "Q6_K", "Q6_K"),
    (19, "IQ2_XXS", "IQ2_XXS"),
    (20, "IQ2_XS", "IQ2_XS"),
    (21, "Q2_K_S", "Q2_K"),
    (22, "IQ3_XS", "IQ3_S"),
    (23, "IQ3_XXS", "IQ3_XXS"),
    (24, "IQ1_S", "IQ1_S"),
    (25, "IQ4_NL", "IQ4_NL"),
    (26, "IQ3_S", "IQ3_S"),
    (27, "IQ3_M", "IQ3_S"),
    (28, "IQ2_S", "IQ2_XS"),
    (29, "IQ2_M", "IQ2_S"),
    (30, "IQ4_XS", "IQ4_XS"),
    (31, "IQ1_M", "IQ1_M"),
    (32, "BF16", "BF16"),
    (36, "TQ1_0", "TQ1_0"),
    (37, "TQ2_0", "TQ2_0"),
    (38, "MXFP4_MOE", "MXFP4"),
    (39, "NVFP4", "NVFP4"),
    (40, "Q1_0", "Q1_0"),
    (41, "Q2_0", "Q2_0"),
];

/// The name of a file type, if the types that the weights have are those of such a file.
///
/// Most bytes may be in another type than it promises: a large embedding is kept in more bits, and rows that do not divide
/// into its blocks are stored in other ones. But a file with neither says what is not so.
pub(crate) fn file_type<'t>(id: u32, dominant: &str, mut kinds: impl Iterator<Item = &'t str>) -> Option<&'static str> {
    /// Types that nothing is quantized to.
    const FLOATS: [&str; 3] = ["F32", "F16", "BF16"];
    /// Added to a type that was guessed from the weights.
    const GUESSED: u32 = 1024;
    let &(_, name, promised) = FILE_TYPES.iter().find(|(number, ..)| *number == id & !GUESSED)?;
    let agrees = if FLOATS.contains(&promised) {
        promised == dominant
    } else {
        kinds.any(|kind| kind == promised || in_place_of(promised).contains(&kind))
    };
    agrees.then_some(name)
}

/// What llama.cpp stores rows in that do not divide into the blocks of a type of 256 weights.
fn in_place_of(kind: &str) -> &'static [&'static str] {
    match kind {
        "Q4_K" => &["Q5_0"],
        "Q5_K" => &["Q5_1"],
        "Q6_K" => &["Q8_0"],
        "TQ1_0" | "TQ2_0" => &["Q4_0"],
        kind if kind.starts_with("IQ") || kind.ends_with("_K") => &["IQ4_NL", "Q4_0"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_is_named_as_a_whole() {
        let named = |id, dominant, kinds: &[&'static str]| file_type(id, dominant, kinds.iter().copied());
        assert_eq!(named(15, "Q4_K", &["F32", "Q4_K", "Q6_K"]), Some("Q4_K_M"));
        // An embedding that is most of a small model, and rows that are no multiple of 256.
        assert_eq!(named(15, "Q6_K", &["F32", "Q4_K", "Q6_K"]), Some("Q4_K_M"));
        assert_eq!(named(15, "Q8_0", &["F32", "Q5_0", "Q8_0"]), Some("Q4_K_M"));
        assert_eq!(named(1, "F16", &["F32", "F16"]), Some("F16"));
        assert_eq!(named(10, "Q8_0", &["F32", "IQ4_NL", "Q8_0"]), Some("Q2_K"));
        // It was guessed.
        assert_eq!(named(1024 + 2, "Q8_0", &["F32", "Q4_0", "Q8_0"]), Some("Q4_0"));
        // What is not so, and what nobody knows.
        assert_eq!(named(15, "Q8_0", &["F32", "Q8_0"]), None);
        assert_eq!(named(1024 + 15, "Q4_0", &["F32", "Q4_0", "Q6_K"]), None);
        assert_eq!(named(15, "F16", &["F32", "F16"]), None);
        assert_eq!(named(1, "Q8_0", &["F32", "Q8_0"]), None);
        assert_eq!(named(999, "Q8_0", &["Q8_0"]), None);
    }
}
