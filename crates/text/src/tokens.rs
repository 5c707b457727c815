//! An expression of a template, cut into tokens.

/// Cuts an expression: strings, words, white space, operators of two characters, and single characters.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let run = |is: fn(char) -> bool| rest.find(|c: char| !is(c)).unwrap_or(rest.len());
        let length = match first {
            '\'' | '"' => string(rest, first),
            c if c.is_whitespace() => run(char::is_whitespace),
            c if c.is_ascii_digit() => number(rest, run(is_word)),
            c if is_word(c) => run(is_word),
            _ if ["**", "//", "==", "!=", "<=", ">="].iter().any(|operator| rest.starts_with(operator)) => 2,
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        Some(token)
    })
}

/// Whether a character may be in a name.
pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of a number whose digits and letters end at `end`: an exponent may have a sign.
fn number(text: &str, end: usize) -> usize {
    let has_exponent =
        text[..end].ends_with(['e', 'E']) && !text.starts_with("0x") && text[end..].starts_with(['-', '+']);
    if !has_exponent {
        return end;
    }
    let digits = &text[end + 1..];
    end + 1 + digits.find(|c: char| !is_word(c)).unwrap_or(digits.len())
}

fn string(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + 1;
        }
    }
    text.len()
}

/// The parts of a text between commas, or other such signs, that are outside of brackets.
pub(crate) fn between<'a>(sign: &str, text: &'a str) -> Vec<&'a str> {
    let (mut parts, mut at, mut start, mut depth) = (Vec::new(), 0, 0, 0usize);
    for token in tokens(text) {
        match token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            token if token == sign && depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += token.len();
    }
    parts.push(&text[start..]);
    parts
}

/// Words of expressions that are no names, and names that are not a template's own.
const WORDS: [&str; 15] =
    ["and", "else", "false", "False", "if", "in", "is", "loop", "none", "None", "not", "or", "self", "true", "True"];

/// The names in an expression, as often as they are there: not attributes, filters or arguments by name.
pub(crate) fn names(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = tokens(text).filter(|token| !token.trim().is_empty()).peekable();
    let mut last = "";
    std::iter::from_fn(move || {
        loop {
            let (token, before) = (rest.next()?, last);
            last = token;
            let is_name = is_name(token) && !WORDS.contains(&token) && !matches!(before, "." | "|");
            if is_name && rest.peek() != Some(&"=") {
                return Some(token);
            }
        }
    })
}

/// Whether a token may be the name of a variable.
pub(crate) fn is_name(text: &str) -> bool {
    text.chars().all(is_word) && !text.starts_with(|c: char| c.is_ascii_digit()) && !text.is_empty()
}

/// Whether a name is read in an expression, and not only given a value or an attribute of something.
pub(crate) fn reads(text: &str, name: &str) -> bool {
    if !text.contains(name) {
        return false;
    }
    let all: Vec<&str> = tokens(text).filter(|token| !token.trim().is_empty()).collect();
    all.iter().enumerate().any(|(at, token)| {
        let before = at.checked_sub(1).map(|at| all[at]);
        *token == name && !matches!(before, Some("." | "|")) && all.get(at + 1) != Some(&"=")
    })
}
