//! SentencePiece's table of replacements: the longest beginning of a text that it has becomes something else.
//!
//! A trie in an XOR-compressed double array, then the replacements, each ended by a zero. `crates/formats` has
//! taken every step that a text could take here, so nothing leads out of the table.

pub(super) struct Charsmap {
    nodes: Vec<u32>,
    replacements: Vec<u8>,
}

impl Charsmap {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let empty = Self { nodes: Vec::new(), replacements: Vec::new() };
        let Some((size, rest)) = bytes.split_first_chunk() else { return empty };
        let Some((trie, replacements)) = rest.split_at_checked(u32::from_le_bytes(*size) as usize) else {
            return empty;
        };
        let nodes = trie.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
        Self { nodes, replacements: replacements.to_vec() }
    }

    /// Gives what `text` becomes to `found`, part by part.
    pub(super) fn replace<'a>(&'a self, text: &'a str, mut found: impl FnMut(&'a str)) {
        let mut at = 0;
        while let Some(character) = text[at..].chars().next() {
            let (length, replacement) = match self.longest(&text.as_bytes()[at..]) {
                // A table may replace half a character; what is left of it then is not a text.
                Some((length, replacement)) if text.is_char_boundary(at + length) => (length, replacement),
                _ => (character.len_utf8(), &text[at..at + character.len_utf8()]),
            };
            found(replacement);
            at += length;
        }
    }

    fn longest(&self, text: &[u8]) -> Option<(usize, &str)> {
        let base = |node: u32| (node >> 10) << ((node & (1 << 9)) >> 6);
        let mut index = base(*self.nodes.first()?);
        let mut longest = None;
        for (length, &byte) in (1..).zip(text.iter().take_while(|&&byte| byte != 0)) {
            index ^= u32::from(byte);
            let Some(&node) = self.nodes.get(index as usize) else { break };
            if node & ((1 << 31) | 0xff) != u32::from(byte) {
                break;
            }
            index ^= base(node);
            if (node >> 8) & 1 == 1 {
                longest = self.nodes.get(index as usize).map(|leaf| (length, leaf & !(1 << 31)));
            }
        }
        let (length, start) = longest?;
        let rest = self.replacements.get(start as usize..)?;
        let end = rest.iter().position(|&byte| byte == 0)?;
        Some((length, std::str::from_utf8(&rest[..end]).ok()?))
    }
}
