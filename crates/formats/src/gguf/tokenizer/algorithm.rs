//! How words become tokens, by kinds of tokenizers.

/// The algorithms, as `tokenizer.ggml.model` names them, by llama.cpp's names for them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm {
    /// SentencePiece with byte-pair merges by score: `llama`.
    Spm,
    /// Byte-level byte-pair encoding: `gpt2` and others.
    Bpe,
    /// `WordPiece`: `bert`.
    Wpm,
    /// Unigram: `t5`.
    Ugm,
    /// Longest match: `rwkv`.
    Rwkv,
    /// `plamo2`.
    Plamo2,
}
