//! How an output is cut into tiles.

/// Cuts through the rows and columns of a row-major matrix; each pair of neighbouring cuts is a block.
///
/// Both begin with 0 and rise strictly; the last ones are the numbers of rows and columns. Either may be `[0]`: there is
/// nothing to do then.
#[derive(Clone, Copy, Debug)]
pub struct Grid<'a> {
    /// Where blocks of rows begin, and the number of rows.
    pub row_cuts: &'a [usize],
    /// Where blocks of columns begin, and the number of columns.
    pub column_cuts: &'a [usize],
}

impl Grid<'_> {
    /// Blocks of rows and of columns.
    pub(crate) fn blocks(&self) -> (usize, usize) {
        (self.row_cuts.len() - 1, self.column_cuts.len() - 1)
    }

    /// The number of columns.
    pub(crate) fn width(&self) -> usize {
        self.column_cuts[self.column_cuts.len() - 1]
    }

    /// What makes tiles disjoint, and inside `len` elements.
    ///
    /// # Panics
    /// If that is not so: a grid is made by code, not by a file or a user.
    pub(crate) fn check(&self, len: usize) {
        for cuts in [self.row_cuts, self.column_cuts] {
            assert!(cuts.first() == Some(&0), "cuts begin with {:?}, expected 0", cuts.first());
            assert!(cuts.windows(2).all(|pair| pair[0] < pair[1]), "cuts are {cuts:?}, expected to rise strictly");
        }
        let (rows, columns) = (self.row_cuts[self.row_cuts.len() - 1], self.width());
        assert!(
            rows.checked_mul(columns) == Some(len),
            "the output has {len} elements, expected {rows} rows of {columns}"
        );
    }
}
