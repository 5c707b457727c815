//! Added tokens in a text of which others wrote parts.
//!
//! The library finds added tokens by two automata that know all of them, so it cannot be told that one is forbidden in
//! a place; and a text that is cut there comes out differently: the token before it swallows no spaces, and what
//! follows is taken for the beginning of a text. So here they are found by the same rules, one place at a time.

use std::cmp::Reverse;
use std::ops::Range;

use aho_corasick::AhoCorasick;
use tokenizers::normalizer::Range as Part;
use tokenizers::{NormalizedString, Normalizer as _, NormalizerWrapper, PreTokenizedString, Token as Found};
use trillm_core::{Guarded, Token};

use crate::document::AddedToken;
use crate::markers::touches_word;

/// Finds added tokens where they are allowed.
pub(crate) struct Finder {
    /// Tokens that are looked for in the text as it came.
    raw: Spellings,
    /// Tokens that are looked for in the normalized text, by their normalized spelling.
    normalized: Spellings,
}

struct Spellings {
    automaton: AhoCorasick,
    tokens: Vec<AddedToken>,
}

impl Finder {
    pub(crate) fn new(added: &[AddedToken], normalizer: Option<&NormalizerWrapper>) -> tokenizers::Result<Self> {
        // Of two entries with one spelling the library keeps the last.
        let last = |&(at, entry): &(usize, &AddedToken)| {
            added[at + 1..].iter().all(|other| other.token.content != entry.token.content)
        };
        let tokens = added.iter().enumerate().filter(last).map(|(_, entry)| entry.clone());
        let (changed, raw): (Vec<_>, Vec<_>) = tokens.partition(|entry| entry.token.normalized);
        let spelling = |entry: &AddedToken| {
            let mut text = NormalizedString::from(entry.token.content.as_str());
            normalizer.map_or(Ok(()), |normalizer| normalizer.normalize(&mut text))?;
            Ok(text.get().to_owned())
        };
        let spellings = changed.iter().map(spelling).collect::<tokenizers::Result<Vec<String>>>()?;
        let changed = Spellings { automaton: AhoCorasick::new(spellings)?, tokens: changed };
        let automaton = AhoCorasick::new(raw.iter().map(|entry| &entry.token.content))?;
        Ok(Self { raw: Spellings { automaton, tokens: raw }, normalized: changed })
    }

    /// The text, normalized, in pieces: added tokens that `guarded` does not forbid, and what is between them.
    pub(crate) fn extract(
        &self,
        normalizer: Option<&NormalizerWrapper>,
        text: &str,
        guarded: Guarded<'_>,
    ) -> tokenizers::Result<PreTokenizedString> {
        let mut pieces = PreTokenizedString::from(text);
        pieces.split(|_, piece| self.raw.split(&piece, guarded))?;
        pieces.split(|_, mut piece| {
            normalizer.map_or(Ok(()), |normalizer| normalizer.normalize(&mut piece))?;
            self.normalized.split(&piece, guarded)
        })?;
        Ok(pieces)
    }
}

type Piece = (NormalizedString, Option<Vec<Found>>);

impl Spellings {
    /// Cuts a piece of the text before and after each token.
    fn split(&self, piece: &NormalizedString, guarded: Guarded<'_>) -> tokenizers::Result<Vec<Piece>> {
        let slice = |range: Range<usize>| piece.slice(Part::Normalized(range)).ok_or("a token ends inside a character");
        let mut pieces = Vec::new();
        let mut end = 0;
        for (range, id) in self.find(piece, guarded) {
            if end < range.start {
                pieces.push((slice(end..range.start)?, None));
            }
            end = range.end;
            let (value, length) = (piece.get()[range.clone()].to_owned(), range.len());
            pieces.push((slice(range)?, Some(vec![Found::new(id, value, (0, length))])));
        }
        if end < piece.len() || pieces.is_empty() {
            pieces.push((slice(end..piece.len())?, None));
        }
        Ok(pieces)
    }

    /// The tokens of a piece and their places: the first and of these the longest, as the library's `find_matches`.
    fn find(&self, piece: &NormalizedString, guarded: Guarded<'_>) -> Vec<(Range<usize>, u32)> {
        let text = piece.get();
        let start = piece.offsets_original().0;
        let allowed = |range: &Range<usize>, entry: &AddedToken| {
            let original = piece.convert_offsets(Part::Normalized(range.clone())).unwrap_or_default();
            // A template writes a token as it is spelled; what normalizing makes one of is someone else's.
            let is_spelled = piece.get_original().get(original.clone()) == Some(entry.token.content.as_str());
            let is_guarded = guarded.tokens.binary_search(&Token(entry.id)).is_ok();
            (is_spelled || !is_guarded)
                && !guarded.forbids(Token(entry.id), &(start + original.start..start + original.end))
        };
        let spelled = self.automaton.find_overlapping_iter(text);
        let mut spelled: Vec<(Range<usize>, &AddedToken)> = spelled
            .map(|found| (found.range(), &self.tokens[found.pattern().as_usize()]))
            .filter(|(range, entry)| !range.is_empty() && allowed(range, entry))
            .collect();
        spelled.sort_by_key(|(range, _)| (range.start, Reverse(range.end)));

        let mut found = Vec::new();
        // Where the next spelling may begin, and where the last token ended, spaces that it swallowed included.
        let (mut next, mut end) = (0, 0);
        for (range, entry) in spelled {
            if range.start < next {
                continue;
            }
            next = range.end;
            let (before, after) = (&text[..range.start], &text[range.end..]);
            if entry.token.single_word && touches_word(text, &range) {
                continue;
            }
            let first = if entry.token.lstrip { before.trim_end().len().max(end) } else { range.start };
            end = if entry.token.rstrip { text.len() - after.trim_start().len() } else { range.end };
            found.push((first..end, entry.id));
        }
        found
    }
}
