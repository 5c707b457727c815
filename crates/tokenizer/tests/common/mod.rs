//! What the tests share.
#![allow(dead_code, reason = "each test program uses a part of it")]

use trillm_core::{Token, Tokenizer};
use trillm_formats::huggingface::Sidecars;

/// Small files that name the tokens that begin and end a text.
pub(crate) fn names(bos: &str, eos: &str) -> Sidecars {
    Sidecars { bos: Some(bos.into()), eos: Some(eos.into()), ..Sidecars::default() }
}

/// The characters by which byte-level vocabularies spell bytes.
pub(crate) fn alphabet() -> Vec<String> {
    let codes = (0x21..=0x7e).chain(0xa1..=0xac).chain(0xae..=0xff).chain(0x100..=0x143);
    codes.filter_map(char::from_u32).map(String::from).collect()
}

/// The ids of a text.
pub(crate) fn encode(tokenizer: &dyn Tokenizer, text: &str, add_special: bool, parse_special: bool) -> Vec<u32> {
    let mut out = Vec::new();
    tokenizer.encode(text, add_special, parse_special, &mut out).unwrap();
    out.into_iter().map(|token| token.0).collect()
}

/// The bytes of tokens, joined: the text that a stream of them shows.
pub(crate) fn detokenize(tokenizer: &dyn Tokenizer, ids: &[u32]) -> String {
    let bytes: Vec<u8> = ids.iter().flat_map(|&id| tokenizer.bytes(Token(id))).copied().collect();
    String::from_utf8(bytes).unwrap()
}

/// Runs on a thread with the stack that musl gives, for instance: everything recursive would end the process.
pub(crate) fn on_a_small_stack(run: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, run).unwrap();
        thread.join().unwrap();
    });
}

/// SentencePiece's table that replaces the first text of each pair by the second, in base64.
pub(crate) fn charsmap(pairs: &[(&str, &str)]) -> String {
    // A block of 256 entries for each node, its children by their bytes and the place of its replacement at zero.
    let mut nodes: Vec<(&[u8], usize)> = vec![(b"", 0)];
    for (from, _) in pairs {
        for end in 1..=from.len() {
            let text = &from.as_bytes()[..end];
            if !nodes.iter().any(|(other, _)| *other == text) {
                nodes.push((text, nodes.len()));
            }
        }
    }
    let mut entries = vec![0_u32; 256 * (nodes.len() + 1)];
    let block = |number: usize| 256 * (number as u32 + 1);
    entries[0] = block(0) << 10;
    let mut replacements = Vec::new();
    for (text, number) in &nodes[1..] {
        let (byte, before) = text.split_last().unwrap();
        let (_, parent) = nodes.iter().find(|(other, _)| other == &before).unwrap();
        let at = block(*parent) ^ u32::from(*byte);
        let found = pairs.iter().find(|(from, _)| from.as_bytes() == *text);
        let is_leaf = u32::from(found.is_some()) << 8;
        entries[at as usize] = (at ^ block(*number)) << 10 | is_leaf | u32::from(*byte);
        if let Some((_, to)) = found {
            entries[block(*number) as usize] = 1 << 31 | replacements.len() as u32;
            replacements.extend_from_slice(to.as_bytes());
            replacements.push(0);
        }
    }
    let mut bytes = (4 * entries.len() as u32).to_le_bytes().to_vec();
    bytes.extend(entries.iter().flat_map(|entry| entry.to_le_bytes()));
    bytes.extend(replacements);
    base64(&bytes)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | u32::from(three.get(at).copied().unwrap_or_default()));
        for digit in 0..4 {
            let sixth = (bits >> (18 - 6 * digit)) as usize & 63;
            out.push(if digit <= three.len() { DIGITS[sixth].into() } else { '=' });
        }
    }
    out
}
