//! Where a tensor of a checkpoint lies, and how.

use crate::Element;

/// A tensor: little-endian, within its file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tensor {
    /// Element type.
    pub element: Element,
    /// Lengths of the dimensions, the outermost first.
    pub shape: Vec<u64>,
    /// Index into [`Checkpoint::files`](crate::Checkpoint::files).
    pub file: usize,
    /// Where its first element is, in bytes from the start of the file.
    pub offset: u64,
    /// Bytes of its elements: those of `shape` times the size of one. They are all there is from `offset` on, unless
    /// there are `strides`.
    pub bytes: u64,
    /// How many elements of the file a step along each dimension takes, where elements do not follow one another: a
    /// matrix that was transposed or cut out before it was saved. Read with [`gather`](Self::gather).
    pub strides: Option<Vec<u64>>,
}

impl Tensor {
    /// Bytes of the file from its first element to the end of its last.
    pub fn span(&self) -> u64 {
        match &self.strides {
            None => self.bytes,
            Some(strides) => span(&self.shape, strides).unwrap_or(u64::MAX).saturating_mul(self.element.size()),
        }
    }

    /// Copies the elements out of `source`, the [`span`](Self::span) of the file, one row after the other. `out` has
    /// room for `bytes`; what does not fit is left.
    pub fn gather(&self, source: &[u8], out: &mut [u8]) {
        let Some(strides) = &self.strides else {
            let count = source.len().min(out.len());
            out[..count].copy_from_slice(&source[..count]);
            return;
        };
        let size = self.element.size() as usize;
        let (Some((&columns, outer)), Some((&step, outer_strides))) = (self.shape.split_last(), strides.split_last())
        else {
            return;
        };
        let mut index = vec![0; outer.len()];
        for row in out.chunks_exact_mut((columns as usize).saturating_mul(size).max(1)) {
            let start: u64 = index.iter().zip(outer_strides).map(|(at, stride)| at * stride).sum();
            for (column, element) in row.chunks_exact_mut(size).enumerate() {
                let at = (start + column as u64 * step) as usize * size;
                if let Some(found) = source.get(at..at + size) {
                    element.copy_from_slice(found);
                }
            }
            // The next row: the innermost of the others that has one.
            for (at, length) in index.iter_mut().zip(outer).rev() {
                *at += 1;
                if *at < *length {
                    break;
                }
                *at = 0;
            }
        }
    }

    /// Whether it is the very bytes that `other` is.
    pub(crate) fn lies_where(&self, other: &Self) -> bool {
        let place = |tensor: &Self| (tensor.file, tensor.offset, tensor.bytes);
        place(self) == place(other) && (&self.shape, &self.strides) == (&other.shape, &other.strides)
    }
}

/// Elements from the first to the last; `None` if there are too many to count.
pub(crate) fn span(shape: &[u64], strides: &[u64]) -> Option<u64> {
    if shape.contains(&0) {
        return Some(0);
    }
    let last = |sum: u64, (length, stride): (&u64, &u64)| sum.checked_add((length - 1).checked_mul(*stride)?);
    shape.iter().zip(strides).try_fold(0, last)?.checked_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strided_elements_come_in_rows() {
        let strided = |shape: &[u64], strides: &[u64]| {
            let bytes = shape.iter().product();
            let (shape, strides) = (shape.to_vec(), Some(strides.to_vec()));
            let tensor = Tensor { element: Element::U8, shape, file: 0, offset: 0, bytes, strides };
            let mut out = vec![255; bytes as usize];
            tensor.gather(&[0, 1, 2, 3, 4, 5, 6, 7], &mut out);
            (tensor.span(), out)
        };
        assert_eq!(strided(&[2, 3], &[1, 2]), (6, vec![0, 2, 4, 1, 3, 5]));
        assert_eq!(strided(&[2, 2, 2], &[1, 4, 2]), (8, vec![0, 2, 4, 6, 1, 3, 5, 7]));
        assert_eq!(strided(&[3], &[2]), (5, vec![0, 2, 4]));
        assert_eq!(strided(&[0, 3], &[1, 2]), (0, vec![]));
    }
}
