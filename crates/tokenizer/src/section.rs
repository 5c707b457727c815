//! The section `model` as it is read: large lists go into arrays, without a copy of the JSON.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::merges::{self, Pairs};
use crate::vocabulary::{self, Entries};

/// The longest token, in bytes. Real ones have a few hundred; lengths are kept in 16 bits.
const TOKEN_LIMIT: usize = 1024;

/// The section of any model; each has some of these.
#[derive(Deserialize)]
#[serde(expecting = "the model of a tokenizer")]
pub(crate) struct Section {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) vocab: Vocab,
    pub(crate) merges: Option<Pairs>,
    pub(crate) dropout: Option<f32>,
    pub(crate) unk_token: Option<String>,
    pub(crate) unk_id: Option<usize>,
    pub(crate) continuing_subword_prefix: Option<String>,
    pub(crate) end_of_word_suffix: Option<String>,
    pub(crate) fuse_unk: Option<bool>,
    pub(crate) byte_fallback: Option<bool>,
    pub(crate) ignore_merges: Option<bool>,
    pub(crate) max_input_chars_per_word: Option<usize>,
}

/// The vocabulary: an object from texts to ids, or a list of texts with scores.
#[derive(Default)]
pub(crate) struct Vocab {
    pub(crate) entries: Entries,
    /// Unigram's: one for each entry, or none.
    pub(crate) scores: Vec<f64>,
}

impl Vocab {
    fn push<E: Error>(&mut self, text: &str, id: u32) -> Result<(), E> {
        if text.len() > TOKEN_LIMIT {
            return Err(E::custom(format!("a token of {} bytes, expected at most {TOKEN_LIMIT}", text.len())));
        }
        if id >= vocabulary::LIMIT || self.entries.len() >= vocabulary::LIMIT as usize {
            return Err(E::custom(format!("the id {id}, expected ids below {}", vocabulary::LIMIT)));
        }
        self.entries.push(text, id);
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Vocab {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(VocabVisitor)
    }
}

struct VocabVisitor;

impl<'de> Visitor<'de> for VocabVisitor {
    type Value = Vocab;

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("an object from tokens to ids, or a list of tokens with scores")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocab, A::Error> {
        let mut vocab = Vocab::default();
        while let Some(Text(text)) = map.next_key()? {
            vocab.push(&text, map.next_value()?)?;
        }
        Ok(vocab)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vocab, A::Error> {
        let mut vocab = Vocab::default();
        while let Some((Text(text), score)) = list.next_element()? {
            vocab.push(&text, vocab.scores.len() as u32)?;
            vocab.scores.push(score);
        }
        Ok(vocab)
    }
}

/// A text that is borrowed from the file where no escape is in it.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Pairs;

            fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
                out.write_str("a list of merges")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Pairs, A::Error> {
                let mut pairs = Pairs::default();
                while list.next_element_seed(Pair(&mut pairs))?.is_some() {
                    if pairs.len() > merges::LIMIT {
                        return Err(A::Error::custom(format!("more merges than {}", merges::LIMIT)));
                    }
                }
                Ok(pairs)
            }
        }

        deserializer.deserialize_seq(List)
    }
}

/// One merge: a list of two texts or, in older files, both in one with a space between.
struct Pair<'a>(&'a mut Pairs);

impl<'de> DeserializeSeed<'de> for Pair<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pair<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("two tokens")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        // A line of `merges.txt` that came along.
        if text.starts_with("#version") {
            return Ok(());
        }
        match text.split_once(' ') {
            Some((first, second)) if !second.contains(' ') => self.0.push(first, second),
            _ => return Err(E::custom(format!("{text:?} is not two tokens with a space between"))),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let (first, second): (Option<Text>, Option<Text>) = (list.next_element()?, list.next_element()?);
        let third: Option<Text> = list.next_element()?;
        match (first, second, third) {
            (Some(Text(first)), Some(Text(second)), None) => self.0.push(&first, &second),
            _ => return Err(A::Error::custom("a merge is not a list of two tokens")),
        }
        Ok(())
    }
}
