//! Inputs besides the cache: tokens, and all that exporters think of to say about them.

use trillm_core::{Batch, Slot, Token};
use trillm_formats::onnx::{DataType, Feed, Role};
use trillm_mapping::zeros;

use crate::element::width;
use crate::fault;
use crate::ffi::Tensor;

/// One row of a run: a sequence that grows.
pub(crate) struct Row<'a> {
    pub(crate) slot: Slot,
    /// Positions before these tokens.
    pub(crate) start: usize,
    pub(crate) tokens: &'a [Token],
    /// Whether its output is asked for.
    pub(crate) wanted: bool,
    /// Index of the span in its batch.
    pub(crate) span: usize,
    /// Tokens that are not pooled.
    pub(crate) prompt: usize,
    /// Where the second of two texts begins.
    pub(crate) second: usize,
}

impl<'a> Row<'a> {
    /// The rows of a batch, in the order of its spans.
    pub(crate) fn all(batch: &'a Batch) -> impl Iterator<Item = Self> {
        batch.spans.iter().enumerate().map(|(index, span)| Self {
            slot: span.slot,
            start: span.start as usize,
            tokens: &batch.tokens[span.tokens.clone()],
            wanted: span.wants_output,
            span: index,
            prompt: span.prompt as usize,
            second: span.second as usize,
        })
    }

    /// Positions after the run.
    pub(crate) fn end(&self) -> usize {
        self.start + self.tokens.len()
    }
}

/// How the rows of a run lie in its tensors.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    /// Tokens in a row; shorter rows are filled up behind.
    pub(crate) sequence: usize,
    /// Positions in a row, those of earlier runs included.
    pub(crate) total: usize,
    /// Where a row's positions lie among these.
    pub(crate) side: Side,
}

/// On which side shorter rows are filled up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Their positions come first.
    Behind,
    /// Their positions come last.
    Before,
}

/// One tensor for each feed, in order.
pub(crate) fn fill(feeds: &[Feed], rows: &[Row<'_>], layout: Layout) -> fault::Result<Vec<Tensor>> {
    feeds.iter().map(|feed| fill_one(feed, rows, layout)).collect()
}

fn fill_one(feed: &Feed, rows: &[Row<'_>], layout: Layout) -> fault::Result<Tensor> {
    let Layout { sequence, total, .. } = layout;
    let matrix = |columns: usize| vec![rows.len() as i64, columns as i64];
    match feed.role {
        Role::Tokens => tensor(
            feed,
            &matrix(sequence),
            each(rows, sequence, |row, i| row.tokens.get(i).map_or(0, |token| token.0.into())),
        ),
        Role::Mask => tensor(
            feed,
            &matrix(total),
            each(rows, total, |row, i| {
                let first = if layout.side == Side::Before { total - row.end() } else { 0 };
                i64::from((first..first + row.end()).contains(&i))
            }),
        ),
        Role::Positions => tensor(feed, &matrix(sequence), each(rows, sequence, |row, i| (row.start + i) as i64)),
        Role::CachePositions => tensor(feed, &[sequence as i64], (0..sequence).map(|i| (total - sequence + i) as i64)),
        Role::TokenTypes => tensor(
            feed,
            &matrix(sequence),
            each(rows, sequence, |row, i| i64::from((row.second..row.tokens.len()).contains(&i))),
        ),
        Role::UseCache => tensor(feed, &[1], [i64::from(total > sequence)]),
        Role::ScoresKept { vector } => tensor(feed, if vector { &[1] } else { &[] }, [1]),
    }
}

/// A number for each of the `columns` places of each row.
fn each<'a>(
    rows: &'a [Row<'a>],
    columns: usize,
    number: impl Fn(&Row<'_>, usize) -> i64 + Copy + 'a,
) -> impl Iterator<Item = i64> + 'a {
    rows.iter().flat_map(move |row| (0..columns).map(move |i| number(row, i)))
}

fn tensor(feed: &Feed, shape: &[i64], numbers: impl IntoIterator<Item = i64>) -> fault::Result<Tensor> {
    let numbers = numbers.into_iter();
    let count = shape.iter().map(|&length| length as usize).product::<usize>();
    let width = width(feed.element);
    let mut words = zeros::<u64>((count * width).div_ceil(8), "an input of the graph")?;
    let bytes = bytemuck::cast_slice_mut::<u64, u8>(&mut words);
    for (out, number) in bytes.chunks_exact_mut(width).zip(numbers) {
        match feed.element {
            DataType::Bool => out[0] = u8::from(number != 0),
            DataType::I32 => out.copy_from_slice(&(number as i32).to_ne_bytes()),
            _ => out.copy_from_slice(&number.to_ne_bytes()),
        }
    }
    Ok(Tensor::of_words(words, shape, feed.element)?)
}
