//! Characters from the bytes of tokens.

use std::str::from_utf8;

/// Puts text together from bytes that may be cut anywhere.
///
/// Whatever the cuts, the text is that of [`String::from_utf8_lossy`] over all bytes: a character comes out once it is
/// complete, and bytes that can be no part of one become U+FFFD.
#[derive(Clone, Debug, Default)]
pub struct Detokenizer {
    /// The beginning of a character, at most three bytes.
    held: [u8; 4],
    len: usize,
}

impl Detokenizer {
    /// Takes the bytes of a token and appends the text that is complete now.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut String) {
        while self.len > 0 {
            let Some((&next, rest)) = bytes.split_first() else { return };
            self.held[self.len] = next;
            match from_utf8(&self.held[..=self.len]) {
                Ok(character) => {
                    out.push_str(character);
                    self.len = 0;
                    bytes = rest;
                }
                Err(error) if error.error_len().is_none() => {
                    self.len += 1;
                    bytes = rest;
                }
                // What was held is no character; this byte may begin the next one.
                Err(_) => self.finish(out),
            }
        }
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            let (valid, invalid) = (chunk.valid(), chunk.invalid());
            out.push_str(valid);
            if invalid.is_empty() {
                continue;
            }
            // Only at the very end may an incomplete character still become complete.
            if chunks.peek().is_none() && from_utf8(invalid).is_err_and(|error| error.error_len().is_none()) {
                self.len = invalid.len();
                self.held[..self.len].copy_from_slice(invalid);
            } else {
                out.push(char::REPLACEMENT_CHARACTER);
            }
        }
    }

    /// Ends the text: a character that was begun and never completed becomes one U+FFFD.
    pub fn finish(&mut self, out: &mut String) {
        if self.len > 0 {
            out.push(char::REPLACEMENT_CHARACTER);
            self.len = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn in_pieces(bytes: &[u8], cuts: &[usize]) -> String {
        let (mut detokenizer, mut out) = (Detokenizer::default(), String::new());
        let mut rest = bytes;
        for &cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            detokenizer.push(piece, &mut out);
            rest = after;
        }
        detokenizer.push(rest, &mut out);
        detokenizer.finish(&mut out);
        out
    }

    #[test]
    fn a_character_waits_for_its_last_byte() {
        let (mut detokenizer, mut out) = (Detokenizer::default(), String::new());
        detokenizer.push(&"né👍".as_bytes()[..6], &mut out);
        assert_eq!(out, "né");
        detokenizer.push(&"👍".as_bytes()[3..], &mut out);
        assert_eq!(out, "né👍");
    }

    #[test]
    fn hard_cases_agree_with_lossy_decoding() {
        // Overlong forms, surrogates, beyond U+10FFFF, cut characters followed by text and by one another.
        for bytes in [
            &b"\xC0\xAF"[..],
            b"\xED\xA0\x80",
            b"\xF4\x90\x80\x80",
            b"\xF0\x9F\x91a",
            b"\xE2\x82\xE2\x82\xAC",
            b"\xF0\x9F\xF0\x9F\x91\x8D",
            b"\x80\xFF\xFEa\xF0",
            b"\xE0\x80",
        ] {
            for cut in 0..=bytes.len() {
                assert_eq!(in_pieces(bytes, &[cut]), String::from_utf8_lossy(bytes), "{bytes:?} cut at {cut}");
            }
            assert_eq!(in_pieces(bytes, &vec![1; bytes.len()]), String::from_utf8_lossy(bytes), "{bytes:?}");
        }
    }

    /// Bytes that are often nearly right.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            any::<u8>().prop_map(|byte| vec![byte]),
            any::<char>().prop_map(|c| c.to_string().into_bytes()),
            (any::<char>(), 0..4_usize).prop_map(|(c, keep)| c.to_string().bytes().take(keep).collect()),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_text(bytes in bytes(), cuts in prop::collection::vec(0..6_usize, 0..12)) {
            prop_assert_eq!(in_pieces(&bytes, &cuts), String::from_utf8_lossy(&bytes));
        }
    }
}
