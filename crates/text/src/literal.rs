//! Literal texts of a template with the escapes of Python, in those that minijinja has.
//!
//! What is no escape stays, its backslash too. `\N{name}` is left as it stands: it takes a table of all names.

use std::borrow::Cow;

use crate::tokens::tokens;

/// Rewrites the texts in an expression.
pub(crate) fn literals(inside: &str) -> Cow<'_, str> {
    if !inside.contains('\\') {
        return inside.into();
    }
    let rewritten =
        tokens(inside).map(|token| if token.starts_with(['\'', '"']) { literal(token) } else { token.into() });
    rewritten.collect::<String>().into()
}

fn literal(token: &str) -> Cow<'_, str> {
    let (quote, mut rest) = token.split_at(1);
    // One without an end is for the parser to complain about.
    let Some(inside) = rest.strip_suffix(quote).filter(|_| token.contains('\\')) else { return token.into() };
    rest = inside;
    let mut out = quote.to_owned();
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let Some((read, length)) = escape(after) else {
            // Nothing that Python reads: a backslash, or a mistake that minijinja reports.
            let is_mistake = after.starts_with(['x', 'u', 'U']);
            out.push_str(if is_mistake { "\\" } else { "\\\\" });
            rest = after;
            continue;
        };
        match read {
            None => {}
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some(c @ ('\'' | '"')) => out.extend(['\\', c]),
            Some(c) => out.push(c),
        }
        rest = &after[length..];
    }
    (out + rest + quote).into()
}

/// The character that an escape means, if it means one, and its length without the backslash.
fn escape(after: &str) -> Option<(Option<char>, usize)> {
    let digits = |from: usize, count: usize| u32::from_str_radix(after.get(from..from + count)?, 16).ok();
    let first = after.chars().next()?;
    let read = match first {
        '\n' => return Some((None, 1)),
        '\\' | '\'' | '"' => first,
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        'x' => return Some((Some(char::from_u32(digits(1, 2)?)?), 3)),
        'u' => {
            let unit = digits(1, 4)?;
            if let Some(c) = char::from_u32(unit) {
                return Some((Some(c), 5));
            }
            // Two halves of one character.
            let other = digits(7, 4).filter(|_| after[5..].starts_with("\\u"))?;
            let pair = [u16::try_from(unit).ok()?, u16::try_from(other).ok()?];
            let c = char::decode_utf16(pair).next()?.ok()?;
            return Some((Some(c), 11));
        }
        'U' => return Some((Some(char::from_u32(digits(1, 8)?)?), 9)),
        '0'..='7' => {
            let length = after.chars().take(3).take_while(|c| ('0'..='7').contains(c)).count();
            let code = u32::from_str_radix(&after[..length], 8).ok()?;
            return Some((Some(char::from_u32(code)?), length));
        }
        _ => return None,
    };
    Some((Some(read), 1))
}
