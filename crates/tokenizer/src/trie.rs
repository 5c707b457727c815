//! Texts by what they begin with: nine bytes for each node, the children of one side by side.

use std::ops::Range;

/// The node of no text, and the value of a node that ends none.
const NONE: u32 = u32::MAX;

/// A tree of byte strings with values.
pub(crate) struct Trie {
    /// Where the children of each node begin; those of the next node end them.
    children: Vec<u32>,
    /// The byte that leads to each node.
    bytes: Vec<u8>,
    values: Vec<u32>,
}

impl Trie {
    /// A tree of texts with their values; the first of equal texts counts.
    pub(crate) fn new(mut texts: Vec<(&[u8], u32)>) -> Self {
        texts.sort_by_key(|&(text, _)| text);
        let mut trie = Self { children: Vec::new(), bytes: vec![0], values: Vec::new() };
        // Level by level: the texts of each node lie in a row.
        let mut level: Vec<Range<usize>> = std::iter::once(0..texts.len()).collect();
        let mut depth = 0;
        while !level.is_empty() {
            let mut next = Vec::new();
            for range in level {
                let value = texts[range.clone()].first().filter(|(text, _)| text.len() == depth);
                trie.values.push(value.map_or(NONE, |&(_, value)| value));
                trie.children.push(trie.bytes.len() as u32);
                let mut start = range.start;
                while start < range.end {
                    let Some(&byte) = texts[start].0.get(depth) else {
                        start += 1;
                        continue;
                    };
                    let same = texts[start..range.end].partition_point(|(text, _)| text.get(depth) == Some(&byte));
                    trie.bytes.push(byte);
                    next.push(start..start + same);
                    start += same;
                }
            }
            level = next;
            depth += 1;
        }
        trie.children.push(trie.bytes.len() as u32);
        trie
    }

    /// Every text that `text` begins with, the shortest first: its length and its value.
    pub(crate) fn prefixes<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = (usize, u32)> + 'a {
        let mut node = 0;
        let mut bytes = (1..).zip(text);
        std::iter::from_fn(move || {
            for (length, byte) in bytes.by_ref() {
                node = self.child(node, *byte)?;
                let value = self.values[node];
                if value != NONE {
                    return Some((length, value));
                }
            }
            None
        })
    }

    fn child(&self, node: usize, byte: u8) -> Option<usize> {
        let (start, end) = (self.children[node] as usize, self.children[node + 1] as usize);
        self.bytes[start..end].binary_search(&byte).ok().map(|at| start + at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_beginnings_in_order() {
        let texts: Vec<(&[u8], u32)> = vec![(b"abc", 3), (b"a", 1), (b"", 0), (b"ab", 2), (b"b", 4), (b"ab", 9)];
        let trie = Trie::new(texts);
        let prefixes = |text: &[u8]| trie.prefixes(text).collect::<Vec<_>>();
        assert_eq!(prefixes(b"abcd"), [(1, 1), (2, 2), (3, 3)]);
        assert_eq!(prefixes(b"b"), [(1, 4)]);
        assert!(prefixes(b"").is_empty() && prefixes(b"c").is_empty());
        assert!(Trie::new(Vec::new()).prefixes(b"a").next().is_none());
    }
}
