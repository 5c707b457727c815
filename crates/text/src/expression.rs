//! Expressions of Jinja2 in words that minijinja has: operators that it does otherwise become filters of ours.
//!
//! - `%` and `~`: minijinja's know nothing of `'%s' % x`, and print floats in their own way.
//! - `<` and its like: minijinja orders anything with anything, `undefined < 2` included.
//! - An index that may be a fraction, which minijinja takes as a whole number.
//! - A slice, which in minijinja is another one (`slices.rs`).
//! - A method that is not called, which minijinja takes for an item.
//! - A block that is named, which is a macro of ours (`rewrite.rs`).
//!
//! An expression is cut into tokens and what binds tighter is left as it stands.

use std::borrow::Cow;

use crate::method::{ATTRIBUTE, ITEM, is_method};
use crate::slices::SLICE;
use crate::tokens::{between, is_name, is_word, tokens};

/// The filter that `%` becomes. No template can have one of this name.
pub(crate) const MODULO: &str = "__modulo";
/// The filter that `~` becomes.
pub(crate) const CONCAT: &str = "__concat";
/// The filter that a chain of comparisons becomes, if one of them asks for an order.
pub(crate) const COMPARE: &str = "__compare";
/// The filter that an index goes through that may be no whole number.
pub(crate) const KEY: &str = "__key";

/// What has a template's blocks as its methods.
const BLOCKS: &str = "self";
/// How the name of the macro begins that a block becomes.
pub(crate) const BLOCK: &str = "__block_";

/// What a part of an expression is to those beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    /// Belongs to an operand, or is white space.
    Operand,
    /// `*`, `/` or `//`.
    Times,
    /// `%`.
    Modulo,
    /// `~`.
    Concat,
    /// `+` or `-` between operands.
    Plus,
    /// `==` or `!=`.
    Equal,
    /// `<`, `>`, `<=` or `>=`.
    Order,
    /// `in`.
    In,
    /// Anything that binds less: words, commas.
    Low,
}

/// Bytes of an operand that may be written twice. Longer ones, each within the next, would grow without bound.
const SHORT: usize = 64;

/// Words that end an operand. Those that begin a statement may be names elsewhere.
const WORDS: [&str; 6] = ["and", "or", "not", "in", "if", "else"];

/// Rewrites an expression, or what follows the name of a statement.
pub(crate) fn expression(inside: &str) -> Cow<'_, str> {
    let is_looked_at = |index: &str| is_fraction(index) || index.contains(':');
    let has_operator = inside.contains(['%', '~', '<', '>', '+', '-']) || inside.split('[').skip(1).any(is_looked_at);
    if !has_operator && !tokens(inside).any(|token| is_method(unquoted(token)) || token == BLOCKS) {
        return inside.into();
    }
    let sign = |text: &str| text.starts_with(['-', '+']);
    // White-space control is not a part of the expression.
    let (before, inside) = inside.split_at(usize::from(sign(inside)));
    let trailing = inside.len() - usize::from(inside.ends_with(['-', '+']));
    let (inside, after) = inside.split_at(trailing);
    let all: Vec<&str> = tokens(inside).collect();
    format!("{before}{}{after}", group(&mut all.as_slice())).into()
}

/// A text in quotes without them; any other token as it is.
fn unquoted(token: &str) -> &str {
    let inside = |quote| token.strip_prefix(quote)?.strip_suffix(quote);
    inside('\'').or_else(|| inside('"')).unwrap_or(token)
}

/// The next tokens but for white space.
fn ahead<'a>(tokens: &[&'a str]) -> impl Iterator<Item = &'a str> {
    tokens.iter().copied().filter(|token| !token.trim().is_empty())
}

/// Whether an index may be a fraction: it has a decimal point or a quotient.
fn is_fraction(index: &str) -> bool {
    let divides = || index.replace("//", "").contains('/');
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let mut points = index.match_indices('.').map(|(at, _)| (&index[..at], &index[at + 1..]));
    points.any(|(before, after)| is_digit(before.chars().next_back()) && is_digit(after.chars().next())) || divides()
}

/// Rewrites up to a closing bracket, which is taken too.
fn group(tokens: &mut &[&str]) -> String {
    let mut parts: Vec<(Part, String)> = Vec::new();
    let mut closing = "";
    // The last token but for white space, and the one before.
    let (mut last, mut second) = ("", "");
    while let Some((&token, rest)) = tokens.split_first() {
        *tokens = rest;
        let after_operand =
            last.ends_with(is_word) && !WORDS.contains(&last) || last.ends_with([')', ']', '}', '\'', '"']);
        let part = match token {
            "(" | "[" | "{" => {
                let mut inner = group(tokens);
                if let Some(index) = inner.strip_suffix(']').filter(|_| token == "[" && after_operand) {
                    // What is called or given a value is not looked at.
                    let name = unquoted(index.trim());
                    let method = if name != index.trim() && is_method(name) {
                        Some(format!(".{ITEM}('{name}')"))
                    } else {
                        bounds(index).map(|bounds| format!(".{SLICE}({bounds})"))
                    };
                    if let Some(method) = method {
                        parts.push((Part::Operand, method));
                        (second, last) = (last, ")");
                        continue;
                    }
                    if is_fraction(index) {
                        inner = format!("({index})|{KEY}]");
                    }
                }
                parts.push((Part::Operand, format!("{token}{inner}")));
                (second, last) = (last, ")");
                continue;
            }
            ")" | "]" | "}" => {
                closing = token;
                break;
            }
            name if last == "." && second != "loop" && is_method(name) && !is_used(tokens) => {
                parts.push((Part::Operand, format!("{ATTRIBUTE}('{name}')")));
                (second, last) = (last, ")");
                continue;
            }
            BLOCKS if last != "." && block(tokens).is_some() => {
                let (name, length) = block(tokens).unwrap_or_default();
                parts.push((Part::Operand, format!("{BLOCK}{name}")));
                *tokens = &tokens[length..];
                (second, last) = (last, name);
                continue;
            }
            "+" | "-" if !after_operand => {
                // A sign: minijinja has none for a truth value, and no `+`.
                let next = ahead(tokens).next().unwrap_or_default();
                let number = match next {
                    "true" | "True" => "1",
                    "false" | "False" => "0",
                    _ => "",
                };
                let sign = if token == "-" { token } else { "" };
                parts.push((Part::Operand, format!("{sign}{number}")));
                if !number.is_empty() {
                    *tokens = &tokens[tokens.iter().position(|token| *token == next).map_or(0, |at| at + 1)..];
                    (second, last) = (last, ")");
                } else if !sign.is_empty() {
                    (second, last) = (last, token);
                }
                continue;
            }
            "%" => Part::Modulo,
            "~" => Part::Concat,
            "*" | "/" | "//" => Part::Times,
            "==" | "!=" => Part::Equal,
            "<" | ">" | "<=" | ">=" => Part::Order,
            "," | ":" | "=" | "!" => Part::Low,
            "+" | "-" => Part::Plus,
            word if WORDS.contains(&word) && last != "." && last != "is" && !(last == "not" && second == "is") => {
                if word == "in" {
                    Part::In
                } else {
                    Part::Low
                }
            }
            _ => Part::Operand,
        };
        parts.push((part, token.to_owned()));
        if !token.trim().is_empty() {
            (second, last) = (last, token);
        }
    }
    remainders(&mut parts);
    compare(&joined_texts(&parts)) + closing
}

/// The bounds of a slice as three arguments; nothing if it is an index.
fn bounds(index: &str) -> Option<String> {
    let given = between(":", index);
    let bound = |at: usize| given.get(at).map(|bound| bound.trim()).filter(|bound| !bound.is_empty()).unwrap_or("none");
    (2..=3).contains(&given.len()).then(|| format!("{}, {}, {}", bound(0), bound(1), bound(2)))
}

/// Whether what was named is called or given a value: its name stays.
fn is_used(tokens: &[&str]) -> bool {
    matches!(ahead(tokens).next(), Some("(" | "="))
}

/// The block that is named by what follows [`BLOCKS`], if it is one, and how many tokens name it.
fn block<'a>(tokens: &[&'a str]) -> Option<(&'a str, usize)> {
    let mut next = tokens.iter().enumerate().filter(|(_, token)| !token.trim().is_empty());
    let (_, opening) = next.next()?;
    let (at, name) = next.next()?;
    match *opening {
        "." if name.starts_with(is_word) => Some((name, at + 1)),
        "[" if is_name(unquoted(name)) && unquoted(name) != *name => {
            next.next().filter(|(_, token)| **token == "]").map(|(at, _)| (unquoted(name), at + 1))
        }
        _ => None,
    }
}

/// Whether it belongs to an operand of `~`.
fn binds_more(part: Part) -> bool {
    matches!(part, Part::Operand | Part::Times)
}

/// Makes a filter of each `%`, from left to right: those in a row are filters in a row, which are not nested.
fn remainders(parts: &mut Vec<(Part, String)>) {
    while let Some(at) = parts.iter().position(|(part, _)| *part == Part::Modulo) {
        let start = parts[..at].iter().rposition(|(part, _)| !binds_more(*part)).map_or(0, |before| before + 1);
        // White space around stays, so that words do not touch.
        let mut text = format!(" ({})", joined(&parts[start..at]).trim());
        let mut end = at;
        while parts.get(end).is_some_and(|(part, _)| *part == Part::Modulo) {
            let behind = &parts[end + 1..];
            let size = behind.iter().position(|(part, _)| *part != Part::Operand).unwrap_or(behind.len());
            text.extend(["|", MODULO, "(", joined(&behind[..size]).trim(), ")"]);
            end += 1 + size;
        }
        parts.splice(start..end, [(Part::Operand, text + " ")]);
    }
}

/// The parts with one filter for each chain of `~`, however long it is: a filter within a filter would be nested.
fn joined_texts(parts: &[(Part, String)]) -> Vec<(Part, String)> {
    let mut out: Vec<(Part, String)> = Vec::with_capacity(parts.len());
    let belongs = |part: Part| binds_more(part) || part == Part::Concat;
    for chain in parts.chunk_by(|(before, _), (after, _)| belongs(*before) == belongs(*after)) {
        if !chain.iter().any(|(part, _)| *part == Part::Concat) {
            out.extend_from_slice(chain);
            continue;
        }
        let operands = chain.split(|(part, _)| *part == Part::Concat).map(|parts| joined(parts).trim().to_owned());
        let mut operands = operands.collect::<Vec<_>>().into_iter();
        let first = operands.next().unwrap_or_default();
        // A list: a call takes so many arguments and no more.
        let rest = operands.collect::<Vec<_>>().join(", ");
        out.push((Part::Operand, format!(" ({first})|{CONCAT}([{rest}]) ")));
    }
    out
}

fn joined(parts: &[(Part, String)]) -> String {
    parts.iter().map(|(_, text)| text.as_str()).collect()
}

/// The parts as text, each chain of comparisons that asks for an order as a filter.
fn compare(parts: &[(Part, String)]) -> String {
    let mut out = String::new();
    for chain in parts.chunk_by(|(before, _), (after, _)| *before != Part::Low && *after != Part::Low) {
        let has = |wanted: Part| chain.iter().any(|(part, _)| *part == wanted);
        // A chain with `in` is minijinja's.
        if !has(Part::Order) || has(Part::In) {
            out.push_str(&joined(chain));
            continue;
        }
        let is_operator = |(part, _): &(Part, String)| matches!(part, Part::Order | Part::Equal);
        let operators: Vec<&str> =
            chain.iter().filter(|part| is_operator(part)).map(|(_, text)| text.as_str()).collect();
        let operands: Vec<String> = chain.split(is_operator).map(|parts| joined(parts).trim().to_owned()).collect();
        let between = &operands[1..operands.len() - 1];
        // Nothing beside an operator is for the parser to complain about.
        if operands.iter().any(String::is_empty) {
            out.push_str(&joined(chain));
        } else if between.iter().any(|operand| operand.len() > SHORT) {
            // What is between two operators is computed once, and what is behind the last one in any case.
            let rest =
                operators.iter().zip(&operands[1..]).map(|(operator, operand)| format!("'{operator}', ({operand})"));
            let rest = rest.collect::<Vec<_>>().join(", ");
            out.extend([" (", &operands[0], ")|", COMPARE, "(", &rest, ") "]);
        } else {
            let each = operators.iter().zip(operands.windows(2));
            let each = each.map(|(operator, pair)| format!("({})|{COMPARE}('{operator}', ({}))", pair[0], pair[1]));
            let each = each.collect::<Vec<_>>().join(" and ");
            let brackets = if operators.len() > 1 { [" (", ") "] } else { [" ", " "] };
            out.extend([brackets[0], &each, brackets[1]]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_take_what_they_bind() {
        for (source, expected) in [
            ("a % b", "(a)|__modulo(b)"),
            ("a + b * c % -d.e[f % 2] + g", "a + (b * c)|__modulo(-d.e[ (f)|__modulo(2) ]) + g"),
            ("'%s %%' % (a, b)", "('%s %%')|__modulo((a, b))"),
            ("- not a % 2 == 0 -", "- not (a)|__modulo(2) == 0 -"),
            ("x = a ~ b * 2 ~ 'c'", "x = (a)|__concat([b * 2, 'c'])"),
            ("call['x'] ~ set % filter", "(call['x'])|__concat([(set)|__modulo(filter)])"),
            ("a % b is not none and c", "(a)|__modulo(b is not none) and c"),
            ("{'a': 'x}}' % b}", "{'a': ('x}}')|__modulo(b) }"),
            ("not a + 1 < b.c and d", "not (a + 1)|__compare('<', (b.c)) and d"),
            (
                "1 <= a|f(b > 2, 'a text longer than what may be written twice') == 3",
                "(1)|__compare('<=', (a|f( (b)|__compare('>', (2)) , 'a text longer than what may be written twice')), '==', (3))",
            ),
            ("x = 1 < a.b <= 3 if c", "x = ((1)|__compare('<', (a.b)) and (a.b)|__compare('<=', (3))) if c"),
            (
                "a.items + b.upper() + c['keys'] + d['x']",
                "a.__attribute('items') + b.upper() + c.__item('keys') + d['x']",
            ),
            ("ns.count = ns.count + loop.index", "ns.count = ns.__attribute('count') + loop.index"),
            ("self.b() ~ self . c ( ) ~ self ~ self.d", "(__block_b())|__concat([__block_c ( ), self, __block_d])"),
            ("( +a) - +b + -1 ** +2 or - true", "(a) - b + -1 ** 2 or -1"),
            ("self [ 'b' ] ( ) + self[b]", "__block_b ( ) + self[b]"),
            ("x[1:] + y[a[0]] + z[ : : -b[c[0]]]", "x.__slice(1,none,none) + y[a[0]] + z.__slice(none,none,-b[c[0]])"),
            ("x[{a: b}] + x[a:b / 2]", "x[{a: b}] + x.__slice(a, b / 2, none)"),
            ("a[1.0] + b[i] + c['x'] + d[n / 2]", "a[(1.0)|__key] + b[i] + c['x'] + d[(n / 2)|__key]"),
        ] {
            let squeezed = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(squeezed(&expression(source)), squeezed(expected), "{source}");
        }
    }

    #[test]
    fn the_rest_stays_as_it_is() {
        for source in ["'%' + \"<\" + 5", "a == b != c", "a < b in c", "a < ", "[1.5] + {a: b}"] {
            assert_eq!(expression(source), source);
        }
    }
}
