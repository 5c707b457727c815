//! Caches that every run gives back longer: the form of `Concat`, as optimum and `torch.onnx` export it.
//!
//! The outputs of a run are the inputs of the next, untouched, as long as the same rows run. Nothing ever writes to them,
//! so a shared prefix is a second handle on the same tensors. When the rows change, those of the next run are copied
//! together, each up to the end of the longest; what is left free before a shorter one is masked out.

use std::rc::Rc;

use trillm_core::{Limits, Slot};
use trillm_formats::onnx::{CacheTensor, Decoder, Feed, Part, Role};
use trillm_mapping::zeros;

use super::Cache;
use crate::element::width;
use crate::fault::{self, Fault};
use crate::feeds::{self, Layout, Row, Side};
use crate::ffi::{Graph, Tensor};

/// Times that a position which is only there to fill up is moved in a run: read and written by `Concat`, read by the
/// attention.
const MOVES: usize = 3;

/// The tensors of each slot.
pub(crate) struct Grown {
    tensors: Vec<CacheTensor>,
    slots: Vec<Option<Held>>,
    /// Whether rows of different lengths can run together: a mask hides what is not theirs, and positions are given.
    ragged: bool,
    /// Positions to fill up that cost as much as a run of its own, in which all weights are read.
    worth: usize,
}

/// A slot's part of a group.
#[derive(Clone)]
struct Held {
    group: Rc<Group>,
    row: usize,
    /// Where its positions begin.
    start: usize,
    length: usize,
}

/// What one run gave.
struct Group {
    tensors: Vec<Tensor>,
    rows: usize,
    /// Positions in each row, those that fill up included.
    length: usize,
}

impl Grown {
    /// `weights` is the number of bytes of all weights.
    pub(crate) fn new(tensors: &[CacheTensor], shape: &Decoder, limits: &Limits, weights: usize) -> Self {
        let has = |role| shape.feeds.iter().any(|feed| feed.role == role);
        let position: usize = tensors.iter().map(|tensor| cell(tensor) * parts(tensor, 1)).sum();
        Self {
            tensors: tensors.to_vec(),
            slots: vec![None; limits.slots as usize],
            ragged: has(Role::Mask) && has(Role::Positions) && !has(Role::CachePositions),
            worth: weights / (MOVES * position.max(1)),
        }
    }

    /// The group that is the cache of exactly these rows, if there is one.
    fn whole_group(&self, rows: &[Row<'_>]) -> Option<Rc<Group>> {
        let first = self.slots[rows[0].slot.0 as usize].as_ref()?;
        let fits = |(index, row): (usize, &Row<'_>)| {
            self.slots[row.slot.0 as usize].as_ref().is_some_and(|held| {
                Rc::ptr_eq(&held.group, &first.group)
                    && held.row == index
                    && held.start + held.length == held.group.length
            })
        };
        (first.group.rows == rows.len() && rows.iter().enumerate().all(fits)).then(|| first.group.clone())
    }

    /// Copies the positions of `slots` together.
    fn gather(&self, slots: &[Slot]) -> fault::Result<Rc<Group>> {
        let held: Vec<_> = slots.iter().map(|slot| self.slots[slot.0 as usize].as_ref()).collect();
        let length = held.iter().flatten().map(|held| held.length).max().unwrap_or(0);
        let tensors = self.tensors.iter().enumerate().map(|(index, tensor)| {
            let (cell, rows) = (cell(tensor), slots.len());
            let bytes = parts(tensor, rows) * length * cell;
            let mut words = zeros::<u64>(bytes.div_ceil(8).max(1), "earlier positions of a run")?;
            let out = bytemuck::cast_slice_mut::<u64, u8>(&mut words);
            for (row, held) in held.iter().enumerate().filter_map(|(row, held)| Some((row, (*held)?))) {
                let source = held.group.tensors[index].bytes(tensor.element)?;
                let source = source.ok_or_else(|| Fault::new("a cache that no run made"))?;
                let from = heads(tensor, held.row, held.group.rows);
                for (from, to) in from.zip(heads(tensor, row, rows)) {
                    let from = (from * held.group.length + held.start) * cell;
                    let to = ((to + 1) * length - held.length) * cell;
                    let bytes = held.length * cell;
                    out[to..to + bytes].copy_from_slice(&source[from..from + bytes]);
                }
            }
            Ok(Tensor::of_words(words, &shape(tensor, rows, length), tensor.element)?)
        });
        Ok(Rc::new(Group { tensors: tensors.collect::<fault::Result<_>>()?, rows: slots.len(), length }))
    }

    /// Makes `group` the cache of these rows, and lets nobody keep a whole group alive for a small part that stayed
    /// behind.
    fn hold(&mut self, rows: &[Row<'_>], group: &Rc<Group>) -> fault::Result<()> {
        let mut left = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let length = row.end();
            let held = Held { group: group.clone(), row: index, start: group.length - length, length };
            left.extend(self.slots[row.slot.0 as usize].replace(held).map(|held| held.group));
        }
        for slot in (0..self.slots.len() as u32).map(Slot) {
            let Some(held) = &self.slots[slot.0 as usize] else { continue };
            let mostly_others = held.group.rows > 1 || 2 * held.length < held.group.length;
            if mostly_others && left.iter().any(|group| Rc::ptr_eq(group, &held.group)) {
                let length = held.length;
                let group = self.gather(&[slot])?;
                self.slots[slot.0 as usize] = Some(Held { group, row: 0, start: 0, length });
            }
        }
        Ok(())
    }
}

/// Bytes of one position of one head.
fn cell(tensor: &CacheTensor) -> usize {
    tensor.width as usize * width(tensor.element)
}

fn is_joined(tensor: &CacheTensor) -> bool {
    tensor.part == Part::Both
}

/// Heads of all rows, keys and values of joined tensors counted apart.
fn parts(tensor: &CacheTensor, rows: usize) -> usize {
    (1 + usize::from(is_joined(tensor))) * rows * tensor.heads as usize
}

/// Which of those belong to `row`.
fn heads(tensor: &CacheTensor, row: usize, rows: usize) -> impl Iterator<Item = usize> + use<> {
    let heads = tensor.heads as usize;
    (0..=usize::from(is_joined(tensor))).flat_map(move |half| {
        let first = (half * rows + row) * heads;
        first..first + heads
    })
}

fn shape(tensor: &CacheTensor, rows: usize, length: usize) -> Vec<i64> {
    let inner = [rows as i64, tensor.heads.into(), length as i64, tensor.width.into()];
    if is_joined(tensor) { [&[2], &inner[..]].concat() } else { inner.to_vec() }
}

impl Cache for Grown {
    fn length(&self, slot: Slot) -> u32 {
        self.slots[slot.0 as usize].as_ref().map_or(0, |held| held.length as u32)
    }

    fn group(&self, rows: &mut [Row<'_>]) -> Vec<usize> {
        rows.sort_unstable_by_key(|row| (std::cmp::Reverse(row.start), row.slot));
        let mut runs = Vec::new();
        let mut rest = &*rows;
        while let Some(longest) = rest.first() {
            let filled = |row: &Row<'_>| longest.start - row.start;
            let joins = |row: &&Row<'_>| if self.ragged { filled(row) <= self.worth } else { filled(row) == 0 };
            let count = rest.iter().take_while(joins).count();
            runs.push(count);
            rest = &rest[count..];
        }
        runs
    }

    fn run(&mut self, graph: &mut Graph, feeds: &[Feed], rows: &mut [Row<'_>]) -> fault::Result<Option<Tensor>> {
        let past = match self.whole_group(rows) {
            Some(group) => group,
            None => self.gather(&rows.iter().map(|row| row.slot).collect::<Vec<_>>())?,
        };
        let sequence = rows[0].tokens.len();
        let layout = Layout { sequence, total: past.length + sequence, side: Side::Before };
        let fed = feeds::fill(feeds, rows, layout)?;
        let inputs: Vec<_> = fed.iter().chain(&past.tensors).collect();
        let mut made = graph.run(&inputs, &vec![None; 1 + self.tensors.len()])?.into_iter();
        let scores = made.next();
        let group = Group { tensors: made.collect(), rows: rows.len(), length: layout.total };
        for (tensor, made) in self.tensors.iter().zip(&group.tensors) {
            let (found, expected) = (made.shape()?, shape(tensor, group.rows, group.length));
            if found != expected {
                let what = format!("{} came back with shape {found:?}, expected {expected:?}", tensor.present);
                return Err(Fault::new(what));
            }
        }
        drop(past);
        self.hold(rows, &Rc::new(group))?;
        Ok(scores)
    }

    fn truncate(&mut self, slot: Slot, keep: u32) {
        let held = &mut self.slots[slot.0 as usize];
        match held {
            Some(held) if keep > 0 => held.length = held.length.min(keep as usize),
            _ => *held = None,
        }
    }

    fn share(&mut self, from: Slot, to: Slot, len: u32) {
        self.slots[to.0 as usize] = self.slots[from.0 as usize].clone();
        self.truncate(to, len);
    }
}
