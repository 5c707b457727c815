//! A small vocabulary in the manner of `SentencePiece`: every text has tokens, thanks to one for each byte.

/// What a piece is, numbered as in GGUF's `tokenizer.ggml.token_type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum Kind {
    /// Text.
    Normal = 1,
    /// Stands for what has no token.
    Unknown = 2,
    /// Never part of a text.
    Control = 3,
    /// One byte.
    Byte = 6,
}

/// An entry of the vocabulary; its index is its id.
#[derive(Clone, PartialEq, Debug)]
pub struct Piece {
    /// As it is spelled, `▁` for a space.
    pub text: String,
    /// Of two possible merges, the one with the higher score is made first.
    pub score: f32,
    /// What it is.
    pub kind: Kind,
}

/// The token that stands for what has no token.
pub(super) const UNKNOWN: u32 = 0;
/// The token that begins a text.
pub(super) const BOS: u32 = 1;
/// The token that ends a text.
pub(super) const EOS: u32 = 2;

/// Each of them is a piece or a merge of two pieces before it.
const MERGES: [&str; 12] = ["▁t", "he", "▁a", "in", "▁the", "er", "an", "▁s", "nd", "▁and", "▁w", "on"];

/// The vocabulary, padded to `size` with words that no text contains, but that a model may predict.
///
/// # Panics
/// If `size` is below 300.
pub fn vocabulary(size: u32) -> Vec<Piece> {
    let special = |text: &str, kind| Piece { text: text.into(), score: 0.0, kind };
    let mut pieces =
        vec![special("<unk>", Kind::Unknown), special("<s>", Kind::Control), special("</s>", Kind::Control)];
    pieces.extend((0..=255).map(|byte: u8| special(&format!("<0x{byte:02X}>"), Kind::Byte)));
    pieces.extend(["<|im_start|>", "<|im_end|>"].map(|text| special(text, Kind::Control)));
    let letters = ('a'..='z').map(String::from);
    let texts = std::iter::once("▁".into()).chain(letters).chain(MERGES.map(String::from));
    let words = (pieces.len() + 1 + 26 + MERGES.len()..size as usize).map(|id| format!("▁w{id}"));
    for (text, rank) in texts.chain(words).zip(0u32..) {
        pieces.push(Piece { text, score: -(rank as f32), kind: Kind::Normal });
    }
    assert_eq!(pieces.len(), size as usize, "the vocabulary has at least 300 pieces");
    pieces
}
