//! Stop strings, across the borders of tokens.

/// Lets text through up to the first stop string.
///
/// The stop string that is complete first ends the text; of two complete at the same place, the longer one. So the
/// result depends neither on how the text is cut nor on text to come: with the stops `abcd` and `c`, `abc` ends before
/// `c` at once, though `abcd` might have begun earlier.
///
/// Text is held back only as long as it may be the beginning of a stop string. Each byte costs amortised constant time
/// for each stop string (Knuth, Morris and Pratt 1977).
#[derive(Clone, Debug, Default)]
pub struct StopMatcher {
    stops: Vec<Stop>,
    /// The longest end of the text that begins a stop string.
    held: String,
    /// Which of the stop strings came.
    stopped: Option<usize>,
}

/// One stop string, and how much of it the text ends with.
#[derive(Clone, Debug)]
struct Stop {
    text: Box<[u8]>,
    /// For each length matched, how much still matches if the next byte does not: the longest proper border.
    border: Box<[usize]>,
    matched: usize,
    /// Its place among those that were given.
    index: usize,
}

impl Stop {
    fn new(index: usize, text: &str) -> Self {
        let text: Box<[u8]> = text.as_bytes().into();
        let mut border = vec![0; text.len() + 1].into_boxed_slice();
        let mut length = 0;
        for at in 1..text.len() {
            while length > 0 && text[at] != text[length] {
                length = border[length];
            }
            length += usize::from(text[at] == text[length]);
            border[at + 1] = length;
        }
        Self { text, border, matched: 0, index }
    }

    /// Takes a byte and returns whether it completes the stop string.
    fn advance(&mut self, byte: u8) -> bool {
        while self.matched > 0 && self.text[self.matched] != byte {
            self.matched = self.border[self.matched];
        }
        self.matched += usize::from(self.text[self.matched] == byte);
        self.matched == self.text.len()
    }
}

impl StopMatcher {
    /// A matcher for these strings; empty ones are ignored.
    pub fn new(stops: &[String]) -> Self {
        let stops = stops.iter().enumerate().filter(|(_, stop)| !stop.is_empty());
        let stops: Vec<_> = stops.map(|(index, stop)| Stop::new(index, stop)).collect();
        let longest = stops.iter().map(|stop| stop.text.len()).max().unwrap_or_default();
        Self { stops, held: String::with_capacity(longest), stopped: None }
    }

    /// Whether there is nothing to stop at.
    pub fn is_empty(&self) -> bool {
        self.stops.is_empty()
    }

    /// Which of the strings came, by its place among those that were given.
    pub fn stopped(&self) -> Option<usize> {
        self.stopped
    }

    /// Takes text and appends what can be no part of a stop string. Returns whether a stop string came: all text before
    /// it has then been appended, and everything after is dropped.
    pub fn push(&mut self, text: &str, out: &mut String) -> bool {
        if self.stopped.is_some() {
            return true;
        }
        for (index, &byte) in text.as_bytes().iter().enumerate() {
            // All must advance, also after one has matched: the longest that ends here is wanted.
            let complete =
                self.stops.iter_mut().filter_map(|stop| stop.advance(byte).then_some((stop.text.len(), stop.index)));
            // The first of equals.
            let longest = complete.reduce(|one, other| if other.0 > one.0 { other } else { one });
            if let Some((longest, which)) = longest {
                self.release(text, self.held.len() + index + 1 - longest, out);
                self.held.clear();
                self.stopped = Some(which);
                return true;
            }
        }
        let keep = self.stops.iter().map(|stop| stop.matched).max().unwrap_or_default();
        let total = self.held.len() + text.len();
        self.release(text, total - keep, out);
        if keep <= text.len() {
            self.held.clear();
            self.held.push_str(&text[text.len() - keep..]);
        } else {
            self.held.drain(..total - keep);
            self.held.push_str(text);
        }
        false
    }

    /// Appends the first `len` bytes of what is held and `text`.
    fn release(&self, text: &str, len: usize, out: &mut String) {
        // A match begins at the first byte of a character, as stop strings do, so these cuts never split one.
        let from_held = len.min(self.held.len());
        out.push_str(&self.held[..from_held]);
        out.push_str(&text[..len - from_held]);
    }

    /// Ends the text: what was held back is appended, unless a stop string came.
    pub fn finish(&mut self, out: &mut String) {
        out.push_str(&self.held);
        self.held.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The text, and whether it was stopped, by looking at every prefix.
    fn naive(text: &str, stops: &[String]) -> (String, bool) {
        for end in 0..=text.len() {
            let longest =
                stops.iter().filter(|stop| text.as_bytes()[..end].ends_with(stop.as_bytes())).map(String::len);
            if let Some(longest) = longest.max() {
                return (text[..end - longest].into(), true);
            }
        }
        (text.into(), false)
    }

    fn run(pieces: &[&str], stops: &[String]) -> (String, bool) {
        let (mut matcher, mut out) = (StopMatcher::new(stops), String::new());
        let mut stopped = false;
        for piece in pieces {
            stopped = matcher.push(piece, &mut out);
        }
        matcher.finish(&mut out);
        (out, stopped)
    }

    fn strings(stops: &[&str]) -> Vec<String> {
        stops.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn holds_back_only_what_may_be_a_stop() {
        let mut matcher = StopMatcher::new(&strings(&["###", "User:"]));
        let mut out = String::new();
        assert!(!matcher.push("Hello ##", &mut out));
        assert_eq!(out, "Hello ");
        assert!(!matcher.push(" Us", &mut out));
        assert_eq!(out, "Hello ## ");
        assert!(matcher.push("er: more", &mut out));
        assert!(matcher.push("dropped", &mut out));
        matcher.finish(&mut out);
        assert_eq!(out, "Hello ## ");
    }

    #[test]
    fn the_first_complete_wins_then_the_longest() {
        assert_eq!(run(&["xabcd"], &strings(&["abcd", "c"])), ("xab".into(), true));
        assert_eq!(run(&["xabcd"], &strings(&["cd", "bcd"])), ("xa".into(), true));
        assert_eq!(run(&["aaab"], &strings(&["aab"])), ("a".into(), true));
        assert_eq!(run(&["é", "è"], &strings(&["èx"])), ("éè".into(), false));
        assert_eq!(run(&["abc"], &[]), ("abc".into(), false));
    }

    proptest! {
        #[test]
        fn agrees_with_looking_at_every_prefix(
            text in "[abé]{0,24}",
            stops in prop::collection::vec("[abé]{1,4}", 0..4),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let mut borders: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let mut chosen: Vec<usize> = cuts.iter().map(|cut| *cut.get(&borders)).collect();
            chosen.extend([0, text.len()]);
            chosen.sort_unstable();
            let pieces: Vec<&str> = chosen.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect();
            prop_assert_eq!(run(&pieces, &stops), naive(&text, &stops));
            borders.dedup();
            let letters: Vec<&str> = borders.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect();
            prop_assert_eq!(run(&letters, &stops), naive(&text, &stops));
        }

        #[test]
        fn what_is_held_is_no_longer_than_it_must_be(
            text in "[ab]{0,16}",
            stops in prop::collection::vec("[ab]{1,5}", 1..4),
        ) {
            let (mut matcher, mut out) = (StopMatcher::new(&stops), String::new());
            if !matcher.push(&text, &mut out) {
                let held = &text[out.len()..];
                let begins = |end: &str| stops.iter().any(|stop| stop.starts_with(end));
                prop_assert!(held.is_empty() || begins(held));
                prop_assert!((0..out.len()).all(|at| !begins(&text[at..])));
            }
        }
    }
}
