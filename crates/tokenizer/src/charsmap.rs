//! SentencePiece's table of replacements: what a text begins with becomes something else.
//!
//! A trie in an XOR-compressed double array, then the replacements, each ended by a zero. What leads out of the table is
//! not in it.

use unicode_segmentation::UnicodeSegmentation;

/// Clusters of fewer bytes than this are looked up whole by the library `tokenizers`.
const CLUSTER: usize = 6;

/// The most bytes of a text that are looked up together. A table may lead in circles, through a text of any length; the
/// longest beginning in real ones has twelve.
const LONGEST: usize = 64;

pub(crate) struct Charsmap {
    nodes: Vec<u32>,
    replacements: Vec<u8>,
}

impl Charsmap {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let empty = Self { nodes: Vec::new(), replacements: Vec::new() };
        let Some((size, rest)) = bytes.split_first_chunk() else { return empty };
        let Some((trie, replacements)) = rest.split_at_checked(u32::from_le_bytes(*size) as usize) else {
            return empty;
        };
        let nodes = trie.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
        Self { nodes, replacements: replacements.to_vec() }
    }

    /// The same from base64, as `tokenizer.json` has it. `None` if it is none.
    pub(crate) fn decode(text: &str) -> Option<Self> {
        let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
        for four in text.trim_end_matches('=').as_bytes().chunks(4) {
            let bits = four.iter().try_fold(0, |bits, &digit| Some(bits << 6 | sixth(digit)?))?;
            let bits: u32 = bits << (6 * (4 - four.len()));
            bytes.extend_from_slice(&bits.to_be_bytes()[1..four.len()]);
        }
        Some(Self::new(&bytes))
    }

    /// The most bytes that one beginning becomes.
    pub(crate) fn longest_replacement(&self) -> usize {
        self.replacements.split(|&byte| byte == 0).map(<[u8]>::len).max().unwrap_or_default()
    }

    /// What `text` becomes by the library's rule: a cluster of characters that begins with something in the table is
    /// replaced as a whole, by the shortest beginning; of a longer cluster, each character is.
    pub(crate) fn replace_clusters(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + text.len() / 8);
        let ascii: Vec<Option<&str>> = (0..0x80).map(|byte| self.shortest(&[byte])).collect();
        let bytes = text.as_bytes();
        // Between two characters of ASCII clusters end, but for those of a line's end.
        let is_end = |at: usize| match bytes[at - 1..].first_chunk() {
            Some([first, second]) => first.is_ascii() && second.is_ascii() && (*first, *second) != (b'\r', b'\n'),
            None => true,
        };
        let mut at = 0;
        while at < bytes.len() {
            let mut end = at + 1;
            while !is_end(end) {
                end += 1;
            }
            if end == at + 1 {
                match ascii[usize::from(bytes[at])] {
                    Some(replacement) => out.push_str(replacement),
                    None => out.push(bytes[at].into()),
                }
            } else {
                text[at..end].graphemes(true).for_each(|cluster| self.replace_cluster(cluster, &mut out));
            }
            at = end;
        }
        out
    }

    fn replace_cluster(&self, cluster: &str, out: &mut String) {
        let whole = if cluster.len() < CLUSTER { self.shortest(cluster.as_bytes()) } else { None };
        if let Some(replacement) = whole {
            return out.push_str(replacement);
        }
        for (at, character) in cluster.char_indices() {
            match self.shortest(&cluster.as_bytes()[at..at + character.len_utf8()]) {
                Some(replacement) => out.push_str(replacement),
                None => out.push(character),
            }
        }
    }

    /// Gives what `text` becomes to `found`, part by part: the longest beginning that is in the table is replaced, again
    /// and again, as llama.cpp has it.
    pub(crate) fn replace<'a>(&'a self, text: &'a str, mut found: impl FnMut(&'a str)) {
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
        let (length, start) = self.beginnings(text).last()?;
        Some((length, self.replacement(start)?))
    }

    fn shortest(&self, text: &[u8]) -> Option<&str> {
        self.replacement(self.beginnings(text).next()?.1)
    }

    /// All beginnings that are in the table, the shortest first: the length of each and where its replacement begins.
    fn beginnings(&self, text: &[u8]) -> impl Iterator<Item = (usize, u32)> {
        let base = |node: u32| (node >> 10) << ((node & (1 << 9)) >> 6);
        let mut index = self.nodes.first().map_or(0, |&root| base(root));
        let mut bytes = (1..).zip(text.iter().take(LONGEST).take_while(|&&byte| byte != 0));
        std::iter::from_fn(move || {
            for (length, &byte) in bytes.by_ref() {
                index ^= u32::from(byte);
                let node = *self.nodes.get(index as usize)?;
                if node & ((1 << 31) | 0xff) != u32::from(byte) {
                    return None;
                }
                index ^= base(node);
                if (node >> 8) & 1 == 1 {
                    return self.nodes.get(index as usize).map(|leaf| (length, leaf & !(1 << 31)));
                }
            }
            None
        })
    }

    fn replacement(&self, start: u32) -> Option<&str> {
        let rest = self.replacements.get(start as usize..)?;
        let end = rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len());
        std::str::from_utf8(&rest[..end]).ok()
    }
}

/// Six bits of base64.
fn sixth(digit: u8) -> Option<u32> {
    Some(u32::from(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_leads_in_a_circle_does_not_cost_more() {
        let mut nodes = vec![0; 512];
        let letter = u32::from(b'a');
        nodes[0] = 256 << 10;
        nodes[256] = 1 << 31;
        // Leads back to where it came from, and is an end each time.
        nodes[256 ^ letter as usize] = letter << 10 | 1 << 8 | letter;
        let charsmap = Charsmap { nodes, replacements: b"x\0".to_vec() };
        let mut found = String::new();
        charsmap.replace(&"a".repeat(10 * LONGEST), |part| found.push_str(part));
        assert_eq!(found, "x".repeat(10));
    }

    #[test]
    fn base64() {
        let decoded = |text| Charsmap::decode(text).map(|charsmap| (charsmap.nodes, charsmap.replacements));
        // A length of four, one node, and "ab" with its end.
        assert_eq!(decoded("BAAAAAECAwRhYgA="), Some((vec![0x0403_0201], b"ab\0".to_vec())));
        assert_eq!(decoded("BAAAAAECAwRhYg=="), Some((vec![0x0403_0201], b"ab".to_vec())));
        assert_eq!(decoded("BAA-"), None);
        assert_eq!(decoded(""), Some((vec![], vec![])));
    }
}
