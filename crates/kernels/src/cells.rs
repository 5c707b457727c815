//! Keys and values of one layer, in pages of [`PAGE`] positions.
//!
//! Within a page, keys are kept by coordinate and then by position, values by position and then by coordinate: so both
//! products of attention run along contiguous memory, at full width, without adding up across a vector.

use bytemuck::allocation::try_zeroed_vec;
use half::f16;

use crate::sequence::Sequence;

/// Positions in a page. A multiple of twice the widest vector.
pub const PAGE: usize = 64;

/// Numbers that rows of values are padded to a multiple of: the widest vector.
const WIDEST: usize = 16;

/// How queries, keys and values are cut into heads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heads {
    /// Query heads.
    pub query: usize,
    /// Key and value heads; divides `query`.
    pub kv: usize,
    /// Numbers in one head.
    pub size: usize,
}

impl Heads {
    /// Query heads for each key and value head.
    pub fn group(&self) -> usize {
        self.query / self.kv
    }

    /// Numbers that a row of values takes.
    pub(crate) fn padded(&self) -> usize {
        self.size.next_multiple_of(WIDEST)
    }
}

/// The numbers of one kind, for every page and head.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Numbers {
    F32(Vec<f32>),
    F16(Vec<u16>),
}

/// Keys and values of one layer.
#[derive(Clone, PartialEq, Debug)]
pub struct Cells {
    pub(crate) heads: Heads,
    pub(crate) keys: Numbers,
    pub(crate) values: Numbers,
}

impl Cells {
    /// Room for `pages` pages of 32-bit numbers, or of 16-bit ones if `half`; `None` if there is no memory for them.
    /// Memory is used as pages are written.
    pub fn new(heads: Heads, pages: usize, half: bool) -> Option<Self> {
        let numbers = |row: usize| {
            let count = pages.checked_mul(heads.kv * PAGE)?.checked_mul(row)?;
            let zeros = if half {
                Numbers::F16(try_zeroed_vec(count).ok()?)
            } else {
                Numbers::F32(try_zeroed_vec(count).ok()?)
            };
            Some(zeros)
        };
        Some(Self { heads, keys: numbers(heads.size)?, values: numbers(heads.padded())? })
    }

    /// Bytes of one page.
    pub fn page_bytes(heads: Heads, half: bool) -> usize {
        heads.kv * PAGE * (heads.size + heads.padded()) * if half { 2 } else { 4 }
    }

    /// Writes the keys and values of a sequence's rows. `rows` has one every `stride` numbers: all heads of its keys at
    /// `keys`, and of its values right behind them.
    pub fn write(&mut self, sequence: &Sequence<'_>, rows: &[f32], stride: usize, keys: usize) {
        let Heads { kv, size, .. } = self.heads;
        let padded = self.heads.padded();
        for (row, position) in rows.chunks(stride).take(sequence.rows).zip(sequence.start..) {
            let (page, at) = (sequence.pages[position / PAGE] as usize, position % PAGE);
            let (keys, values) = row[keys..][..2 * kv * size].split_at(kv * size);
            for head in 0..kv {
                let place = page * kv + head;
                self.keys.scatter(place * size * PAGE + at, PAGE, &keys[head * size..][..size]);
                self.values.scatter((place * PAGE + at) * padded, 1, &values[head * size..][..size]);
            }
        }
    }

    /// Copies a page.
    pub fn copy(&mut self, from: usize, to: usize) {
        let Heads { kv, size, .. } = self.heads;
        self.keys.copy(from, to, kv * PAGE * size);
        self.values.copy(from, to, kv * PAGE * self.heads.padded());
    }
}

impl Numbers {
    /// Writes `source` to every `step`-th place from `start`.
    fn scatter(&mut self, start: usize, step: usize, source: &[f32]) {
        match self {
            Self::F32(numbers) => {
                numbers[start..].iter_mut().step_by(step).zip(source).for_each(|(to, &from)| *to = from);
            }
            Self::F16(numbers) => {
                let places = numbers[start..].iter_mut().step_by(step);
                places.zip(source).for_each(|(to, &from)| *to = f16::from_f32(from).to_bits());
            }
        }
    }

    fn copy(&mut self, from: usize, to: usize, count: usize) {
        let range = from * count..(from + 1) * count;
        match self {
            Self::F32(numbers) => numbers.copy_within(range, to * count),
            Self::F16(numbers) => numbers.copy_within(range, to * count),
        }
    }
}
