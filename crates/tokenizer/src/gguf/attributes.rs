//! What each token is, beyond what the file says of it: llama.cpp knows tokens that end a text, and some others, by
//! their spelling, because many files do not mark them.

use std::collections::BTreeSet;

use trillm_formats::gguf::{Strips, TokenType, Vocabulary};

use crate::special::ENDS;

/// What a token is. Several may hold.
#[derive(Clone, Copy, Default)]
pub(super) struct Attributes {
    pub(super) normal: bool,
    pub(super) unknown: bool,
    pub(super) control: bool,
    pub(super) user_defined: bool,
    pub(super) byte: bool,
    pub(super) strips_before: bool,
    pub(super) strips_behind: bool,
}

impl Attributes {
    fn of(kind: TokenType) -> Self {
        Self {
            normal: kind == TokenType::Normal,
            unknown: kind == TokenType::Unknown,
            control: kind == TokenType::Control,
            user_defined: kind == TokenType::UserDefined,
            byte: kind == TokenType::Byte,
            ..Self::default()
        }
    }

    /// Not part of any text: hidden when it is written out, and only read where that was asked for.
    pub(super) fn is_hidden(self) -> bool {
        self.control || self.unknown
    }
}

const END_OF_TURN: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "<｜end▁of▁sentence｜>",
    "<end_of_utterance>",
];
const FIM_PRE: &[&str] = &[
    "<|fim_prefix|>",
    "<fim-prefix>",
    "<fim_prefix>",
    "<｜fim▁begin｜>",
    "<PRE>",
    "▁<PRE>",
    "<|code_prefix|>",
    "<|prefix|>",
];
const FIM_SUF: &[&str] = &[
    "<|fim_suffix|>",
    "<fim-suffix>",
    "<fim_suffix>",
    "<｜fim▁hole｜>",
    "<SUF>",
    "▁<SUF>",
    "<|code_suffix|>",
    "<|suffix|>",
];
const FIM_MID: &[&str] = &[
    "<|fim_middle|>",
    "<fim-middle>",
    "<fim_middle>",
    "<｜fim▁end｜>",
    "<MID>",
    "▁<MID>",
    "<|code_middle|>",
    "<|middle|>",
];
const FIM_PAD: &[&str] = &["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"];
const FIM_REP: &[&str] = &["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"];

/// Parts of gpt-oss's format that are always written out.
const SHOWN: &[&str] = &["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"];

/// What each token is, and which tokens end a text. `find` gives the token that is spelled so.
pub(super) fn read(file: &Vocabulary<'_>, find: impl Fn(&str) -> Option<u32>) -> (Vec<Attributes>, BTreeSet<u32>) {
    let mut attributes: Vec<Attributes> = file.types.iter().map(|&kind| Attributes::of(kind)).collect();
    let special = &file.special;

    // One of each kind, if the file names none; llama.cpp takes whichever its map gives first.
    let mut found = |named: Option<u32>, spellings: &[&str]| {
        named.or_else(|| {
            let found = spellings.iter().filter_map(|text| find(text)).min()?;
            attributes[found as usize].control = true;
            Some(found)
        })
    };
    let end_of_turn = found(special.eot, END_OF_TURN);
    let end_of_message = found(special.eom, &["<|eom_id|>"]);
    found(special.fim_pre, FIM_PRE);
    found(special.fim_suf, FIM_SUF);
    found(special.fim_mid, FIM_MID);
    let pad = found(special.fim_pad, FIM_PAD);
    let repository = found(special.fim_rep, FIM_REP);
    let separator = found(special.fim_sep, &["<|file_sep|>"]);

    let mut ends: BTreeSet<u32> = [pad, repository, separator].into_iter().flatten().collect();
    for id in ENDS.iter().filter_map(|text| find(text)) {
        ends.insert(id);
        attributes[id as usize].control = true;
    }
    let user_defined = Attributes { user_defined: true, ..Attributes::default() };
    for id in SHOWN.iter().filter_map(|text| find(text)) {
        attributes[id as usize] = user_defined;
    }
    ends.extend([special.eos, end_of_turn, end_of_message].into_iter().flatten());

    let ending = |text: &str| find(text).filter(|id| ends.contains(id));
    let calls = ending("<|call|>").or(ending("<|calls|>")).is_some();
    let unlike = calls && (ending("<|return|>").is_some() || ending("<|flush|>").is_some());
    // In gpt-oss's and Solar's formats messages end so, and answers go on.
    let message_end = ending("<|end|>").filter(|_| unlike);
    // Gemma 4 and PLaMo have it among their normal words.
    let word = ending("</s>").filter(|_| ending("<|tool_response>").or(ending("<|plamo:eos|>")).is_some());
    if let Some(id) = message_end {
        ends.remove(&id);
        attributes[id as usize] = user_defined;
    }
    if let Some(id) = word {
        ends.remove(&id);
        attributes[id as usize] = Attributes { normal: true, ..Attributes::default() };
    }
    strip(file, &find, &mut attributes);
    (attributes, ends)
}

/// Marks tokens that spaces around belong to.
fn strip(file: &Vocabulary<'_>, find: &impl Fn(&str) -> Option<u32>, attributes: &mut [Attributes]) {
    let mut before = |text: &str| {
        if let Some(id) = find(text) {
            attributes[id as usize].strips_before = true;
        }
    };
    match Strips::of(file.name, file.pre_name, file.architecture) {
        Strips::Nothing => {}
        Strips::BeforeMask => before("<mask>"),
        Strips::BeforeBertsMask => before("[MASK]"),
        Strips::Phi3 => {
            for token in attributes.iter_mut().filter(|token| token.is_hidden() || token.user_defined) {
                token.strips_behind = true;
            }
            for (text, strips) in Strips::PHI3 {
                if let Some(id) = find(text) {
                    attributes[id as usize].strips_behind = strips;
                }
            }
        }
    }
}
