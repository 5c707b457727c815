//! Every token that ends at a place of a text, for texts that are read once: the automaton of Aho and Corasick.
//!
//! From each start one would walk as far as tokens go, and that again for every character: a vocabulary with a token of
//! a thousand letters would make a run of that letter cost a thousand times its length. Here a byte costs what tokens
//! end at it, and how many can is bounded.

use crate::trie::{NONE, Trie};
use crate::{Error, Result};

/// How many tokens may end in one another, as `abc`, `bc` and `c`. Runs of spaces up to thirty are known.
const NESTED: u16 = 256;

/// Finds where tokens end.
pub(crate) struct Endings {
    trie: Trie,
    /// The longest end of each node's text that is a node, too.
    shorter: Vec<u32>,
    /// The longest end of each node's text that is a token, itself included; [`NONE`] if none is.
    tokens: Vec<u32>,
    /// Bytes of each node's text.
    lengths: Vec<u16>,
    /// Where each byte leads from the root, which is asked most.
    first: Box<[u32; 256]>,
}

impl Endings {
    /// Tokens, none longer than 65,535 bytes, with a value for each.
    pub(crate) fn new<T: AsRef<[u8]>>(texts: Vec<(T, u32)>) -> Result<Self> {
        let trie = Trie::new(texts)?;
        let nodes = trie.len() as usize;
        let mut first = Box::new([0; 256]);
        trie.children(0).for_each(|child| first[usize::from(trie.byte(child))] = child);
        let mut endings =
            Self { shorter: vec![0; nodes], tokens: vec![NONE; nodes], lengths: vec![0; nodes], first, trie };
        let mut nested = vec![0_u16; nodes];
        for node in 0..nodes as u32 {
            for child in endings.trie.children(node) {
                let byte = endings.trie.byte(child);
                let shorter = if node == 0 { 0 } else { endings.step(endings.shorter[node as usize], byte) };
                let at = child as usize;
                endings.shorter[at] = shorter;
                endings.lengths[at] = endings.lengths[node as usize] + 1;
                (endings.tokens[at], nested[at]) = match endings.trie.value(child) {
                    Some(_) => (child, nested[shorter as usize] + 1),
                    None => (endings.tokens[shorter as usize], nested[shorter as usize]),
                };
                if nested[at] > NESTED {
                    let (found, limit) = (nested[at].into(), NESTED.into());
                    return Err(Error::Limit { what: "tokens that end in one another", found, limit });
                }
            }
        }
        Ok(endings)
    }

    /// Where a byte leads. A text begins at 0.
    pub(crate) fn step(&self, mut node: u32, byte: u8) -> u32 {
        // Each step back is paid for by a byte that led here.
        while node != 0 {
            if let Some(child) = self.trie.child(node, byte) {
                return child;
            }
            node = self.shorter[node as usize];
        }
        self.first[usize::from(byte)]
    }

    /// The tokens that end here, the longest first: bytes and value of each.
    pub(crate) fn at(&self, node: u32) -> impl Iterator<Item = (usize, u32)> {
        let mut next = self.tokens[node as usize];
        std::iter::from_fn(move || {
            let value = self.trie.value(if next == NONE { return None } else { next })?;
            let length = self.lengths[next as usize];
            next = self.tokens[self.shorter[next as usize] as usize];
            Some((length.into(), value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trie::tests::LOOKED;

    fn endings(tokens: &[&str], text: &str) -> Vec<Vec<(usize, u32)>> {
        let endings = Endings::new(tokens.iter().copied().zip(0..).collect()).unwrap();
        let mut node = 0;
        let step = |byte| {
            node = endings.step(node, byte);
            endings.at(node).collect()
        };
        text.bytes().map(step).collect()
    }

    #[test]
    fn all_that_end_at_a_place() {
        let found = endings(&["abc", "bc", "c", "ab", "cx", "x"], "abcxb");
        assert_eq!(found, [vec![], vec![(2, 3)], vec![(3, 0), (2, 1), (1, 2)], vec![(2, 4), (1, 5)], vec![]]);
    }

    #[test]
    fn a_long_token_does_not_make_texts_cost_more() {
        let text = "a".repeat(10_000);
        let looked = |length: usize| {
            let endings = Endings::new(vec![("a".to_owned(), 0), ("a".repeat(length) + "b", 1)]).unwrap();
            let before = LOOKED.get();
            text.bytes().fold(0, |node, byte| endings.step(node, byte));
            LOOKED.get() - before
        };
        assert!(looked(2000) <= 2 * text.len() && looked(20) <= 2 * text.len());
    }

    #[test]
    fn tokens_that_nest_without_end_are_an_error() {
        let nested = |count| Endings::new((1..=count).map(|length| ("a".repeat(length), 0)).collect()).map(|_| ());
        assert!(nested(256).is_ok());
        assert!(matches!(nested(257), Err(Error::Limit { what: "tokens that end in one another", found: 257, .. })));
    }
}
