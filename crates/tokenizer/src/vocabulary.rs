//! Texts by id and ids by text.

use crate::lookup::Lookup;
use crate::table::Table;
use crate::{Error, Result};

/// The largest id, and the largest number of tokens. The largest vocabulary known has 262,144.
pub(crate) const LIMIT: u32 = 1 << 22;

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
pub(crate) struct Vocabulary {
    spellings: Table,
    /// Finds the model's own tokens.
    lookup: Lookup,
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
        let mut spellings = Table::with_capacity(rows, model.texts.size());
        for &place in &places {
            let text = if place == ABSENT { "" } else { text_at(model, added, place) };
            spellings.push(|out| out.extend_from_slice(text.as_bytes()));
        }
        drop(places);
        spellings.shrink();

        let mut lookup = Lookup::with_capacity(model.len());
        for &id in &model.ids {
            if let Some(other) = lookup.add(&spellings, id) {
                let text = as_text(spellings.get(id));
                return Err(malformed(format!("{text:?} has the ids {other} and {id}")));
            }
        }
        Ok(Self { spellings, lookup })
    }

    /// A vocabulary of words in the order of their ids, of which texts find those that `finds` says; none is there
    /// twice.
    pub(crate) fn of<'a>(words: impl ExactSizeIterator<Item = &'a [u8]>, finds: impl Fn(u32) -> bool) -> Self {
        let count = words.len();
        let mut spellings = Table::with_capacity(count, 8 * count);
        words.for_each(|word| spellings.push(|out| out.extend_from_slice(word)));
        spellings.shrink();
        let mut lookup = Lookup::with_capacity(count);
        for id in (0..spellings.len()).filter(|&id| finds(id)) {
            lookup.add(&spellings, id);
        }
        Self { spellings, lookup }
    }

    /// One more than the largest id.
    pub(crate) fn len(&self) -> u32 {
        self.spellings.len()
    }

    /// How a token is spelled. `None` for an id that no token has, and for a token without a text.
    pub(crate) fn text(&self, id: u32) -> Option<&str> {
        Some(as_text(self.spellings.get(id))).filter(|text| !text.is_empty())
    }

    /// The bytes of a spelling, which need not be a text; empty for an id outside.
    pub(crate) fn spelling(&self, id: u32) -> &[u8] {
        self.spellings.get(id)
    }

    /// The id of a token of the model, by its spelling.
    pub(crate) fn id(&self, text: &str) -> Option<u32> {
        self.id_of(text.as_bytes())
    }

    /// The same for bytes that need not be a text.
    pub(crate) fn id_of(&self, bytes: &[u8]) -> Option<u32> {
        self.lookup.get(&self.spellings, bytes)
    }

    /// The tokens `<0x00>` to `<0xFF>`, as far as there are any.
    pub(crate) fn byte_tokens(&self) -> Vec<Option<u32>> {
        (0..=u8::MAX).map(|byte| self.id(&format!("<0x{byte:02X}>"))).collect()
    }
}

fn text_at<'a>(model: &'a Entries, added: &[(&'a str, u32)], place: u32) -> &'a str {
    match (place as usize).checked_sub(model.len()) {
        Some(at) => added[at].0,
        None => as_text(model.texts.get(place)),
    }
}
