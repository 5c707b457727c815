//! The tokens that are no text: what begins and ends a text or a turn, and what a template puts around them.

use std::collections::{HashMap, HashSet};

use tokenizers::{Encoding, PostProcessor, PostProcessorWrapper};
use trillm_core::{PairFrame, Token};
use trillm_formats::huggingface::{Found, NamedToken, Sidecars};

use crate::document::AddedToken;
use crate::guard::guard;
use crate::section::Vocab;
use crate::vocabulary::LIMIT;
use crate::{Error, Result};

/// Tokens at which generation ends wherever they exist, however a file marks them: models are published whose small
/// files name only one of theirs. The list is the one of llama.cpp (`llama-vocab.cpp`, "EOG"), so that all engines end
/// at the same tokens.
pub(crate) const ENDS: [&str; 22] = [
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
];

/// The tokens that begin and end texts.
pub(crate) struct Special {
    pub(crate) bos: Option<Token>,
    pub(crate) eos: Option<Token>,
    /// Tokens that end a text or a turn, in order, each once.
    pub(crate) ends: Vec<Token>,
    /// Tokens that a text leaves out, in order: those that the files call special. Others that end a text are written.
    pub(crate) silent: Vec<Token>,
}

impl Special {
    /// Takes them from the small files and the added tokens. Tokens that only the small files know are put among the
    /// added ones, as transformers does it, and those with a task are marked special: a user who writes one means the
    /// characters.
    pub(crate) fn new(sidecars: &Sidecars, vocab: &Vocab, added: &mut Vec<AddedToken>) -> Result<Self> {
        extend(&sidecars.tokens, vocab, added)?;
        let named = |text: &str| {
            let id = added.iter().find(|token| token.token.content == text).map(|token| token.id);
            id.or_else(|| vocab.entries.iter().find(|(entry, _)| *entry == text).map(|(_, id)| id))
        };
        let find = |what: &'static str, text: &Option<String>| match text {
            Some(text) => match named(text) {
                Some(id) => Ok(Some(id)),
                None => Err(Error::malformed(what, format!("the vocabulary has no {text:?}"))),
            },
            None => Ok(None),
        };
        // An id alone may be the default of a class of models, for a vocabulary that was never there.
        let known =
            |id: &u32| added.iter().any(|token| token.id == *id) || vocab.entries.iter().any(|(_, other)| other == *id);
        let bos = find("bos_token", &sidecars.bos)?.or(sidecars.bos_id.filter(known));
        let eos = find("eos_token", &sidecars.eos)?.or(sidecars.end_ids.first().copied());
        let known = added.iter().filter(|token| ENDS.contains(&token.token.content.as_str())).map(|token| token.id);
        let mut ends: Vec<u32> = sidecars.end_ids.iter().copied().chain(eos).chain(known).collect();
        ends.sort_unstable();
        ends.dedup();

        let named = [&sidecars.bos, &sidecars.eos].into_iter().flatten();
        let named = named.filter_map(|text| added.iter().find(|token| token.token.content == *text));
        let silent = added.iter().filter(|token| token.token.special).chain(named);
        let mut silent: Vec<Token> = silent.map(|token| Token(token.id)).collect();
        let special: HashSet<u32> = ends.iter().copied().chain(bos).collect();
        let mut missing = special.clone();
        for token in &mut *added {
            token.token.special |= special.contains(&token.id);
            missing.remove(&token.id);
        }
        for (text, id) in vocab.entries.iter().filter(|(_, id)| missing.contains(id)) {
            added.push(AddedToken { id, token: tokenizers::AddedToken::from(text, true) });
            let is_named = [&sidecars.bos, &sidecars.eos].into_iter().flatten().any(|named| named == text);
            silent.extend(is_named.then_some(Token(id)));
        }
        silent.sort_unstable();
        silent.dedup();
        let ends = ends.into_iter().map(Token).collect();
        Ok(Self { bos: bos.map(Token), eos: eos.map(Token), ends, silent })
    }
}

/// Puts what the small files say of tokens among the added ones. One that is in no vocabulary gets the number that the
/// library would give it: the next behind all tokens.
fn extend(named: &[NamedToken], vocab: &Vocab, added: &mut Vec<AddedToken>) -> Result<()> {
    if named.is_empty() {
        return Ok(());
    }
    let mut places: HashMap<String, usize> =
        added.iter().enumerate().map(|(place, token)| (token.token.content.clone(), place)).collect();
    let wanted: HashSet<&str> = named.iter().map(|token| token.content.as_str()).collect();
    let ids: HashMap<&str, u32> = vocab.entries.iter().filter(|(text, _)| wanted.contains(text)).collect();
    let used = vocab.entries.iter().map(|(_, id)| id).chain(added.iter().map(|token| token.id));
    let mut next = used.max().map_or(0, |id| id + 1);
    for NamedToken { content, special, found } in named {
        if let Some(&place) = places.get(content) {
            let token = &mut added[place].token;
            token.special |= *special;
            if let Some(found) = found {
                set(token, *found);
            }
            continue;
        }
        let id = ids.get(content.as_str()).copied().unwrap_or(next);
        if id >= LIMIT {
            return Err(Error::Limit { what: "id of an added token", found: id.into(), limit: LIMIT.into() });
        }
        next = next.max(id + 1);
        let mut token = tokenizers::AddedToken::from(content.clone(), *special);
        if let Some(found) = found {
            set(&mut token, *found);
        }
        places.insert(content.clone(), added.len());
        added.push(AddedToken { id, token });
    }
    Ok(())
}

fn set(token: &mut tokenizers::AddedToken, found: Found) {
    token.lstrip = found.lstrip;
    token.rstrip = found.rstrip;
    token.single_word = found.single_word;
    token.normalized = found.normalized;
}

/// What is put around a text: the tokens before it, and those after it. And the same around two.
#[derive(Default)]
pub(crate) struct Around {
    pub(crate) before: Vec<Token>,
    pub(crate) after: Vec<Token>,
    /// `None` if a post-processor does something else to a pair. Without one there is nothing around it.
    pub(crate) pair: Option<PairFrame>,
}

impl Around {
    /// What a post-processor, given as JSON, puts around any text. `add_bos_token` and `add_eos_token` of the small files
    /// change nothing about it: transformers 5 takes no notice of them beside a `tokenizer.json`, whatever the class.
    pub(crate) fn new(section: Option<&str>) -> Result<Self> {
        let nothing = || Self { pair: Some(PairFrame { seconds: Some(0), ..PairFrame::default() }), ..Self::default() };
        section.map_or_else(|| Ok(nothing()), Self::of)
    }

    /// Runs the post-processor once, on a token that none has: it looks at no token, so any text comes out the same.
    fn of(section: &str) -> Result<Self> {
        const TEXT: u32 = u32::MAX;
        let malformed = |reason: String| Error::malformed("post_processor", reason);
        let processed = guard(|| {
            let processor: PostProcessorWrapper = serde_json::from_str(section)?;
            let text = vec![tokenizers::Token::new(TEXT, String::new(), (0, 0))];
            processor.process(Encoding::from_tokens(text, 0), None, true)
        });
        let ids = processed.map_err(malformed)?.get_ids().to_vec();
        let mut parts = ids.split(|id| *id == TEXT).map(|part| part.iter().copied().map(Token).collect());
        match (parts.next(), parts.next(), parts.next()) {
            (Some(before), Some(after), None) => Ok(Self { before, after, pair: Self::pair(section) }),
            _ => Err(malformed("it does not give the text once".into())),
        }
    }

    /// The same of two texts.
    fn pair(section: &str) -> Option<PairFrame> {
        const TEXTS: [u32; 2] = [u32::MAX, u32::MAX - 1];
        let processed = guard(|| {
            let processor: PostProcessorWrapper = serde_json::from_str(section)?;
            let [first, second] = [0, 1].map(|index| {
                let text = vec![tokenizers::Token::new(TEXTS[index], String::new(), (0, 0))];
                Encoding::from_tokens(text, index as u32)
            });
            processor.process(first, Some(second), true)
        });
        let processed = processed.ok()?;
        let (ids, kinds) = (processed.get_ids(), processed.get_type_ids());
        let [first, second] = TEXTS.map(|text| ids.iter().position(|id| *id == text));
        let (first, second) = (first?, second.filter(|second| Some(*second) > first)?);
        let tokens = |ids: &[u32]| ids.iter().copied().map(Token).collect::<Vec<_>>();
        // Zeros, then ones, or zeros alone.
        let begins = kinds.iter().position(|kind| *kind == 1);
        let is_sound = kinds.iter().enumerate().all(|(at, kind)| *kind == u32::from(begins.is_some_and(|it| at >= it)));
        let seconds = match begins {
            None => None,
            Some(begins) if (first + 1..=second).contains(&begins) => Some(second - begins),
            Some(_) => return None,
        };
        is_sound.then(|| PairFrame {
            before: tokens(&ids[..first]),
            between: tokens(&ids[first + 1..second]),
            seconds,
            after: tokens(&ids[second + 1..]),
        })
    }

    pub(crate) fn tokens(&self) -> impl Iterator<Item = Token> {
        let pair = self.pair.iter().flat_map(|pair| [&pair.before, &pair.between, &pair.after].into_iter().flatten());
        self.before.iter().chain(&self.after).chain(pair).copied()
    }
}
