//! From texts to the tokens that are embedded or scored, as sentence-transformers makes them.

use std::borrow::Cow;

use trillm_core::{Error, Guarded, PairFrame, Passage, Pipeline, Result, Token, Tokenizer};

/// What was left out of a text that was too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// Which of the texts, counted from zero.
    pub text: usize,
    /// Tokens that were left out.
    pub tokens: usize,
}

/// What is put before each text.
#[derive(Clone, Copy, Default)]
pub(crate) struct Prompt<'a> {
    pub(crate) text: &'a str,
    /// Whether the model's files have it: their authors may write control tokens, whoever wrote the text behind may not.
    pub(crate) published: bool,
}

/// Makes passages, one after the other.
pub(crate) struct Passages<'a> {
    tokenizer: &'a dyn Tokenizer,
    pipeline: &'a Pipeline,
    prompt: String,
    /// If control tokens are read in the prompt.
    guard: Option<Guard>,
    /// Tokens of the prompt that are not pooled.
    skipped: u32,
    limit: u32,
    /// The most that the model takes.
    longest: u32,
    truncate: bool,
    /// What was left out so far.
    pub(crate) cuts: Vec<Cut>,
}

impl<'a> Passages<'a> {
    /// For texts after `prompt`, each of at most `longest` tokens, and of as many as `pipeline` wants; longer ones are
    /// cut if `truncate`.
    pub(crate) fn new(
        tokenizer: &'a dyn Tokenizer,
        pipeline: &'a Pipeline,
        prompt: Prompt<'_>,
        longest: u32,
        truncate: bool,
    ) -> Result<Self> {
        let limit = pipeline.max_tokens.map_or(longest, |most| most.min(longest));
        let spellings = if prompt.published { spellings(tokenizer, prompt.text) } else { Vec::new() };
        let guard = (!spellings.is_empty()).then(|| Guard::new(tokenizer)).transpose()?;
        let text = if pipeline.lower_case { lowered(prompt.text, &spellings) } else { prompt.text.to_owned() };
        let (prompt, skipped, cuts) = (text, 0, Vec::new());
        let mut this = Self { tokenizer, pipeline, prompt, guard, skipped, limit, longest, truncate, cuts };
        if !pipeline.include_prompt && !this.prompt.is_empty() {
            // As sentence-transformers counts them: the tokens of the prompt as a text, less one for its end.
            let tokens = this.encode("", true)?;
            let ends = tokens.last().is_some_and(|last| tokenizer.control().contains(last));
            let inner = this.encode("", false)?.len();
            let length = tokens.len() - this.excess(tokens.len(), inner).unwrap_or(0);
            this.skipped = (length - usize::from(ends)) as u32;
        }
        Ok(this)
    }

    /// The passage of text `index`.
    pub(crate) fn of_text(&mut self, index: usize, text: &str) -> Result<Passage> {
        let mut tokens = self.encode(text, true)?;
        if tokens.len() > self.limit as usize {
            self.check_may_cut(index, tokens.len())?;
            let inner = self.encode(text, false)?;
            if let Some(over) = self.excess(tokens.len(), inner.len()) {
                // What stands around a text stays, so the text itself loses all that is too much.
                let (before, after) = around(&tokens, &inner).ok_or_else(|| self.overflow(index, tokens.len()))?;
                let kept = if self.pipeline.keeps_end { &inner[over..] } else { &inner[..inner.len() - over] };
                tokens = [before, kept, after].concat();
                self.cuts.push(Cut { text: index, tokens: over });
            }
            self.check_fits(index, tokens.len())?;
        }
        // A prompt that the text goes on with may become fewer tokens.
        Ok(Passage { prompt: self.skipped.min(tokens.len() as u32), ..Passage::new(tokens) })
    }

    /// The passage of text `index`, of which somebody else made tokens.
    pub(crate) fn of_tokens(&mut self, index: usize, tokens: Vec<Token>) -> Result<Passage> {
        let rows = self.tokenizer.vocabulary();
        if let Some(&Token(token)) = tokens.iter().find(|token| token.0 >= rows) {
            return Err(Error::NoEmbedding { name: "input", token, rows });
        }
        if tokens.len() > self.limit as usize {
            return Err(Error::TextOverflow { index, tokens: tokens.len(), limit: self.limit });
        }
        Ok(Passage::new(tokens))
    }

    /// The passage of pair `index`.
    pub(crate) fn of_pair(&mut self, index: usize, (first, second): (&str, &str)) -> Result<Passage> {
        let frame = self.tokenizer.pair();
        let by = "this model's tokenizer";
        let frame = frame.ok_or_else(|| Error::Unsupported { what: "a pair of texts".into(), by: by.into() })?;
        let mut first = self.encode(first, false)?;
        let mut second = self.encode_alone(second, false)?;
        let PairFrame { before, between, after, seconds } = frame;
        let special = before.len() + between.len() + after.len();
        let total = special + first.len() + second.len();
        if total > self.limit as usize {
            self.check_may_cut(index, total)?;
            if let Some(over) = self.excess(total, total - special) {
                let lengths = longest_first(first.len(), second.len(), total - special - over);
                cut(&mut first, lengths.0, self.pipeline.keeps_end);
                cut(&mut second, lengths.1, self.pipeline.keeps_end);
                self.cuts.push(Cut { text: index, tokens: over });
            }
            self.check_fits(index, special + first.len() + second.len())?;
        }
        let begins = before.len() + first.len() + between.len();
        let tokens = [&before[..], &first, between, &second, after].concat();
        Ok(match seconds.filter(|_| self.pipeline.tells_texts_apart) {
            Some(seconds) => Passage { second: (begins - seconds) as u32, ..Passage::new(tokens) },
            None => Passage::new(tokens),
        })
    }

    /// The tokens of a text behind the prompt.
    fn encode(&self, text: &str, add_special: bool) -> Result<Vec<Token>> {
        if self.prompt.is_empty() {
            return self.encode_alone(text, add_special);
        }
        let whole = format!("{}{}", self.prompt, self.cased(text));
        let mut tokens = Vec::new();
        match &self.guard {
            None => self.tokenizer.encode(&whole, add_special, false, &mut tokens)?,
            Some(guard) => {
                tokens.extend(guard.before.iter().filter(|_| add_special));
                let text = self.prompt.len()..whole.len();
                let ranges: &[_] = if text.is_empty() { &[] } else { &[text] };
                self.tokenizer.encode_guarded(&whole, Guarded { tokens: &guard.tokens, ranges }, &mut tokens)?;
                tokens.extend(guard.after.iter().filter(|_| add_special));
            }
        }
        Ok(tokens)
    }

    fn encode_alone(&self, text: &str, add_special: bool) -> Result<Vec<Token>> {
        let mut tokens = Vec::new();
        self.tokenizer.encode(&self.cased(text), add_special, false, &mut tokens)?;
        Ok(tokens)
    }

    fn cased<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.pipeline.lower_case { lowered(text, &[]).into() } else { text.into() }
    }

    /// How much of `tokens` is too much, of which `inner` are no control tokens. `None` where the rest alone is: the
    /// library `tokenizers` cuts nothing then.
    fn excess(&self, tokens: usize, inner: usize) -> Option<usize> {
        Some(tokens.saturating_sub(self.limit as usize)).filter(|over| *over <= inner)
    }

    /// Checks that the model takes so many tokens, cut or not.
    fn check_fits(&self, index: usize, tokens: usize) -> Result<()> {
        if tokens <= self.longest as usize { Ok(()) } else { Err(self.overflow(index, tokens)) }
    }

    fn check_may_cut(&self, index: usize, tokens: usize) -> Result<()> {
        if self.truncate { Ok(()) } else { Err(self.overflow(index, tokens)) }
    }

    /// What is too long: the prompt, if no text fits behind it, else the text.
    fn overflow(&self, index: usize, tokens: usize) -> Error {
        match self.encode("", true) {
            Ok(prompt) if !self.prompt.is_empty() && prompt.len() >= self.limit as usize => {
                Error::ContextOverflow { prompt: prompt.len(), max_tokens: None, context: self.limit }
            }
            _ => Error::TextOverflow { index, tokens, limit: self.limit },
        }
    }
}

/// What keeps the text behind a prompt from being read for control tokens, and what is around both.
struct Guard {
    /// Sorted.
    tokens: Vec<Token>,
    before: Vec<Token>,
    after: Vec<Token>,
}

impl Guard {
    fn new(tokenizer: &dyn Tokenizer) -> Result<Self> {
        let mut tokens = tokenizer.control().to_vec();
        tokens.sort_unstable();
        // What is put around one text is put around any.
        let (mut inner, mut whole) = (Vec::new(), Vec::new());
        tokenizer.encode("a", false, false, &mut inner)?;
        tokenizer.encode("a", true, false, &mut whole)?;
        let (before, after) = around(&whole, &inner).unwrap_or_default();
        Ok(Self { tokens, before: before.to_vec(), after: after.to_vec() })
    }
}

/// The control tokens that are spelled in a text.
fn spellings<'t>(tokenizer: &'t dyn Tokenizer, text: &str) -> Vec<&'t str> {
    let spelled = tokenizer.control().iter().filter_map(|token| tokenizer.spelling(*token));
    spelled.filter(|spelling| !spelling.is_empty() && text.contains(spelling)).collect()
}

/// A text in lower case but for what is spelled like one of these. Letter by letter, as the normalizer that
/// sentence-transformers puts before the model's own: a sigma at the end of a word becomes an ordinary one.
fn lowered(text: &str, spellings: &[&str]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let spelled = spellings.iter().filter(|spelling| rest.starts_with(**spelling)).max_by_key(|it| it.len());
        let length = spelled.map_or(first.len_utf8(), |spelling| spelling.len());
        match spelled {
            Some(spelling) => out.push_str(spelling),
            None => out.extend(first.to_lowercase()),
        }
        rest = &rest[length..];
    }
    out
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
    fn what_is_spelled_like_a_token_keeps_its_case() {
        // `str.lower` of Python makes the last letter of the first word another sigma; the normalizer does not.
        assert_eq!(lowered("ΑΣ It's [SEP] [SEPARATE]", &["[SEP]", "[SEPARATE]"]), "ασ it's [SEP] [SEPARATE]");
        assert_eq!(lowered("[SEP]", &[]), "[sep]");
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
