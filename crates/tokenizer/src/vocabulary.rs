//! Texts by id and ids by text, in two arrays and an order.

use crate::{Error, Result};

/// The largest id, and the largest number of tokens. The largest vocabulary known has 262,144.
pub(crate) const LIMIT: u32 = 1 << 22;

/// Byte strings by id, back to back.
#[derive(Default)]
pub(crate) struct Table {
    bytes: Vec<u8>,
    /// Where each one ends.
    ends: Vec<u32>,
}

impl Table {
    pub(crate) fn with_capacity(entries: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ends: Vec::with_capacity(entries) }
    }

    /// Adds the next entry: what `write` appends.
    pub(crate) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len() as u32);
    }

    pub(crate) fn len(&self) -> u32 {
        self.ends.len() as u32
    }

    /// The entry; empty for an id outside.
    pub(crate) fn get(&self, id: u32) -> &[u8] {
        let at = id as usize;
        let start = if at == 0 { 0 } else { self.ends.get(at - 1).copied().unwrap_or_default() };
        self.ends.get(at).and_then(|&end| self.bytes.get(start as usize..end as usize)).unwrap_or_default()
    }

    pub(crate) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

/// The entries of a vocabulary in the order of the file.
#[derive(Default)]
pub(crate) struct Entries {
    texts: Table,
    ids: Vec<u32>,
}

impl Entries {
    pub(crate) fn push(&mut self, text: &str, id: u32) {
        self.texts.push(|out| out.extend_from_slice(text.as_bytes()));
        self.ids.push(id);
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Bytes of all texts.
    pub(crate) fn bytes(&self) -> usize {
        self.texts.bytes.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        (0..).zip(&self.ids).map(|(at, &id)| (as_text(self.texts.get(at)), id))
    }
}

/// The place of an id that no token has.
const ABSENT: u32 = u32::MAX;

/// What was pushed as a text, as a text again.
fn as_text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// The tokens of a model and those added to it.
///
/// There is no hash map: byte-pair encoding looks up single characters and finds everything else by its merges, so a
/// binary search over four bytes a token does.
pub(crate) struct Vocabulary {
    spellings: Table,
    /// Ids of the model's own tokens, by their spelling.
    order: Vec<u32>,
}

impl Vocabulary {
    /// A vocabulary of the model's tokens and of those added to it. A token that stands in both must have one id.
    pub(crate) fn new(model: &Entries, added: &[(&str, u32)]) -> Result<Self> {
        let malformed = |reason| Error::malformed("vocabulary", reason);
        let largest = model.ids.iter().copied().chain(added.iter().map(|&(_, id)| id)).max();
        let rows = largest.map_or(0, |id| id as usize + 1);
        // Where the text of each id stands: model entries first, then added ones.
        let mut places = vec![ABSENT; rows];
        for (place, &id) in (0..).zip(&model.ids) {
            let taken = std::mem::replace(&mut places[id as usize], place);
            if taken != ABSENT {
                let (one, other) = (as_text(model.texts.get(taken)), as_text(model.texts.get(place)));
                return Err(malformed(format!("{one:?} and {other:?} both have the id {id}")));
            }
        }
        for (place, &(text, id)) in (model.len() as u32..).zip(added) {
            match std::mem::replace(&mut places[id as usize], place) {
                ABSENT => {}
                taken => {
                    let other = text_at(model, added, taken);
                    if other != text {
                        return Err(malformed(format!("{other:?} and the added {text:?} both have the id {id}")));
                    }
                }
            }
        }
        let mut spellings = Table::with_capacity(rows, model.texts.bytes.len());
        for &place in &places {
            let text = if place == ABSENT { "" } else { text_at(model, added, place) };
            spellings.push(|out| out.extend_from_slice(text.as_bytes()));
        }
        drop(places);
        spellings.shrink();

        let mut order = model.ids.clone();
        order.sort_unstable_by(|&a, &b| spellings.get(a).cmp(spellings.get(b)));
        if let Some(pair) = order.windows(2).find(|pair| spellings.get(pair[0]) == spellings.get(pair[1])) {
            let text = as_text(spellings.get(pair[0]));
            return Err(malformed(format!("{text:?} has the ids {} and {}", pair[0], pair[1])));
        }
        Ok(Self { spellings, order })
    }

    /// One more than the largest id.
    pub(crate) fn len(&self) -> u32 {
        self.spellings.len()
    }

    /// How a token is spelled. `None` for an id that no token has, and for a token without a text.
    pub(crate) fn text(&self, id: u32) -> Option<&str> {
        Some(as_text(self.spellings.get(id))).filter(|text| !text.is_empty())
    }

    /// The model's own tokens with their ids, by their spelling.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = (&str, u32)> {
        self.order.iter().map(|&id| (as_text(self.spellings.get(id)), id))
    }

    /// The id of a token of the model, by its spelling.
    pub(crate) fn id(&self, text: &str) -> Option<u32> {
        let found = self.order.binary_search_by(|&id| self.spellings.get(id).cmp(text.as_bytes())).ok()?;
        Some(self.order[found])
    }
}

fn text_at<'a>(model: &'a Entries, added: &[(&'a str, u32)], place: u32) -> &'a str {
    match (place as usize).checked_sub(model.len()) {
        Some(at) => added[at].0,
        None => as_text(model.texts.get(place)),
    }
}
