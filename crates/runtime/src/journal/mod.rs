//! What went wrong lately, and how often: a program that runs for months answers "what is the matter?" from it.
//!
//! The [`Kind`] of an error, and what may be done about it ([`Recovery`]), follow from its class. A journal is bounded,
//! whatever it is told: the last hundred errors, with texts that are cut, and counts of a bounded number of codes.
//!
//! ```
//! use trillm_core::Error;
//! use trillm_runtime::journal::{Entry, Journal, Kind};
//!
//! let journal = Journal::default();
//! let error = Error::Cancelled;
//! journal.record(Entry::of(&error, [("model".into(), "smollm2".into())].into()));
//! assert_eq!(journal.recent(10)[0].kind, Kind::Generation);
//! assert_eq!(journal.counts().codes["cancelled"], 1);
//! ```

mod entry;
mod kind;
mod timestamp;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use entry::{Context, Entry};
pub use kind::{Kind, Recovery};
pub use timestamp::Timestamp;

/// Errors that are kept.
const KEPT: usize = 100;

/// Codes that are counted apart: several times what there are. Only programs that make up codes of their own get further.
const CODES: usize = 1000;

/// What codes beyond that are counted as.
const OTHER: &str = "other";

/// The last errors, and counts of all. Any number of threads may use it at once.
#[derive(Default)]
pub struct Journal(Mutex<State>);

#[derive(Default)]
struct State {
    entries: VecDeque<Arc<Entry>>,
    counts: Counts,
}

/// How many errors there were since the journal was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Counts {
    /// By kind; all kinds are there.
    pub kinds: BTreeMap<Kind, u64>,
    /// By code; those that occurred are there.
    pub codes: BTreeMap<String, u64>,
}

impl Default for Counts {
    fn default() -> Self {
        Self { kinds: Kind::ALL.into_iter().map(|kind| (kind, 0)).collect(), codes: BTreeMap::new() }
    }
}

impl Journal {
    /// Takes an error down.
    pub fn record(&self, entry: Entry) {
        let entry = Arc::new(entry.bounded());
        let mut state = self.lock();
        let State { entries, counts } = &mut *state;
        *counts.kinds.entry(entry.kind).or_default() += 1;
        let is_counted = counts.codes.len() < CODES || counts.codes.contains_key(&entry.code);
        let code = if is_counted { &*entry.code } else { OTHER };
        *counts.codes.entry(code.to_owned()).or_default() += 1;
        if entries.len() == KEPT {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    /// The last errors, so many of them at the most and of those that are kept; the newest comes last.
    pub fn recent(&self, count: usize) -> Vec<Arc<Entry>> {
        let state = self.lock();
        state.entries.iter().skip(state.entries.len().saturating_sub(count)).cloned().collect()
    }

    /// How many there were.
    pub fn counts(&self) -> Counts {
        self.lock().counts.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use trillm_core::Class;

    use super::*;

    fn entry(code: &str) -> Entry {
        let error = crate::Error::NotLoaded { name: "tiny".into() };
        Entry { code: code.into(), ..Entry::of(&error, Context::new()) }
    }

    #[test]
    fn an_error_is_kept_with_what_it_was_about() {
        let journal = Journal::default();
        let error = crate::Error::TooLarge { name: "big".into(), needed: 9, free: 4, limit: 5 };
        let context: Context = [("call".to_owned(), "generate".to_owned())].into();
        journal.record(Entry::of(&error, context.clone()));
        let kept = &journal.recent(10)[0];
        assert_eq!((kept.kind, kept.recovery), (Kind::Memory, Some(Recovery::UnloadModels)));
        assert_eq!((kept.code.as_str(), &kept.context), ("cache_too_small", &context));
        assert_eq!(kept.message, "big takes 9 bytes, and 4 of the 5 for all models are not pinned");
        assert!(kept.hint.as_ref().is_some_and(|hint| hint.contains("`cache_size`")));
    }

    #[test]
    fn the_last_hundred_are_kept_and_all_are_counted() {
        let journal = Journal::default();
        for number in 0..250 {
            journal.record(entry(if number % 5 == 0 { "fifth" } else { "other_code" }));
        }
        assert_eq!(journal.recent(usize::MAX).len(), 100);
        assert_eq!(journal.recent(0), []);
        let codes: Vec<_> = journal.recent(3).iter().map(|entry| entry.code.clone()).collect();
        // 247 to 249: the newest is the last.
        assert_eq!(codes, ["other_code", "other_code", "other_code"]);
        assert_eq!(journal.recent(5)[0].code, "fifth");
        let counts = journal.counts();
        assert_eq!(counts.kinds[&Kind::ModelLoad], 250);
        assert_eq!(counts.kinds[&Kind::Memory], 0);
        assert_eq!(counts.codes, [("fifth".to_owned(), 50), ("other_code".to_owned(), 200)].into());
    }

    #[test]
    fn nothing_grows_without_end() {
        let journal = Journal::default();
        for number in 0..3 * CODES {
            journal.record(entry(&format!("made_up_{number}")));
        }
        let counts = journal.counts();
        assert_eq!(counts.codes.len(), CODES + 1);
        assert_eq!(counts.codes[OTHER], 2 * CODES as u64);
        let long = "é".repeat(4000);
        let context = (0..40).map(|number| (format!("{number:04}{long}"), long.clone())).collect();
        let hint = Some(long.clone());
        journal.record(Entry { message: long, hint, context, ..entry("long") });
        let kept = journal.recent(1)[0].clone();
        assert!(kept.message.starts_with('é') && kept.message.ends_with('…') && kept.message.len() < 2100);
        assert_eq!(kept.context.len(), 16);
        assert!(kept.context.iter().all(|(name, text)| name.len() < 2100 && text.len() < 2100));
        assert!(kept.hint.as_ref().is_some_and(|hint| hint.len() < 2100));
    }

    #[test]
    fn many_threads_lose_none() {
        let journal = Journal::default();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..1000).for_each(|_| journal.record(entry("same"))));
            }
        });
        assert_eq!(journal.counts().codes["same"], 8000);
    }

    #[test]
    fn every_class_is_one_of_the_kinds() {
        let journal = Journal::default();
        for class in Class::ALL {
            journal.record(Entry { kind: Kind::of(class), ..entry("any") });
        }
        assert_eq!(journal.counts().kinds.values().sum::<u64>(), Class::ALL.len() as u64);
    }
}
