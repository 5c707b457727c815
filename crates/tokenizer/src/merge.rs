//! The merging of byte-pair encoding, for one word.
//!
//! A word begins as symbols; of all neighbours that may join, those with the lowest rank do, leftmost first, until none
//! is left. Most words are short and are searched through for the lowest rank each time. A word may also be a whole text
//! of megabytes, so long ones take another road: places wait in a queue for each rank, in order, and what joins is
//! linked out. That is linear for text of few ranks, such as one letter ten million times, where a heap of
//! all places would spend its time on waiting for memory.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use trillm_core::Token;

use crate::barred::bars;
use crate::merges::Merge;

/// From here on the road for long words is faster.
const LONG: usize = 96;

/// The end of a word, and the beginning.
const NONE: u32 = u32::MAX;

/// A part of a word: a token, or what is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Symbol {
    /// The same for the same text; [`u32::MAX`] for what is no token, which may be any.
    pub(crate) id: u32,
    /// Where it begins in the word.
    pub(crate) start: u32,
}

/// Says what two neighbours become. `end` is where the second one ends.
pub(crate) trait Join {
    fn join(&self, first: Symbol, second: Symbol, end: u32) -> Option<Merge>;
}

/// Joins as `joins`, but never to a token that is barred.
pub(crate) struct Without<'a, J> {
    pub(crate) joins: &'a J,
    pub(crate) barred: &'a [Token],
}

impl<J: Join> Join for Without<'_, J> {
    fn join(&self, first: Symbol, second: Symbol, end: u32) -> Option<Merge> {
        self.joins.join(first, second, end).filter(|merge| !bars(self.barred, merge.result))
    }
}

/// Room that is used again from word to word.
#[derive(Default)]
pub(crate) struct Room {
    /// What each symbol and the next one become.
    joined: Vec<Merge>,
}

/// What is left of a merge that is none.
const NOTHING: Merge = Merge { rank: u32::MAX, result: 0 };

/// Merges the symbols of a word of `len` bytes.
pub(crate) fn merge(joins: &impl Join, symbols: &mut Vec<Symbol>, len: usize, room: &mut Room) {
    if symbols.len() < LONG {
        short(joins, symbols, len as u32, room);
    } else {
        long(joins, symbols, len as u32);
    }
}

fn short(joins: &impl Join, symbols: &mut Vec<Symbol>, len: u32, room: &mut Room) {
    let joined = &mut room.joined;
    let join = |symbols: &[Symbol], at: usize| {
        let &second = symbols.get(at + 1)?;
        joins.join(symbols[at], second, symbols.get(at + 2).map_or(len, |next| next.start))
    };
    joined.clear();
    joined.extend((0..symbols.len()).map(|at| join(symbols, at).unwrap_or(NOTHING)));
    loop {
        let mut lowest = (u32::MAX, 0);
        for (at, merge) in joined.iter().enumerate() {
            if merge.rank < lowest.0 {
                lowest = (merge.rank, at);
            }
        }
        let (rank, at) = lowest;
        if rank == u32::MAX {
            return;
        }
        symbols[at].id = joined[at].result;
        symbols.remove(at + 1);
        joined.remove(at + 1);
        joined[at] = join(symbols, at).unwrap_or(NOTHING);
        if at > 0 {
            joined[at - 1] = join(symbols, at - 1).unwrap_or(NOTHING);
        }
    }
}

/// A symbol among its neighbours.
#[derive(Clone, Copy)]
struct Link {
    symbol: Symbol,
    previous: u32,
    /// [`NONE`] for the last one, and for one that became part of its neighbour.
    next: u32,
}

/// Places that wait for their rank.
#[derive(Default)]
struct Queue {
    places: Vec<u32>,
    taken: usize,
    /// Those that came while places were taken.
    late: BinaryHeap<Reverse<u32>>,
}

impl Queue {
    /// The leftmost place.
    fn pop(&mut self) -> Option<u32> {
        match (self.places.get(self.taken), self.late.peek()) {
            (Some(&place), late) if late.is_none_or(|&Reverse(late)| place <= late) => {
                self.taken += 1;
                Some(place)
            }
            _ => self.late.pop().map(|Reverse(place)| place),
        }
    }
}

/// The queue of each rank that places wait for.
#[derive(Default)]
struct Queues {
    all: Vec<Queue>,
    by_rank: HashMap<u32, usize>,
    ranks: BinaryHeap<Reverse<u32>>,
    /// The rank that a place came for last: it is likely the next one, too.
    last: Option<(u32, usize)>,
}

impl Queues {
    fn push(&mut self, rank: u32, place: u32) {
        let at = match self.last {
            Some((last, at)) if last == rank => at,
            _ => *self.by_rank.entry(rank).or_insert_with(|| {
                self.ranks.push(Reverse(rank));
                self.all.push(Queue::default());
                self.all.len() - 1
            }),
        };
        self.last = Some((rank, at));
        self.all[at].places.push(place);
    }

    /// Takes out the queue of the lowest rank.
    fn lowest(&mut self) -> Option<(u32, Queue)> {
        let Reverse(rank) = self.ranks.pop()?;
        let at = self.by_rank.remove(&rank)?;
        self.last = None;
        Some((rank, std::mem::take(&mut self.all[at])))
    }

    /// Puts back a queue that was taken out.
    fn wait(&mut self, rank: u32, queue: Queue) {
        self.ranks.push(Reverse(rank));
        self.by_rank.insert(rank, self.all.len());
        self.all.push(queue);
    }
}

fn long(joins: &impl Join, symbols: &mut Vec<Symbol>, len: u32) {
    let last = symbols.len() as u32 - 1;
    let link = |(at, &symbol): (u32, &Symbol)| Link {
        symbol,
        previous: at.wrapping_sub(1),
        next: if at == last { NONE } else { at + 1 },
    };
    let mut links: Vec<Link> = (0..).zip(symbols.iter()).map(link).collect();
    // Long words are mostly the same pair again and again.
    let last_pair = Cell::new((NONE, NONE, None));
    let join = |links: &[Link], at: u32| {
        let first = links.get(at as usize)?;
        let second = links.get(first.next as usize)?;
        let (one, other, found) = last_pair.get();
        if (one, other) == (first.symbol.id, second.symbol.id) && one != NONE && other != NONE {
            return found;
        }
        let end = links.get(second.next as usize).map_or(len, |next| next.symbol.start);
        let found = joins.join(first.symbol, second.symbol, end);
        last_pair.set((first.symbol.id, second.symbol.id, found));
        found
    };

    let mut queues = Queues::default();
    for at in 0..=last {
        if let Some(merge) = join(&links, at) {
            queues.push(merge.rank, at);
        }
    }
    while let Some((rank, mut queue)) = queues.lowest() {
        queue.places[queue.taken..].sort_unstable();
        while let Some(at) = queue.pop() {
            // What waits may be outdated: one of the two has become part of another since.
            let Some(merge) = join(&links, at).filter(|merge| merge.rank == rank) else { continue };
            let (second, previous) = (links[at as usize].next, links[at as usize].previous);
            let after = links[second as usize].next;
            links[second as usize].next = NONE;
            links[at as usize].symbol.id = merge.result;
            links[at as usize].next = after;
            if let Some(after) = links.get_mut(after as usize) {
                after.previous = at;
            }
            let mut sooner = false;
            for place in [previous, at] {
                let Some(merge) = join(&links, place) else { continue };
                if merge.rank == rank {
                    queue.late.push(Reverse(place));
                    continue;
                }
                sooner |= merge.rank < rank;
                queues.push(merge.rank, place);
            }
            if sooner {
                // A list in which a merge comes before one that it needs: this rank waits again.
                queues.wait(rank, queue);
                break;
            }
        }
    }

    symbols.clear();
    let mut at = 0;
    while let Some(link) = links.get(at as usize) {
        symbols.push(link.symbol);
        at = link.next;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Ids of two letters or fewer; any two may join, by a table.
    struct Table(Vec<Option<(u32, u32)>>);

    impl Join for Table {
        fn join(&self, first: Symbol, second: Symbol, _: u32) -> Option<Merge> {
            let (rank, result) = (*self.0.get((first.id * 8 + second.id) as usize)?)?;
            Some(Merge { rank, result })
        }
    }

    proptest! {
        /// Ranks may be shared and may come in any order, as in files that no trainer wrote.
        #[test]
        fn both_roads_lead_to_the_same(
            table in prop::collection::vec(prop::option::of((0_u32..9, 0_u32..8)), 64),
            ids in prop::collection::vec(0_u32..8, 1..200),
        ) {
            let table = Table(table);
            let symbols: Vec<Symbol> = (0..).zip(&ids).map(|(start, &id)| Symbol { id, start }).collect();
            let (mut one, mut other) = (symbols.clone(), symbols);
            short(&table, &mut one, ids.len() as u32, &mut Room::default());
            long(&table, &mut other, ids.len() as u32);
            prop_assert_eq!(one, other);
        }
    }
}
