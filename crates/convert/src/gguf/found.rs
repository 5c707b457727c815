//! How added tokens are found in texts, where GGUF has no words for it: said in notes.

use trillm_formats::gguf::Strips;
use trillm_formats::huggingface::Found;

use crate::vocabulary::{Kind, Vocabulary, some_of};

/// Says what llama.cpp will do otherwise with tokens of `vocabulary`, in a model that it takes for `strips`.
pub(crate) fn note(vocabulary: &Vocabulary, strips: Strips, notes: &mut Vec<String>) {
    let asked = |text: &str| vocabulary.found.get(text).copied();
    // As `llama_vocab::impl::load` marks them.
    let taken = |text: &str, kind| match (strips, Strips::PHI3.iter().find(|(known, _)| *known == text)) {
        (Strips::Phi3, Some((_, behind))) => *behind,
        (Strips::Phi3, None) => matches!(kind, Kind::Control | Kind::Unknown | Kind::UserDefined),
        _ => false,
    };
    let mut say = |differs: &dyn Fn(&str, Kind, Option<Found>) -> bool, what: &dyn Fn(&str) -> String| {
        let tokens = vocabulary.tokens.iter().filter(|token| differs(&token.text, token.kind, asked(&token.text)));
        notes.extend(some_of(tokens.map(|token| token.text.as_str())).map(|tokens| what(&tokens)));
    };
    say(&|_, _, found| found.is_some_and(|found| found.lstrip), &|tokens| {
        format!("llama.cpp leaves spaces before {tokens}, where tokenizer.json takes them away (lstrip)")
    });
    say(&|text, kind, found| found.is_some_and(|found| found.rstrip) && !taken(text, kind), &|tokens| {
        format!("llama.cpp leaves spaces behind {tokens}, where tokenizer.json takes them away (rstrip)")
    });
    say(&|text, kind, found| taken(text, kind) && !found.is_some_and(|found| found.rstrip), &|tokens| {
        format!(
            "llama.cpp takes spaces behind {tokens} away, where tokenizer.json leaves them: it knows Phi-3 by its name"
        )
    });
    say(&|_, _, found| found.is_some_and(|found| found.single_word), &|tokens| {
        format!("llama.cpp finds {tokens} within words, too, where tokenizer.json does not (single_word)")
    });
    say(&|_, _, found| found.is_some_and(|found| found.normalized), &|tokens| {
        format!("llama.cpp finds {tokens} anywhere, where tokenizer.json finds it behind a space alone (normalized)")
    });
}
