//! A vocabulary, as both formats understand it.

use std::collections::{BTreeMap, HashMap};

use trillm_core::ChatTemplates;
use trillm_formats::huggingface::Found;

use crate::pre::Pre;

/// Tokens, and what is done with them.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Vocabulary {
    /// How text becomes tokens.
    pub(crate) method: Method,
    /// All tokens, by id.
    pub(crate) tokens: Vec<Token>,
    /// Tokens with a task.
    pub(crate) special: Special,
    /// How tokens are found in a text, of those that are not found wherever they stand.
    pub(crate) found: BTreeMap<String, Found>,
    /// How chats are written, in Jinja.
    pub(crate) chat_templates: ChatTemplates,
}

/// How text becomes tokens.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Method {
    /// Pairs of byte-level pieces are merged in the order of a list (`gpt2` in GGUF).
    Merges {
        /// How text is cut first.
        pre: &'static Pre,
        /// The pairs, the first to be merged first.
        merges: Vec<(String, String)>,
    },
    /// Of all pairs that make a token, that with the best score is merged (`llama` in GGUF, SentencePiece's BPE).
    Scores {
        /// The score of each token; the highest is merged first.
        scores: Vec<f32>,
        /// A text begins with a space that it does not have.
        space_prefix: bool,
    },
}

/// A token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Token {
    /// Its text, in the spelling of the method: byte-level, or with `▁` for a space.
    pub(crate) text: String,
    /// What it is.
    pub(crate) kind: Kind,
}

/// What a token is, numbered as in `tokenizer.ggml.token_type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub(crate) enum Kind {
    /// A piece of text.
    Normal = 1,
    /// Stands for what no token spells.
    Unknown = 2,
    /// A marker, which no text spells.
    Control = 3,
    /// A text that is found before anything else is done.
    UserDefined = 4,
    /// Fills a number that has no token.
    Unused = 5,
    /// One byte of a character that no token spells.
    Byte = 6,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] =
        [Self::Normal, Self::Unknown, Self::Control, Self::UserDefined, Self::Unused, Self::Byte];

    /// The kind with this number.
    pub(crate) fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as i32 == number)
    }
}

/// Ids of tokens with a task.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Special {
    /// Begins a text.
    pub(crate) bos: Option<u32>,
    /// Ends a text.
    pub(crate) eos: Option<u32>,
    /// Ends a turn of a chat.
    pub(crate) end_of_turn: Option<u32>,
    /// Stands for what no token spells.
    pub(crate) unknown: Option<u32>,
    /// Stands between two texts, and behind them.
    pub(crate) separator: Option<u32>,
    /// Fills the short rows of a batch.
    pub(crate) padding: Option<u32>,
    /// Begins a text that is to be classified.
    pub(crate) class: Option<u32>,
    /// Stands for what is to be guessed.
    pub(crate) mask: Option<u32>,
    /// Texts begin with `bos`.
    pub(crate) add_bos: bool,
    /// Texts end with `eos`.
    pub(crate) add_eos: bool,
}

impl Special {
    /// Tokens that templates know by name: the name in keys of GGUF, that in Hugging Face's files, the id.
    pub(crate) fn tasks(&self) -> [(&'static str, &'static str, Option<u32>); 7] {
        [
            ("bos", "bos_token", self.bos),
            ("eos", "eos_token", self.eos),
            ("unknown", "unk_token", self.unknown),
            // As `gguf` of llama.cpp spells it.
            ("seperator", "sep_token", self.separator),
            ("padding", "pad_token", self.padding),
            ("cls", "cls_token", self.class),
            ("mask", "mask_token", self.mask),
        ]
    }
}

/// Names of tokens that end a turn, in the models converted here. GGUF often names only the token that ends a text;
/// llama.cpp finds these by their names too.
const ENDS: &[&str] =
    &["<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>"];

impl Vocabulary {
    /// Ids that end an answer, that of `eos` first.
    pub(crate) fn ends(&self) -> Vec<u32> {
        let mut ends: Vec<u32> = [self.special.eos, self.special.end_of_turn].into_iter().flatten().collect();
        let named = self.tokens.iter().enumerate().filter(|(_, token)| {
            matches!(token.kind, Kind::Control | Kind::UserDefined) && ENDS.contains(&token.text.as_str())
        });
        ends.extend(named.map(|(id, _)| id as u32));
        let mut seen = std::collections::HashSet::new();
        ends.retain(|id| seen.insert(*id));
        ends
    }

    /// The text of a token, by id.
    pub(crate) fn text(&self, id: u32) -> Option<&str> {
        self.tokens.get(id as usize).map(|token| token.text.as_str())
    }
}

/// Tokens that some models forgot to call special (`does_token_look_special` of llama.cpp's converter).
pub(crate) fn looks_special(text: &str) -> bool {
    ["<pad>", "<mask>", "<2mass>", "[@BOS@]"].contains(&text)
        || (text.starts_with("<|") && text.ends_with("|>"))
        || (text.starts_with("<｜") && text.ends_with("｜>"))
        || (text.starts_with("<unused") && text.ends_with('>'))
}

/// The first of some texts and how many there are, for messages; `None` if there are none.
pub(crate) fn some_of<'t>(mut texts: impl Iterator<Item = &'t str>) -> Option<String> {
    let first = texts.next()?;
    Some(match texts.count() {
        0 => format!("{first:?}"),
        more => format!("{first:?} and {more} more"),
    })
}

/// The text of the token that fills id `id`, as llama.cpp's converter writes it.
pub(crate) fn filler(id: usize) -> String {
    format!("[PAD{id}]")
}

/// The pairs that make the tokens, the best score first: what `generate_merges` of transformers'
/// `convert_slow_tokenizer.py` makes of a SentencePiece vocabulary, in its order.
///
/// Only normal tokens are made or merged. A token that no two tokens make is reached by none.
pub(crate) fn merges_of_scores(tokens: &[Token], scores: &[f32]) -> Vec<(String, String)> {
    let normal = || tokens.iter().enumerate().filter(|(_, token)| token.kind == Kind::Normal);
    let ids: HashMap<&str, usize> = normal().map(|(id, token)| (token.text.as_str(), id)).collect();
    let mut pairs = Vec::new();
    for (id, token) in normal() {
        let cuts = token.text.char_indices().skip(1).map(|(at, _)| token.text.split_at(at));
        let halves = cuts.filter_map(|(left, right)| Some((*ids.get(left)?, *ids.get(right)?)));
        let mut halves: Vec<(usize, usize)> = halves.collect();
        halves.sort_unstable();
        pairs.extend(halves.into_iter().map(|(left, right)| (scores[id], left, right)));
    }
    let length = |id: usize| tokens[id].text.chars().count();
    // Stable: equal scores stay in the order of tokens.
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| (length(b.1), length(b.2)).cmp(&(length(a.1), length(a.2)))));
    pairs.into_iter().map(|(_, left, right)| (tokens[left].text.clone(), tokens[right].text.clone())).collect()
}

/// Scores that put the tokens into the order in which `merges` make them: 0 for the first, then -1, and so on.
///
/// Tokens that no pair makes come last; nothing depends on their scores.
pub(crate) fn scores_of_merges(tokens: &[Token], merges: &[(String, String)]) -> Vec<f32> {
    let mut ranks: HashMap<String, usize> = HashMap::new();
    for (left, right) in merges {
        let next = ranks.len();
        ranks.entry(format!("{left}{right}")).or_insert(next);
    }
    let rank = |token: &Token| ranks.get(&token.text).copied().unwrap_or(ranks.len());
    tokens.iter().map(|token| if token.kind == Kind::Normal { -(rank(token) as f32) } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_and_merges_keep_their_order() {
        let texts = ["a", "b", "c", "ab", "abc", "bc"];
        let tokens: Vec<Token> = texts.map(|text| Token { text: text.into(), kind: Kind::Normal }).into();
        let merges = merges_of_scores(&tokens, &[0.0, 0.0, 0.0, -3.0, -2.0, -1.0]);
        let pairs: Vec<String> = merges.iter().map(|(left, right)| format!("{left} {right}")).collect();
        assert_eq!(pairs, ["b c", "ab c", "a bc", "a b"]);
        let scores = scores_of_merges(&tokens, &merges);
        assert_eq!(scores, [-3.0, -3.0, -3.0, -2.0, -1.0, 0.0]);
        assert_eq!(merges_of_scores(&tokens, &scores), merges);
    }
}
