//! Texts by what they begin with: nine bytes for each node, the children of one side by side.
//!
//! Nobody walks it from every place of a text, which would cost the length of the longest token each time: [`Greedy`]
//! and [`Endings`] say where to go on where a walk ends.
//!
//! [`Greedy`]: crate::greedy::Greedy
//! [`Endings`]: crate::endings::Endings

use std::ops::Range;

use crate::{Error, Result};

/// What is no node, and no value.
pub(crate) const NONE: u32 = u32::MAX;

/// The most bytes that all texts have. Those of the largest vocabulary known have three megabytes.
const LIMIT: usize = 16 << 20;

/// A tree of byte strings with values.
pub(crate) struct Trie {
    /// Where the children of each node begin; those of the next node end them.
    children: Vec<u32>,
    /// The byte that leads to each node.
    bytes: Vec<u8>,
    values: Vec<u32>,
}

impl Trie {
    /// A tree of texts with their values; the first of equal texts counts, and an empty one is left out.
    pub(crate) fn new<T: AsRef<[u8]>>(mut texts: Vec<(T, u32)>) -> Result<Self> {
        let found: usize = texts.iter().map(|(text, _)| text.as_ref().len()).sum();
        if found > LIMIT {
            let (what, found, limit) = ("bytes of all tokens", found as u64, LIMIT as u64);
            return Err(Error::Limit { what, found, limit });
        }
        texts.retain(|(text, _)| !text.as_ref().is_empty());
        texts.sort_by(|(one, _), (other, _)| one.as_ref().cmp(other.as_ref()));
        let texts: Vec<(&[u8], u32)> = texts.iter().map(|(text, value)| (text.as_ref(), *value)).collect();
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
        Ok(trie)
    }

    /// Nodes, of which the first is the root, and each comes behind those that lead to it.
    pub(crate) fn len(&self) -> u32 {
        self.values.len() as u32
    }

    /// The nodes that follow one.
    pub(crate) fn children(&self, node: u32) -> Range<u32> {
        self.children[node as usize]..self.children[node as usize + 1]
    }

    /// The byte that leads to a node.
    pub(crate) fn byte(&self, node: u32) -> u8 {
        self.bytes[node as usize]
    }

    /// The value of the text that ends at a node.
    pub(crate) fn value(&self, node: u32) -> Option<u32> {
        Some(self.values[node as usize]).filter(|&value| value != NONE)
    }

    /// The node that a byte leads to.
    pub(crate) fn child(&self, node: u32, byte: u8) -> Option<u32> {
        #[cfg(test)]
        tests::LOOKED.set(tests::LOOKED.get() + 1);
        let Range { start, end } = self.children(node);
        self.bytes[start as usize..end as usize].binary_search(&byte).ok().map(|at| start + at as u32)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// How often a node's children were looked at.
        pub(crate) static LOOKED: Cell<usize> = const { Cell::new(0) };
    }

    #[test]
    fn nodes_in_order() {
        let trie = Trie::new(vec![("abc", 3), ("a", 1), ("", 0), ("ab", 2), ("b", 4), ("ab", 9)]).unwrap();
        let walk = |text: &str| text.bytes().try_fold(0, |node, byte| trie.child(node, byte));
        let value = |text: &str| walk(text).and_then(|node| trie.value(node));
        assert_eq!(["abc", "ab", "a", "b", ""].map(value), [Some(3), Some(2), Some(1), Some(4), None]);
        assert!(walk("c").is_none() && walk("abcd").is_none());
        assert_eq!((trie.len(), trie.children(0), trie.byte(1), trie.byte(2)), (5, 1..3, b'a', b'b'));
        assert!(Trie::new(Vec::<(&str, u32)>::new()).unwrap().child(0, b'a').is_none());
    }

    #[test]
    fn a_vocabulary_without_end_is_an_error() {
        let texts = (0..17).map(|letter| ([b'a' + letter; 1].repeat(1 << 20), 0)).collect();
        assert!(matches!(Trie::new(texts), Err(Error::Limit { what: "bytes of all tokens", .. })));
    }
}
