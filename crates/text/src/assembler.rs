//! From the bytes of tokens to the text a caller sees.

use crate::{Detokenizer, StopMatcher};

/// A [`Detokenizer`] and a [`StopMatcher`] in a row. It does not allocate once warm.
#[derive(Clone, Debug, Default)]
pub struct Assembler {
    detokenizer: Detokenizer,
    stop: StopMatcher,
    /// Complete characters on their way to the matcher.
    text: String,
}

impl Assembler {
    /// Assembles text that ends before any of these strings.
    pub fn new(stops: &[String]) -> Self {
        Self { detokenizer: Detokenizer::default(), stop: StopMatcher::new(stops), text: String::with_capacity(64) }
    }

    /// Takes the bytes of a token and appends the text that is certain now. Returns whether a stop string came.
    pub fn push(&mut self, bytes: &[u8], out: &mut String) -> bool {
        if self.stop.is_empty() {
            self.detokenizer.push(bytes, out);
            return false;
        }
        self.text.clear();
        self.detokenizer.push(bytes, &mut self.text);
        self.stop.push(&self.text, out)
    }

    /// Which of the stop strings came, by its place among them.
    pub fn stopped(&self) -> Option<usize> {
        self.stop.stopped()
    }

    /// Ends the text: appends what was held back, unless a stop string came.
    pub fn finish(&mut self, out: &mut String) {
        self.text.clear();
        self.detokenizer.finish(&mut self.text);
        self.stop.push(&self.text, out);
        self.stop.finish(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_string_is_found_across_characters_and_tokens() {
        let mut assembler = Assembler::new(&["xyz".into(), "é!".into()]);
        let mut out = String::new();
        assert!(!assembler.push(b"caf\xC3", &mut out));
        assert_eq!(out, "caf");
        assert!(!assembler.push(b"\xA9", &mut out));
        assert_eq!(out, "caf");
        assert_eq!(assembler.stopped(), None);
        assert!(assembler.push(b"! and more", &mut out));
        assert_eq!(assembler.stopped(), Some(1));
        assembler.finish(&mut out);
        assert_eq!(out, "caf");
    }

    #[test]
    fn the_end_releases_everything() {
        for stops in [vec![], vec!["abc".to_string()]] {
            let mut assembler = Assembler::new(&stops);
            let mut out = String::new();
            assert!(!assembler.push(b"xab\xF0\x9F", &mut out));
            assembler.finish(&mut out);
            assert_eq!(out, "xab\u{FFFD}");
        }
    }
}
