//! From texts to the tokens that are embedded or scored, as sentence-transformers makes them.

use std::borrow::Cow;

use trillm_core::{Error, PairFrame, Passage, Pipeline, Result, Token, Tokenizer};

/// What was left out of a text that was too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// Which of the texts, counted from zero.
    pub text: usize,
    /// Tokens that were left out.
    pub tokens: usize,
}

/// Makes passages, one after the other.
pub(crate) struct Passages<'a> {
    tokenizer: &'a dyn Tokenizer,
    pipeline: &'a Pipeline,
    prompt: &'a str,
    /// Tokens of it that are not pooled.
    skipped: u32,
    limit: u32,
    truncate: bool,
    /// What was left out so far.
    pub(crate) cuts: Vec<Cut>,
}

impl<'a> Passages<'a> {
    /// For texts after `prompt`, each of at most `limit` tokens; longer ones are cut if `truncate`.
    pub(crate) fn new(
        tokenizer: &'a dyn Tokenizer,
        pipeline: &'a Pipeline,
        prompt: &'a str,
        limit: u32,
        truncate: bool,
    ) -> Result<Self> {
        let mut this = Self { tokenizer, pipeline, prompt: "", skipped: 0, limit, truncate, cuts: Vec::new() };
        if !pipeline.include_prompt && !prompt.is_empty() {
            // As sentence-transformers counts them: the tokens of the prompt as a text, less one for its end.
            let tokens = this.encode(prompt, true)?;
            let ends = tokens.last().is_some_and(|last| tokenizer.control().contains(last));
            this.skipped = (tokens.len().min(limit as usize) - usize::from(ends)) as u32;
        }
        this.prompt = prompt;
        Ok(this)
    }

    /// The passage of text `index`.
    pub(crate) fn of_text(&mut self, index: usize, text: &str) -> Result<Passage> {
        let text = self.with_prompt(text);
        let mut tokens = self.encode(&text, true)?;
        if let Some(over) = tokens.len().checked_sub(self.limit as usize).filter(|over| *over > 0) {
            self.check_may_cut(index, tokens.len())?;
            let inner = self.encode(&text, false)?;
            // What stands around a text stays, so the text itself loses all that is too much.
            let around = around(&tokens, &inner).filter(|_| over < inner.len());
            let (before, after) = around.ok_or_else(|| self.overflow(index, tokens.len()))?;
            let kept = if self.pipeline.keeps_end { &inner[over..] } else { &inner[..inner.len() - over] };
            tokens = [before, kept, after].concat();
            self.cuts.push(Cut { text: index, tokens: over });
        }
        Ok(Passage { prompt: self.skipped, ..Passage::new(tokens) })
    }

    /// The passage of pair `index`.
    pub(crate) fn of_pair(&mut self, index: usize, (first, second): (&str, &str)) -> Result<Passage> {
        let frame = self.tokenizer.pair();
        let by = "this model's tokenizer";
        let frame = frame.ok_or_else(|| Error::Unsupported { what: "a pair of texts".into(), by: by.into() })?;
        let mut first = self.encode(&self.with_prompt(first), false)?;
        let mut second = self.encode(second, false)?;
        let PairFrame { before, between, after, seconds } = frame;
        let special = before.len() + between.len() + after.len();
        let total = special + first.len() + second.len();
        if total > self.limit as usize {
            self.check_may_cut(index, total)?;
            let room = (self.limit as usize).checked_sub(special).ok_or_else(|| self.overflow(index, total))?;
            let lengths = longest_first(first.len(), second.len(), room);
            cut(&mut first, lengths.0, self.pipeline.keeps_end);
            cut(&mut second, lengths.1, self.pipeline.keeps_end);
            self.cuts.push(Cut { text: index, tokens: total - special - lengths.0 - lengths.1 });
        }
        let begins = before.len() + first.len() + between.len();
        let tokens = [&before[..], &first, between, &second, after].concat();
        Ok(match seconds.filter(|_| self.pipeline.tells_texts_apart) {
            Some(seconds) => Passage { second: (begins - seconds) as u32, ..Passage::new(tokens) },
            None => Passage::new(tokens),
        })
    }

    fn with_prompt<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.prompt.is_empty() { text.into() } else { format!("{}{text}", self.prompt).into() }
    }

    fn encode(&self, text: &str, add_special: bool) -> Result<Vec<Token>> {
        let mut tokens = Vec::new();
        // Letter by letter, as the normalizer that sentence-transformers puts before the model's own: a sigma at the end
        // of a word becomes an ordinary one.
        let lowered: Option<String> =
            self.pipeline.lower_case.then(|| text.chars().flat_map(char::to_lowercase).collect());
        self.tokenizer.encode(lowered.as_deref().unwrap_or(text), add_special, false, &mut tokens)?;
        Ok(tokens)
    }

    fn check_may_cut(&self, index: usize, tokens: usize) -> Result<()> {
        if self.truncate { Ok(()) } else { Err(self.overflow(index, tokens)) }
    }

    fn overflow(&self, index: usize, tokens: usize) -> Error {
        Error::TextOverflow { index, tokens, limit: self.limit }
    }
}

/// What stands before and after `inner` in `tokens`.
fn around<'t>(tokens: &'t [Token], inner: &[Token]) -> Option<(&'t [Token], &'t [Token])> {
    let begin = (0..=tokens.len().checked_sub(inner.len())?).find(|&begin| tokens[begin..].starts_with(inner))?;
    Some((&tokens[..begin], &tokens[begin + inner.len()..]))
}

fn cut(tokens: &mut Vec<Token>, length: usize, keeps_end: bool) {
    if keeps_end {
        tokens.drain(..tokens.len() - length);
    }
    tokens.truncate(length);
}

/// How much of two texts fits into `room`, the longer one giving way: `LongestFirst` of the library `tokenizers`.
fn longest_first(first: usize, second: usize, room: usize) -> (usize, usize) {
    let shorter = first.min(second);
    // What the shorter one leaves, if that is more than it takes itself; else they share.
    let (shorter, longer) = match room.checked_sub(shorter) {
        Some(left) if left >= shorter => (shorter, left),
        _ => (room / 2, room - room / 2),
    };
    if first > second { (longer, shorter) } else { (shorter, longer) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_text_of_a_pair_gives_way() {
        // As tokenizers 0.23 cuts pairs of these lengths.
        for (first, second, room, expected) in [
            (10, 3, 8, (5, 3)),
            (3, 10, 8, (3, 5)),
            (10, 10, 9, (4, 5)),
            (10, 9, 9, (5, 4)),
            (0, 10, 4, (0, 4)),
            (20, 10, 4, (2, 2)),
            (5, 4, 8, (4, 4)),
        ] {
            assert_eq!(longest_first(first, second, room), expected, "{first} and {second} in {room}");
        }
    }

    #[test]
    fn what_stands_around_a_text_is_found() {
        let tokens: Vec<Token> = [7, 1, 2, 8].map(Token).to_vec();
        let (before, after) = around(&tokens, &tokens[1..3]).expect("it is there");
        assert_eq!((before, after), (&tokens[..1], &tokens[3..]));
        assert_eq!(around(&tokens, &[Token(2), Token(1)]), None);
        assert_eq!(around(&tokens[..1], &tokens), None);
    }
}
