//! Which pages of the cache each slot holds.
//!
//! A page is room for [`PAGE`] positions. Slots that share a prefix hold the same pages; the first to write into a page
//! that others hold, too, gets a copy of its own. So a prefix is shared without copying more than a part of one page.

use trillm_core::{Batch, Error, Result, Slot, memory};
use trillm_mapping::zeros;

/// Positions in a page: long enough for the kernels to run at full width, short enough to waste little.
pub(crate) const PAGE: usize = trillm_kernels::PAGE;

/// A page's index.
pub(crate) type Page = u32;

/// One slot: its pages in order, and how many positions of them are filled.
#[derive(Clone, Default, Debug)]
struct Table {
    pages: Vec<Page>,
    length: usize,
}

/// A page that must be copied before it is written to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Copy {
    pub(crate) from: Page,
    pub(crate) to: Page,
}

/// The page tables of all slots.
pub(crate) struct Pages {
    tables: Vec<Table>,
    /// For each page how many slots hold it.
    holders: Vec<u32>,
    /// For each page how many of its first positions were copied from a page that others hold: the same cells, counted
    /// there.
    copied: Vec<u32>,
    free: Vec<Page>,
    /// The most distinct positions in use at once.
    cells: usize,
    copies: Vec<Copy>,
}

impl Pages {
    /// Tables for `slots` sequences with `cells` positions among them.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub(crate) fn new(slots: usize, cells: usize) -> Result<Self> {
        const WHAT: &str = "the page tables of the cache";
        // Each slot may have one page that is not full and one that repeats part of another slot's.
        let count = cells.div_ceil(PAGE) + 2 * slots;
        let mut free = Vec::new();
        memory::reserve(&mut free, count, WHAT)?;
        free.extend((0..count as Page).rev());
        let tables = vec![Table::default(); slots];
        let (holders, copied) = (zeros(count, WHAT)?, zeros(count, WHAT)?);
        Ok(Self { tables, holders, copied, free, cells, copies: Vec::new() })
    }

    /// How many pages there are.
    pub(crate) fn count(&self) -> usize {
        self.holders.len()
    }

    /// Positions that `slot` holds.
    pub(crate) fn length(&self, slot: Slot) -> usize {
        self.tables[slot.0 as usize].length
    }

    /// The pages of `slot`, in order; the last may be filled in part.
    pub(crate) fn pages(&self, slot: Slot) -> &[Page] {
        &self.tables[slot.0 as usize].pages
    }

    /// Makes room for all spans of `batch`, and says which pages must be copied first.
    ///
    /// # Errors
    /// [`Error::CacheFull`]; nothing has changed then.
    pub(crate) fn extend(&mut self, batch: &Batch) -> Result<&[Copy]> {
        let wanted = batch.spans.iter().map(|span| span.tokens.len()).sum::<usize>();
        // Adding up lengths counts shared cells several times: only if that is too much, it is done exactly.
        if self.tables.iter().map(|table| table.length).sum::<usize>() + wanted > self.cells
            && self.used() + wanted > self.cells
        {
            return Err(Error::CacheFull);
        }
        let needed = batch.spans.iter().map(|span| self.missing(span.slot, span.tokens.len())).sum::<usize>();
        if needed > self.free.len() {
            return Err(Error::CacheFull);
        }
        self.copies.clear();
        for span in &batch.spans {
            self.extend_one(span.slot, span.tokens.len());
        }
        Ok(&self.copies)
    }

    /// Pages that `slot` needs for `count` more positions.
    fn missing(&self, slot: Slot, count: usize) -> usize {
        let table = &self.tables[slot.0 as usize];
        let more = (table.length + count).div_ceil(PAGE) - table.pages.len();
        more + usize::from(count > 0 && self.shared_end(table))
    }

    /// Whether the next position lies in a page that others hold, too.
    fn shared_end(&self, table: &Table) -> bool {
        !table.length.is_multiple_of(PAGE) && table.pages.last().is_some_and(|&page| self.holders[page as usize] > 1)
    }

    fn extend_one(&mut self, slot: Slot, count: usize) {
        let slot = slot.0 as usize;
        if count > 0 && self.shared_end(&self.tables[slot]) {
            let to = self.take();
            let table = &mut self.tables[slot];
            let last = table.pages.last_mut().expect("a shared end");
            let from = std::mem::replace(last, to);
            self.copied[to as usize] = (table.length % PAGE) as u32;
            self.holders[from as usize] -= 1;
            self.copies.push(Copy { from, to });
        }
        self.tables[slot].length += count;
        while self.tables[slot].pages.len() < self.tables[slot].length.div_ceil(PAGE) {
            let page = self.take();
            self.tables[slot].pages.push(page);
        }
    }

    fn take(&mut self) -> Page {
        let page = self.free.pop().expect("counted before");
        self.holders[page as usize] = 1;
        self.copied[page as usize] = 0;
        page
    }

    /// Lets `slot` keep its first `keep` positions.
    pub(crate) fn truncate(&mut self, slot: Slot, keep: usize) {
        let table = &mut self.tables[slot.0 as usize];
        table.length = table.length.min(keep);
        for page in table.pages.drain(table.length.div_ceil(PAGE)..) {
            self.holders[page as usize] -= 1;
            if self.holders[page as usize] == 0 {
                self.free.push(page);
            }
        }
    }

    /// Makes the first `length` positions of `from` those of the empty slot `to`.
    pub(crate) fn share(&mut self, from: Slot, to: Slot, length: usize) {
        let pages = self.tables[from.0 as usize].pages[..length.div_ceil(PAGE)].to_vec();
        for &page in &pages {
            self.holders[page as usize] += 1;
        }
        self.tables[to.0 as usize] = Table { pages, length };
    }

    /// Distinct positions in use.
    fn used(&self) -> usize {
        let mut filled = vec![0; self.count()];
        for table in &self.tables {
            for (index, &page) in table.pages.iter().enumerate() {
                let here = (table.length - index * PAGE).min(PAGE);
                filled[page as usize] = here.max(filled[page as usize]);
            }
        }
        filled.iter().zip(&self.copied).map(|(filled, &copied)| filled.saturating_sub(copied as usize)).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use trillm_core::Token;

    use super::*;

    fn extend(pages: &mut Pages, slot: u32, count: usize) -> Result<Vec<Copy>> {
        let mut batch = Batch::default();
        batch.push(Slot(slot), pages.length(Slot(slot)) as u32, &vec![Token(0); count], false);
        pages.extend(&batch).map(<[Copy]>::to_vec)
    }

    #[test]
    fn a_shared_page_is_copied_by_the_first_who_writes() {
        let mut pages = Pages::new(3, 4 * PAGE).expect("memory");
        extend(&mut pages, 0, PAGE + 10).expect("room");
        pages.share(Slot(0), Slot(1), PAGE + 5);
        pages.share(Slot(0), Slot(2), PAGE);
        let first = pages.pages(Slot(0)).to_vec();
        assert_eq!(pages.pages(Slot(1)), first);
        // What ends with a page is continued in a new one.
        assert_eq!(extend(&mut pages, 2, 1), Ok(vec![]));
        let copies = extend(&mut pages, 1, 1).expect("room");
        assert_eq!(copies, [Copy { from: first[1], to: pages.pages(Slot(1))[1] }]);
        // The donor has it alone now.
        assert_eq!(extend(&mut pages, 0, 1), Ok(vec![]));
        assert_eq!(pages.used(), PAGE + 11 + 1 + 1);
    }

    #[test]
    fn cells_are_counted_exactly_and_a_full_cache_stays_as_it_is() {
        let mut pages = Pages::new(2, 100).expect("memory");
        extend(&mut pages, 0, 60).expect("room");
        pages.share(Slot(0), Slot(1), 60);
        assert_eq!(extend(&mut pages, 1, 41), Err(Error::CacheFull));
        assert_eq!(pages.length(Slot(1)), 60);
        extend(&mut pages, 1, 40).expect("room");
        pages.truncate(Slot(1), 0);
        pages.truncate(Slot(0), 0);
        assert_eq!(pages.free.len(), pages.count());
    }

    proptest! {
        /// Whatever slots do, there is a page for every distinct position within the limit, and every page is accounted
        /// for.
        #[test]
        fn pages_never_run_out(steps in prop::collection::vec((0u32..4, 0u32..4, 0usize..150, 0u8..3), 1..60)) {
            const CELLS: usize = 300;
            let mut pages = Pages::new(4, CELLS).expect("memory");
            // What the slots hold, each position by a number of its own.
            let mut model: [Vec<usize>; 4] = Default::default();
            let mut next = 0;
            for (slot, other, amount, kind) in steps {
                let (this, that) = (slot as usize, other as usize);
                match kind {
                    0 => {
                        let distinct: HashSet<_> = model.iter().flatten().collect();
                        let fits = distinct.len() + amount <= CELLS;
                        let done = extend(&mut pages, slot, amount).is_ok();
                        prop_assert!(done || !fits, "{} beside {}", amount, distinct.len());
                        if done {
                            model[this].extend(next..next + amount);
                            next += amount;
                        }
                    }
                    1 => {
                        pages.truncate(Slot(slot), amount);
                        model[this].truncate(amount);
                    }
                    _ if slot != other => {
                        pages.truncate(Slot(other), 0);
                        let length = amount.min(pages.length(Slot(slot)));
                        pages.share(Slot(slot), Slot(other), length);
                        model[that] = model[this][..length].to_vec();
                    }
                    _ => {}
                }
                prop_assert!((0..4).all(|slot| pages.length(Slot(slot)) == model[slot as usize].len()));
                let mut held = vec![0; pages.count()];
                pages.tables.iter().flat_map(|table| &table.pages).for_each(|&page| held[page as usize] += 1);
                prop_assert_eq!(&held, &pages.holders);
                let free = held.iter().filter(|&&count| count == 0).count();
                prop_assert_eq!(free, pages.free.len());
                prop_assert!(pages.tables.iter().all(|table| table.pages.len() == table.length.div_ceil(PAGE)));
            }
        }
    }
}
