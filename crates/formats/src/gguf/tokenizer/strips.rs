//! Tokens that spaces around belong to. No file says it: llama.cpp knows models by their names (the end of
//! `llama_vocab::impl::load`), and looks tokens up that a model of such a name may not have.

/// What llama.cpp takes a model for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Strips {
    /// Spaces before `<mask>`.
    BeforeMask,
    /// Phi-3: spaces behind tokens that stand for no text, and behind `</s>`, but not behind [`Strips::PHI3`]'s others.
    Phi3,
    /// Of `ModernBERT`: spaces before `[MASK]`.
    BeforeBertsMask,
    /// None.
    Nothing,
}

impl Strips {
    /// Tokens that a model that is taken for Phi-3 must have, and whether each takes the spaces behind it.
    pub const PHI3: [(&'static str, bool); 4] =
        [("</s>", true), ("<unk>", false), ("<s>", false), ("<|endoftext|>", false)];

    /// By `general.name`, `tokenizer.ggml.pre` and `general.architecture`.
    pub fn of(name: &str, pre: &str, architecture: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let is_any = |text: &str, parts: &[&str]| parts.iter().any(|part| text.contains(part));
        if is_any(pre, &["jina-v2-de", "jina-v2-es", "jina-v2-code", "mmbert"])
            || is_any(architecture, &["nomic-bert-moe", "jina-bert-v3"])
        {
            Self::BeforeMask
        } else if is_any(&name, &["phi-3", "phi3"]) {
            Self::Phi3
        } else if name.contains("modern-bert") {
            Self::BeforeBertsMask
        } else {
            Self::Nothing
        }
    }
}
