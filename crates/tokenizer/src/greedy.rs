//! The longest beginning of a word that is a token, again and again, reading each byte once.
//!
//! Walking from the end of each token anew would read the letters behind it as often as tokens are long. Instead every
//! node of the tree knows where to go on if the next letter leads nowhere: which tokens the letters so far become then,
//! and which node the rest of them is ("Fast `WordPiece` Tokenization", Song et al. 2021).

use std::borrow::Cow;

use trillm_core::Token;

use crate::Result;
use crate::trie::{NONE, Trie};

/// What stands before tokens that do not begin a word; in no text.
const WITHIN: u8 = 0xff;

/// Tokens of a longest-match tokenizer.
pub(crate) struct Greedy {
    trie: Trie,
    /// Where tokens begin that do not begin a word.
    within: u32,
    links: Vec<Link>,
    /// Pairs of lists, and tokens with [`NONE`] behind them.
    lists: Vec<[u32; 2]>,
}

/// Where to go on if the next byte leads nowhere.
#[derive(Clone, Copy)]
struct Link {
    /// [`NONE`] if no tokens spell what was read.
    next: u32,
    /// The list of tokens that what was read becomes, but for what `next` stands for; [`NONE`] for an empty one.
    found: u32,
}

impl Greedy {
    /// Tokens with a value for each. With a prefix, only those that begin with it may follow another, without it.
    pub(crate) fn new<T: AsRef<[u8]>>(texts: &[(T, u32)], prefix: &[u8]) -> Result<Self> {
        let mut all: Vec<(Cow<[u8]>, u32)> = texts.iter().map(|(text, value)| (text.as_ref().into(), *value)).collect();
        if !prefix.is_empty() {
            for (text, value) in texts {
                let rest = text.as_ref().strip_prefix(prefix).filter(|rest| !rest.is_empty());
                all.extend(rest.map(|rest| ([&[WITHIN], rest].concat().into(), *value)));
            }
            all.push((vec![WITHIN].into(), NONE));
        }
        let trie = Trie::new(all)?;
        let within = trie.child(0, WITHIN).filter(|_| !prefix.is_empty()).unwrap_or(0);
        let none = Link { next: NONE, found: NONE };
        let mut links = vec![none; trie.len() as usize];
        let mut greedy = Self { within, lists: Vec::new(), links: Vec::new(), trie };
        for node in 0..greedy.trie.len() {
            for child in greedy.trie.children(node) {
                links[child as usize] = match greedy.trie.value(child) {
                    Some(value) => {
                        greedy.lists.push([value, NONE]);
                        Link { next: greedy.within, found: greedy.lists.len() as u32 - 1 }
                    }
                    None if child == greedy.within => none,
                    None => greedy.follow(&links, links[node as usize], greedy.trie.byte(child)),
                };
            }
        }
        greedy.links = links;
        Ok(greedy)
    }

    /// Where a byte leads from where a link does.
    fn follow(&mut self, links: &[Link], from: Link, byte: u8) -> Link {
        let Link { mut next, mut found } = from;
        while next != NONE {
            if let Some(child) = self.trie.child(next, byte) {
                return Link { next: child, found };
            }
            let link = links[next as usize];
            if link.next != NONE {
                self.lists.push([found, link.found]);
                found = self.lists.len() as u32 - 1;
            }
            next = link.next;
        }
        Link { next, found: NONE }
    }

    /// Appends the tokens of a word; nothing, and `false`, if some of it is no token.
    pub(crate) fn encode(&self, word: &[u8], out: &mut Vec<Token>) -> bool {
        self.encode_behind(b"", word, out)
    }

    /// The same with `lead` before the word.
    pub(crate) fn encode_behind(&self, lead: &[u8], word: &[u8], out: &mut Vec<Token>) -> bool {
        let start = out.len();
        let mut node = 0;
        for &byte in lead.iter().chain(word) {
            loop {
                if let Some(child) = self.trie.child(node, byte) {
                    node = child;
                    break;
                }
                if !self.back(&mut node, out) {
                    out.truncate(start);
                    return false;
                }
            }
        }
        // An empty word has none.
        while !word.is_empty() && node != self.within {
            if !self.back(&mut node, out) {
                out.truncate(start);
                return false;
            }
        }
        true
    }

    /// Appends the tokens of what was read before `node`, the next one.
    fn back(&self, node: &mut u32, out: &mut Vec<Token>) -> bool {
        let Link { next, found } = self.links[*node as usize];
        match self.lists.get(found as usize) {
            Some(&[token, NONE]) => out.push(Token(token)),
            Some(&pair) => self.expand(pair, out),
            None => {}
        }
        *node = next;
        next != NONE
    }

    fn expand(&self, [first, second]: [u32; 2], out: &mut Vec<Token>) {
        let mut left = vec![second, first];
        while let Some(list) = left.pop() {
            match self.lists[list as usize] {
                [token, NONE] => out.push(Token(token)),
                [first, second] => left.extend([second, first]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::trie::tests::LOOKED;

    fn encode(tokens: &[&str], prefix: &str, word: &str) -> Option<Vec<u32>> {
        let greedy = Greedy::new(&tokens.iter().copied().zip(0..).collect::<Vec<_>>(), prefix.as_bytes()).unwrap();
        let mut out = Vec::new();
        let found = greedy.encode(word.as_bytes(), &mut out);
        assert!(found || out.is_empty());
        found.then(|| out.iter().map(|token| token.0).collect())
    }

    /// The same by its definition.
    fn slowly(tokens: &[String], prefix: &str, word: &str) -> Option<Vec<u32>> {
        let (mut found, mut at) = (Vec::new(), 0);
        while at < word.len() {
            let before = if at == 0 { "" } else { prefix };
            let is = |end: usize| tokens.iter().position(|token| *token == [before, &word[at..end]].concat());
            let (end, token) = (at + 1..=word.len()).rev().find_map(|end| Some((end, is(end)?)))?;
            found.push(token as u32);
            at = end;
        }
        Some(found)
    }

    #[test]
    fn the_longest_again_and_again() {
        let tokens = ["go", "##ing", "##i", "##n", "ing", "##"];
        assert_eq!(encode(&tokens, "##", "going"), Some(vec![0, 1]));
        assert_eq!(encode(&tokens, "##", "goin"), Some(vec![0, 2, 3]));
        assert_eq!(encode(&tokens, "##", "ingg"), None);
        assert_eq!(encode(&tokens, "##", "##"), Some(vec![5]));
        assert_eq!(encode(&tokens, "##", "go##"), None);
        assert_eq!(encode(&tokens, "##", ""), Some(vec![]));
        assert_eq!(encode(&["go"], "##", "go"), Some(vec![0]));
        assert_eq!(encode(&["a", "ab", "abcd"], "", "abcabcda"), None);
        assert_eq!(encode(&["a", "ab", "abcd", "c"], "", "abcabcda"), Some(vec![1, 3, 2, 0]));
    }

    proptest! {
        #[test]
        fn as_it_is_defined(
            tokens in prop::collection::hash_set("#{0,2}[ab]{1,5}", 1..12),
            prefix in prop::sample::select(vec!["", "#", "##"]),
            word in "[#ab]{0,12}",
        ) {
            let tokens: Vec<String> = tokens.into_iter().collect();
            let texts: Vec<&str> = tokens.iter().map(String::as_str).collect();
            prop_assert_eq!(encode(&texts, prefix, &word), slowly(&tokens, prefix, &word));
        }
    }

    #[test]
    fn a_long_token_does_not_make_texts_cost_more() {
        let word = "a".repeat(10_000);
        let looked = |length: usize| {
            let greedy = Greedy::new(&[("a".to_owned(), 0), ("a".repeat(length) + "b", 1)], b"").unwrap();
            let before = LOOKED.get();
            let mut out = Vec::new();
            assert!(greedy.encode(word.as_bytes(), &mut out) && out.len() == word.len());
            LOOKED.get() - before
        };
        assert!(looked(2000) <= 3 * word.len() && looked(20) <= 3 * word.len());
    }
}
