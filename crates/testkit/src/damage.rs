//! Damages files, the same way on every machine.

use std::time::{Duration, Instant};

/// Damage from a seed, the same on every machine (xorshift64*).
pub struct Damage(pub u64);

impl Damage {
    /// A number below `limit`, or 0 if that is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit.max(1)
    }

    /// A file with one to four changes of the kinds that find errors in readers.
    pub fn of(&mut self, whole: &[u8]) -> Vec<u8> {
        const WORDS: [u64; 8] = [0, 1, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX];
        let mut bytes = whole.to_vec();
        for _ in 0..=self.below(4) {
            if bytes.is_empty() {
                break;
            }
            let at = self.below(bytes.len());
            let length = self.below(24).min(bytes.len() - at);
            match self.below(8) {
                0 => bytes[at] = self.below(256) as u8,
                1 => bytes[at] ^= 1 << self.below(8),
                2 => {
                    let word = WORDS[self.below(WORDS.len())].to_le_bytes();
                    let width = [1, 2, 4, 8][self.below(4)].min(bytes.len() - at);
                    bytes[at..at + width].copy_from_slice(&word[..width]);
                }
                3 => bytes.truncate(at),
                4 => drop(bytes.drain(at..at + length)),
                5 => {
                    let piece = bytes[at..at + length].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, piece);
                }
                6 => {
                    // A digit for another: numbers of JSON, and of the oldest pickles.
                    if let Some(digit) = bytes[at..].iter_mut().find(|byte| byte.is_ascii_digit()) {
                        *digit = b'0' + self.below(10) as u8;
                    }
                }
                _ => bytes.splice(at..at, b"9".repeat(length)).for_each(drop),
            }
        }
        bytes
    }
}

/// Most memory that this process ever held, in KiB, where the system says it.
pub fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?.parse().ok()
}

/// Runs `read` on ten thousand damaged copies of `whole`; gives how many were still accepted.
pub fn damaged(whole: &[u8], read: impl Fn(&[u8]) -> bool) -> u32 {
    assert!(read(whole), "the undamaged file");
    let before = peak();
    let mut damage = Damage(0x9e37_79b9_7f4a_7c15);
    let mut accepted = 0;
    for round in 0..10_000 {
        let bytes = damage.of(whole);
        let start = Instant::now();
        accepted += u32::from(read(&bytes));
        assert!(start.elapsed() < Duration::from_secs(1), "round {round} took {:?}", start.elapsed());
    }
    if let (Some(before), Some(after)) = (before, peak()) {
        assert!(after.saturating_sub(before) < 64 << 10, "{before} KiB, then {after}");
    }
    accepted
}
