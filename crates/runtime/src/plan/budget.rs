//! What a pool of models may take, beside what the system has.

use super::machine::{Counts, Limit};
use super::need::Need;

/// What a pool has left for one more model.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Budget {
    /// Bytes, by the plans of the models; `None` for any number.
    pub bytes: Option<Left<u64>>,
    /// Models; `None` for any number.
    pub models: Option<Left<usize>>,
}

/// What is left of a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Left<N> {
    /// What no model has yet.
    pub free: N,
    /// What all may have.
    pub all: N,
}

impl Budget {
    /// The limit that such a model does not keep to, if there is one.
    pub(super) fn exceeded(&self, need: &Need) -> Option<Limit> {
        let limit = |bytes, source| Some(Limit { bytes, source, counts: Counts::Planned });
        if let Some(Left { free: 0, all }) = self.models {
            return limit(0, format!("`max_models_loaded`, {all}, are loaded"));
        }
        let Left { free, all } = self.bytes.filter(|left| need.total() > left.free)?;
        limit(free, format!("what others leave of `cache_size`, {} MB", all / 1_000_000))
    }

    /// What is left once a model that takes so many bytes has gone.
    pub(super) fn without(self, bytes: u64) -> Self {
        let Self { bytes: left, models } = self;
        Self {
            bytes: left.map(|Left { free, all }| Left { free: free.saturating_add(bytes).min(all), all }),
            models: models.map(|Left { free, all }| Left { free: free.saturating_add(1).min(all), all }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_limits_count_and_what_goes_is_left() {
        let need = Need { weights_mapped: 60, weights_private: 40, ..Need::default() };
        let budget = |bytes: Option<(u64, u64)>, models: Option<(usize, usize)>| Budget {
            bytes: bytes.map(|(free, all)| Left { free, all }),
            models: models.map(|(free, all)| Left { free, all }),
        };
        let over = |budget: Budget| budget.exceeded(&need).map(|limit| limit.bytes);
        assert_eq!(over(Budget::default()), None);
        assert_eq!(over(budget(Some((100, 200)), Some((1, 2)))), None);
        assert_eq!(over(budget(Some((99, 200)), None)), Some(99));
        assert_eq!(over(budget(Some((200, 200)), Some((0, 2)))), Some(0));
        let full = budget(Some((40, 200)), Some((0, 2)));
        assert_eq!(full.without(60), budget(Some((100, 200)), Some((1, 2))));
        assert_eq!(full.without(500), budget(Some((200, 200)), Some((1, 2))));
    }
}
