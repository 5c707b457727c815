//! Byte strings by id.

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

    /// The bytes of all entries.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
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
