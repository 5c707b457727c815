//! Ids by text: four bytes for each place of a table that is at most half full, and nothing for the texts themselves.

use std::hash::{BuildHasher, RandomState};

use crate::table::Table;

/// A place that is free.
const FREE: u32 = u32::MAX;

/// Finds entries of a [`Table`] by their bytes.
pub(crate) struct Lookup {
    places: Vec<u32>,
    /// Drawn at random, so that no file can be made whose texts all have one place.
    seed: u64,
    /// Bytes of the longest text.
    longest: usize,
}

impl Default for Lookup {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

impl Lookup {
    /// Room for so many texts.
    pub(crate) fn with_capacity(texts: usize) -> Self {
        let places = vec![FREE; (2 * texts).next_power_of_two().max(2)];
        Self { places, seed: RandomState::new().hash_one(0), longest: 0 }
    }

    /// Adds an entry of `table`. If another has the same text, that one stays and is returned.
    pub(crate) fn add(&mut self, table: &Table, id: u32) -> Option<u32> {
        let text = table.get(id);
        self.longest = self.longest.max(text.len());
        let mask = self.places.len() - 1;
        let mut at = hash(text, self.seed) as usize & mask;
        loop {
            match self.places[at] {
                FREE => {
                    self.places[at] = id;
                    return None;
                }
                other if table.get(other) == text => return Some(other),
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// The entry with this text.
    pub(crate) fn get(&self, table: &Table, text: &[u8]) -> Option<u32> {
        if text.len() > self.longest {
            return None;
        }
        let mask = self.places.len() - 1;
        let mut at = hash(text, self.seed) as usize & mask;
        loop {
            match self.places[at] {
                FREE => return None,
                id if table.get(id) == text => return Some(id),
                _ => at = (at + 1) & mask,
            }
        }
    }
}

/// A number that depends on every bit of a text.
pub(crate) fn hash(text: &[u8], seed: u64) -> u64 {
    let mix = |a: u64, b: u64| {
        let product = u128::from(a ^ 0x9e37_79b9_7f4a_7c15) * u128::from(b ^ 0xd1b5_4a32_d192_ed03);
        product as u64 ^ (product >> 64) as u64
    };
    let (chunks, rest) = text.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let start = seed ^ text.len() as u64;
    let whole = chunks.iter().fold(start, |hash, &chunk| mix(hash, u64::from_le_bytes(chunk)));
    mix(whole, u64::from_le_bytes(last) ^ seed)
}
