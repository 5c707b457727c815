//! `wordwrap`, as Python's `textwrap` breaks lines.

use minijinja::{Error, ErrorKind, Value};

use crate::arguments::given;
use crate::bounds::{TooLong, bounded};
use crate::white::lines;
use crate::{kinds, python};

/// Bytes of a text that is wrapped, each of which may become a line.
const LONGEST: usize = 1 << 20;

/// `wordwrap(width, break_long_words, wrapstring, break_on_hyphens)`.
pub(crate) fn wordwrap(
    value: &Value,
    width: Option<i64>,
    break_long_words: Option<bool>,
    wrapstring: &Value,
    break_on_hyphens: Option<bool>,
) -> Result<String, Error> {
    let text = lined(value)?;
    if text.len() > LONGEST {
        return Err(TooLong.into());
    }
    let between = given(wrapstring).filter(|between| !between.is_none());
    between.map_or(Ok(()), python::defined)?;
    let (width, between) = (width.unwrap_or(79), between.and_then(Value::as_str).unwrap_or("\n"));
    let (breaks_words, hyphens) = (break_long_words.unwrap_or(true), break_on_hyphens.unwrap_or(true));
    let Some(width) = usize::try_from(width).ok().filter(|width| *width > 0) else {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("invalid width {width} (must be > 0)")));
    };
    let mut out = String::new();
    for (index, line) in lines(text).into_iter().enumerate() {
        out.push_str(if index > 0 { between } else { "" });
        out.push_str(&wrap(line, width, breaks_words, hyphens).join(between));
        out = bounded(out)?;
    }
    Ok(out)
}

/// A text, which alone has lines.
pub(crate) fn lined(value: &Value) -> Result<&str, Error> {
    value.as_str().ok_or_else(|| {
        let detail = format!("'{}' object has no attribute 'splitlines'", python::type_name(value));
        python::blaming(value, Error::new(ErrorKind::InvalidOperation, detail))
    })
}

/// One line as several.
fn wrap(line: &str, width: usize, breaks_words: bool, hyphens: bool) -> Vec<String> {
    let line: Vec<char> = line.chars().collect();
    let is_blank = |chunk: &&[char]| chunk.iter().all(|c| is_space(*c));
    let mut chunks = chunks(&line, hyphens);
    chunks.reverse();
    let mut wrapped: Vec<String> = Vec::new();
    while !chunks.is_empty() {
        if !wrapped.is_empty() && chunks.last().is_some_and(is_blank) {
            chunks.pop();
        }
        let (mut current, mut length): (Vec<&[char]>, usize) = (Vec::new(), 0);
        while let Some(chunk) = chunks.pop_if(|chunk| length + chunk.len() <= width) {
            length += chunk.len();
            current.push(chunk);
        }
        if let Some(long) = chunks.pop_if(|chunk| chunk.len() > width) {
            let space = (width - length).max(usize::from(width == 0));
            if breaks_words {
                let mut end = space;
                if hyphens && long.len() > space {
                    let hyphen = long[..space].iter().rposition(|c| *c == '-').filter(|at| *at > 0);
                    let has_letters = |at: usize| long[..at].iter().any(|c| *c != '-');
                    end = hyphen.filter(|at| has_letters(*at)).map_or(space, |at| at + 1);
                }
                current.push(&long[..end]);
                chunks.push(&long[end..]);
            } else if current.is_empty() {
                current.push(long);
            } else {
                chunks.push(long);
            }
        }
        if current.last().is_some_and(is_blank) {
            current.pop();
        }
        if !current.is_empty() {
            wrapped.push(current.concat().into_iter().collect());
        }
    }
    wrapped
}

/// White space as `textwrap` has it: that of ASCII.
fn is_space(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | ' ')
}

/// What a line may be broken between: white space, words, and parts of words with hyphens.
fn chunks(line: &[char], hyphens: bool) -> Vec<&[char]> {
    let is_letter = |at: usize| line.get(at).is_some_and(|c| kinds::is_letter(*c) || *c == '_');
    let is_word = |at: usize| line.get(at).is_some_and(|c| kinds::is_word(*c));
    let is_punctuated = |at: usize| is_word(at) || line.get(at).is_some_and(|c| "!\"'&.,?".contains(*c));
    let dashes = |at: usize| line[at..].iter().take_while(|c| **c == '-').count();
    let mut chunks = Vec::new();
    let mut start = 0;
    while start < line.len() {
        let mut end = start + 1;
        if is_space(line[start]) {
            while end < line.len() && is_space(line[end]) {
                end += 1;
            }
        } else if hyphens
            && start > 0
            && is_punctuated(start - 1)
            && dashes(start) >= 2
            && is_word(start + dashes(start))
        {
            end = start + dashes(start);
        } else {
            // A word ends before white space or a dash, or behind a hyphen between letters.
            while end < line.len() && !is_space(line[end]) {
                let dash = is_punctuated(end - 1) && dashes(end) >= 2 && is_word(end + dashes(end));
                let behind = end.checked_sub(1).is_some_and(|hyphen| {
                    let two = hyphen >= 2 && is_letter(hyphen - 1) && is_letter(hyphen - 2);
                    let one =
                        hyphen >= 3 && is_letter(hyphen - 3) && line[hyphen - 2] == '-' && is_punctuated(hyphen - 1);
                    hyphen > start && line[hyphen] == '-' && (two || one)
                });
                let ahead =
                    is_letter(end) && (is_letter(end + 1) || line.get(end + 1) == Some(&'-') && is_letter(end + 2));
                if hyphens && (dash || behind && ahead) {
                    break;
                }
                end += 1;
            }
        }
        chunks.push(&line[start..end]);
        start = end;
    }
    chunks
}
