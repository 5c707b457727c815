//! Random damage: whatever comes out of it, no panic, and at once.

mod common;

use std::time::{Duration, Instant};

use common::{model, tiny, vocabulary};
use proptest::prelude::*;

fn harmless(bytes: &[u8]) {
    let start = Instant::now();
    drop(model(bytes));
    drop(vocabulary(bytes));
    assert!(start.elapsed() < Duration::from_secs(1), "took {:?}", start.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_changed(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = tiny().bytes();
        let header = tiny().header().len();
        for (index, byte) in changes {
            bytes[index.index(header)] = byte;
        }
        harmless(&bytes);
    }

    #[test]
    fn words_changed(index in any::<prop::sample::Index>(), word in any::<u64>(), bit in 0..64u32) {
        for word in [word, 1 << bit, (1u64 << bit).wrapping_sub(1), u64::MAX] {
            let mut bytes = tiny().bytes();
            let at = index.index(tiny().header().len());
            bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
            harmless(&bytes);
        }
    }

    #[test]
    fn pieces_moved(from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), len in 1..64usize) {
        let mut bytes = tiny().bytes();
        let header = tiny().header().len();
        let (from, to) = (from.index(header), to.index(header));
        let piece: Vec<u8> = bytes[from..from + len].to_vec();
        bytes.splice(to..to, piece);
        harmless(&bytes);
        bytes.drain(from..from + len);
        harmless(&bytes);
    }

    #[test]
    fn anything_behind_the_magic_number(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        harmless(&[b"GGUF\x03\0\0\0", &bytes[..]].concat());
        harmless(&bytes);
    }
}

/// Each byte of the header, in turn, set to a few values.
#[test]
fn every_byte_changed() {
    let whole = tiny().bytes();
    for at in 0..tiny().header().len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            drop(model(&bytes));
        }
    }
}
