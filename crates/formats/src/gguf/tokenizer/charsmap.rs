//! SentencePiece's table of character replacements, which the unigram tokenizer walks for every text.
//!
//! It is a trie in an XOR-compressed double array (XCDA), then the replacements, each ended by a zero. llama.cpp checks
//! each step when a text takes it and throws; `crates/tokenizer` takes the same steps and relies on this: every step that
//! any text could take is taken here first.

use crate::Result;
use crate::gguf::value::{Array, ValueType};
use crate::gguf::{Gguf, keys};

const KEY: &str = "tokenizer.ggml.precompiled_charsmap";

/// The table of a file, checked; empty if it has none.
pub(super) fn read<'g>(gguf: &'g Gguf<'_>) -> Result<&'g [u8]> {
    let expected = "an array of bytes (u8 or i8)";
    let array = gguf.array(KEY, &[ValueType::U8, ValueType::I8], expected)?;
    let Some(Array::Numbers { bytes, .. }) = array else { return Ok(&[]) };
    walk(bytes)
        .map_err(|found| keys::wrong(KEY, found, "a table whose every entry leads to another or to a replacement"))?;
    Ok(bytes)
}

/// One entry, as `xcda_array_view` takes it apart.
#[derive(Clone, Copy)]
struct Node(u32);

impl Node {
    fn base(self) -> u32 {
        (self.0 >> 10) << ((self.0 & (1 << 9)) >> 6)
    }

    fn check(self) -> u32 {
        self.0 & ((1 << 31) | 0xff)
    }

    fn is_leaf(self) -> bool {
        (self.0 >> 8) & 1 == 1
    }

    fn value(self) -> u32 {
        self.0 & !(1 << 31)
    }
}

fn walk(bytes: &[u8]) -> Result<(), &'static str> {
    let Some((size, rest)) = bytes.split_first_chunk() else { return Err("less than four bytes") };
    let size = u32::from_le_bytes(*size) as usize;
    let Some((trie, replacements)) = rest.split_at_checked(size).filter(|(_, replacements)| !replacements.is_empty())
    else {
        return Err("a table longer than the array");
    };
    let nodes: Vec<Node> = trie.as_chunks().0.iter().map(|word| Node(u32::from_le_bytes(*word))).collect();
    let node = |index: u32| nodes.get(index as usize).copied().ok_or("an entry that leads out of the table");
    let Some(root) = nodes.first() else { return Ok(()) };
    // From the last zero on, no replacement is ended.
    let end = replacements.iter().rposition(|&byte| byte == 0).unwrap_or(0);

    let mut seen = vec![false; nodes.len()];
    let mut bases = vec![root.base()];
    while let Some(base) = bases.pop() {
        // A base may lie outside as long as no byte leads outside.
        if seen.get(base as usize).is_some_and(|&seen| seen) {
            continue;
        }
        for byte in 1..=0xff {
            let index = base ^ byte;
            let child = node(index)?;
            if child.check() != byte {
                continue;
            }
            let next = index ^ child.base();
            if child.is_leaf() {
                let start = node(next)?.value() as usize;
                if start > end || replacements[end] != 0 {
                    return Err("a replacement without an end");
                }
            }
            bases.push(next);
        }
        if let Some(seen) = seen.get_mut(base as usize) {
            *seen = true;
        }
    }
    Ok(())
}
