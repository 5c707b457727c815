//! Where the rows of one sequence lie, for cells that take them and for attention over them.

/// One sequence's rows of a step. The keys and values of all of them are in the cells already.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'a> {
    /// Its pages, in order.
    pub pages: &'a [u32],
    /// Position of its first row.
    pub start: usize,
    /// How many rows it has; at least one.
    pub rows: usize,
}
